/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The index of libraries that ldconfig makes for glibc's loader: /etc/ld.so.cache. */
#ifndef MEMORY_TRACER_VM_LIBRARY_CACHE_H
#define MEMORY_TRACER_VM_LIBRARY_CACHE_H

#include <glib.h>
#include <stdbool.h>

typedef struct LibraryCache LibraryCache;

/* Reads the index. If the file isn't there, or isn't in the format that glibc has written since 2.32, the index is
 * empty: then the loader looks only into its usual folders, and so do we. Never NULL. */
LibraryCache *library_cache_read(const char *path);
void library_cache_free(LibraryCache *cache);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LibraryCache, library_cache_free)

/* Appends the paths of the x86-64 libraries that are called `name`: to `paths` those for all processors, of which the
 * loader takes the first one, and to `variants` those for newer processors, of which it takes one that fits, if any. */
void library_cache_look_up(const LibraryCache *cache, const char *name, GPtrArray *paths, GPtrArray *variants);

#endif
