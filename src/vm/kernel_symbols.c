/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest kernel's symbols and modules: see kernel_symbols.h. */
#include "kernel_symbols.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#include "../base/error.h"
#include "image.h"
#include "kernel_types.h"

/* A line that changes when the image is made again. */
static char *identity(const QemuOptions *qemu)
{
    g_autofree char *image = g_canonicalize_filename(qemu->image, NULL);
    GStatBuf status = { 0 };

    g_stat(image, &status);
    return g_strdup_printf("%s %s %" G_GINT64_FORMAT ".%09ld %" G_GINT64_FORMAT "\n", image, qemu->snapshot,
                           (gint64)status.st_mtim.tv_sec, status.st_mtim.tv_nsec, (gint64)status.st_size);
}

static char *cache_path(const QemuOptions *qemu, const char *name)
{
    g_autofree char *image = g_canonicalize_filename(qemu->image, NULL);
    g_autofree char *key = g_strconcat(image, " ", qemu->snapshot, NULL);
    g_autofree char *hash = g_compute_checksum_for_string(G_CHECKSUM_SHA256, key, -1);
    g_autofree char *file = g_strconcat(hash, ".", name, NULL);

    return g_build_filename(g_get_user_cache_dir(), "memory_tracer", file, NULL);
}

/* A file of the cache is the image's identity, then the text. */
static char *read_cached(const QemuOptions *qemu, const char *name)
{
    g_autofree char *path = cache_path(qemu, name), *line = identity(qemu), *text = NULL;

    if (!g_file_get_contents(path, &text, NULL, NULL) || !g_str_has_prefix(text, line))
        return NULL;
    return g_strdup(text + strlen(line));
}

/* If it can't be kept, the next run takes longer; that is not an error. */
static void keep(const QemuOptions *qemu, const char *name, const char *text)
{
    g_autofree char *path = cache_path(qemu, name), *folder = g_path_get_dirname(path), *line = identity(qemu);
    g_autofree char *contents = g_strconcat(line, text, NULL);

    g_mkdir_with_parents(folder, 0700);
    g_file_set_contents(path, contents, -1, NULL);
}

void kernel_symbols_clear(KernelSymbols *symbols)
{
    g_clear_pointer(&symbols->kallsyms, g_free);
    g_clear_pointer(&symbols->modules, g_free);
    g_clear_pointer(&symbols->iomem, g_free);
    g_clear_pointer(&symbols->layout, g_free);
}

/* The contents of a file in the guest, to be freed. *size becomes its length; NULL for text. NULL with an error. */
static char *read_in_guest(Guest *guest, const char *path, size_t *size, GError **error)
{
    const char *const argv[] = { "/bin/cat", path, NULL };
    GString *output = guest_run_program(guest, argv, error);

    if (output && size)
        *size = output->len;
    return output ? g_string_free(output, FALSE) : NULL;
}

/* A kernel may have no types (CONFIG_DEBUG_INFO_BTF): then tasks can't be told, but that is all. */
static char *find_layout(Guest *guest, const char *kallsyms)
{
    size_t bytes = 0;
    char *types = read_in_guest(guest, "/sys/kernel/btf/vmlinux", &bytes, NULL);
    g_autoptr(GBytes) btf = types ? g_bytes_new_take(types, bytes) : NULL;
    KernelLayout layout;

    kernel_types_find_layout(&layout, kallsyms, btf);
    return kernel_layout_tells_tasks(&layout) ? kernel_layout_write(&layout) : g_strdup("");
}

bool kernel_symbols_load(KernelSymbols *symbols, const QemuOptions *qemu, const char *qemu_img, RunLoop *outer,
                         GError **error)
{
    const WorkloadOptions nothing = { 0 };
    g_autofree char *version = kernel_layout_version(), *layout_name = g_strconcat("layout.", version, NULL);
    g_autoptr(GError) problem = NULL;
    g_autoptr(RunLoop) loop = NULL; /* our own: what fails here doesn't end the run */
    g_autoptr(Guest) guest = NULL;

    symbols->kallsyms = read_cached(qemu, "kallsyms");
    symbols->modules = read_cached(qemu, "modules");
    symbols->iomem = read_cached(qemu, "iomem");
    symbols->layout = read_cached(qemu, layout_name);
    if (symbols->kallsyms && symbols->modules && symbols->iomem && symbols->layout)
        return true;
    kernel_symbols_clear(symbols);
    loop = run_loop_nest(outer);
    run_loop_note(loop, "reading the guest kernel's symbols, once for this snapshot");
    if (image_create_layer(qemu->image, qemu->disk, qemu_img, loop, &problem))
        guest = guest_start(qemu, &nothing, loop, &problem);
    if (guest)
        symbols->kallsyms = read_in_guest(guest, "/proc/kallsyms", NULL, &problem);
    if (symbols->kallsyms)
        symbols->modules = read_in_guest(guest, "/proc/modules", NULL, &problem);
    if (symbols->modules)
        symbols->iomem = read_in_guest(guest, "/proc/iomem", NULL, NULL);
    if (symbols->modules && !symbols->iomem)
        symbols->iomem = g_strdup(""); /* devices have no names then */
    if (symbols->modules)
        symbols->layout = find_layout(guest, symbols->kallsyms);
    if (g_error_matches(problem, MT_ERROR, MT_ERROR_INTERRUPTED)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return false;
    }
    if (problem)
        run_loop_note(loop, "without the guest kernel's symbols: %s", problem->message);
    if (symbols->layout) {
        keep(qemu, "kallsyms", symbols->kallsyms);
        keep(qemu, "modules", symbols->modules);
        keep(qemu, "iomem", symbols->iomem);
        keep(qemu, layout_name, symbols->layout);
    }
    return true;
}
