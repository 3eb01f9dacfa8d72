/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opens debug information: see open_dwarf.h. */
#include "open_dwarf.h"

#include <unistd.h>

#include "../base/regular_file.h"
#include "debug_file.h"

/* A debug file is read into memory; a larger one is left out. */
#define FILE_BYTES_MAX ((off_t)1 << 30)

/* libelf (0.188) leaks the sections that it has read before it reads the whole file: so that comes first. */
static Elf *open_elf(int fd, bool whole)
{
    Elf *elf = fd >= 0 && lseek(fd, 0, SEEK_END) <= FILE_BYTES_MAX ? elf_begin(fd, ELF_C_READ, NULL) : NULL;

    if (elf && whole && elf_cntl(elf, ELF_C_FDREAD)) {
        elf_end(elf);
        return NULL;
    }
    return elf;
}

OpenDwarf open_dwarf_begin(const ElfCode *code, bool whole)
{
    OpenDwarf open = { .fd = regular_file_open(code->path, NULL), .other_fd = -1 };

    open.elf = open_elf(open.fd, whole);
    open.dwarf = open.elf ? dwarf_begin_elf(open.elf, DWARF_C_READ, NULL) : NULL;
    if (!open.elf || open.dwarf)
        return open;
    open.other_fd = debug_file_open(code->path, open.elf, DEBUG_FILE_FOLDER);
    open.other_elf = open_elf(open.other_fd, whole);
    open.dwarf = open.other_elf ? dwarf_begin_elf(open.other_elf, DWARF_C_READ, NULL) : NULL;
    return open;
}

void open_dwarf_close_files(OpenDwarf *open)
{
    if (open->other_fd >= 0)
        close(open->other_fd);
    if (open->fd >= 0)
        close(open->fd);
    open->fd = open->other_fd = -1;
}

void open_dwarf_end(OpenDwarf *open)
{
    dwarf_end(open->dwarf);
    elf_end(open->other_elf);
    elf_end(open->elf);
    open_dwarf_close_files(open);
}

void open_dwarf_clear(OpenDwarf *open)
{
    open_dwarf_end(open);
    *open = (OpenDwarf){ .fd = -1, .other_fd = -1 };
}
