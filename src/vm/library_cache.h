/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The index of libraries that ldconfig makes for glibc's loader: /etc/ld.so.cache. */
#ifndef MEMORY_TRACER_VM_LIBRARY_CACHE_H
#define MEMORY_TRACER_VM_LIBRARY_CACHE_H

#include <glib.h>
#include <stdbool.h>

typedef struct LibraryCache LibraryCache;

/* Reads it. A file that isn't there, or isn't in the format that glibc has written since 2.32, makes an empty index:
 * then the loader looks into its usual folders alone, and so do we. */
LibraryCache *library_cache_read(const char *path);
void library_cache_free(LibraryCache *cache);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LibraryCache, library_cache_free)

/* Appends the paths of the x86-64 libraries that are called `name` to `paths`, of which the loader takes the first, and
 * those for newer processors to `variants`, of which it takes one that fits, if there is one. */
void library_cache_look_up(const LibraryCache *cache, const char *name, GPtrArray *paths, GPtrArray *variants);

#endif
