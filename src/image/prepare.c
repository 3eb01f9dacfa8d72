/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Prepares an image that somebody has installed: see prepare.h.
 *
 * The transfer drive holds a tar archive with the agent and a script that installs it. Over the serial console we log
 * in and run that script, or a person does. Once it has been installed, the agent is there whenever the guest boots.
 */
#include "prepare.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/child.h"
#include "../base/loop.h"
#include "../base/paths.h"
#include "../base/temporary_folder.h"
#include "../protocol/frames.h"
#include "../vm/archive.h"
#include "../vm/console.h"
#include "../vm/image.h"
#include "../vm/terminal.h"
#include "guest.h"

#define BOOT_TIMEOUT_S 900
#define STEP_TIMEOUT_S 180
#define RETYPE_US (3 * G_USEC_PER_SEC)
#define AGENT_FIRST_US (15 * G_USEC_PER_SEC) /* an installed agent may come up later than the login prompt */

/* What the guest's shell is told to print. The quotes keep it apart from the echo of the command itself. */
#define READY_COMMAND "echo mt-'ready'\n"
#define READY_TEXT "mt-ready"
#define GOOD_TEXT "mt-good"
#define BAD_TEXT "mt-bad"
#define SUDO_PROMPT "mt-password"
/* As a person types it: finds the drive, unpacks it into memory, and runs the script. */
#define INSTALL_COMMAND                                                                                                \
    "mkdir -p /run/mt && tar -xf /dev/$(grep -lx " MT_TRANSFER_SERIAL                                                  \
    " /sys/block/*/serial | cut -d/ -f4) -C /run/mt && sh /run/mt/install_agent"

typedef struct {
    const ImagePrepareOptions *options;
    RunLoop *loop;
    ImageMachine *machine;
    char *qemu_binary, *qemu_img;
    TemporaryFolder *folder;
    char *copy, *copy_metadata; /* of the image; beside it */
    bool has_metadata;          /* snapshots have been made of it before */
    Child *child;
    ImageGuest *guest;
    Console *console;
    Terminal *terminal;
    gint64 typed_us; /* when we typed last */
} Preparation;

/* Files. */

static bool child_is_done(void *data)
{
    return child_has_ended(((Preparation *)data)->child);
}

/* Runs a program, with progress. */
static bool run(Preparation *preparation, const char *const *argv, const char *what, GError **error)
{
    const ChildHandlers handlers = { 0 };
    const WaitFor wait = { .done = child_is_done, .data = preparation, .what = what };
    bool fine;

    preparation->child = child_start(argv, NULL, &handlers, error);
    if (!preparation->child || !run_loop_wait(preparation->loop, &wait, error))
        return false;
    fine = child_succeeded(preparation->child);
    g_clear_pointer(&preparation->child, child_free);
    return fine || mt_fail(error, "gave up, as %s failed", argv[0]);
}

/* The transfer drive: a tar archive of the agent and its script. */
static char *make_drive(Preparation *preparation, GError **error)
{
    g_autofree char *path = g_build_filename(preparation->folder->path, "drive", NULL);
    g_autofree char *agent = paths_find_resource("memory_tracer_agent", error);
    g_autofree char *script = agent ? paths_find_resource("install_agent", error) : NULL;
    g_autofree char *agent_folder = agent ? g_path_get_dirname(agent) : NULL;
    g_autofree char *script_folder = script ? g_path_get_dirname(script) : NULL;
    const char *argv[] = {
        "tar",         "--create",    "--file",        path, "--directory", agent_folder, "memory_tracer_agent",
        "--directory", script_folder, "install_agent", NULL
    };

    if (!script || !run(preparation, argv, "tar", error))
        return NULL;
    if (truncate(path, MT_DRIVE_BYTES)) {
        mt_fail(error, "can't write %s: %s", path, g_strerror(errno));
        return NULL;
    }
    return g_steal_pointer(&path);
}

static bool copy_image(Preparation *preparation, GError **error)
{
    const char *image = preparation->options->image;
    const char *argv[] = { "cp", "--reflink=auto", "--sparse=always", "--preserve=mode,ownership", image, NULL, NULL };
    g_autofree char *metadata = g_strconcat(image, ".json", NULL);
    int fd;

    preparation->copy = g_strconcat(image, ".prepare-XXXXXX", NULL);
    fd = g_mkstemp(preparation->copy);
    if (fd < 0) {
        g_clear_pointer(&preparation->copy, g_free);
        return mt_fail(error, "can't create a copy beside %s: %s", image, g_strerror(errno));
    }
    close(fd);
    argv[5] = preparation->copy;
    preparation->copy_metadata = g_strconcat(preparation->copy, ".json", NULL);
    preparation->has_metadata = g_file_test(metadata, G_FILE_TEST_EXISTS);
    if (preparation->has_metadata) {
        const char *metadata_argv[] = { "cp", metadata, preparation->copy_metadata, NULL };

        if (!run(preparation, metadata_argv, "the metadata to be copied", error))
            return false;
    }
    return run(preparation, argv, "the image to be copied", error);
}

static bool put_copy_in_place(Preparation *preparation, GError **error)
{
    g_autofree char *metadata = g_strconcat(preparation->options->image, ".json", NULL);

    if (g_rename(preparation->copy, preparation->options->image) || g_rename(preparation->copy_metadata, metadata))
        return mt_fail(error, "can't replace %s: %s", preparation->options->image, g_strerror(errno));
    image_guest_is_ours(preparation->options->image, preparation->loop);
    g_clear_pointer(&preparation->copy, g_free);
    g_clear_pointer(&preparation->copy_metadata, g_free);
    return true;
}

/* The console. */

/* One step of the dialogue: type something, if need be again and again, until one of some texts comes. */
typedef struct {
    Preparation *preparation;
    const char *texts[4]; /* any of them ends the step; ended by NULL */
    const char *retype;   /* typed every few seconds, as the guest may not read yet; or NULL */
    bool or_agent;        /* the agent's answer ends it, too */
    const char *found;    /* which of the texts came */
} Step;

static bool step_is_done(void *data)
{
    Step *step = data;
    Preparation *preparation = step->preparation;

    if (step->or_agent && image_guest_has_answered(preparation->guest))
        return true;
    for (int i = 0; step->texts[i]; i++)
        if (console_find(preparation->console, step->texts[i])) {
            step->found = step->texts[i];
            return true;
        }
    if (step->retype && g_get_monotonic_time() - preparation->typed_us > RETYPE_US) {
        preparation->typed_us = g_get_monotonic_time();
        console_type(preparation->console, step->retype);
    }
    return false;
}

static bool take_step(Step *step, const char *what, unsigned timeout_s, GError **error)
{
    const WaitFor wait = { .done = step_is_done, .data = step, .what = what, .timeout_s = timeout_s };
    Preparation *preparation = step->preparation;
    g_autoptr(GError) problem = NULL;

    preparation->typed_us = g_get_monotonic_time();
    if (run_loop_wait(preparation->loop, &wait, &problem))
        return true;
    if (strstr(problem->message, "gave up")) {
        g_autofree char *words = console_last_words(preparation->console);

        return mt_fail(error, "%s; the console's last words: %s", problem->message, words);
    }
    g_propagate_error(error, g_steal_pointer(&problem));
    return false;
}

static void type(Preparation *preparation, const char *text)
{
    console_discard(preparation->console);
    console_type(preparation->console, text);
}

static bool log_in(Preparation *preparation, GError **error)
{
    const ImagePrepareOptions *options = preparation->options;
    g_autofree char *user = g_strconcat(options->user, "\n", NULL);
    g_autofree char *password = g_strconcat(options->password ? options->password : "", "\n", NULL);
    Step named = { .preparation = preparation,
                   .texts = { "assword:", READY_TEXT, "ncorrect" },
                   .retype = READY_COMMAND };
    Step entered = { .preparation = preparation, .texts = { READY_TEXT, "ncorrect" }, .retype = READY_COMMAND };

    type(preparation, user);
    if (options->password)
        named.retype = NULL;
    if (!take_step(&named, "the guest to ask for the password", STEP_TIMEOUT_S, error))
        return false;
    if (!strcmp(named.found, READY_TEXT))
        return true;
    if (!strcmp(named.found, "assword:")) {
        if (!options->password)
            return mt_fail(error, "%s needs a password at the guest's console: say which with --console-password",
                           options->user);
        type(preparation, password);
        if (!take_step(&entered, "the guest's shell", STEP_TIMEOUT_S, error))
            return false;
        if (!strcmp(entered.found, READY_TEXT))
            return true;
    }
    return mt_fail(error, "the guest doesn't let %s log in at its console", options->user);
}

static bool install(Preparation *preparation, GError **error)
{
    const ImagePrepareOptions *options = preparation->options;
    bool is_root = !strcmp(options->user, "root");
    g_autofree char *password = g_strconcat(options->password ? options->password : "", "\n", NULL);
    g_autofree char *command =
        g_strdup_printf("if %s" INSTALL_COMMAND "%s; then echo mt-'good'; else echo mt-'bad'; fi\n",
                        is_root ? "" : "sudo -S -p mt-'password' sh -c '", is_root ? "" : "'");
    Step step = { .preparation = preparation, .texts = { GOOD_TEXT, BAD_TEXT, is_root ? NULL : SUDO_PROMPT } };

    run_loop_note(preparation->loop, "installing the agent");
    type(preparation, command);
    for (int asked = 0;; asked++) {
        if (!take_step(&step, "the agent to be installed", STEP_TIMEOUT_S, error))
            return false;
        if (strcmp(step.found, SUDO_PROMPT))
            break;
        if (asked)
            return mt_fail(error, "the guest doesn't let %s use sudo: prepare it as root", options->user);
        type(preparation, password);
    }
    if (!strcmp(step.found, BAD_TEXT)) {
        g_autofree char *words = console_last_words(preparation->console);

        return mt_fail(error, "the agent could not be installed; the console's last words: %s", words);
    }
    type(preparation, "exit\n"); /* a shell that waits is one process more */
    return true;
}

/* An agent that was installed for an earlier snapshot may come up a little later than the login prompt. */
typedef struct {
    ImageGuest *guest;
    gint64 until_us;
} AgentFirst;

static bool agent_came_or_not(void *data)
{
    AgentFirst *first = data;

    return image_guest_has_answered(first->guest) || g_get_monotonic_time() > first->until_us;
}

static bool wait_for_console(Preparation *preparation, GError **error)
{
    Step prompt = { .preparation = preparation, .texts = { "login:" }, .or_agent = true };
    AgentFirst first = { .guest = preparation->guest };
    const WaitFor wait = { .done = agent_came_or_not, .data = &first, .what = "the agent that is installed already" };

    preparation->console = console_new(qemu_take_console_fd(image_guest_qemu(preparation->guest)));
    image_guest_hail(preparation->guest);
    if (!take_step(&prompt, "the guest's login prompt at its serial console", BOOT_TIMEOUT_S, error))
        return false;
    first.until_us = g_get_monotonic_time() + AGENT_FIRST_US;
    if (preparation->has_metadata && !run_loop_wait(preparation->loop, &wait, error))
        return false;
    if (image_guest_has_answered(preparation->guest))
        return true;
    return log_in(preparation, error) && install(preparation, error);
}

static bool wait_for_person(Preparation *preparation, GError **error)
{
    static const char instructions[] =
        "\n"
        "This terminal is now the guest's serial console. When it has booted, log in, become root, and type:\n\n"
        "    " INSTALL_COMMAND "\n\n"
        "All else goes on by itself as soon as the agent answers. Ctrl-] gives up.\n\n";
    const WaitFor wait = {
        .done = image_guest_has_answered, .data = preparation->guest, .what = "you", .silent = true
    };

    run_loop_print_error(preparation->loop, instructions, strlen(instructions));
    preparation->terminal = terminal_new(qemu_take_console_fd(image_guest_qemu(preparation->guest)), true);
    image_guest_hail(preparation->guest);
    if (!run_loop_wait(preparation->loop, &wait, error))
        return false;
    g_clear_pointer(&preparation->terminal, terminal_free);
    run_loop_print_error(preparation->loop, "\n", 1);
    return true;
}

/* All of it. */

static bool check(Preparation *preparation, GError **error)
{
    const ImagePrepareOptions *options = preparation->options;
    g_autoptr(JsonNode) information = NULL;
    g_auto(GStrv) snapshots = NULL;

    if (!g_file_test(options->image, G_FILE_TEST_IS_REGULAR))
        return mt_fail(error, "the guest image %s is not a file", options->image);
    preparation->qemu_binary = paths_find_qemu(options->qemu, error);
    preparation->qemu_img = preparation->qemu_binary ? paths_find_qemu_img(preparation->qemu_binary, error) : NULL;
    information =
        preparation->qemu_img ? image_query(options->image, preparation->qemu_img, preparation->loop, error) : NULL;
    if (!information)
        return false;
    snapshots = image_snapshot_names(information);
    if (g_strv_contains((const char *const *)snapshots, options->snapshot))
        return mt_fail(error, "%s has a snapshot '%s' already: take another name, or delete it (qemu-img snapshot -d)",
                       options->image, options->snapshot);
    return true;
}

static bool prepare(Preparation *preparation, GError **error)
{
    const ImagePrepareOptions *options = preparation->options;
    g_autofree char *drive = NULL;
    QemuOptions qemu = { .binary = preparation->qemu_binary,
                         .machine = preparation->machine,
                         .image = options->image,
                         .use_console = true };

    preparation->folder = temporary_folder_new_usual(error);
    drive = preparation->folder ? make_drive(preparation, error) : NULL;
    if (!drive || !copy_image(preparation, error))
        return false;
    qemu.transfer = drive;
    qemu.disk = preparation->copy;
    run_loop_note(preparation->loop, "booting the guest");
    preparation->guest = image_guest_start(&qemu, preparation->machine, preparation->loop, error);
    if (!preparation->guest)
        return false;
    if (!(options->interactive ? wait_for_person(preparation, error) : wait_for_console(preparation, error)) ||
        !image_guest_greet(preparation->guest, "the agent to answer", STEP_TIMEOUT_S, error))
        return false;
    return image_guest_save(preparation->guest, options->snapshot, error) &&
           image_machine_save(preparation->machine, preparation->copy, options->snapshot, error) &&
           put_copy_in_place(preparation, error);
}

bool image_prepare(const ImagePrepareOptions *options, GError **error)
{
    Preparation preparation = { .options = options };
    bool fine;

    preparation.loop = run_loop_new(options->verbose);
    preparation.machine = image_machine_new(options->ram_mb, options->vcpus);
    image_machine_set_icount(preparation.machine, options->icount);
    g_free(preparation.machine->user);
    preparation.machine->user = g_strdup(options->workload_user);
    fine = check(&preparation, error) && prepare(&preparation, error);

    terminal_free(preparation.terminal);
    console_free(preparation.console);
    image_guest_free(preparation.guest);
    child_free(preparation.child);
    image_machine_free(preparation.machine);
    run_loop_free(preparation.loop);
    if (preparation.copy)
        g_unlink(preparation.copy);
    if (preparation.copy_metadata)
        g_unlink(preparation.copy_metadata);
    temporary_folder_free(preparation.folder);
    g_free(preparation.copy);
    g_free(preparation.copy_metadata);
    g_free(preparation.qemu_binary);
    g_free(preparation.qemu_img);
    return fine;
}
