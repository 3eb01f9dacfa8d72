/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What of the host a workload needs in the guest: see guest_files.h. */
#include "guest_files.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <string.h>
#include <unistd.h>

#include "child.h"
#include "error.h"

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
    g_free(files);
}

static void add_once(GPtrArray *files, const char *path)
{
    if (!g_ptr_array_find_with_equal_func(files, path, g_str_equal, NULL))
        g_ptr_array_add(files, g_strdup(path));
}

/* The ELF interpreter ("loader") of `path`: *loader stays NULL for a static program. */
static bool read_loader(const char *path, int fd, char **loader, bool *movable, GError **error)
{
    Elf *elf;
    GElf_Ehdr header;
    size_t segments = 0;
    bool fine;

    elf_version(EV_CURRENT);
    elf = elf_begin(fd, ELF_C_READ, NULL);
    fine = elf && gelf_getehdr(elf, &header) && header.e_machine == EM_X86_64 &&
           (header.e_type == ET_EXEC || header.e_type == ET_DYN) && !elf_getphdrnum(elf, &segments);
    *movable = fine && header.e_type == ET_DYN;
    for (size_t i = 0; fine && i < segments; i++) {
        GElf_Phdr segment;

        if (gelf_getphdr(elf, (int)i, &segment) && segment.p_type == PT_INTERP && segment.p_filesz < 4096) {
            *loader = g_malloc0(segment.p_filesz + 1);
            fine = pread(fd, *loader, segment.p_filesz, (off_t)segment.p_offset) == (ssize_t)segment.p_filesz;
        }
    }
    elf_end(elf);
    return fine || mt_fail(error, "%s is not an x86-64 program", path);
}

/* The loader, asked to list what it would load, prints lines like "\tlibc.so.6 => /lib/libc.so.6 (0x7f...)". */
static bool add_libraries(GPtrArray *files, const char *path, const char *loader, GError **error)
{
    const char *argv[] = { loader, "--list", path, NULL };
    g_autoptr(GError) problem = NULL;
    g_autofree char *text = NULL;

    if (!g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, &text, NULL, NULL, &problem))
        return mt_fail(error, "can't find the libraries of %s: %s", path, problem->message);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line; line++) {
        char *from = strchr(*line, '/'), *to = strstr(*line, " (0x");

        if (strstr(*line, "=> not found")) {
            g_strstrip(*line);
            return mt_fail(error, "%s needs a library that this machine doesn't have: %s", path, *line);
        }
        if (from && to && from < to) {
            *to = 0;
            add_once(files, from);
        }
    }
    return true;
}

/* `depth` is 0 for the program itself, more for interpreters. */
static bool add_program(GuestFiles *files, const char *path, unsigned depth, GError **error)
{
    GPtrArray *list = depth ? files->if_missing : files->needed;
    g_autofree char *loader = NULL;
    char head[256] = "";
    bool movable;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : pread(fd, head, sizeof head - 1, 0);
    bool fine;

    if (length < 0) {
        fine = mt_fail(error, "can't read %s: %s", path, g_strerror(errno));
    } else if (head[0] == '#' && head[1] == '!') {
        char *interpreter = head + 2 + strspn(head + 2, " \t");

        interpreter[strcspn(interpreter, " \t\n")] = 0;
        add_once(list, path);
        fine = depth < SCRIPT_DEPTH_MAX && *interpreter == '/'
                   ? add_program(files, interpreter, depth + 1, error)
                   : mt_fail(error, "can't execute %s: its first line names no interpreter", path);
    } else if (!memcmp(head, "\177ELF", 4)) {
        fine = read_loader(path, fd, &loader, &movable, error);
        if (fine)
            add_once(list, path);
        if (fine && loader)
            fine = add_libraries(list, path, loader, error);
    } else {
        fine = mt_fail(error, "can't execute %s: it is neither an x86-64 program nor a script with a #! line", path);
    }
    if (fd >= 0)
        close(fd);
    return fine;
}

bool guest_files_add_program(GuestFiles *files, const char *path, GError **error)
{
    g_autofree char *absolute = g_canonicalize_filename(path, NULL);

    return add_program(files, absolute, 0, error);
}

bool guest_files_load_bias(const char *path, uint64_t *bias)
{
    g_autofree char *loader = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool movable, fine = fd >= 0 && read_loader(path, fd, &loader, &movable, NULL);

    if (fd >= 0)
        close(fd);
    if (fine)
        *bias = movable ? PIE_BIAS : 0;
    return fine && (!movable || loader);
}
