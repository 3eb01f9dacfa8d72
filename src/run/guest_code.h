/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files with code that only the guest has, and the files in which runtimes there describe the code that they generate.
 */
#ifndef MEMORY_TRACER_RUN_GUEST_CODE_H
#define MEMORY_TRACER_RUN_GUEST_CODE_H

#include "../context/generated_code.h"
#include "../vm/guest.h"
#include "mapped_code.h"

/* Code that a process has generated. */
typedef struct GeneratedFile {
    uint32_t pid;
    char *path; /* of the file that describes it, as the process saw it */
    GeneratedCode *code;
} GeneratedFile;

typedef struct GuestCode {
    GHashTable *files;    /* paths on this machine of the fetched copies, by path and inode in the guest */
    GPtrArray *generated; /* GeneratedFile */
} GuestCode;

/* Fetches them from the guest, whose workload has ended. Copies go into `folder`, and stay there. `sees_host`: this
 * machine has the files that aren't on the guest's disk, so they aren't fetched. */
GuestCode *guest_code_fetch(Guest *guest, const Ring *ring, bool sees_host, const char *folder);
void guest_code_free(GuestCode *code);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GuestCode, guest_code_free)

/* Where the copy of a file is; NULL if there is none. */
const char *guest_code_find(const GuestCode *code, const MappedCode *mapped);

#endif
