/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Code that only the guest has: see guest_code.h. What it sends may be anything. */
#include "guest_code.h"

#include <string.h>

#define FILE_BYTES_MAX (UINT64_C(64) << 20)
#define ALL_BYTES_MAX (UINT64_C(256) << 20)
#define FILES_MAX 256
#define GENERATORS_MAX 64

static void free_generated(void *data)
{
    GeneratedFile *file = data;

    generated_code_free(file->code);
    g_free(file->path);
    g_free(file);
}

/* To be freed. */
static char *key_of(const MappedCode *mapped)
{
    return g_strdup_printf("%" G_GUINT64_FORMAT " %s", mapped->inode, mapped->path);
}

/* Files. */

/* Returns how many bytes it has. */
static uint64_t fetch_file(GuestCode *code, Guest *guest, const MappedCode *mapped, const char *folder)
{
    g_autofree char *key = key_of(mapped);
    g_autofree char *name = g_strdup_printf("code-%u", g_hash_table_size(code->files));
    g_autofree char *path = g_build_filename(folder, name, NULL);
    GByteArray *bytes;
    uint64_t count = 0;

    if (g_hash_table_contains(code->files, key) || g_hash_table_size(code->files) >= FILES_MAX)
        return 0;
    bytes = guest_fetch(guest, mapped->path, mapped->inode, FILE_BYTES_MAX);
    if (bytes && g_file_set_contents(path, (const char *)bytes->data, bytes->len, NULL))
        count = bytes->len;
    g_hash_table_insert(code->files, g_steal_pointer(&key), count ? g_steal_pointer(&path) : NULL);
    if (bytes)
        g_byte_array_unref(bytes);
    return count;
}

/* Generated code. */

static void add_generated(GuestCode *code, Guest *guest, uint32_t pid, const char *path, bool is_dump)
{
    GByteArray *bytes = guest_fetch(guest, path, 0, FILE_BYTES_MAX);
    GeneratedFile *file;

    if (!bytes)
        return;
    file = g_new0(GeneratedFile, 1);
    *file = (GeneratedFile){ .pid = pid, .path = g_strdup(path), .code = generated_code_new() };
    if (is_dump)
        generated_code_add_dump(file->code, bytes->data, bytes->len);
    else
        generated_code_add_map(file->code, bytes->data, bytes->len);
    generated_code_sort(file->code);
    g_ptr_array_add(code->generated, file);
    g_byte_array_unref(bytes);
}

/* A runtime maps its jitdump file to execute it, which nobody does: that tells where it is. NULL if there is none. */
static const char *find_dump(const GPtrArray *mapped, uint32_t pid)
{
    g_autofree char *name = g_strdup_printf("/jit-%u.dump", pid);

    for (guint i = 0; i < mapped->len; i++)
        if (g_str_has_suffix(((const MappedCode *)mapped->pdata[i])->path, name))
            return ((const MappedCode *)mapped->pdata[i])->path;
    return NULL;
}

static void fetch_generated(GuestCode *code, Guest *guest, const Ring *ring, const GPtrArray *mapped)
{
    g_autoptr(GArray) pids = mapped_code_list_generators(ring, GENERATORS_MAX);

    for (guint i = 0; i < pids->len; i++) {
        uint32_t pid = g_array_index(pids, uint32_t, i);
        const char *dump = find_dump(mapped, pid);
        g_autofree char *map = g_strdup_printf("/tmp/perf-%u.map", pid);

        add_generated(code, guest, pid, dump ? dump : map, dump);
    }
}

GuestCode *guest_code_fetch(Guest *guest, const Ring *ring, bool sees_host, const char *folder)
{
    GuestCode *code = g_new0(GuestCode, 1);
    g_autoptr(GPtrArray) mapped = mapped_code_list(ring);
    uint64_t bytes = 0;

    code->files = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    code->generated = g_ptr_array_new_with_free_func(free_generated);
    for (guint i = 0; i < mapped->len && bytes < ALL_BYTES_MAX; i++)
        if (!sees_host || mapped_code_is_on_disk(mapped->pdata[i]))
            bytes += fetch_file(code, guest, mapped->pdata[i], folder);
    fetch_generated(code, guest, ring, mapped);
    return code;
}

void guest_code_free(GuestCode *code)
{
    if (!code)
        return;
    g_hash_table_unref(code->files);
    g_ptr_array_unref(code->generated);
    g_free(code);
}

const char *guest_code_find(const GuestCode *code, const MappedCode *mapped)
{
    g_autofree char *key = key_of(mapped);

    return g_hash_table_lookup(code->files, key);
}
