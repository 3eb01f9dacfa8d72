/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Builds the default guest: bootstrap, boot once, wait until it is quiet, take the snapshot. */
#include "build.h"

#include <glib/gstdio.h>
#include <string.h>

#include "../base/child.h"
#include "../base/cores.h"
#include "../base/loop.h"
#include "../base/paths.h"
#include "../base/printable.h"
#include "../base/temporary_folder.h"
#include "../vm/image.h"
#include "guest.h"

#define FALLBACK_SUITE "trixie"
/* No mitigations and no address randomisation: less noise, and addresses that can be compared between runs. */
#define KERNEL_ARGUMENTS "console=ttyS0 panic=-1 mitigations=off nokaslr nowatchdog"
#define BOOTSTRAP_GRACE_S 10
#define BOOT_TIMEOUT_S 180

static const char *const needed_programs[] = { "mmdebstrap", "fakeroot", "mke2fs", "cpio", "modinfo", NULL };

typedef struct {
    const ImageBuildOptions *options;
    RunLoop *loop;
    ImageMachine *machine;
    char *qemu_binary, *qemu_img, *agent_path, *script;
    TemporaryFolder *folder; /* beside the output */
    char *image;             /* in that folder */
    char *step;              /* what the script says it is doing */
    GString *complaints;     /* what it printed to stderr */
    char *problem;           /* what it says is wrong with what was asked for */
    Child *bootstrap;
} Build;

static char *host_suite(void)
{
    g_autofree char *id = g_get_os_info(G_OS_INFO_KEY_ID), *name = g_get_os_info(G_OS_INFO_KEY_VERSION_CODENAME);

    return g_strdup(!g_strcmp0(id, "debian") && name && *name ? name : FALLBACK_SUITE);
}

/* A checksum of everything that decides what the image will be like. Of the agent that is only what it does when the
 * guest boots: the current one takes its place at each start. */
static char *fingerprint(const Build *build, const char *suite, GError **error)
{
    g_autoptr(GChecksum) checksum = g_checksum_new(G_CHECKSUM_SHA256);
    g_autofree char *script = NULL;
    gsize length;

    if (!g_file_get_contents(build->script, &script, &length, error))
        return NULL;
    g_checksum_update(checksum, (guchar *)script, (gssize)length);
    g_autofree char *rest = g_strdup_printf(MEMORY_TRACER_INIT_HASH " %s %s %s %s %s %s %u %s", suite, IMAGE_ICOUNT,
                                            build->machine->devices, build->machine->machine, build->machine->cpu,
                                            KERNEL_ARGUMENTS, build->options->disk_mb, build->machine->packages);
    g_checksum_update(checksum, (guchar *)rest, -1);
    return g_strdup(g_checksum_get_string(checksum));
}

static bool is_up_to_date(const Build *build)
{
    g_autoptr(ImageMachine) there = image_machine_load(build->options->output, IMAGE_DEFAULT_SNAPSHOT, NULL);

    return there && there->known && g_file_test(build->options->output, G_FILE_TEST_IS_REGULAR) &&
           !g_strcmp0(there->fingerprint, build->machine->fingerprint) && there->ram_mb == build->machine->ram_mb &&
           there->vcpus == build->machine->vcpus;
}

/* Bootstrapping. */

static void on_step(void *data, const char *line)
{
    Build *build = data;

    if (g_str_has_prefix(line, "step: ")) {
        g_free(build->step);
        build->step = g_strdup(line + strlen("step: "));
        run_loop_note(build->loop, "%s", build->step);
    }
}

static void on_complaint(void *data, const char *line)
{
    Build *build = data;

    run_loop_verbose(build->loop, "%s", line);
    if (g_str_has_prefix(line, "problem: ") && !build->problem)
        build->problem = text_make_printable(line + strlen("problem: "));
    else if (g_str_has_prefix(line, "E: ") || g_str_has_prefix(line, "Err:"))
        g_string_append_printf(build->complaints, "%s%s", build->complaints->len ? "; " : "", line);
}

static bool bootstrap_has_ended(void *data)
{
    return child_has_ended(((Build *)data)->bootstrap);
}

static bool bootstrap(Build *build, const char *suite, GError **error)
{
    g_autofree char *disk_mb = g_strdup_printf("%u", build->options->disk_mb);
    const char *argv[] = {
        build->script, suite, build->agent_path, disk_mb, build->folder->path, build->machine->packages, NULL
    };
    const ChildHandlers handlers = {
        .stdout_line = on_step, .stderr_line = on_complaint, .data = build, .callers_limits = true
    };
    const WaitFor wait = {
        .done = bootstrap_has_ended, .data = build, .what = "the guest's file system", .expected = true
    };

    build->bootstrap = child_start(argv, NULL, &handlers, error);
    if (!build->bootstrap || !run_loop_wait(build->loop, &wait, error))
        return false;
    if (!child_succeeded(build->bootstrap) && build->problem)
        return mt_fail(error, "%s", build->problem);
    if (!child_succeeded(build->bootstrap))
        return mt_fail(error, "%s failed%s: %s", build->step ? build->step : "the bootstrap",
                       strstr(build->complaints->str, "apt-get") ? " (can the package mirrors be reached?)" : "",
                       build->complaints->len ? build->complaints->str : "see what --verbose prints");
    return true;
}

/* Booting. */

static bool boot_and_save(Build *build, const char *snapshot, RunLoop *loop, GError **error)
{
    g_autofree char *kernel = g_build_filename(build->folder->path, "vmlinuz", NULL);
    g_autofree char *initramfs = g_build_filename(build->folder->path, "initramfs.cpio", NULL);
    g_autofree char *console = g_build_filename(build->folder->path, "console.log", NULL);
    const QemuOptions qemu = { .binary = build->qemu_binary,
                               .machine = build->machine,
                               .image = build->options->output,
                               .disk = build->image,
                               .kernel = kernel,
                               .initramfs = initramfs,
                               .kernel_arguments = KERNEL_ARGUMENTS,
                               .console = console };
    g_autoptr(ImageGuest) guest = NULL;
    unsigned timeout_s;

    run_loop_note(loop, *build->machine->icount ? "booting the guest once more, for --icount" : "booting the guest");
    guest = image_guest_start(&qemu, build->machine, loop, error);
    if (!guest)
        return false;
    timeout_s = BOOT_TIMEOUT_S * cores_patience(build->machine->vcpus, *build->machine->icount);
    if (!image_guest_greet(guest, "the guest to boot", timeout_s, error)) {
        g_autofree char *text = NULL;

        g_file_get_contents(console, &text, NULL, NULL);
        run_loop_verbose(loop, "the guest's console:\n%s", text ? text : "");
        return false;
    }
    return image_guest_save(guest, snapshot, error) &&
           image_machine_save(build->machine, build->image, snapshot, error);
}

/* A snapshot of the disk alone, by qemu-img: -c creates it, -a applies it, -d deletes it. */
static bool handle_disk_snapshot(Build *build, const char *action, GError **error)
{
    const char *argv[] = { build->qemu_img, "snapshot", action, "unused", build->image, NULL };
    g_autofree char *text = child_run(argv, build->loop, error);

    return text;
}

/* With icount all vCPUs share one core. If this snapshot takes too long, the other one is kept. */
static bool boot_and_save_icount(Build *build, GError **error)
{
    g_autoptr(RunLoop) loop = run_loop_nest(build->loop); /* its failure is not the build's */
    g_autoptr(GError) problem = NULL;

    image_machine_set_icount(build->machine, true);
    if (boot_and_save(build, IMAGE_DEFAULT_SNAPSHOT IMAGE_ICOUNT_SUFFIX, loop, &problem))
        return true;
    if (g_error_matches(problem, MT_ERROR, MT_ERROR_INTERRUPTED)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return false;
    }
    run_loop_note(build->loop, "the image has no snapshot for --icount: %s", problem->message);
    return handle_disk_snapshot(build, "-a", error);
}

/* Both snapshots are taken of a guest that was booted from the same, unused disk. */
static bool boot_and_save_both(Build *build, GError **error)
{
    return handle_disk_snapshot(build, "-c", error) &&
           boot_and_save(build, IMAGE_DEFAULT_SNAPSHOT, build->loop, error) &&
           handle_disk_snapshot(build, "-a", error) && boot_and_save_icount(build, error) &&
           handle_disk_snapshot(build, "-d", error);
}

static void warn_of_few_cores(const Build *build)
{
    unsigned vcpus = build->options->vcpus, cores = cores_usable();

    if (vcpus > cores)
        run_loop_note(build->loop,
                      "%u vCPUs are more than the %u core%s that we may use: this takes longer, and the guest's kernel "
                      "will spin when it is run here",
                      vcpus, cores, cores == 1 ? "" : "s");
}

/* All of it. */

static bool prepare(Build *build, const char *suite, GError **error)
{
    build->qemu_binary = paths_find_qemu(build->options->qemu, error);
    if (!build->qemu_binary)
        return false;
    build->qemu_img = paths_find_qemu_img(build->qemu_binary, error);
    build->agent_path = build->qemu_img ? paths_find_resource("memory_tracer_agent", error) : NULL;
    build->script = build->agent_path ? paths_find_resource("build_rootfs", error) : NULL;
    if (!build->script)
        return false;
    build->machine = image_machine_new(build->options->ram_mb, build->options->vcpus);
    g_free(build->machine->packages);
    build->machine->packages = g_strdup(build->options->packages ? build->options->packages : "");
    build->machine->fingerprint = fingerprint(build, suite, error);
    return build->machine->fingerprint;
}

static bool make(Build *build, const char *suite, GError **error)
{
    g_autofree char *output_folder = g_path_get_dirname(build->options->output);
    g_autofree char *root = NULL, *metadata = NULL, *new_metadata = NULL;

    for (int i = 0; needed_programs[i]; i++) {
        g_autofree char *found = g_find_program_in_path(needed_programs[i]);

        if (!found)
            return mt_fail(error,
                           "building an image needs %s, which isn't installed (./quickstart installs all that is "
                           "needed)",
                           needed_programs[i]);
    }
    if (g_mkdir_with_parents(output_folder, 0777))
        return mt_fail(error, "can't create %s: %s", output_folder, g_strerror(errno));
    build->folder = temporary_folder_new(output_folder, ".image-build-run-", error);
    if (!build->folder)
        return false;
    root = g_build_filename(build->folder->path, "root.img", NULL);
    build->image = g_build_filename(build->folder->path, "image.qcow2", NULL);
    if (!bootstrap(build, suite, error))
        return false;

    const char *convert[] = { build->qemu_img, "convert", "-f", "raw", "-O", "qcow2", root, build->image, NULL };
    g_autofree char *text = child_run(convert, build->loop, error);
    if (!text)
        return false;
    g_unlink(root);
    if (!boot_and_save_both(build, error))
        return false;

    new_metadata = g_strconcat(build->image, ".json", NULL);
    metadata = g_strconcat(build->options->output, ".json", NULL);
    if (g_rename(build->image, build->options->output) || g_rename(new_metadata, metadata))
        return mt_fail(error, "can't create %s: %s", build->options->output, g_strerror(errno));
    image_guest_is_ours(build->options->output, build->loop);
    return true;
}

bool image_build(const ImageBuildOptions *options, bool *built, GError **error)
{
    g_autofree char *suite = options->suite ? g_strdup(options->suite) : host_suite();
    Build build = { .options = options, .complaints = g_string_new(NULL) };
    bool fine;

    *built = false;
    build.loop = run_loop_new(options->verbose);
    fine = prepare(&build, suite, error);
    if (fine && (!options->if_needed || !is_up_to_date(&build))) {
        warn_of_few_cores(&build);
        fine = make(&build, suite, error);
        *built = fine;
    }
    child_interrupt(build.bootstrap, BOOTSTRAP_GRACE_S);
    child_free(build.bootstrap);
    image_machine_free(build.machine);
    run_loop_free(build.loop);
    temporary_folder_free(build.folder);
    g_free(build.image);
    g_free(build.qemu_binary);
    g_free(build.qemu_img);
    g_free(build.agent_path);
    g_free(build.script);
    g_free(build.step);
    g_free(build.problem);
    g_string_free(build.complaints, TRUE);
    return fine;
}
