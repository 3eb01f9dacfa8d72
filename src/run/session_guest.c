/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest of a traced run: its disk, its ring, what the plugin needs to know of its kernel. See session_private.h. */
#include <glib/gstdio.h>

#include "../base/cores.h"
#include "../base/limits.h"
#include "../vm/image.h"
#include "../vm/qemu.h"
#include "../vm/transfer_drive.h"
#include "session_private.h"

static bool is_traced_to(DestinationKind kind)
{
    return kind != DESTINATION_NONE && kind != DESTINATION_IDLE;
}

bool session_is_traced(const Session *session)
{
    return is_traced_to(session->options->destination.kind);
}

/* With icount or strict_order QEMU runs all vCPUs in one thread, and doesn't tell the plugin when one wakes up. So it
 * is armed from the beginning. */
static bool has_one_thread(const Session *session)
{
    return *session->setup.machine->icount || session->options->capture.strict_order;
}

/* A vCPU that has no core meanwhile may hold a lock of the guest's kernel, and the others spin. */
static void warn_of_few_cores(const Session *session)
{
    unsigned vcpus = session->setup.machine->vcpus, cores = cores_usable();

    if (vcpus > cores && !has_one_thread(session))
        run_loop_note(
            session->loop,
            "the guest has %u vCPUs, but there %s %u core%s for them: its kernel spins, so how many accesses are "
            "the kernel's means little",
            vcpus, cores == 1 ? "is" : "are", cores, cores == 1 ? "" : "s");
}

/* Whether what is traced can't be understood without knowing the guest's kernel. */
static bool needs_kernel(const SessionOptions *options)
{
    return options->destination.kind == DESTINATION_TRACE ||
           (options->destination.fields & (MT_FIELD_TASK | MT_FIELD_PAGE_SIZE)) ||
           (options->capture.roi && is_traced_to(options->destination.kind));
}

/* Puts into a file what the plugin needs to tell tasks and page sizes. Where it can't, records don't tell them. */
static bool describe_kernel(const Session *session, unsigned *fields, const char *path, GError **error)
{
    const char *layout = session->kernel.layout;

    if (layout && *layout)
        return g_file_set_contents(path, layout, -1, error);
    if (*fields & MT_FIELD_TASK)
        run_loop_note(session->loop,
                      "the guest's kernel doesn't tell how its tasks are described (it has no "
                      "/sys/kernel/btf/vmlinux, or is an unknown one): which task makes an access is not recorded");
    *fields &= ~(unsigned)(MT_FIELD_TASK | MT_FIELD_PAGE_SIZE);
    return true;
}

bool session_start_guest(Session *session, GError **error)
{
    const SessionOptions *options = session->options;
    g_autofree char *layer = g_build_filename(session->folder->path, "layer.qcow2", NULL);
    g_autofree char *drive = g_build_filename(session->folder->path, "transfer", NULL);
    g_autofree char *description = g_build_filename(session->folder->path, "kernel", NULL);
    unsigned fields = options->destination.fields;
    CaptureOptions capture = options->capture;
    g_autofree const char **shares = setup_list_shares(&options->workload);
    struct rlimit before;
    uint64_t folder_bytes;
    QemuOptions qemu = { .binary = session->setup.qemu_binary,
                         .machine = session->setup.machine,
                         .image = options->image,
                         .disk = layer,
                         .disk_is_layer = true,
                         .snapshot = session->setup.snapshot,
                         .plugin = session->setup.plugin,
                         .transfer = drive,
                         .shares = shares,
                         .capture = &capture,
                         .monitor = options->display || options->keep_qemu,
                         .display = options->display };

    warn_of_few_cores(session);
    if (!transfer_drive_create(drive, options->workload.folder, &folder_bytes, session->loop, error))
        return false;
    capture.strict_order = has_one_thread(session) && session->setup.machine->vcpus > 1;
    if (needs_kernel(options) &&
        (!kernel_symbols_load(&session->kernel, &qemu, session->setup.qemu_img, session->loop, error) ||
         !describe_kernel(session, &fields, description, error)))
        return false;
    if (session->kernel.layout && *session->kernel.layout)
        qemu.layout = description;
    if (!image_create_layer(options->image, layer, session->setup.qemu_img, session->loop, error))
        return false;
    if (options->destination.kind != DESTINATION_NONE) {
        limits_raise_file_size(&before); /* it is a file, in memory */
        session->ring = ring_new(session->setup.machine->vcpus, RING_DEFAULT_BYTES, fields, error);
        limits_set_file_size(&before);
        if (!session->ring)
            return false;
        qemu.ring = session->ring;
        if (has_one_thread(session) && session_is_traced(session))
            ring_arm(session->ring);
    }
    session->workload = options->workload;
    session->workload.describe = session_names_code(session);
    session->workload.tell_vcpus = capture.strict_order;
    session->workload.describe_libraries = !has_one_thread(session); /* there, markers are acted on from the start */
    session->guest = guest_start(&qemu, &session->workload, session->loop, error);
    if (!session->guest)
        return false;
    guest_set_archive_bytes(session->guest, folder_bytes);
    g_unlink(layer); /* QEMU has it open: nothing stays behind, whatever ends us */
    g_unlink(drive);
    g_unlink(description);
    if (options->display)
        session->terminal = terminal_new(qemu_take_monitor_fd(guest_qemu(session->guest)), false);
    return true;
}
