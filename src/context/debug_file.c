/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Separate debug files: see debug_file.h. */
#include "debug_file.h"

#include <elfutils/libdwelf.h>
#include <glib.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "../base/regular_file.h"
#include "elf_section.h"

#define READ_AT_ONCE 65536

/* What the program says of its debug file. */
typedef struct {
    const uint8_t *id; /* the build-id; or NULL */
    size_t id_bytes;
    const char *link; /* the file's name; or NULL */
    GElf_Word checksum;
} Wanted;

static bool has_checksum(int fd, GElf_Word wanted)
{
    g_autofree uint8_t *buffer = g_malloc(READ_AT_ONCE);
    uLong checksum = crc32(0, NULL, 0);
    off_t at = 0;
    ssize_t bytes;

    for (; (bytes = pread(fd, buffer, READ_AT_ONCE, at)) > 0; at += bytes)
        checksum = crc32(checksum, buffer, (uInt)bytes);
    return !bytes && checksum == wanted;
}

/* 1: the file has the build-id that is wanted. 0: it has another one. -1: it has none. */
static int has_build_id(int fd, const Wanted *wanted)
{
    Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
    const void *id;
    ssize_t bytes = elf ? dwelf_elf_gnu_build_id(elf, &id) : -1;
    int answer =
        bytes <= 0 || !wanted->id ? -1 : (size_t)bytes == wanted->id_bytes && !memcmp(id, wanted->id, (size_t)bytes);

    elf_end(elf);
    return answer;
}

/* Returns a descriptor, or -1. A checksum needs all of the file read, which takes long: it is computed only if the file
 * has no build-id. */
static int open_if_right(const char *path, const Wanted *wanted, bool by_link)
{
    int fd = regular_file_open(path, NULL), right;

    if (fd < 0)
        return -1;
    right = has_build_id(fd, wanted);
    if (right > 0 || (right < 0 && by_link && has_checksum(fd, wanted->checksum)))
        return fd;
    close(fd);
    return -1;
}

static int open_by_id(const Wanted *wanted, const char *folder)
{
    g_autoptr(GString) path = g_string_new(folder);

    g_string_append_printf(path, "/.build-id/%02x/", wanted->id[0]);
    for (size_t i = 1; i < wanted->id_bytes; i++)
        g_string_append_printf(path, "%02x", wanted->id[i]);
    g_string_append(path, ".debug");
    return open_if_right(path->str, wanted, false);
}

static int open_by_link(const char *program, const Wanted *wanted, const char *folder)
{
    g_autofree char *own = g_path_get_dirname(program);
    char *paths[] = { g_build_filename(own, wanted->link, NULL), g_build_filename(own, ".debug", wanted->link, NULL),
                      g_build_filename(folder, own, wanted->link, NULL) };
    int fd = -1;

    for (guint i = 0; i < G_N_ELEMENTS(paths); i++) {
        if (fd < 0 && strcmp(paths[i], program))
            fd = open_if_right(paths[i], wanted, true);
        g_free(paths[i]);
    }
    return fd;
}

int debug_file_open(const char *path, Elf *elf, const char *folder)
{
    Wanted wanted = { 0 };
    const void *id;
    ssize_t id_bytes = dwelf_elf_gnu_build_id(elf, &id);
    int fd = -1;

    if (id_bytes > 1) {
        wanted.id = id;
        wanted.id_bytes = (size_t)id_bytes;
        fd = open_by_id(&wanted, folder);
    }
    wanted.link = dwelf_elf_gnu_debuglink(elf, &wanted.checksum);
    if (fd < 0 && wanted.link && *wanted.link && !strchr(wanted.link, '/'))
        fd = open_by_link(path, &wanted, folder);
    return fd;
}

static bool has_debug_info(Elf *elf)
{
    GElf_Shdr header;

    return elf_section_find(elf, ".debug_info", &header) || elf_section_find(elf, ".zdebug_info", &header);
}

int debug_file_find(const char *path, const char *folder)
{
    int fd = regular_file_open(path, NULL), found = fd;
    Elf *elf = fd >= 0 ? elf_begin(fd, ELF_C_READ, NULL) : NULL;

    if (!elf || !has_debug_info(elf))
        found = elf ? debug_file_open(path, elf, folder) : -1;
    elf_end(elf);
    if (fd >= 0 && found != fd)
        close(fd);
    return found;
}
