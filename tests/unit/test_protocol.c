/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent itself, run on this machine at the end of a socket, with the runner's end of the protocol. */
#include <glib.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../guest/agent.h"
#include "../../src/base/printable.h"
#include "../../src/vm/agent_link.h"

typedef struct {
    int fd;
    pid_t agent;
    AgentLink *link;
    GQueue heard; /* of enum mt_frame_type */
    GString *out, *error, *info;
    uint64_t wanted; /* bytes of standard input, and not sent yet */
    bool wants_no_more;
    const char *stdin_file;
    struct mt_traced times;
    struct mt_exit exit;
} Fixture;

static void on_frame(void *data, enum mt_frame_type type, const uint8_t *payload, uint32_t length)
{
    Fixture *fixture = data;

    g_queue_push_tail(&fixture->heard, GINT_TO_POINTER(type));
    if (type == MT_FRAME_STDOUT)
        g_string_append_len(fixture->out, (const char *)payload, length);
    if (type == MT_FRAME_ERROR)
        g_string_assign(fixture->error, (const char *)payload);
    if (type == MT_FRAME_INFO)
        g_string_append_len(fixture->info, (const char *)payload, length);
    if (type == MT_FRAME_STDIN_WANTED) {
        struct mt_stdin_wanted wanted;

        memcpy(&wanted, payload, sizeof wanted);
        fixture->wanted += wanted.bytes;
        fixture->wants_no_more = !wanted.bytes;
    }
    if (type == MT_FRAME_TRACED)
        memcpy(&fixture->times, payload, sizeof fixture->times);
    if (type == MT_FRAME_EXIT)
        memcpy(&fixture->exit, payload, sizeof fixture->exit);
}

static void set_up(Fixture *fixture, gconstpointer data)
{
    int pair[2];

    (void)data;
    g_assert_no_errno(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    fixture->agent = fork();
    if (fixture->agent == 0) {
        close(pair[0]);
        agent_serve(pair[1], true, false);
        _exit(0);
    }
    close(pair[1]);
    fixture->fd = pair[0];
    fixture->link = agent_link_new(pair[0], on_frame, fixture);
    g_queue_init(&fixture->heard);
    fixture->out = g_string_new(NULL);
    fixture->error = g_string_new(NULL);
    fixture->info = g_string_new(NULL);
    fixture->stdin_file = "";
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    (void)data;
    agent_link_free(fixture->link);
    g_assert_cmpint(waitpid(fixture->agent, NULL, 0), ==, fixture->agent); /* it goes when the runner does */
    g_queue_clear(&fixture->heard);
    g_string_free(fixture->out, TRUE);
    g_string_free(fixture->error, TRUE);
    g_string_free(fixture->info, TRUE);
}

static gboolean on_timeout(gpointer data)
{
    *(gboolean *)data = TRUE;
    return G_SOURCE_CONTINUE;
}

/* Runs the main loop until a frame of `type` has come; fails the test after 20 s. */
static void await(Fixture *fixture, enum mt_frame_type type)
{
    gboolean late = FALSE;
    guint timeout = g_timeout_add_seconds(20, on_timeout, &late);

    while (!g_queue_find(&fixture->heard, GINT_TO_POINTER(type)) && !late)
        g_main_context_iteration(NULL, TRUE);
    g_source_remove(timeout);
    g_assert_false(late);
    g_queue_remove(&fixture->heard, GINT_TO_POINTER(type));
}

static void greet(Fixture *fixture)
{
    const struct mt_hello hello = { .version = MT_PROTOCOL_VERSION };

    agent_link_send(fixture->link, MT_FRAME_HELLO, &hello, sizeof hello);
    await(fixture, MT_FRAME_HELLO_REPLY);
}

static void request(Fixture *fixture, struct mt_run run, const char *program, const char *argument, const char *until)
{
    /* the program, its arguments, its environment, and the four that may be empty */
    const char *words[] = {
        program, program, "-c", argument, "PATH=/usr/bin:/bin", "/", "", fixture->stdin_file, until
    };
    g_autoptr(GByteArray) strings = g_byte_array_new();

    for (guint i = 0; i < G_N_ELEMENTS(words); i++)
        g_byte_array_append(strings, (const guint8 *)words[i], (guint)strlen(words[i]) + 1);
    run.argc = 3;
    run.envc = 1;
    agent_link_send(fixture->link, MT_FRAME_STRINGS, strings->data, strings->len / 2);
    agent_link_send(fixture->link, MT_FRAME_STRINGS, strings->data + strings->len / 2, strings->len - strings->len / 2);
    agent_link_send(fixture->link, MT_FRAME_RUN, &run, sizeof run);
}

static void run(Fixture *fixture, unsigned flags, unsigned timeout_ms, const char *program, const char *argument)
{
    request(fixture, (struct mt_run){ .flags = flags, .timeout_ms = timeout_ms }, program, argument, "");
}

static void test_garbage_is_skipped(Fixture *fixture, gconstpointer data)
{
    GRand *random = g_rand_new_with_seed(1);
    struct mt_frame liar = { .magic = MT_FRAME_MAGIC, .type = MT_FRAME_HELLO, .length = 1 << 30 };

    (void)data;
    for (int round = 0; round < 50; round++) {
        uint8_t garbage[997];

        for (size_t i = 0; i < sizeof garbage; i++)
            garbage[i] = (uint8_t)g_rand_int(random);
        g_assert_cmpint(write(fixture->fd, garbage, sizeof garbage), ==, sizeof garbage);
        liar.check = mt_frame_check(&liar); /* a good header with a bad length */
        g_assert_cmpint(write(fixture->fd, &liar, sizeof liar), ==, sizeof liar);
        greet(fixture);
    }
    g_rand_free(random);
}

static void test_malformed_requests_are_survived(Fixture *fixture, gconstpointer data)
{
    const struct mt_run many = { .argc = 200000, .envc = 60000 };
    const uint8_t unterminated[] = { '/', 'x' };

    (void)data;
    for (uint32_t type = 0; type < 80; type++) {
        if (type == MT_FRAME_HELLO || type == MT_FRAME_SETTLE)
            continue; /* they would set this machine's clock, and fill its memory */
        agent_link_send(fixture->link, type, NULL, 0);
        agent_link_send(fixture->link, type, unterminated, sizeof unterminated);
        agent_link_send(fixture->link, type, &many, sizeof many);
    }
    greet(fixture);
}

static void test_file_arrives(Fixture *fixture, gconstpointer data)
{
    g_autofree char *folder = g_dir_make_tmp("mt_test_XXXXXX", NULL);
    g_autofree char *source = g_build_filename(folder, "source", NULL);
    g_autofree char *target = g_build_filename(folder, "a", "b c", "target", NULL);
    g_autofree char *contents = g_malloc(700000), *received = NULL;
    g_autofree char *quoted = g_shell_quote(folder), *command = g_strdup_printf("rm -r %s", quoted);
    const struct timespec before_1970[2] = { { .tv_sec = 0 }, { .tv_sec = -6, .tv_nsec = 500000000 } };
    gsize length;
    GStatBuf status;

    (void)data;
    for (int i = 0; i < 700000; i++)
        contents[i] = (char)(i * 31 >> 3);
    g_assert_true(g_file_set_contents(source, contents, 700000, NULL));
    g_chmod(source, 0751);
    g_assert_no_errno(utimensat(AT_FDCWD, source, before_1970, 0));
    g_assert_true(agent_link_send_file(fixture->link, source, target, NULL));
    await(fixture, MT_FRAME_OK);
    g_assert_true(g_file_get_contents(target, &received, &length, NULL));
    g_assert_cmpmem(contents, 700000, received, length);
    g_assert_no_errno(g_stat(target, &status));
    g_assert_cmpint(status.st_mode & 07777, ==, 0751);
    g_assert_cmpint(status.st_mtime, ==, -6);
    g_assert_true(g_spawn_command_line_sync(command, NULL, NULL, NULL, NULL));
}

static void test_output_and_status_come_back(Fixture *fixture, gconstpointer data)
{
    (void)data;
    run(fixture, 0, 0, "sh", "echo one; exec >&-; sleep 0.1; exit 7");
    await(fixture, MT_FRAME_READY);
    g_assert_cmpstr(fixture->out->str, ==, ""); /* it is held until "enter" */
    agent_link_send(fixture->link, MT_FRAME_ENTER, NULL, 0);
    await(fixture, MT_FRAME_TRACED);
    await(fixture, MT_FRAME_EXIT);
    g_assert_cmpstr(fixture->out->str, ==, "one\n");
    g_assert_cmpuint(fixture->exit.status, ==, 7);
    g_assert_cmpuint(fixture->exit.signal, ==, 0);
}

static void test_unknown_program_is_an_error(Fixture *fixture, gconstpointer data)
{
    (void)data;
    run(fixture, 0, 0, "no-such-program", "");
    await(fixture, MT_FRAME_ERROR);
    g_assert_nonnull(strstr(fixture->error->str, "no-such-program"));
    run(fixture, 0, 0, "/dev/null", "");
    await(fixture, MT_FRAME_ERROR);
}

static void test_timeout_kills(Fixture *fixture, gconstpointer data)
{
    (void)data;
    run(fixture, 0, 300, "sh", "sleep 100 & sleep 100");
    await(fixture, MT_FRAME_READY);
    agent_link_send(fixture->link, MT_FRAME_ENTER, NULL, 0);
    await(fixture, MT_FRAME_EXIT);
    g_assert_cmpuint(fixture->exit.timed_out, ==, 1);
}

/* Lets the workload run `until` that command succeeds. */
static void run_until(Fixture *fixture, unsigned timeout_ms, const char *argument, const char *until)
{
    request(fixture, (struct mt_run){ .timeout_ms = timeout_ms }, "sh", argument, until);
    await(fixture, MT_FRAME_READY);
    agent_link_send(fixture->link, MT_FRAME_ENTER, NULL, 0);
    await(fixture, MT_FRAME_TRACED);
    await(fixture, MT_FRAME_EXIT);
}

static void test_until_ends_the_workload(Fixture *fixture, gconstpointer data)
{
    g_autofree char *folder = g_dir_make_tmp("mt_test_XXXXXX", NULL), *file = g_build_filename(folder, "file", NULL);
    g_autofree char *serve = g_strdup_printf("(trap '' TERM; sleep 1; echo up >%s; sleep 100) & wait", file);
    g_autofree char *until = g_strdup_printf("test -s %s && exec echo lost", file);

    (void)data;
    run_until(fixture, 0, serve, until);
    g_assert_cmpuint(fixture->exit.until_succeeded, ==, 1);
    g_assert_cmpuint(fixture->exit.signal, ==, SIGTERM);
    g_assert_cmpstr(fixture->out->str, ==, "");
    g_assert_cmpuint(fixture->times.elapsed_ns, >=, G_GUINT64_CONSTANT(1000000000));
    /* One that ends in good order has its own status. */
    run_until(fixture, 0, "trap 'echo bye; exit 3' TERM; while :; do sleep 0.1; done", "true");
    g_assert_cmpuint(fixture->exit.until_succeeded, ==, 1);
    g_assert_cmpuint(fixture->exit.status, ==, 3);
    g_assert_cmpstr(fixture->out->str, ==, "bye\n");
    g_unlink(file);
    g_rmdir(folder);
}

static void test_until_kills_what_does_not_end(Fixture *fixture, gconstpointer data)
{
    (void)data;
    run_until(fixture, 3000, "trap '' TERM; while :; do sleep 1; done", "true");
    g_assert_cmpuint(fixture->exit.until_succeeded, ==, 1);
    g_assert_cmpuint(fixture->exit.timed_out, ==, 0); /* that came later */
    g_assert_cmpuint(fixture->exit.signal, ==, SIGKILL);
    g_assert_cmpuint(fixture->times.elapsed_ns, >=, G_GUINT64_CONSTANT(5000000000));
}

static void test_until_that_never_succeeds(Fixture *fixture, gconstpointer data)
{
    (void)data;
    run_until(fixture, 0, "sleep 0.5; exit 5", "false");
    g_assert_cmpuint(fixture->exit.until_succeeded, ==, 0);
    g_assert_cmpuint(fixture->exit.status, ==, 5);
    run_until(fixture, 0, "sleep 0.5; exit 6", "sleep 100"); /* it hangs */
    g_assert_cmpuint(fixture->exit.until_succeeded, ==, 0);
    g_assert_cmpuint(fixture->exit.status, ==, 6);
    run_until(fixture, 600, "sleep 100", "false");
    g_assert_cmpuint(fixture->exit.until_succeeded, ==, 0);
    g_assert_cmpuint(fixture->exit.timed_out, ==, 1);
}

static void test_stop_ends_until(Fixture *fixture, gconstpointer data)
{
    (void)data;
    request(fixture, (struct mt_run){ 0 }, "sh", "echo on; sleep 100", "sleep 100");
    await(fixture, MT_FRAME_READY);
    agent_link_send(fixture->link, MT_FRAME_ENTER, NULL, 0);
    await(fixture, MT_FRAME_STDOUT);
    agent_link_send(fixture->link, MT_FRAME_STOP, NULL, 0);
    await(fixture, MT_FRAME_EXIT);
    g_assert_cmpuint(fixture->exit.signal, ==, SIGKILL);
}

static void test_warm_ups_come_first(Fixture *fixture, gconstpointer data)
{
    g_autofree char *folder = g_dir_make_tmp("mt_test_XXXXXX", NULL), *file = g_build_filename(folder, "file", NULL);
    g_autofree char *script = g_strdup_printf("echo run >>%s; cat; wc -l <%s; sleep 100 & exit 9", file, file);
    g_autofree char *contents = NULL;

    (void)data;
    request(fixture, (struct mt_run){ .warm_ups = 3 }, "sh", script, "");
    await(fixture, MT_FRAME_READY);
    g_assert_true(g_file_get_contents(file, &contents, NULL, NULL));
    g_assert_cmpstr(contents, ==, "run\nrun\nrun\n");
    g_assert_cmpstr(fixture->out->str, ==, "");
    agent_link_send(fixture->link, MT_FRAME_ENTER, NULL, 0);
    await(fixture, MT_FRAME_EXIT);
    g_assert_cmpstr(fixture->out->str, ==, "4\n");
    g_assert_cmpuint(fixture->exit.status, ==, 9);
    g_unlink(file);
    g_rmdir(folder);
}

static void test_warm_ups_end_by_until(Fixture *fixture, gconstpointer data)
{
    (void)data;
    request(fixture, (struct mt_run){ .warm_ups = 2 }, "sh", "sleep 100", "true");
    await(fixture, MT_FRAME_READY);
    agent_link_send(fixture->link, MT_FRAME_ENTER, NULL, 0);
    await(fixture, MT_FRAME_EXIT);
    g_assert_cmpuint(fixture->exit.until_succeeded, ==, 1);
}

static void test_warm_ups_can_be_stopped(Fixture *fixture, gconstpointer data)
{
    (void)data;
    request(fixture, (struct mt_run){ .warm_ups = 1000 }, "sh", "sleep 100", "");
    g_usleep(100000);
    agent_link_send(fixture->link, MT_FRAME_STOP, NULL, 0);
    await(fixture, MT_FRAME_EXIT);
    request(fixture, (struct mt_run){ .warm_ups = 2 }, "/dev/null", "", "");
    await(fixture, MT_FRAME_ERROR);
    run(fixture, 0, 0, "true", ""); /* and the agent is ready for another one */
    await(fixture, MT_FRAME_READY);
}

/* Standard input. */

#define WINDOW (64 * 1024)

static void begin(Fixture *fixture, const struct mt_run *run, const char *command)
{
    request(fixture, *run, "sh", command, "");
    await(fixture, MT_FRAME_READY);
    agent_link_send(fixture->link, MT_FRAME_ENTER, NULL, 0);
}

/* Sends as much as is wanted, `most` bytes at a time. */
static void feed(Fixture *fixture, const char *bytes, gsize length, gsize most)
{
    for (gsize sent = 0, n; sent < length; sent += n) {
        while (!fixture->wanted)
            await(fixture, MT_FRAME_STDIN_WANTED);
        n = MIN(MIN(most, fixture->wanted), length - sent);
        agent_link_send(fixture->link, MT_FRAME_STDIN, bytes + sent, n);
        fixture->wanted -= n;
    }
}

static char *make_bytes(gsize length)
{
    char *bytes = g_malloc(length);

    for (gsize i = 0; i < length; i++)
        bytes[i] = (char)(i * 31 >> 3); /* NULs among them */
    return bytes;
}

static void iterate_for(unsigned ms)
{
    gboolean over = FALSE;
    guint timeout = g_timeout_add(ms, on_timeout, &over);

    while (!over)
        g_main_context_iteration(NULL, TRUE);
    g_source_remove(timeout);
}

static void test_stdin_is_passed_on(Fixture *fixture, gconstpointer data)
{
    const struct mt_run run = { .flags = MT_RUN_STDIN };
    const gsize length = 1000003, pieces[] = { MT_MAX_PAYLOAD, 4096, 997 };
    g_autofree char *bytes = make_bytes(length);

    (void)data;
    for (guint i = 0; i < G_N_ELEMENTS(pieces); i++) {
        fixture->wanted = 0;
        g_string_truncate(fixture->out, 0);
        begin(fixture, &run, i == 1 ? "sleep 0.1; exec cat" : "exec cat");
        feed(fixture, bytes, length, pieces[i]);
        agent_link_send(fixture->link, MT_FRAME_STDIN, NULL, 0);
        await(fixture, MT_FRAME_EXIT);
        g_assert_cmpmem(fixture->out->str, fixture->out->len, bytes, length);
        g_assert_cmpuint(fixture->exit.stdin_taken, ==, length);
        g_queue_clear(&fixture->heard);
    }
}

static void test_stdin_is_not_read_ahead_too_far(Fixture *fixture, gconstpointer data)
{
    const struct mt_run run = { .flags = MT_RUN_STDIN };
    g_autofree char *bytes = make_bytes(WINDOW);

    (void)data;
    begin(fixture, &run, "sleep 0.2; dd bs=30000 count=1 of=/dev/null 2>/dev/null; sleep 0.3; exit 3");
    feed(fixture, bytes, WINDOW, 1001);
    iterate_for(100);
    g_assert_cmpuint(fixture->wanted, ==, 0);
    await(fixture, MT_FRAME_EXIT);
    g_assert_cmpuint(fixture->wanted, >, 0);
    g_assert_cmpuint(fixture->wanted, <=, 30000);
    g_assert_cmpuint(fixture->exit.stdin_taken, ==, 30000);
    g_assert_cmpuint(fixture->exit.status, ==, 3);
}

/* Input beyond what was asked for, or behind its end: a faulty runner must not harm the agent. */
static void test_stdin_that_nobody_wants(Fixture *fixture, gconstpointer data)
{
    const struct mt_run run = { .flags = MT_RUN_STDIN };
    g_autofree char *bytes = make_bytes(MT_MAX_PAYLOAD);

    (void)data;
    agent_link_send(fixture->link, MT_FRAME_STDIN, bytes, MT_MAX_PAYLOAD);
    begin(fixture, &run, "sleep 0.2; exec wc -c");
    agent_link_send(fixture->link, MT_FRAME_STDIN, bytes, MT_MAX_PAYLOAD);
    for (int i = 0; i < 10; i++)
        agent_link_send(fixture->link, MT_FRAME_STDIN, bytes, WINDOW);
    agent_link_send(fixture->link, MT_FRAME_STDIN, NULL, 0);
    agent_link_send(fixture->link, MT_FRAME_STDIN, bytes, MT_MAX_PAYLOAD);
    await(fixture, MT_FRAME_EXIT);
    g_assert_cmpstr(fixture->out->str, ==, "65536\n");
}

static void test_stdin_taken(Fixture *fixture, gconstpointer data)
{
    const struct mt_run run = { .flags = MT_RUN_STDIN };
    g_autofree char *bytes = make_bytes(1000);

    (void)data;
    begin(fixture, &run, "dd bs=10 count=1 2>/dev/null | od -An -tx1; sleep 0.2");
    feed(fixture, bytes, 1000, 1000);
    agent_link_send(fixture->link, MT_FRAME_STDIN, NULL, 0); /* its end has been told when it is asked */
    await(fixture, MT_FRAME_EXIT);
    g_assert_cmpuint(fixture->exit.stdin_taken, ==, 10);
    begin(fixture, &run, "exit 0"); /* nothing, and no end */
    await(fixture, MT_FRAME_EXIT);
    g_assert_cmpuint(fixture->exit.stdin_taken, ==, 0);
    begin(fixture, &(struct mt_run){ 0 }, "exec cat");
    await(fixture, MT_FRAME_EXIT);
    g_assert_cmpuint(fixture->exit.stdin_taken, ==, 0);
}

static void test_stdin_is_closed(Fixture *fixture, gconstpointer data)
{
    const struct mt_run run = { .flags = MT_RUN_STDIN };

    (void)data;
    begin(fixture, &run, "dd bs=3 count=1 of=/dev/null 2>/dev/null; exec <&-; sleep 0.5");
    feed(fixture, "abcdef", 6, 6);
    while (!fixture->wants_no_more)
        await(fixture, MT_FRAME_STDIN_WANTED);
    g_assert_null(g_queue_find(&fixture->heard, GINT_TO_POINTER(MT_FRAME_EXIT)));
    await(fixture, MT_FRAME_EXIT);
    g_assert_cmpuint(fixture->exit.stdin_taken, ==, 3);
}

static void test_stdin_is_a_file(Fixture *fixture, gconstpointer data)
{
    g_autofree char *folder = g_dir_make_tmp("mt_test_XXXXXX", NULL), *file = g_build_filename(folder, "a b", NULL);
    const struct mt_run run = { .flags = MT_RUN_STDIN_FILE, .stdin_offset = 4 };

    (void)data;
    g_assert_true(g_file_set_contents(file, "one\ntwo\nthree\n", -1, NULL));
    fixture->stdin_file = file;
    begin(fixture, &run, "read word; echo $word; test -f /dev/stdin && echo file");
    await(fixture, MT_FRAME_EXIT);
    g_assert_cmpstr(fixture->out->str, ==, "two\nfile\n");
    g_assert_cmpuint(fixture->exit.stdin_taken, ==, 8);
    g_assert_cmpuint(fixture->wanted, ==, 0);
    g_unlink(file);
    request(fixture, run, "sh", "exit 0", "");
    await(fixture, MT_FRAME_ERROR);
    g_assert_nonnull(strstr(fixture->error->str, "standard input"));
    g_rmdir(folder);
}

/* Warm-ups read the file, too, each from where it is to begin. */
static void test_stdin_of_warm_ups(Fixture *fixture, gconstpointer data)
{
    g_autofree char *folder = g_dir_make_tmp("mt_test_XXXXXX", NULL), *file = g_build_filename(folder, "in", NULL);
    g_autofree char *log = g_build_filename(folder, "log", NULL), *command = g_strdup_printf("cat >>%s", log);
    struct mt_run run = { .flags = MT_RUN_STDIN_FILE, .stdin_offset = 2, .warm_ups = 2 };
    g_autofree char *seen = NULL;

    (void)data;
    g_assert_true(g_file_set_contents(file, "abcd", -1, NULL));
    fixture->stdin_file = file;
    begin(fixture, &run, command);
    await(fixture, MT_FRAME_EXIT);
    run.flags = MT_RUN_STDIN;
    begin(fixture, &run, command);
    feed(fixture, "pipe", 4, 4);
    agent_link_send(fixture->link, MT_FRAME_STDIN, NULL, 0);
    await(fixture, MT_FRAME_EXIT);
    g_assert_true(g_file_get_contents(log, &seen, NULL, NULL));
    g_assert_cmpstr(seen, ==, "cdcdcdpipe");
    g_unlink(file);
    g_unlink(log);
    g_rmdir(folder);
}

static void test_terminal(Fixture *fixture, gconstpointer data)
{
    const struct mt_run run = { .flags = MT_RUN_TERMINAL | MT_RUN_STDIN, .window = { 11, 77 } };
    const struct mt_window larger = { 22, 88 };

    (void)data;
    begin(fixture, &run,
          "test -t 0 && test -t 1 && test -t 2 && stty size </dev/tty; trap 'stty size; exit 5' WINCH; trap 'echo int' "
          "INT;"
          "read word; echo \"<$word>\"; echo error >&2; while :; do sleep 0.05; done");
    while (!strstr(fixture->out->str, "77"))
        await(fixture, MT_FRAME_STDOUT);
    feed(fixture, "x\177yz\r", 5, 5);
    while (!strstr(fixture->out->str, "error"))
        await(fixture, MT_FRAME_STDOUT);
    feed(fixture, "\003", 1, 1);
    while (!strstr(fixture->out->str, "int"))
        await(fixture, MT_FRAME_STDOUT);
    agent_link_send(fixture->link, MT_FRAME_WINDOW, &larger, sizeof larger);
    await(fixture, MT_FRAME_EXIT);
    g_assert_cmpuint(fixture->exit.status, ==, 5);
    g_assert_true(g_str_has_prefix(fixture->out->str, "11 77\r\n"));
    g_assert_nonnull(strstr(fixture->out->str, "<yz>\r\nerror\r\n"));
    g_assert_true(g_str_has_suffix(fixture->out->str, "int\r\n22 88\r\n"));
}

/* A text is a script for the shell if the runner has taken it from the host. */
static void test_texts(Fixture *fixture, gconstpointer data)
{
    g_autofree char *folder = g_dir_make_tmp("mt_test_XXXXXX", NULL), *file = g_build_filename(folder, "file", NULL);

    (void)data;
    g_assert_true(g_file_set_contents(file, "echo $0 $1 $2\n", -1, NULL));
    g_assert_no_errno(g_chmod(file, 0755));
    run(fixture, MT_RUN_FROM_HOST, 0, file, "x");
    await(fixture, MT_FRAME_READY);
    agent_link_send(fixture->link, MT_FRAME_ENTER, NULL, 0);
    await(fixture, MT_FRAME_EXIT);
    g_assert_true(g_str_has_prefix(fixture->out->str, file));
    g_assert_true(g_str_has_suffix(fixture->out->str, "file -c x\n"));
    run(fixture, 0, 0, file, "x");
    await(fixture, MT_FRAME_READY);
    agent_link_send(fixture->link, MT_FRAME_ENTER, NULL, 0);
    await(fixture, MT_FRAME_ERROR);
    g_unlink(file);
    g_rmdir(folder);
}

/* The words of the protocol, in both spellings, with and without line ends. */
static void speak(Fixture *fixture, const char *script, const char *info, const char *output, bool never_stopped)
{
    g_string_truncate(fixture->out, 0);
    g_string_truncate(fixture->info, 0);
    run(fixture, MT_RUN_WORKLOAD_SPEAKS, 0, "sh", script);
    await(fixture, MT_FRAME_READY);
    g_assert_cmpstr(fixture->info->str, ==, info);
    agent_link_send(fixture->link, MT_FRAME_ENTER, NULL, 0);
    await(fixture, MT_FRAME_TRACED);
    await(fixture, MT_FRAME_EXIT);
    g_assert_cmpstr(fixture->out->str, ==, output);
    g_assert_cmpuint(fixture->times.never_stopped, ==, never_stopped);
}

static void test_workload_protocol(Fixture *fixture, gconstpointer data)
{
    (void)data;
    speak(fixture,
          "echo hello; echo '-----begin workload info-----'; echo 'a b'; echo c; echo '-----end workload info-----';"
          "echo 'Ready to trace. Press enter to continue'; read x; echo 'Stop tracing'; echo bye",
          "a b\nc\n", "hello\nbye\n", false);
    speak(fixture, "echo 'Ready to trace. Press enter to continue.'; read x; echo 'Stop tracing.'", "", "", false);
    speak(fixture, "printf 'Ready to trace. Press enter to continue'; read x; printf 'Stop tracing'; sleep 0.1", "", "",
          false);
    speak(fixture, "echo 'Ready to trace. Press enter to continue'; read x; echo 'Now: Stop tracing them'", "",
          "Now:  them\n", false);
    speak(
        fixture,
        "printf '%s' 0x1234; printf -- '-----begin workload info-----%s' 0x5678; echo '-----end workload info-----'\n"
        "printf 'Ready to tr'; sleep 0.1; printf 'ace. Press enter to continue\r\n'; read x; printf 'Stop '; sleep 0.1;"
        "printf tracing",
        "0x5678", "0x1234", false);
    /* A shell's prompt goes to standard error. */
    speak(fixture, "echo 'Ready to trace. Press enter to continue' >&2; read x; echo 'Stop tracing' >&2; echo end", "",
          "end\n", false);
    /* It doesn't wait. */
    speak(fixture, "echo 'Ready to trace. Press enter to continue'; echo 'Stop tracing'; read x", "", "", false);
    speak(fixture, "echo 'Ready to trace. Press enter to continue'; read x; echo Stop; echo tracing", "",
          "Stop\ntracing\n", true);
}

static void test_info_of_any_length(Fixture *fixture, gconstpointer data)
{
    g_autofree char *script = g_strdup_printf("printf -- %s; seq 700000; printf -- %s; echo '%s'; read x; printf '%s'",
                                              "'-----begin workload info-----\n'", "'-----end workload info-----\n'",
                                              "Ready to trace. Press enter to continue", "Stop tracing");
    g_autoptr(GString) expected = g_string_new(NULL);

    (void)data;
    for (int i = 1; i <= 700000; i++)
        g_string_append_printf(expected, "%d\n", i);
    speak(fixture, script, expected->str, "", false);
}

/* The runner's end alone, with a guest that sends what it likes. */

typedef struct {
    AgentLink *link;
    int guest;
    GQueue heard; /* of enum mt_frame_type */
    uint32_t length;
} Liar;

static void hear(void *data, enum mt_frame_type type, const uint8_t *payload, uint32_t length)
{
    Liar *liar = data;

    g_assert_cmpint(payload[length], ==, 0);
    g_queue_push_tail(&liar->heard, GINT_TO_POINTER(type));
    liar->length = length;
}

static void begin_lying(Liar *liar)
{
    int pair[2];

    *liar = (Liar){ 0 };
    g_assert_no_errno(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    g_queue_init(&liar->heard);
    liar->guest = pair[1];
    liar->link = agent_link_new(pair[0], hear, liar);
}

static void end_lying(Liar *liar)
{
    agent_link_free(liar->link);
    g_queue_clear(&liar->heard);
    close(liar->guest);
}

/* Sends a header that announces `length` bytes, and `sent` of these. */
static void lie(Liar *liar, uint32_t type, uint32_t length, uint32_t sent)
{
    struct mt_frame frame = { .magic = MT_FRAME_MAGIC, .type = type, .length = length };
    g_autofree uint8_t *payload = g_malloc0(sent + 1);

    frame.check = mt_frame_check(&frame);
    g_assert_cmpint(write(liar->guest, &frame, sizeof frame), ==, sizeof frame);
    g_assert_cmpint(write(liar->guest, payload, sent), ==, sent);
}

static void await_number(Liar *liar, unsigned frames)
{
    gboolean late = FALSE;
    guint timeout = g_timeout_add_seconds(60, on_timeout, &late);

    while (liar->heard.length < frames && !late)
        g_main_context_iteration(NULL, TRUE);
    g_source_remove(timeout);
    g_assert_cmpuint(liar->heard.length, ==, frames);
}

static void test_structs_are_whole(void)
{
    const struct {
        uint32_t type, least;
    } types[] = {
        { MT_FRAME_HELLO_REPLY, sizeof(uint32_t) },
        { MT_FRAME_PROGRESS, sizeof(struct mt_progress) },
        { MT_FRAME_STAT_REPLY, sizeof(struct mt_stat_reply) },
        { MT_FRAME_TRACED, sizeof(struct mt_traced) },
        { MT_FRAME_EXIT, sizeof(struct mt_exit) },
        { MT_FRAME_STDIN_WANTED, sizeof(struct mt_stdin_wanted) },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(types); i++) {
        Liar liar;

        begin_lying(&liar);
        for (uint32_t length = 0; length <= types[i].least; length++)
            lie(&liar, types[i].type, length, length);
        lie(&liar, MT_FRAME_OK, 0, 0);
        await_number(&liar, 2); /* the whole one, and what comes after it */
        end_lying(&liar);
    }
}

/* An agent that has died in the middle of a frame, and its successor. */
static void test_incomplete_frame_is_given_up(void)
{
    Liar liar;

    begin_lying(&liar);
    agent_link_set_stale_ms(liar.link, 50);
    lie(&liar, MT_FRAME_STDOUT, MT_MAX_PAYLOAD, 1000);
    lie(&liar, MT_FRAME_STDERR, MT_MAX_PAYLOAD, 10);
    lie(&liar, MT_FRAME_OK, 0, 0);
    await_number(&liar, 1);
    g_assert_cmpint(GPOINTER_TO_INT(liar.heard.head->data), ==, MT_FRAME_OK);
    end_lying(&liar);
}

static gboolean send_rest(gpointer data)
{
    uint8_t rest[500] = { 0 };

    g_assert_cmpint(write(((Liar *)data)->guest, rest, sizeof rest), ==, sizeof rest);
    return G_SOURCE_REMOVE;
}

/* A slow guest isn't a dead one. */
static void test_slow_frame_is_waited_for(void)
{
    Liar liar;

    begin_lying(&liar);
    agent_link_set_stale_ms(liar.link, 20);
    lie(&liar, MT_FRAME_STDOUT, 1000, 500);
    g_timeout_add(300, send_rest, &liar);
    await_number(&liar, 1);
    g_assert_cmpuint(liar.length, ==, 1000);
    end_lying(&liar);
}

static void check_printable(const char *text, const char *expected)
{
    g_autofree char *printable = text_make_printable(text);

    g_assert_cmpstr(printable, ==, expected);
    g_assert_true(text_is_printable(printable, strlen(printable)));
    g_assert_cmpint(text_is_printable(text, strlen(text)), ==, !strcmp(text, expected));
}

static void test_text_is_made_printable(void)
{
    g_autofree char *much = g_strnfill(100000, 'a'), *less = text_make_printable(much);

    check_printable("", "");
    check_printable("no such file: \303\244", "no such file: \303\244");
    check_printable("a line\n", "a line");
    check_printable("two\nlines\r", "two\\x0alines");
    check_printable("\033[2J\a", "\\x1b[2J\\x07");
    check_printable("\302\233 \377\303", "\\xc2\\x9b \\xff\\xc3"); /* a C1 control, and what is not UTF-8 */
    check_printable("\342\200\256x", "\\xe2\\x80\\xaex");          /* right to left */
    g_assert_cmpuint(strlen(less), <, 10000);
    g_assert_false(text_is_printable("four", 3));
}

int main(int argc, char **argv)
{
    signal(SIGINT, SIG_DFL); /* a shell's background job ignores it, and so would what we start */
    static const struct {
        const char *path;
        void (*test)(Fixture *, gconstpointer);
    } tests[] = {
        { "/agent/garbage_is_skipped", test_garbage_is_skipped },
        { "/agent/malformed_requests_are_survived", test_malformed_requests_are_survived },
        { "/agent/file_arrives", test_file_arrives },
        { "/agent/output_and_status_come_back", test_output_and_status_come_back },
        { "/agent/unknown_program_is_an_error", test_unknown_program_is_an_error },
        { "/agent/timeout_kills", test_timeout_kills },
        { "/agent/until_ends_the_workload", test_until_ends_the_workload },
        { "/agent/until_kills_what_does_not_end", test_until_kills_what_does_not_end },
        { "/agent/until_that_never_succeeds", test_until_that_never_succeeds },
        { "/agent/stop_ends_until", test_stop_ends_until },
        { "/agent/warm_ups_come_first", test_warm_ups_come_first },
        { "/agent/warm_ups_end_by_until", test_warm_ups_end_by_until },
        { "/agent/warm_ups_can_be_stopped", test_warm_ups_can_be_stopped },
        { "/agent/stdin_is_passed_on", test_stdin_is_passed_on },
        { "/agent/stdin_is_not_read_ahead_too_far", test_stdin_is_not_read_ahead_too_far },
        { "/agent/stdin_that_nobody_wants", test_stdin_that_nobody_wants },
        { "/agent/stdin_taken", test_stdin_taken },
        { "/agent/stdin_is_closed", test_stdin_is_closed },
        { "/agent/stdin_is_a_file", test_stdin_is_a_file },
        { "/agent/stdin_of_warm_ups", test_stdin_of_warm_ups },
        { "/agent/terminal", test_terminal },
        { "/agent/texts", test_texts },
        { "/agent/workload_protocol", test_workload_protocol },
        { "/agent/info_of_any_length", test_info_of_any_length },
    };

    alarm(300);
    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(tests); i++)
        g_test_add(tests[i].path, Fixture, NULL, set_up, tests[i].test, tear_down);
    g_test_add_func("/link/structs_are_whole", test_structs_are_whole);
    g_test_add_func("/link/incomplete_frame_is_given_up", test_incomplete_frame_is_given_up);
    g_test_add_func("/link/slow_frame_is_waited_for", test_slow_frame_is_waited_for);
    g_test_add_func("/printable/text_is_made_printable", test_text_is_made_printable);
    return g_test_run();
}
