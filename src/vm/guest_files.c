/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What of the host a workload needs in the guest: see guest_files.h. */
#include "guest_files.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "../base/error.h"
#include "../base/regular_file.h"
#include "command.h"
#include "elf_object.h"
#include "shared_libraries.h"

/* Two thirds of the user's half of the address space: ELF_ET_DYN_BASE in the kernel. */
#define PIE_BIAS UINT64_C(0x555555554000)
#define SCRIPT_DEPTH_MAX 4 /* of interpreters that are scripts, as in Linux */

GuestFiles *guest_files_new(void)
{
    GuestFiles *files = g_new0(GuestFiles, 1);

    files->needed = g_ptr_array_new_with_free_func(g_free);
    files->if_missing = g_ptr_array_new_with_free_func(g_free);
    return files;
}

void guest_files_free(GuestFiles *files)
{
    if (!files)
        return;
    g_ptr_array_unref(files->needed);
    g_ptr_array_unref(files->if_missing);
    g_free(files->library_path);
    g_free(files);
}

static void add_once(GPtrArray *files, const char *path)
{
    if (!g_ptr_array_find_with_equal_func(files, path, g_str_equal, NULL))
        g_ptr_array_add(files, g_strdup(path));
}

static void add_folders(GuestFiles *files, GPtrArray *folders)
{
    for (guint i = 0; i < folders->len; i++) {
        g_autofree char *before = files->library_path;

        files->library_path = g_strconcat(before ? before : "", before ? ":" : "", folders->pdata[i], NULL);
    }
}

static bool add_elf(GuestFiles *files, const char *path, unsigned depth, GError **error)
{
    GPtrArray *list = depth ? files->if_missing : files->needed;
    g_autoptr(ElfObject) program = elf_object_read(path, error);
    g_autoptr(SharedLibraries) libraries = NULL;

    if (!program)
        return false;
    add_once(list, path);
    if (!program->loader)
        return true;
    libraries = shared_libraries_find(program, error);
    if (!libraries)
        return false;
    for (guint i = 0; i < libraries->files->len; i++)
        add_once(list, libraries->files->pdata[i]);
    add_folders(files, libraries->folders);
    files->loader_is_usual = !depth && shared_libraries_loader_is_usual(program->loader);
    return true;
}

static bool read_head(const char *path, char *head, size_t bytes, ssize_t *got, GError **error)
{
    int fd = regular_file_open(path, error);
    ssize_t length = *got = fd < 0 ? 0 : pread(fd, head, bytes, 0);
    int reason = errno;

    if (fd >= 0)
        close(fd);
    return fd >= 0 && (length >= 0 || mt_fail(error, "can't read %s: %s", path, g_strerror(reason)));
}

/* `depth` is 0 for the program itself, more for interpreters. */
static bool add_program(GuestFiles *files, const char *path, unsigned depth, GError **error)
{
    char head[256] = "";
    ssize_t length;

    if (!read_head(path, head, sizeof head - 1, &length, error))
        return false;
    if (!memcmp(head, "\177ELF", 4))
        return add_elf(files, path, depth, error);
    if (head[0] == '#' && head[1] == '!') {
        char *interpreter = head + 2 + strspn(head + 2, " \t");

        interpreter[strcspn(interpreter, " \t\n")] = 0;
        add_once(depth ? files->if_missing : files->needed, path);
        if (depth < SCRIPT_DEPTH_MAX && *interpreter == '/')
            return add_program(files, interpreter, depth + 1, error);
        return (!*interpreter && files->takes_text) ||
               mt_fail_as(error, MT_ERROR_NOT_EXECUTABLE, "can't execute %s: its first line names no interpreter%s",
                          path, *interpreter ? " by its whole path" : "");
    }
    if (files->takes_text && command_is_text(head, (gsize)length)) {
        add_once(depth ? files->if_missing : files->needed, path);
        return true;
    }
    return mt_fail_as(error, MT_ERROR_NOT_EXECUTABLE,
                      "can't execute %s: it is neither an x86-64 program nor a script with a #! line", path);
}

bool guest_files_add_program(GuestFiles *files, const char *path, GError **error)
{
    g_autofree char *absolute = g_canonicalize_filename(path, NULL);

    return add_program(files, absolute, 0, error);
}

bool guest_files_load_bias(const char *path, uint64_t *bias)
{
    g_autoptr(ElfObject) program = elf_object_read(path, NULL);

    if (program)
        *bias = program->movable ? PIE_BIAS : 0;
    return program && (!program->movable || program->loader);
}
