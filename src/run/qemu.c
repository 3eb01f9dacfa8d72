/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The QEMU process: see qemu.h. */
#define _GNU_SOURCE
#include "qemu.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <gio/gunixinputstream.h>
#include <linux/io_uring.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../guest/protocol.h"
#include "child.h"
#include "temporary_folder.h"
#include "printable.h"

#define MINIMUM_MAJOR 10
#define TESTED_MAJOR 11
#define TESTED_VERSIONS "10.0 to 11.1"
#define LOAD_TIMEOUT_S 300
#define COMMAND_TIMEOUT_S 600
#define KEPT_LINES 8
#define KILL_S 5
#define AGENT_GONE_MS 2000

/* Descriptor numbers in QEMU. */
enum { FD_AGENT = 3, FD_QMP, FD_RING, FD_MONITOR, FD_CONSOLE };

struct Qemu {
    RunLoop *loop;
    Child *child;
    char *binary, *image, *snapshot, *machine, *made_with;
    unsigned ram_mb;
    bool has_plugin;
    int agent_fd, qmp_fd, monitor_fd, console_fd;
    GDataInputStream *qmp;
    GCancellable *cancellable;
    char *version;
    bool negotiated, quitting, watches_agent;
    guint agent_gone;       /* a source; 0: it isn't */
    JsonNode *reply;        /* to the last command */
    TemporaryFolder *empty; /* what the guest sees of this machine's files */
    GQueue lines;           /* the first ones that it printed to stderr */
};

/* The version that `binary --version` tells, or NULL. */
static char *ask_version(const char *binary, RunLoop *loop, int *major)
{
    const char *argv[] = { binary, "--version", NULL };
    g_autoptr(RunLoop) own = run_loop_nest(loop); /* the run has failed already */
    g_autofree char *text = child_run(argv, own, NULL);
    const char *at = text ? strstr(text, "version ") : NULL;

    if (!at || sscanf(at, "version %d", major) != 1)
        return NULL;
    at += strlen("version ");
    return g_strndup(at, strcspn(at, " \n("));
}

static bool said(const Qemu *qemu, const char *text)
{
    for (GList *item = qemu->lines.head; item; item = item->next)
        if (strstr(item->data, text))
            return true;
    return false;
}

/* What QEMU complained about, on one line; without its own name. */
static char *complaint(const Qemu *qemu)
{
    GString *text = g_string_new(NULL);

    for (GList *item = qemu->lines.head; item; item = item->next) {
        const char *line = item->data, *colon = strstr(line, ": ");

        if (strstr(line, "warning: "))
            continue;
        if (colon && g_str_has_prefix(line, "qemu-system"))
            line = colon + 2;
        g_string_append_printf(text, "%s%s", text->len ? "; " : "", line);
    }
    return g_string_free(text, FALSE);
}

/* Turns QEMU's end into a line that says what to do. */
static GError *explain(const Qemu *qemu, const char *how)
{
    g_autofree char *text = complaint(qemu), *version = NULL;
    GError *error = NULL;
    int major = 0;

    if (!qemu->negotiated)
        version = ask_version(qemu->binary, qemu->loop, &major);
    if (version && major < MINIMUM_MAJOR)
        mt_fail(&error, "%s is QEMU %s, which is too old: %d.0 or newer is needed", qemu->binary, version,
                MINIMUM_MAJOR);
    else if (said(qemu, "plugin interface not enabled") || said(qemu, "-plugin: invalid option"))
        mt_fail(&error, "%s was built without plugins (configure it with --enable-plugins)", qemu->binary);
    else if (said(qemu, "plugin requires API version"))
        mt_fail(&error,
                "QEMU %s has another plugin interface than this memory_tracer knows: it was tested with QEMU %s: %s",
                version ? version : "", TESTED_VERSIONS, text);
    else if (said(qemu, "Size mismatch: pc.ram"))
        mt_fail(&error,
                "snapshot '%s' of %s was made with another RAM size than %u MB: say which with --guest_RAM_in_MBs",
                qemu->snapshot, qemu->image, qemu->ram_mb);
    else if (said(qemu, "unsupported machine type"))
        mt_fail(&error, "%s has no machine %s, which %s was made with: prepare the image again with this QEMU",
                qemu->binary, qemu->machine, qemu->image);
    else if (qemu->snapshot && !qemu->negotiated && *text)
        mt_fail(&error, "QEMU %s can't load snapshot '%s' of %s (made with QEMU %s): %s", version ? version : "",
                qemu->snapshot, qemu->image, *qemu->made_with ? qemu->made_with : "of unknown version", text);
    else
        mt_fail(&error, "QEMU %s%s%s", how, *text ? ": " : "", text);
    return error;
}

static void on_line(void *data, const char *line)
{
    Qemu *qemu = data;
    g_autofree char *printable = text_make_printable(line); /* it quotes the image's strings, and may be the guest's */

    run_loop_verbose(qemu->loop, "QEMU: %s", printable);
    if (*printable && g_queue_get_length(&qemu->lines) < KEPT_LINES)
        g_queue_push_tail(&qemu->lines, g_steal_pointer(&printable));
}

static void on_end(void *data, const char *how)
{
    Qemu *qemu = data;

    if (!qemu->quitting)
        run_loop_fail(qemu->loop, explain(qemu, how));
}

/* Guests that run from a snapshot don't reboot: QEMU ends instead. */
static void on_shutdown(Qemu *qemu, JsonObject *details)
{
    const char *reason = details ? json_object_get_string_member_with_default(details, "reason", "") : "";

    run_loop_fail(qemu->loop,
                  g_error_new_literal(MT_ERROR, MT_ERROR_FAILED,
                                      !strcmp(reason, "guest-reset")
                                          ? "the guest has rebooted: its kernel has panicked, or a program told it to"
                                          : "the guest has shut down"));
}

/* A guest that shuts down closes the agent's port first: that is the better reason. */
static gboolean on_agent_gone(gpointer data)
{
    Qemu *qemu = data;

    qemu->agent_gone = 0;
    if (!qemu->quitting)
        run_loop_fail(qemu->loop, g_error_new_literal(MT_ERROR, MT_ERROR_FAILED, "the agent in the guest has ended"));
    return G_SOURCE_REMOVE;
}

/* The guest's end of a port was opened or closed. */
static void on_port_change(Qemu *qemu, JsonObject *details)
{
    if (details && !json_object_get_boolean_member_with_default(details, "open", TRUE) && !qemu->agent_gone)
        qemu->agent_gone = g_timeout_add(AGENT_GONE_MS, on_agent_gone, qemu);
}

static void on_event(Qemu *qemu, const char *event, JsonObject *message)
{
    run_loop_verbose(qemu->loop, "QEMU event: %s", event);
    if (!strcmp(event, "BLOCK_IO_ERROR")) {
        JsonObject *details = json_object_get_object_member(message, "data");

        run_loop_fail(qemu->loop,
                      g_error_new(MT_ERROR, MT_ERROR_FAILED, "the guest's disk failed: %s (temporary files are in %s)",
                                  json_object_get_string_member_with_default(details, "reason", "unknown reason"),
                                  g_get_tmp_dir()));
    } else if (!strcmp(event, "SHUTDOWN") && !qemu->quitting) {
        on_shutdown(qemu, json_object_get_object_member(message, "data"));
    } else if (!strcmp(event, "VSERPORT_CHANGE") && qemu->watches_agent) {
        on_port_change(qemu, json_object_get_object_member(message, "data"));
    } else if (!strcmp(event, "GUEST_PANICKED")) {
        run_loop_fail(qemu->loop, g_error_new(MT_ERROR, MT_ERROR_FAILED, "the guest's kernel has panicked"));
    }
}

static void send_command(Qemu *qemu, const char *command, const char *arguments)
{
    g_autofree char *text = arguments ? g_strdup_printf("{\"execute\":\"%s\",\"arguments\":%s}\n", command, arguments)
                                      : g_strdup_printf("{\"execute\":\"%s\"}\n", command);

    (void)!write(qemu->qmp_fd, text, strlen(text)); /* if QEMU is gone, that is noticed by its end */
}

/* What a QEMU may do that nobody has tried. */
static void note_untested_version(const Qemu *qemu, int major)
{
    if (qemu->has_plugin && major > TESTED_MAJOR)
        run_loop_note(qemu->loop,
                      "QEMU %s is newer than those that this memory_tracer was tested with (%s): "
                      "if the run fails, or its records look wrong, use one of those",
                      qemu->version, TESTED_VERSIONS);
}

/* QEMU's greeting. */
static void take_version(Qemu *qemu, JsonObject *greeting)
{
    JsonObject *version = json_object_get_object_member(json_object_get_object_member(greeting, "version"), "qemu");
    int major = (int)json_object_get_int_member_with_default(version, "major", 0);

    qemu->version =
        g_strdup_printf("%d.%d.%d", major, (int)json_object_get_int_member_with_default(version, "minor", 0),
                        (int)json_object_get_int_member_with_default(version, "micro", 0));
    note_untested_version(qemu, major);
}

static void on_message(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *line = g_data_input_stream_read_line_finish(G_DATA_INPUT_STREAM(source), result, NULL, &error);
    g_autoptr(JsonParser) parser = json_parser_new();
    Qemu *qemu = data;
    JsonObject *message;

    if (!line)
        return; /* cancelled, or QEMU is gone */
    g_data_input_stream_read_line_async(qemu->qmp, G_PRIORITY_DEFAULT, qemu->cancellable, on_message, qemu);
    if (!json_parser_load_from_data(parser, line, -1, NULL) || !JSON_NODE_HOLDS_OBJECT(json_parser_get_root(parser)))
        return;
    message = json_node_get_object(json_parser_get_root(parser));
    if (json_object_has_member(message, "QMP")) {
        take_version(qemu, json_object_get_object_member(message, "QMP"));
        send_command(qemu, "qmp_capabilities", NULL);
    } else if (json_object_has_member(message, "event")) {
        on_event(qemu, json_object_get_string_member(message, "event"), message);
    } else if (!qemu->negotiated) {
        qemu->negotiated = true; /* the answer to qmp_capabilities */
    } else {
        g_clear_pointer(&qemu->reply, json_node_unref);
        qemu->reply = json_node_copy(json_parser_get_root(parser));
    }
}

static void add(GPtrArray *argv, ...)
{
    va_list words;

    va_start(words, argv);
    for (const char *word; (word = va_arg(words, const char *));)
        g_ptr_array_add(argv, g_strdup(word));
    va_end(words);
}

/* QEMU doubles commas in values of its options. */
static char *quote_commas(const char *value)
{
    g_auto(GStrv) parts = g_strsplit(value, ",", -1);

    return g_strjoinv(",,", parts);
}

/* Whether QEMU was linked with a library. What is behind a script isn't known. */
static bool is_linked_with(const char *binary, const char *library)
{
    g_autoptr(GMappedFile) file = g_mapped_file_new(binary, FALSE, NULL);

    return file && memmem(g_mapped_file_get_contents(file), g_mapped_file_get_length(file), library, strlen(library));
}

/*
 * How QEMU shall read files. With io_uring a snapshot loads in less than half the time than with QEMU's threads, as
 * what is in the page cache comes at once. The kernel must allow it, and QEMU be linked with it.
 */
static const char *choose_aio(const char *binary)
{
    struct io_uring_params parameters = { 0 };
    int ring = (int)syscall(SYS_io_uring_setup, 1, &parameters);

    if (ring < 0)
        return "threads";
    close(ring);
    return is_linked_with(binary, "liburing.so") ? "io_uring" : "threads";
}

/*
 * What runs in the guest is not trusted: QEMU gives up what it doesn't need (to start programs, to become another user
 * and so on). Without libseccomp it would refuse the option, and on a kernel without filters, to start.
 */
static void add_sandbox(GPtrArray *argv, const char *binary)
{
    bool kernel_has_filters = prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL) && errno == EFAULT;

    if (kernel_has_filters && is_linked_with(binary, "libseccomp.so"))
        add(argv, "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny", NULL);
}

/* The -blockdev options for the disk. */
static void add_disk(GPtrArray *argv, const QemuOptions *options)
{
    const char *aio = choose_aio(options->binary);
    g_autofree char *disk = quote_commas(options->disk), *image = quote_commas(options->image);
    g_autofree char *file = g_strdup_printf("driver=file,node-name=file,aio=%s,%sfilename=%s", aio,
                                            options->disk_is_layer ? "cache.no-flush=on," : "", disk);
    /* The image file is the layer's backing, opened read-only; the layer's header names it, too. */
    g_autofree char *layer = g_strdup_printf("driver=qcow2,node-name=layer,file=file,backing.driver=raw,"
                                             "backing.file.driver=file,backing.file.aio=%s,backing.file.filename=%s",
                                             aio, image);

    add(argv, "-blockdev", file, NULL);
    if (options->disk_is_layer)
        add(argv, "-blockdev", layer, NULL);
    add(argv, "-blockdev",
        options->disk_is_layer ? "driver=qcow2,node-name=disk,file=layer" : "driver=qcow2,node-name=disk,file=file",
        "-device", "virtio-blk-pci,drive=disk,werror=stop,rerror=stop", NULL);
}

/* The drive that brings things into the guest. It is always there, and its size is always the same. */
static void add_transfer_drive(GPtrArray *argv, const QemuOptions *options)
{
    g_autofree char *node = NULL;

    if (options->transfer) {
        g_autofree char *path = quote_commas(options->transfer);

        node =
            g_strdup_printf("driver=raw,node-name=transfer,read-only=on,file.driver=file,file.aio=%s,file.filename=%s",
                            choose_aio(options->binary), path);
    } else {
        node = g_strdup_printf("driver=null-co,node-name=transfer,read-only=on,read-zeroes=on,size=%" G_GUINT64_FORMAT,
                               MT_DRIVE_BYTES);
    }
    add(argv, "-blockdev", node, "-device", "virtio-blk-pci,drive=transfer,serial=" MT_TRANSFER_SERIAL, NULL);
}

/* Folders that the guest can mount. They are always there, as a snapshot holds them, and empty. */
static void add_shares(GPtrArray *argv, const char *empty)
{
    g_autofree char *path = quote_commas(empty);

    for (unsigned i = 0; i < MT_SHARES; i++) {
        g_autofree char *share =
            g_strdup_printf("local,id=share%u,path=%s,security_model=none,readonly=on,multidevs=remap", i, path);
        g_autofree char *device = g_strdup_printf("virtio-9p-pci,fsdev=share%u,mount_tag=" MT_SHARE_TAG "%u", i, i);

        add(argv, "-fsdev", share, "-device", device, NULL);
    }
}

static const char *on_off(bool value)
{
    return value ? "on" : "off";
}

static char *plugin_argument(const char *path, const CaptureOptions *capture, const ImageMachine *machine)
{
    g_autofree char *quoted = quote_commas(path);
    g_autofree char *seed =
        capture->seeded ? g_strdup_printf(",sample_seed=%" G_GUINT64_FORMAT, capture->sample_seed) : g_strdup("");
    g_autofree char *clock = NULL;
    unsigned shift;

    clock =
        sscanf(machine->icount, "shift=%u", &shift) == 1 ? g_strdup_printf(",icount_shift=%u", shift) : g_strdup("");
    return g_strdup_printf("%s,ring_fd=%d,start=%s,user_only=%s,roi=%s,strict_order=%s,when_full=%s,log_block_len=%u,"
                           "log_tracing_ratio=%u%s%s",
                           quoted, FD_RING, capture->stay_idle ? "never" : "marker", on_off(capture->user_only),
                           on_off(capture->roi), on_off(capture->strict_order),
                           capture->drop_when_full ? "drop" : "block", capture->log_block_len,
                           capture->log_tracing_ratio, seed, clock);
}

static GPtrArray *command_line(const QemuOptions *options, const char *empty)
{
    GPtrArray *argv = g_ptr_array_new_with_free_func(g_free);
    const ImageMachine *machine = options->machine;
    g_autofree char *ram = g_strdup_printf("%u", machine->ram_mb), *vcpus = g_strdup_printf("%u", machine->vcpus);
    g_autofree char *agent = g_strdup_printf("socket,id=agent,fd=%d", FD_AGENT);
    g_autofree char *qmp = g_strdup_printf("socket,id=qmp,fd=%d", FD_QMP);
    bool one_thread = options->capture && options->capture->strict_order;

    add(argv, options->binary, "-nodefaults", "-no-user-config", "-nic", "none", "-vga", "none", NULL);
    add_sandbox(argv, options->binary);
    if (!options->display)
        add(argv, "-display", "none", NULL);
    add(argv, "-machine", machine->machine, "-cpu", machine->cpu, "-m", ram, "-smp", vcpus, NULL);
    add(argv, "-accel", one_thread ? "tcg,thread=single" : "tcg", NULL);
    if (*machine->icount)
        add(argv, "-icount", machine->icount, NULL);
    add_disk(argv, options);
    add_transfer_drive(argv, options);
    add(argv, "-chardev", agent, "-device", "virtio-serial-pci", "-device",
        "virtserialport,id=agent,chardev=agent,name=" MT_PORT_NAME, NULL);
    add(argv, "-chardev", qmp, "-mon", "chardev=qmp,mode=control", NULL);
    add_shares(argv, empty);
    add(argv, "-device", "pvpanic-pci", NULL); /* tells us, by GUEST_PANICKED, where the guest has its driver */
    if (options->monitor) {
        g_autofree char *monitor = g_strdup_printf("socket,id=monitor,fd=%d", FD_MONITOR);

        add(argv, "-chardev", monitor, "-mon", "chardev=monitor,mode=readline", NULL);
    }
    if (options->console) {
        g_autofree char *path = quote_commas(options->console);
        g_autofree char *console = g_strdup_printf("file,id=console,path=%s", path);

        add(argv, "-chardev", console, NULL);
    } else if (options->use_console) {
        g_autofree char *console = g_strdup_printf("socket,id=console,fd=%d", FD_CONSOLE);

        add(argv, "-chardev", console, NULL);
    } else {
        add(argv, "-chardev", options->display ? "vc,id=console" : "null,id=console", NULL);
    }
    add(argv, "-serial", "chardev:console", NULL);
    if (options->snapshot || options->kernel)
        add(argv, "-action", "reboot=shutdown", NULL); /* else it would go on into the firmware */
    if (options->snapshot)
        add(argv, "-loadvm", options->snapshot, NULL);
    else if (options->kernel)
        add(argv, "-kernel", options->kernel, "-initrd", options->initramfs, "-append", options->kernel_arguments,
            NULL);
    if (options->ring) {
        g_autofree char *plugin = plugin_argument(options->plugin, options->capture, machine);

        add(argv, "-plugin", plugin, NULL);
    }
    g_ptr_array_add(argv, NULL);
    return argv;
}

static bool make_pair(int *ours, int *theirs, GError **error)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
        return mt_fail(error, "can't create a socket pair: %s", g_strerror(errno));
    *ours = pair[0];
    *theirs = pair[1];
    return true;
}

Qemu *qemu_start(const QemuOptions *options, RunLoop *loop, GError **error)
{
    g_autoptr(GPtrArray) argv = NULL;
    g_autofree char *command = NULL;
    g_autoptr(Qemu) qemu = g_new0(Qemu, 1);
    ChildFd fds[] = { { -1, FD_AGENT }, { -1, FD_QMP }, { -1, -1 }, { -1, -1 }, { -1, -1 }, { -1, -1 } };
    int next = 2;
    const ChildHandlers handlers = { .stderr_line = on_line, .ended = on_end, .data = qemu };

    qemu->loop = loop;
    qemu->binary = g_strdup(options->binary);
    qemu->image = g_strdup(options->image);
    qemu->snapshot = g_strdup(options->snapshot);
    qemu->machine = g_strdup(options->machine->machine);
    qemu->made_with = g_strdup(options->machine->qemu_version ? options->machine->qemu_version : "");
    qemu->ram_mb = options->machine->ram_mb;
    qemu->has_plugin = options->ring;
    qemu->agent_fd = qemu->qmp_fd = qemu->monitor_fd = qemu->console_fd = -1;
    qemu->cancellable = g_cancellable_new();
    g_queue_init(&qemu->lines);
    qemu->empty = temporary_folder_new_usual(error);
    if (!qemu->empty || !make_pair(&qemu->agent_fd, &fds[0].fd, error) || !make_pair(&qemu->qmp_fd, &fds[1].fd, error))
        return NULL;
    if (options->ring)
        fds[next++] = (ChildFd){ fcntl(ring_fd(options->ring), F_DUPFD_CLOEXEC, 0), FD_RING };
    if (options->monitor) {
        fds[next].target = FD_MONITOR;
        if (!make_pair(&qemu->monitor_fd, &fds[next++].fd, error))
            return NULL;
    }
    if (options->use_console) {
        fds[next].target = FD_CONSOLE;
        if (!make_pair(&qemu->console_fd, &fds[next++].fd, error))
            return NULL;
    }
    argv = command_line(options, qemu->empty->path);
    command = g_strjoinv(" ", (char **)argv->pdata);
    run_loop_verbose(loop, "starting %s", command);
    qemu->child = child_start((const char *const *)argv->pdata, fds, &handlers, error);
    if (!qemu->child)
        return NULL;

    g_autoptr(GInputStream) stream = g_unix_input_stream_new(qemu->qmp_fd, FALSE);
    qemu->qmp = g_data_input_stream_new(stream);
    g_data_input_stream_read_line_async(qemu->qmp, G_PRIORITY_DEFAULT, qemu->cancellable, on_message, qemu);
    return g_steal_pointer(&qemu);
}

void qemu_free(Qemu *qemu)
{
    if (!qemu)
        return;
    qemu->quitting = true;
    g_cancellable_cancel(qemu->cancellable);
    g_clear_handle_id(&qemu->agent_gone, g_source_remove);
    child_free(qemu->child);
    g_clear_object(&qemu->qmp);
    g_object_unref(qemu->cancellable);
    if (qemu->agent_fd >= 0)
        close(qemu->agent_fd);
    if (qemu->qmp_fd >= 0)
        close(qemu->qmp_fd);
    if (qemu->monitor_fd >= 0)
        close(qemu->monitor_fd);
    if (qemu->console_fd >= 0)
        close(qemu->console_fd);
    temporary_folder_free(qemu->empty);
    g_queue_clear_full(&qemu->lines, g_free);
    g_clear_pointer(&qemu->reply, json_node_unref);
    g_free(qemu->binary);
    g_free(qemu->image);
    g_free(qemu->snapshot);
    g_free(qemu->machine);
    g_free(qemu->made_with);
    g_free(qemu->version);
    g_free(qemu);
}

static int take(int *fd)
{
    int taken = *fd;

    *fd = -1;
    return taken;
}

int qemu_take_agent_fd(Qemu *qemu)
{
    return take(&qemu->agent_fd);
}

int qemu_take_monitor_fd(Qemu *qemu)
{
    return take(&qemu->monitor_fd);
}

int qemu_take_console_fd(Qemu *qemu)
{
    return take(&qemu->console_fd);
}

static bool is_negotiated(void *data)
{
    return ((Qemu *)data)->negotiated;
}

bool qemu_wait_running(Qemu *qemu, GError **error)
{
    const WaitFor wait = { .done = is_negotiated,
                           .data = qemu,
                           .what = qemu->snapshot ? "QEMU to load the snapshot" : "QEMU to start",
                           .timeout_s = LOAD_TIMEOUT_S };

    return run_loop_wait(qemu->loop, &wait, error);
}

static bool has_reply(void *data)
{
    return ((Qemu *)data)->reply;
}

JsonNode *qemu_execute(Qemu *qemu, const char *command, const char *arguments, GError **error)
{
    g_autofree char *what = g_strdup_printf("QEMU to execute %s", command);
    const WaitFor wait = { .done = has_reply, .data = qemu, .what = what, .timeout_s = COMMAND_TIMEOUT_S };
    JsonObject *reply;

    g_clear_pointer(&qemu->reply, json_node_unref);
    send_command(qemu, command, arguments);
    if (!run_loop_wait(qemu->loop, &wait, error))
        return NULL;
    reply = json_node_get_object(qemu->reply);
    if (json_object_has_member(reply, "error")) {
        mt_fail(error, "QEMU refuses %s: %s", command,
                json_object_get_string_member_with_default(json_object_get_object_member(reply, "error"), "desc", ""));
        return NULL;
    }
    return json_node_copy(json_object_get_member(reply, "return"));
}

const char *qemu_version(const Qemu *qemu)
{
    return qemu->version;
}

void qemu_let_end(Qemu *qemu)
{
    qemu->quitting = true;
}

void qemu_watch_agent(Qemu *qemu)
{
    qemu->watches_agent = true;
}

bool qemu_is_stopped(const Qemu *qemu)
{
    return child_is_stopped(qemu->child);
}

bool qemu_halt(Qemu *qemu, unsigned patience_ms)
{
    const WaitFor wait = {
        .done = has_reply, .data = qemu, .what = "QEMU to stop", .patience_ms = patience_ms, .poll_ms = 10
    };

    g_clear_pointer(&qemu->reply, json_node_unref);
    send_command(qemu, "stop", NULL);
    return run_loop_wait(qemu->loop, &wait, NULL);
}

void qemu_end(Qemu *qemu, unsigned patience_s)
{
    qemu_let_end(qemu);
    child_wait(qemu->child, patience_s);
    if (qemu_has_ended(qemu))
        return;
    child_signal(qemu->child, SIGKILL);
    child_signal(qemu->child, SIGCONT);
    child_wait(qemu->child, KILL_S);
}

bool qemu_has_ended(const Qemu *qemu)
{
    return child_has_ended(qemu->child);
}

static bool has_ended(void *data)
{
    return qemu_has_ended(data);
}

bool qemu_quit(Qemu *qemu, GError **error)
{
    const WaitFor wait = { .done = has_ended, .data = qemu, .what = "QEMU to quit", .timeout_s = 60 };

    qemu_let_end(qemu);
    send_command(qemu, "quit", NULL);
    return run_loop_wait(qemu->loop, &wait, error);
}
