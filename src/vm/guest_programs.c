/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What runs in the guest: the workload, with the files that must be copied for it, and small programs before it. */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../protocol/words.h"
#include "elf_object.h"
#include "guest_files.h"
#include "guest_private.h"
#include "host_view.h"
#include "shared_libraries.h"

#define STAT_TIMEOUT_S 60
#define FETCH_PATIENCE_MS 60000
#define GUEST_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define GUEST_FOLDER "qemu_mem_tracer_workload"

/* Files. */

typedef struct {
    Guest *guest;
    guint count;
} StatsWanted;

static bool has_stats(void *data)
{
    StatsWanted *wanted = data;

    return wanted->guest->stats->len >= wanted->count;
}

static bool send_file(Guest *guest, const char *path, GError **error)
{
    const WaitFor wait = {
        .done = guest_has_acknowledged,
        .data = guest,
        .what = "the guest to receive files",
        .timeout_s = guest->options->wait_timeout_s,
        .poll_ms = 20,
    };

    run_loop_verbose(guest->loop, "sending %s", path);
    guest->acknowledged = false;
    return agent_link_send_file(guest->agent, path, path, error) && run_loop_wait(guest->loop, &wait, error);
}

/* Whether the guest has the same file: files of the same package version have the same size and time. */
static bool is_same(const char *path, const struct mt_stat_reply *reply)
{
    GStatBuf status;

    return !g_stat(path, &status) && S_ISREG(reply->mode) && (uint64_t)status.st_size == reply->size &&
           status.st_mtim.tv_sec == reply->mtime_ns / 1000000000;
}

static bool send_files(Guest *guest, GPtrArray *paths, bool only_missing, GError **error)
{
    StatsWanted wanted = { guest, paths->len };
    const WaitFor wait = { .done = has_stats,
                           .data = &wanted,
                           .what = "the guest to say which files it has",
                           .timeout_s = STAT_TIMEOUT_S,
                           .poll_ms = 20 };

    g_array_set_size(guest->stats, 0);
    for (guint i = 0; i < paths->len; i++)
        agent_link_send(guest->agent, MT_FRAME_STAT, paths->pdata[i], strlen(paths->pdata[i]) + 1);
    if (!run_loop_wait(guest->loop, &wait, error))
        return false;
    for (guint i = 0; i < paths->len; i++) {
        struct mt_stat_reply reply = g_array_index(guest->stats, struct mt_stat_reply, i);
        bool skip = only_missing ? reply.mode != 0 : is_same(paths->pdata[i], &reply);

        if (!skip && !send_file(guest, paths->pdata[i], error))
            return false;
    }
    return true;
}

/* Programs in the guest. */

static bool is_ready(void *data)
{
    const GuestWorkload *workload = &((Guest *)data)->workload;

    return workload->ready || workload->exited;
}

bool guest_ended_too_early(const Guest *guest, const char *line, GError **error)
{
    const struct mt_exit *end = &guest->workload.exit;

    return end->signal
               ? mt_fail(error, "the workload was killed by signal %u (%s) before it printed \"%s\"", end->signal,
                         g_strsignal((int)end->signal), line)
               : mt_fail(error, "the workload exited with status %u before it printed \"%s\"", end->status, line);
}

/* What MT_FRAME_RUN asks for. `run` needs no counts, `arguments` begin with argv[0], and what is NULL is left empty. */
typedef struct {
    struct mt_run run;
    const char *program, *user, *stdin_file, *until;
    const char *const *arguments, *const *environment;
} RunRequest;

static void send_run(Guest *guest, RunRequest *request)
{
    const char *current = guest->options->current_folder;
    g_autofree char *folder = current ? g_strdup(current) : g_get_current_dir();
    const char *program_word[] = { request->program, NULL };
    const char *last_words[] = { folder, request->user ? request->user : "",
                                 request->stdin_file ? request->stdin_file : "", request->until ? request->until : "",
                                 NULL };
    g_autoptr(GByteArray) strings = g_byte_array_new();

    request->run.argc = g_strv_length((char **)request->arguments);
    request->run.envc = g_strv_length((char **)request->environment);
    guest_append_strings(strings, program_word);
    guest_append_strings(strings, request->arguments);
    guest_append_strings(strings, request->environment);
    guest_append_strings(strings, last_words);
    guest_send_strings(guest, strings);
    agent_link_send(guest->agent, MT_FRAME_RUN, &request->run, sizeof request->run);
}

static bool has_exited(void *data)
{
    return ((Guest *)data)->workload.exited;
}

/* Whether `environment`, which may be NULL, has a variable of the same name. */
static bool has_variable(const char *const *environment, const char *variable)
{
    g_autofree char *name = g_strndup(variable, strcspn(variable, "="));

    return environment && g_environ_getenv((char **)environment, name);
}

/* The usual environment in the guest, changed by `more` and `one_more` (may be NULL). To be freed, without the strings.
 */
static const char **guest_environment(const char *const *usual, const char *const *more, const char *one_more)
{
    GPtrArray *all = g_ptr_array_new();

    for (; *usual; usual++)
        if (!has_variable(more, *usual))
            g_ptr_array_add(all, (gpointer)*usual);
    for (; more && *more; more++)
        g_ptr_array_add(all, (gpointer)*more);
    if (one_more)
        g_ptr_array_add(all, (gpointer)one_more);
    g_ptr_array_add(all, NULL);
    return (const char **)g_ptr_array_free(all, FALSE);
}

static GString *run_program(Guest *guest, RunRequest *request, GError **error)
{
    const WaitFor until_ready = {
        .done = is_ready, .data = guest, .what = "the guest to start a program", .timeout_s = 30, .poll_ms = 2
    };
    const WaitFor until_end = {
        .done = has_exited, .data = guest, .what = "a program in the guest", .timeout_s = 120, .poll_ms = 2
    };
    g_autoptr(GString) output = g_string_new(NULL);
    bool fine;

    guest->captured = output;
    request->program = request->arguments[0];
    send_run(guest, request);
    fine = run_loop_wait(guest->loop, &until_ready, error);
    if (fine && guest->workload.ready) {
        guest_enter(guest);
        fine = run_loop_wait(guest->loop, &until_end, error);
    }
    guest->captured = NULL;
    if (fine && (guest->workload.exit.status || guest->workload.exit.signal))
        fine = mt_fail(error, "%s failed in the guest", request->program);
    g_clear_pointer(&guest->workload.info, g_free);
    guest->workload = (GuestWorkload){ .libraries = guest->workload.libraries };
    return fine ? g_steal_pointer(&output) : NULL;
}

GString *guest_run_program(Guest *guest, const char *const *argv, GError **error)
{
    const char *const environment[] = { GUEST_PATH, "LC_ALL=C", NULL };
    RunRequest request = { .arguments = argv, .environment = environment };

    return run_program(guest, &request, error);
}

/*
 * Finds where the loader will put the program and its libraries. Without address space randomisation that is the same
 * each time, so the loader is asked, as ldd does. Only glibc's loader can be asked: another one would start the
 * program.
 * (`ld.so --list PROGRAM` can't be used: then the loader maps the program itself, and the libraries lie elsewhere.)
 * Failing to find out is not an error.
 */
static void find_libraries(Guest *guest, const char *program, bool loader_is_usual)
{
    static const char trace_libraries[] = "LD_TRACE_LOADED_OBJECTS=1";
    const char *const usual[] = { GUEST_PATH, guest->library_path, NULL };
    const char *const argv[] = { program, NULL };
    const WorkloadOptions *options = guest->options;
    g_autofree const char **environment =
        guest_environment(options->environment ? options->environment : usual, NULL, trace_libraries);
    RunRequest request = { .arguments = argv, .environment = environment };
    g_autoptr(GString) libraries = g_string_new(NULL);
    g_autoptr(GString) listed = NULL;
    uint64_t bias;

    if (!guest_files_load_bias(program, &bias))
        return;
    g_string_append_printf(libraries, "%" G_GINT64_MODIFIER "x %s\n", bias, program);
    if (loader_is_usual && options->describe_libraries &&
        (!options->sees_host || host_view_describe_caller(&request.run, options->user, NULL)))
        listed = run_program(guest, &request, NULL);
    g_auto(GStrv) lines = g_strsplit(listed ? listed->str : "", "\n", -1);
    for (char **line = lines; *line; line++) {
        char *path = strchr(*line, '/'), *address = strstr(*line, " (0x");

        if (path && address && path < address) {
            *address = 0;
            address += strlen(" (0x");
            address[strcspn(address, ")")] = 0;
            g_string_append_printf(libraries, "%s %s\n", address, path);
        }
    }
    guest->workload.libraries = g_string_free(g_steal_pointer(&libraries), FALSE);
}

/* For a guest that has this machine's files, too. */
static void describe_program(Guest *guest, const char *program)
{
    g_autoptr(ElfObject) object = elf_object_read(program, NULL);

    if (object && guest->options->describe)
        find_libraries(guest, program, object->loader && shared_libraries_loader_is_usual(object->loader));
}

static bool send_program(Guest *guest, const char *program, GError **error)
{
    g_autoptr(GuestFiles) files = guest_files_new();

    files->takes_text = guest->options->may_be_text;
    if (!guest_files_add_program(files, program, error))
        return false;
    if (guest->native)
        return true;
    if (!send_files(guest, files->needed, false, error) || !send_files(guest, files->if_missing, true, error))
        return false;
    if (files->library_path)
        guest->library_path = g_strconcat("LD_LIBRARY_PATH=", files->library_path, NULL);
    if (guest->options->describe)
        find_libraries(guest, program, files->loader_is_usual);
    return true;
}

void guest_set_archive_bytes(Guest *guest, uint64_t bytes)
{
    guest->archive_bytes = bytes;
}

static char *unpack_status(void *data)
{
    Guest *guest = data;

    return g_strdup_printf("%.0f of %.0f MB", (double)guest->progress.bytes / 1e6, (double)guest->archive_bytes / 1e6);
}

static bool unpack_folder(Guest *guest, GError **error)
{
    const WaitFor wait = {
        .done = guest_has_acknowledged, .data = guest, .what = "the guest to unpack the folder", .poll_ms = 20
    };
    g_autofree char *words = g_strdup_printf("%s%c%s", guest->user, 0, GUEST_FOLDER);
    bool fine;

    guest->acknowledged = false;
    agent_link_send(guest->agent, MT_FRAME_UNPACK, words, strlen(guest->user) + 1 + sizeof GUEST_FOLDER);
    run_loop_set_status(guest->loop, unpack_status, guest);
    fine = run_loop_wait(guest->loop, &wait, error);
    run_loop_set_status(guest->loop, NULL, NULL);
    return fine;
}

/* The workload. */

/* Whether our standard output and error are the same: a terminal, most often, or "> FILE 2>&1". */
static bool have_one_output(void)
{
    struct stat output, errors;

    return !fstat(STDOUT_FILENO, &output) && !fstat(STDERR_FILENO, &errors) && output.st_dev == errors.st_dev &&
           output.st_ino == errors.st_ino;
}

/* Sets what the request says of the workload's user, and returns its environment, to be freed without the strings. */
static const char **describe_workload(Guest *guest, struct mt_run *run, GStrv own_environment, GError **error)
{
    const WorkloadOptions *options = guest->options;
    const char *const usual[] = { GUEST_PATH, "LANG=C.UTF-8", "TERM=dumb", NULL };
    const char *const *whole = options->environment ? options->environment : (const char *const *)own_environment;

    guest->has_one_output = options->pass_output && have_one_output();
    run->flags = (options->speaks ? MT_RUN_WORKLOAD_SPEAKS : 0) |
                 (options->is_on_host && !options->sees_host ? MT_RUN_FROM_HOST : 0) |
                 (options->tell_vcpus ? MT_RUN_TELL_VCPUS : 0) | (guest->has_one_output ? MT_RUN_ONE_OUTPUT : 0);
    run->timeout_ms = options->timeout_s * 1000;
    run->warm_ups = options->warm_ups;
    if (options->sees_host && !host_view_describe_caller(run, options->user, error))
        return NULL;
    return whole ? guest_environment(whole, NULL, NULL)
                 : guest_environment(usual, options->more_environment, guest->library_path);
}

bool guest_start_workload(Guest *guest, GError **error)
{
    const WorkloadOptions *options = guest->options;
    const WaitFor wait = { .done = is_ready,
                           .data = guest,
                           .what = options->warm_ups ? "the workload to warm up"
                                                     : "the workload to print \"" WORDS_READY "\"",
                           .timeout_s = options->wait_timeout_s,
                           .poll_ms = 10 };
    g_autofree char *program = options->is_on_host && !options->sees_host
                                   ? g_canonicalize_filename(options->program, NULL)
                                   : g_strdup(options->program);
    g_auto(GStrv) own_environment = guest->native ? g_get_environ() : NULL;
    g_autofree const char **environment = NULL;
    g_autofree char *stdin_file = NULL;
    RunRequest request = {
        .program = program, .user = guest->user, .until = options->until, .arguments = options->argv
    };

    if (options->sees_host)
        describe_program(guest, program);
    else if (options->is_on_host && !send_program(guest, program, error))
        return false;
    if (options->folder && !unpack_folder(guest, error))
        return false;
    environment = describe_workload(guest, &request.run, own_environment, error);
    if (!environment)
        return false;
    guest_begin_input(guest, &request.run, &stdin_file);
    request.environment = environment;
    request.stdin_file = stdin_file;
    send_run(guest, &request);
    if (!run_loop_wait(guest->loop, &wait, error))
        return false;
    return guest->workload.ready || guest_ended_too_early(guest, WORDS_READY, error);
}

const char *guest_last_words(const Guest *guest)
{
    return guest->last_words->str;
}

void guest_enter(Guest *guest)
{
    if (guest->input) {
        standard_input_begin(guest->input);
        run_loop_set_raw(guest->loop, guest->options->terminal);
    }
    agent_link_send(guest->agent, MT_FRAME_ENTER, NULL, 0);
}

void guest_stop(Guest *guest)
{
    guest->stopping = true;
    if (guest->options->terminal)
        run_loop_settle(guest->loop);
    if (guest->input)
        standard_input_leave_terminal(guest->input);
    run_loop_set_raw(guest->loop, false);
    agent_link_send(guest->agent, MT_FRAME_STOP, NULL, 0);
}

static bool has_finished(void *data)
{
    return ((Guest *)data)->finished;
}

static bool has_fetched(void *data)
{
    return ((Guest *)data)->fetch_ended;
}

GByteArray *guest_fetch(Guest *guest, const char *path, uint64_t inode, uint64_t max_bytes)
{
    const WaitFor wait = { .done = has_fetched,
                           .data = guest,
                           .what = "the guest to send a file",
                           .patience_ms = FETCH_PATIENCE_MS,
                           .poll_ms = 5 };
    const struct mt_fetch fetch = { .inode = inode, .max_bytes = max_bytes };
    g_autoptr(GByteArray) request = g_byte_array_new();
    GByteArray *fetched;
    bool fine;

    if (guest->fetch_is_late) /* what it sends now may be of the file before */
        return NULL;
    fetched = g_byte_array_new();
    g_byte_array_append(request, (const guint8 *)&fetch, sizeof fetch);
    g_byte_array_append(request, (const guint8 *)path, (guint)strlen(path) + 1);
    guest->fetched = fetched;
    guest->fetch_max_bytes = max_bytes;
    guest->fetch_ended = guest->fetch_failed = false;
    agent_link_send(guest->agent, MT_FRAME_FETCH, request->data, request->len);
    fine = run_loop_wait(guest->loop, &wait, NULL) && !guest->fetch_failed;
    guest->fetched = NULL;
    guest->fetch_is_late = !guest->fetch_ended;
    if (fine)
        return fetched;
    g_byte_array_unref(fetched);
    return NULL;
}

bool guest_finish(Guest *guest, GuestFinish *finish, GError **error)
{
    const WaitFor wait = { .done = has_finished,
                           .data = guest,
                           .what = "the guest to write back what was written",
                           .expected = true,
                           .poll_ms = 5 };

    agent_link_send(guest->agent, MT_FRAME_FINISH, NULL, 0);
    if (!run_loop_wait(guest->loop, &wait, error))
        return false;
    *finish = guest->finish;
    return true;
}
