/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the workload runs, reached through the agent: a QEMU guest, or (natively) this machine itself, where the same
 * agent runs.
 */
#ifndef MEMORY_TRACER_VM_GUEST_H
#define MEMORY_TRACER_VM_GUEST_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "../base/loop.h"
#include "../protocol/frames.h"
#include "qemu.h"

typedef struct Guest Guest;

/* What the agent has told about the workload. */
typedef struct GuestWorkload {
    bool ready, traced, exited;
    char *info;             /* once it is ready: without the white space around it */
    char *libraries;        /* with options.describe: "ADDRESS PATH\n" for each of its ELF files, or NULL */
    struct mt_traced times; /* once it was traced */
    struct mt_exit exit;    /* once it has exited */
} GuestWorkload;

/* What has become of the files that the workload has written. */
typedef struct GuestFinish {
    uint64_t files_dropped; /* outside of the writable folders */
    bool disk_is_full;      /* the guest's disk, to which these changes went */
    char *problem;          /* what could not be written back, or NULL */
} GuestFinish;

typedef struct WorkloadOptions {
    const char *program;     /* what is executed: a path, or a name to be looked up in the guest's PATH */
    const char *const *argv; /* its arguments, argv[0] first */
    bool is_on_host;         /* the program is one of this machine */
    bool may_be_text;        /* it may be a text without a #! line: /bin/sh executes that, as with execvp(3) */
    bool sees_host;          /* the guest has this machine's files. Else, if the program is on the host, its file is put
                                into the guest, with what it needs */
    const char *const *writable;         /* with sees_host: the folders that are the same there and here; canonical */
    const char *const *environment;      /* all of it; or NULL: what the guest usually has */
    const char *const *more_environment; /* added to that; or NULL */
    const char *current_folder;          /* or NULL: ours */
    const char *user;                    /* with sees_host: instead of ourselves; or NULL */
    bool speaks;                         /* it follows the workload protocol: says when it is ready and when to stop */
    bool pass_input;                     /* our standard input is passed on; else it has none */
    bool terminal;                       /* it has a terminal like ours, which must be our standard input and output */
    const char *folder; /* of this machine, to be copied into the home of the workload's user; or NULL. It must be on
                           the transfer drive (archive.h) */
    const char *until;  /* a shell command that runs beside it, until it succeeds: then the workload ends; or NULL */
    unsigned warm_ups;  /* how often it runs before, untraced */
    unsigned timeout_s; /* of guest time; 0: none */
    unsigned wait_timeout_s; /* for it to become ready; 0: none */
    bool tell_vcpus;         /* the vCPUs run in one thread: the agent is to tell the plugin which one is which */
    bool describe;           /* find out where the program will be loaded */
    bool describe_libraries; /* and its libraries: for that, a program runs (and markers are executed) before it */
    bool pass_output;        /* its output goes to our stdout and stderr; else both to stderr */
} WorkloadOptions;

/* Starts QEMU from a snapshot and waits for the agent's answer. The options must stay. NULL with an error. */
Guest *guest_start(const QemuOptions *qemu, const WorkloadOptions *workload, RunLoop *loop, GError **error);
/* Starts the agent on this machine. Likewise. */
Guest *guest_start_native(const WorkloadOptions *workload, RunLoop *loop, GError **error);
/* Stops all that was started. */
void guest_free(Guest *guest);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Guest, guest_free)

/* NULL if it is native. Belongs to the guest. */
Qemu *guest_qemu(const Guest *guest);
const GuestWorkload *guest_workload(const Guest *guest);

/* Runs a program that is in the guest, as root and untraced. Returns what it printed on stdout, to be freed; NULL with
 * an error. Only before the workload is started. */
GString *guest_run_program(Guest *guest, const char *const *argv, GError **error);
/* Sets how large the archive is, for the progress. */
void guest_set_archive_bytes(Guest *guest, uint64_t bytes);
/* Copies the workload into the guest, starts it and waits until it is ready. False with an error. */
bool guest_start_workload(Guest *guest, GError **error);
/* The end of what the workload has printed to its standard error. Belongs to the guest. */
const char *guest_last_words(const Guest *guest);
/* Lets the workload go: tracing begins. */
void guest_enter(Guest *guest);
/* Asks the agent to end the workload. What it still prints is passed on unless that would block. */
void guest_stop(Guest *guest);
/* The contents of a file that the workload has written, or of one of the guest's own files; `path` is as the workload
 * saw it. `inode`: the inode number that the file must have; 0: any. To be unreferenced; NULL if it isn't there, can't
 * be read or is longer than `max_bytes`. The bytes are the guest's, and may be anything. */
GByteArray *guest_fetch(Guest *guest, const char *path, uint64_t inode, uint64_t max_bytes);
/* After the workload's end: ends the processes that it has left behind, and tells what has become of its files. False
 * with an error. finish->problem belongs to the guest. */
bool guest_finish(Guest *guest, GuestFinish *finish, GError **error);
/* Sets an error which says that the workload has ended before it printed `line`. Returns false. */
bool guest_ended_too_early(const Guest *guest, const char *line, GError **error);

#endif
