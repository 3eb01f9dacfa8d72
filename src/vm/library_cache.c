/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The index of libraries that ldconfig makes: see library_cache.h. */
#include "library_cache.h"

#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "../base/regular_file.h"

#define MAGIC "glibc-ld.so.cache1.1"
#define CACHE_BYTES_MAX (64 * 1024 * 1024)
#define X86_64_LIBRARY 0x0303 /* ELF, of libc 6, with 64-bit x86-64 code */

/* The file: this header, `entries` of the next, and strings. Positions are counted from the file's start. */
typedef struct {
    char magic[sizeof MAGIC - 1];
    uint32_t entries;
    uint32_t string_bytes;
    uint8_t rest[20];
} Header;

typedef struct {
    int32_t flags;
    uint32_t name, path; /* positions of strings */
    uint32_t os_version;
    uint64_t processor; /* what it takes to use this one; 0: nothing */
} Entry;

G_STATIC_ASSERT(sizeof(Header) == 48 && sizeof(Entry) == 24);

struct LibraryCache {
    char *bytes; /* with a 0 after them */
    size_t length;
    uint32_t entries;
};

static bool read_all(LibraryCache *cache, int fd)
{
    struct stat status;
    ssize_t n = 1;

    if (fstat(fd, &status) || status.st_size > CACHE_BYTES_MAX)
        return false;
    cache->bytes = g_malloc0((gsize)status.st_size + 1);
    while (n > 0 && cache->length < (size_t)status.st_size) {
        n = read(fd, cache->bytes + cache->length, (size_t)status.st_size - cache->length);
        cache->length += n > 0 ? (size_t)n : 0;
    }
    return n >= 0;
}

LibraryCache *library_cache_read(const char *path)
{
    LibraryCache *cache = g_new0(LibraryCache, 1);
    int fd = regular_file_open(path, NULL);
    Header header;

    if (fd < 0)
        return cache;
    if (read_all(cache, fd) && cache->length >= sizeof header) {
        memcpy(&header, cache->bytes, sizeof header);
        if (!memcmp(header.magic, MAGIC, sizeof header.magic))
            cache->entries = (uint32_t)MIN(header.entries, (cache->length - sizeof header) / sizeof(Entry));
    }
    close(fd);
    return cache;
}

void library_cache_free(LibraryCache *cache)
{
    if (!cache)
        return;
    g_free(cache->bytes);
    g_free(cache);
}

/* The 0 after the file's bytes ends the last string, whatever the file says. */
static const char *string_at(const LibraryCache *cache, uint32_t position)
{
    return position < cache->length ? cache->bytes + position : "";
}

void library_cache_look_up(const LibraryCache *cache, const char *name, GPtrArray *paths, GPtrArray *variants)
{
    for (uint32_t i = 0; i < cache->entries; i++) {
        Entry entry;
        const char *path;

        memcpy(&entry, cache->bytes + sizeof(Header) + i * sizeof entry, sizeof entry);
        path = string_at(cache, entry.path);
        if (entry.flags == X86_64_LIBRARY && *path == '/' && !strcmp(string_at(cache, entry.name), name))
            g_ptr_array_add(entry.processor ? variants : paths, g_strdup(path));
    }
}
