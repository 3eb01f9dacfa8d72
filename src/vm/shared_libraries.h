/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which shared libraries a program loads when it starts, found as the loader would find them, without running anything.
 */
#ifndef MEMORY_TRACER_VM_SHARED_LIBRARIES_H
#define MEMORY_TRACER_VM_SHARED_LIBRARIES_H

#include <glib.h>
#include <stdbool.h>

#include "elf_object.h"

typedef struct SharedLibraries {
    GPtrArray *files; /* of char *, absolute paths: the loader, the libraries, and what the loader needs to find them */
    GPtrArray *folders; /* of char *: folders in which a guest's loader looks only with LD_LIBRARY_PATH */
} SharedLibraries;

/* Finds what `program`, which has a loader, needs. NULL with an error that names a library that isn't there and who
 * needs it. */
SharedLibraries *shared_libraries_find(const ElfObject *program, GError **error);
void shared_libraries_free(SharedLibraries *libraries);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SharedLibraries, shared_libraries_free)

/* Whether this is glibc's loader at its usual place, which obeys LD_TRACE_LOADED_OBJECTS. */
bool shared_libraries_loader_is_usual(const char *loader);

#endif
