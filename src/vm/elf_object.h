/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an x86-64 ELF file says about how it wants to be loaded: its loader, and the libraries that it needs. */
#ifndef MEMORY_TRACER_VM_ELF_OBJECT_H
#define MEMORY_TRACER_VM_ELF_OBJECT_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct ElfObject {
    char *path;
    char *loader;            /* its interpreter (PT_INTERP), or NULL: a static program or a library */
    char *name;              /* DT_SONAME, or NULL */
    char *rpath, *runpath;   /* where to look for libraries, or NULL; never both, as DT_RUNPATH overrides DT_RPATH */
    GPtrArray *needed;       /* of char *: DT_NEEDED, in their order */
    uint64_t loaded_end;     /* offset in the file where the loaded parts end: a shorter file isn't complete */
    bool movable;            /* it can be loaded anywhere (ET_DYN) */
    bool no_default_folders; /* DF_1_NODEFLIB */
} ElfObject;

/* Reads the regular file at `path`. Its contents are not trusted: an offset or length that is out of bounds is an
 * error. NULL with an error if it isn't an ELF file that an x86-64 Linux can load. */
ElfObject *elf_object_read(const char *path, GError **error);
void elf_object_free(ElfObject *object);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ElfObject, elf_object_free)

#endif
