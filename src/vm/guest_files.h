/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which files of the host a workload needs in the guest: its own, and for a dynamic ELF its loader and libraries. */
#ifndef MEMORY_TRACER_VM_GUEST_FILES_H
#define MEMORY_TRACER_VM_GUEST_FILES_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct GuestFiles {
    GPtrArray *needed;     /* of char *, absolute host paths, each once: the guest gets them unless it has the same */
    GPtrArray *if_missing; /* likewise; the guest gets them only if it has nothing by that name: a script's interpreter,
                              as the guest's own suits its other programs */
    char *library_path;   /* folders for LD_LIBRARY_PATH, as the guest's loader doesn't look there by itself; or NULL */
    bool takes_text;      /* to be set before: a text without a #! line is a script for /bin/sh, which the guest has */
    bool loader_is_usual; /* the program itself is a dynamic ELF, and its loader is glibc's at its usual place */
} GuestFiles;

GuestFiles *guest_files_new(void);
void guest_files_free(GuestFiles *files);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GuestFiles, guest_files_free)

/* Adds the program at `path` and what it needs to start: an ELF's loader and libraries, a script's interpreter. Nothing
 * of it is executed here. Libraries that a program loads later (dlopen) can't be known. Fails if it isn't something
 * that an x86-64 Linux can execute. */
bool guest_files_add_program(GuestFiles *files, const char *path, GError **error);

/* Sets *bias to what Linux adds to the addresses in an ELF file when it starts that program without address space
 * randomisation. False if that isn't known: it isn't an ELF file, or it is a static one that can be loaded anywhere. */
bool guest_files_load_bias(const char *path, uint64_t *bias);

#endif
