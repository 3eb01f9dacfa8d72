/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a run needs, found and checked: see setup.h. */
#include "setup.h"

#include <glib/gstdio.h>
#include <string.h>

#include "../base/limits.h"
#include "../base/paths.h"
#include "../base/printable.h"
#include "../base/regular_file.h"
#include "../protocol/frames.h"
#include "../vm/host_view.h"
#include "../vm/image.h"

static bool is_file(const char *path)
{
    return g_file_test(path, G_FILE_TEST_IS_REGULAR); /* a FIFO or a device would be waited for */
}

static bool is_fifo(const char *path)
{
    GStatBuf status;

    return !g_stat(path, &status) && S_ISFIFO(status.st_mode);
}

/* What is written must not be what is read: a wrong word would destroy a guest image. */
static bool check_outputs(const SessionOptions *options, GError **error)
{
    g_autofree char *metadata = options->native ? NULL : g_strconcat(options->image, ".json", NULL);
    const char *trace = options->destination.kind == DESTINATION_TRACE ? options->destination.path : NULL;
    const char *tool = options->destination.kind == DESTINATION_TOOL ? options->destination.path : NULL;
    const char *outputs[] = { trace, options->summary };
    const struct {
        const char *path, *what;
    } inputs[] = {
        { options->native ? NULL : options->image, "the guest image" },
        { metadata, "the guest image's metadata" },
        { options->workload.is_on_host ? options->workload.program : NULL, "the workload" },
        { tool, "the analysis tool" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(outputs); i++)
        for (guint k = 0; outputs[i] && k < G_N_ELEMENTS(inputs); k++)
            if (inputs[k].path && regular_file_is_same(outputs[i], inputs[k].path))
                return mt_fail(error, "can't write %s: it is %s", outputs[i], inputs[k].what);
    /* It is opened after the warm-ups, and they could have put a link to any file of ours there. */
    if (trace && options->workload.warm_ups && host_view_shares(trace, options->workload.writable))
        return mt_fail(error, "can't write %s: with --warm-up, the trace can't be in a folder of --rw", trace);
    return !trace || !options->summary || !regular_file_is_same(trace, options->summary) ||
           mt_fail(error, "can't write both the trace and the summary into %s", trace);
}

static bool check_paths(Setup *setup, const SessionOptions *options, GError **error)
{
    if (!options->native && !is_file(options->image))
        return mt_fail(error, "the guest image %s is not a file", options->image);
    if (options->workload.is_on_host && !is_file(options->workload.program))
        return mt_fail(error, "the workload %s is not a file", options->workload.program);
    if (options->workload.folder && !g_file_test(options->workload.folder, G_FILE_TEST_IS_DIR))
        return mt_fail(error, "the workload's folder %s is not a folder", options->workload.folder);
    if (options->destination.kind == DESTINATION_TOOL && !is_file(options->destination.path))
        return mt_fail(error, "the analysis tool %s is not a file", options->destination.path);
    if (options->destination.kind == DESTINATION_FIFO && !is_fifo(options->destination.path))
        return mt_fail(error, "%s is not a FIFO (mkfifo makes one)", options->destination.path);
    if (options->destination.kind == DESTINATION_TRACE && !regular_file_check_output(options->destination.path, error))
        return false;
    if (!check_outputs(options, error))
        return false;
    if (options->native)
        return true;
    setup->qemu_binary = paths_find_qemu(options->qemu, error);
    setup->qemu_img = setup->qemu_binary ? paths_find_qemu_img(setup->qemu_binary, error) : NULL;
    if (setup->qemu_img && options->destination.kind != DESTINATION_NONE)
        setup->plugin = paths_find_resource("libgmbe.so", error);
    return setup->qemu_img && (options->destination.kind == DESTINATION_NONE || setup->plugin);
}

/* Which snapshot it is to be: with icount, the one that was taken with it, by that name or with the suffix. */
static bool choose_snapshot(Setup *setup, const SessionOptions *options, RunLoop *loop, GError **error)
{
    g_auto(GStrv) snapshots = image_list_snapshots(options->image, setup->qemu_img, loop, error);

    if (!snapshots)
        return false;
    setup->snapshot = g_strdup(options->snapshot);
    if (options->icount && !g_str_has_suffix(options->snapshot, IMAGE_ICOUNT_SUFFIX)) {
        g_free(setup->snapshot);
        setup->snapshot = g_strconcat(options->snapshot, IMAGE_ICOUNT_SUFFIX, NULL);
    }
    if (!g_strv_contains((const char *const *)snapshots, setup->snapshot)) {
        g_autofree char *joined = g_strjoinv(", ", snapshots), *names = text_make_printable(joined);

        return mt_fail(error, "%s has no snapshot '%s' (it has %s%s)", options->image, setup->snapshot,
                       *names ? "these: " : "none", names);
    }
    setup->machine = image_machine_load(options->image, setup->snapshot, error);
    if (!setup->machine)
        return false;
    if (options->icount && !setup->machine->known)
        image_machine_set_icount(setup->machine, true);
    if (options->icount != (*setup->machine->icount != 0))
        return mt_fail(error, "snapshot '%s' of %s was made %s --icount, and can only be used like that",
                       setup->snapshot, options->image, options->icount ? "without" : "with");
    return true;
}

static bool check_image(Setup *setup, const SessionOptions *options, RunLoop *loop, GError **error)
{
    if (!choose_snapshot(setup, options, loop, error))
        return false;
    if (setup->machine->known && options->ram_mb && options->ram_mb != setup->machine->ram_mb)
        return mt_fail(error, "snapshot '%s' of %s was made with %u MB of RAM, but --guest_RAM_in_MBs is %u",
                       setup->snapshot, options->image, setup->machine->ram_mb, options->ram_mb);
    if (options->ram_mb)
        setup->machine->ram_mb = options->ram_mb;
    if (g_strcmp0(setup->machine->devices, IMAGE_DEVICES))
        return mt_fail(error, "%s was made with other devices (%s) than this memory_tracer uses (%s): prepare it again",
                       options->image, setup->machine->devices, IMAGE_DEVICES);
    if (setup->machine->known && setup->machine->agent_protocol < MT_PROTOCOL_BASE)
        return mt_fail(
            error,
            "the agent in %s speaks protocol %u, but this memory_tracer needs %d or newer: prepare the image "
            "again",
            options->image, setup->machine->agent_protocol, MT_PROTOCOL_BASE);
    return true;
}

bool setup_find(Setup *setup, const SessionOptions *options, RunLoop *loop, GError **error)
{
    return (options->native || limits_check_files(error)) && check_paths(setup, options, error) &&
           (options->native || check_image(setup, options, loop, error));
}

void setup_clear(Setup *setup)
{
    image_machine_free(setup->machine);
    g_free(setup->qemu_binary);
    g_free(setup->qemu_img);
    g_free(setup->plugin);
    g_free(setup->snapshot);
}

const char **setup_list_shares(const WorkloadOptions *workload)
{
    const char *const *writable = workload->writable;
    GPtrArray *folders = g_ptr_array_new();

    if (workload->sees_host)
        g_ptr_array_add(folders, (gpointer) "/");
    for (; workload->sees_host && writable && *writable; writable++)
        g_ptr_array_add(folders, (gpointer)*writable);
    g_ptr_array_add(folders, NULL);
    return (const char **)g_ptr_array_free(folders, FALSE);
}
