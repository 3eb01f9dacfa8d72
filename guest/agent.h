/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the agent's files share: its state, and how it talks to the runner. */
#ifndef MEMORY_TRACER_GUEST_AGENT_H
#define MEMORY_TRACER_GUEST_AGENT_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "../src/protocol/frames.h"

/* channel.c: frames over the port. */

/* Sends one frame; waits while the runner doesn't read. If the port is gone, the frame is dropped. */
void channel_send(uint32_t type, const void *payload, size_t length);
/* Sends two pieces as one frame. */
void channel_send2(uint32_t type, const void *head, size_t head_length, const void *tail, size_t tail_length);
/* Sends MT_FRAME_ERROR with a formatted line. */
void channel_send_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Reads what there is and calls `handle` for every complete frame. Returns false when the runner is gone for now. */
bool channel_receive(void (*handle)(const struct mt_frame *frame, const uint8_t *payload));
void channel_open(int fd);
int channel_fd(void);

/* init.c: when the agent is the first process. */

/* Loads the modules of the initramfs, mounts the root file system and enters it. Ends the machine if it can't. */
void init_become_first_process(void);

/* files.c: files from the host. */
void files_stat(const char *path);
void files_begin(const struct mt_file *file, const char *path);
void files_append(const uint8_t *bytes, size_t length);
/* Sends the runner a file that the workload has written. */
void files_fetch(const struct mt_fetch *fetch, const char *path);

/* user.c: which user the workload runs as. */
struct user {
    bool known; /* else it is the agent's own user, and nothing below is set */
    uid_t uid;
    gid_t gid;
    char name[64], home[PATH_MAX], shell[PATH_MAX];
};

/* Looks a user up by name; an empty one gives the agent's own. Returns false if there is none by that name. */
bool user_find(const char *name, struct user *user);
/* Becomes that user for good. Returns false, with errno set, if that is not allowed. */
bool user_become(const struct user *user);
/* Likewise, the user whose ids are in the request. */
bool user_become_ids(const struct mt_run *run);

/* drive.c: the transfer drive. */
/* Opens it, for direct I/O. Returns -1 with errno set if there is none. */
int drive_open(void);
/* Executes the agent on the drive in place of this one; the new agent greets the runner. Tells the runner if that can't
 * be done. */
void drive_renew_agent(void);

/* unpack.c: folders from the host. */
void unpack(const char *user_name, const char *name);
/* Unpacks the archive `fd` into a new folder, as that user. Returns false with one line in `problem` if it can't. */
bool unpack_archive(int fd, const char *path, const struct user *user, char *problem, size_t problem_size);

/* memory.c */
/* When the guest is out of memory, its kernel shall kill the workload rather than us. */
void memory_protect(void);
/* In a child: undoes that for the child. */
void memory_unprotect(void);
/* How many processes the kernel has killed so far for want of memory. */
uint64_t memory_kills(void);

/* descendants.c */
/* Kills all processes that this one has started, directly or not, even those that have left their parents. */
void descendants_kill(void);

/* vcpus.c */
/* Executes the markers of MT_RUN_TELL_VCPUS, on each vCPU that the guest uses. */
void vcpus_tell(void);

/* request.c: what MT_FRAME_RUN asks for. */

/* Gathers the strings of the next request. */
void strings_append(const uint8_t *bytes, size_t length);
/* Returns what was gathered, to be freed; it may be NULL. */
char *strings_take(size_t *length);
/* Returns the string at *at, and moves *at behind it; NULL if no string ends before `end`. */
const char *strings_next(const char **at, const char *end);

struct request {
    struct mt_run run;
    char *strings; /* the memory of all strings */
    char **words;  /* the memory of argv and envp, which end with NULL */
    const char *program;
    char **argv, **envp;
    const char *folder, *user, *stdin_file, *until; /* empty: none */
};

/* Takes the strings that were gathered. Returns false if they don't fit to `run`. request_free() is needed in any case.
 */
bool request_parse(const struct mt_run *run, struct request *request);
/* An environment variable's value, or NULL. */
const char *request_variable(const struct request *request, const char *name);
/* Adds to the environment what a login as this user would add. */
void request_add_user(struct request *request, const struct user *user);
void request_free(struct request *request);

/* stdin.c: the workload's standard input. */

struct pollfd;

/* Opens what the request says it is, and returns the descriptor for the workload; -1 with errno set. */
int stdin_open(const struct request *request);
/* If it is a file: opens that for one more run of the request. Likewise. */
int stdin_open_file(const struct request *request);
/* From now on, input is typed on this terminal. */
void stdin_type_on(int terminal);
/* Takes what the runner has sent; no bytes: the end of the input. */
void stdin_receive(const uint8_t *bytes, size_t length);
/* What to poll (an fd of -1: nothing), and what to do when that has returned. */
void stdin_poll(struct pollfd *polled);
void stdin_progress(const struct pollfd *polled);
/* How many bytes the workload has taken; of a file, where it has got to. */
uint64_t stdin_taken(void);
void stdin_close(void);

/* stdio.c: the workload's standard input, output and error. */
struct stdio {
    int theirs[3];
    int out, err; /* what we read: pipes, or in `out` the pseudo-terminal; -1: there is none */
};

/* Opens them as the request says. Returns false with errno set; `stdio` then has what was opened before the failure. */
bool stdio_make(struct stdio *stdio, const struct request *request);
/* Tells a workload's terminal how large it is. */
void stdio_resize(int terminal, const struct mt_window *window);

/* view.c: what workloads see of the host's files. */

/* Makes the host's files visible to workloads, as the strings that were gathered say; answers the runner. */
void view_make(const struct mt_view *request);
bool view_is_made(void);
/* Opens a file of the host's for reading. Returns -1 with errno set. */
int view_open(const char *path);
/* Opens for reading what the workload has written at this path, or without a view, the guest's file there. Returns -1
 * with errno set if there is none. */
int view_open_written(const char *path);
/* Before a workload is forked: makes a new upper layer, so that it doesn't see what earlier workloads have changed. */
void view_prepare(void);
/* In the workload, as root: makes the view its root. Without a view, does nothing. Returns NULL, or, with errno set,
 * what couldn't be done. */
const char *view_enter(void);
/* In another child, as root: makes the view of the running workload its root. Likewise. */
const char *view_join(pid_t workload);
/* Writes back what is shared for writing, and tells the runner what has become of the files. */
void view_finish(void);

/* spawn.c: what a child does to be a program that was asked for. */

/* Finds the program of that name, as a shell would. Returns 0 or an errno. */
int spawn_find_program(const char *name, const char *path_variable, char found[PATH_MAX]);
/* Makes the folders on the way to a file accessible to every user. */
void spawn_open_the_way(const char *path);
/* Sets user, limits, folder and so on as the request says, in a session of its own, with the view of the workload
 * `beside` (0: a new view). Returns NULL, or, with errno set, what couldn't be done. */
const char *spawn_become(const struct request *request, const struct user *user, const int stdio[3], pid_t beside);
/* Executes a file, as the request says. A file of the host that is neither a program nor a script with a #! line is
 * executed by the shell, as with execvp(3); the runner has checked it. Returns only on failure, with errno set. */
void spawn_execute(const char *program, const struct request *request);
/* Tells the agent, at the other end of `exec_error`, what failed and why (errno), and ends the process. */
void spawn_give_up(int exec_error, const char *failed) __attribute__((noreturn));
/* Makes this child the traced workload: waits for a byte from `go`, and executes the start marker before the program.
 * If `go` is -1 (the workload speaks), it does neither. */
void spawn_held(const char *program, const struct request *request, const struct user *user, const int stdio[3], int go,
                int exec_error) __attribute__((noreturn));
/* Starts the program that a request is about, with neither input nor output. Returns its pid, or -1 with errno set. */
pid_t spawn_silent(const struct request *request, const struct user *user, const char *program, int exec_error);
/* Starts the shell with these arguments, likewise, as the workload's user and with the workload's view. */
pid_t spawn_beside(const struct request *request, const struct user *user, pid_t workload, char *const *argv);

/* until.c: the command that the workload runs until. */

/* The workload `pid` has been let go. If the request has such a command, it is run until it succeeds; then the
 * workload's process group gets SIGTERM, and what is still there 5 s later is killed. Both must stay until the end. */
void until_begin(const struct request *request, const struct user *user, pid_t pid);
/* The time (monotonic_ns()) at which until_progress() is to be called; 0: there is nothing to do. */
int64_t until_next_ns(void);
void until_progress(void);
/* A child of ours has ended. */
void until_child_ended(pid_t pid, int status);
bool until_has_succeeded(void);
/* The workload has ended, or shall end for another reason. */
void until_end(void);

/* workload.c: the program that is traced. */
void workload_run(const struct mt_run *run);
void workload_enter(void);
bool workload_is_traced(void);
/* Whether the program itself runs, and no longer what prepares it. */
bool workload_is_executed(void);
void workload_stop(void);
/* Sets the size of its terminal. */
void workload_resize(const struct mt_window *window);
/* Fills `fds` with what to poll (at most 2) and returns their number; *timeout_ms is lowered to the deadline. */
int workload_poll_fds(int fds[2], int *timeout_ms);
/* Call when a child has ended, when one of those descriptors is readable, or when the time is up. */
void workload_progress(void);

/* speech.c: the words of a workload that follows the workload protocol. */
enum speech { SPEECH_READY, SPEECH_STOP };

/* A workload begins to speak. `on_speech` is called for its words. Its info, and everything else as its output, is sent
 * to the runner. */
void speech_begin(void (*on_speech)(enum speech word));
void speech_feed(const char *bytes, size_t length);
/* It has ended. */
void speech_end(void);

/* serve.c: the agent's loop. Returns when the port can't be polled any more, or, with `once`, when the runner has gone:
 * the workload is killed then. With `resumed`, the runner waits for a greeting. */
void agent_serve(int port, bool once, bool resumed);

int64_t monotonic_ns(void);

/* Nanoseconds since 1970, or before: tv_nsec is never negative. */
static inline struct timespec timespec_of_ns(int64_t ns)
{
    int64_t seconds = ns / 1000000000, rest = ns % 1000000000;

    return rest < 0 ? (struct timespec){ .tv_sec = seconds - 1, .tv_nsec = rest + 1000000000 }
                    : (struct timespec){ .tv_sec = seconds, .tv_nsec = rest };
}

#endif
