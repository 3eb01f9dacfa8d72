/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds and reads attachments: see attachments.h and file.h. */
#include "attachments.h"

#include <string.h>

#include "file_private.h"

#define NAME_BYTES_MAX 4096
/* When a name isn't found, it may be a damaged one. Larger attachments aren't read for that. */
#define CHECKED_BYTES_MAX (1u << 20)

struct TraceAttachments {
    GPtrArray *names;   /* char *, in the order of the file; those of `chunks` */
    GHashTable *chunks; /* the numbers of chunks by name: of several with one name, the first */
    gsize is_checked;   /* g_once_init_enter() */
    GError *damage;     /* what that found, or NULL */
};

TraceAttachments *attachments_new(void)
{
    TraceAttachments *attachments = g_new0(TraceAttachments, 1);

    attachments->names = g_ptr_array_new();
    attachments->chunks = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return attachments;
}

void attachments_free(TraceAttachments *attachments)
{
    g_ptr_array_unref(attachments->names);
    g_hash_table_unref(attachments->chunks);
    g_clear_error(&attachments->damage);
    g_free(attachments);
}

static const struct format_index_entry *chunk_of(const TraceFile *file, guint number)
{
    return &g_array_index(file->chunks, struct format_index_entry, number);
}

void attachments_add(TraceFile *file, guint chunk)
{
    const struct format_index_entry *entry = chunk_of(file, chunk);
    const uint64_t at = entry->offset + sizeof(struct format_chunk);
    g_autofree char *name = NULL;
    uint32_t length;

    if (entry->bytes < sizeof length || !trace_file_read_at(file, at, &length, sizeof length, NULL) ||
        length > MIN(entry->bytes - sizeof length, NAME_BYTES_MAX))
        return;
    name = g_malloc0((gsize)length + 1);
    if (!trace_file_read_at(file, at + sizeof length, name, length, NULL) ||
        g_hash_table_contains(file->attachments->chunks, name))
        return;
    g_ptr_array_add(file->attachments->names, name);
    g_hash_table_insert(file->attachments->chunks, g_steal_pointer(&name), GUINT_TO_POINTER(chunk));
}

static const struct format_index_entry *find(const TraceFile *file, const char *name)
{
    gpointer chunk;

    return g_hash_table_lookup_extended(file->attachments->chunks, name, NULL, &chunk)
               ? chunk_of(file, GPOINTER_TO_UINT(chunk))
               : NULL;
}

char **trace_file_attachment_names(const TraceFile *file)
{
    const GPtrArray *names = file->attachments->names;
    char **copy = g_new0(char *, names->len + 1);

    for (guint i = 0; i < names->len; i++)
        copy[i] = g_strdup(names->pdata[i]);
    return copy;
}

/* The name may be that of an attachment that is damaged. Finds such ones, once. */
static void report_damage(const TraceFile *file, GError **error)
{
    TraceAttachments *attachments = file->attachments;

    if (g_once_init_enter(&attachments->is_checked)) {
        g_autoptr(GByteArray) payload = g_byte_array_new();

        for (guint i = 0; i < file->chunks->len && !attachments->damage; i++)
            if (chunk_of(file, i)->type == FORMAT_ATTACHMENT && chunk_of(file, i)->bytes < CHECKED_BYTES_MAX)
                trace_file_read(file, chunk_of(file, i), payload, &attachments->damage);
        g_once_init_leave(&attachments->is_checked, 1);
    }
    if (attachments->damage)
        g_propagate_error(error, g_error_copy(attachments->damage));
}

GByteArray *trace_file_attachment(const TraceFile *file, const char *name, GError **error)
{
    g_autoptr(GByteArray) payload = g_byte_array_new();
    const struct format_index_entry *chunk = find(file, name);
    size_t begin = sizeof(uint32_t) + strlen(name);

    if (!chunk)
        report_damage(file, error);
    if (!chunk || !trace_file_read(file, chunk, payload, error))
        return NULL;
    return trace_file_decompress(file, chunk, payload->data + begin, payload->len - begin, error);
}

uint64_t trace_file_attachment_bytes(const TraceFile *file, const char *name)
{
    const struct format_index_entry *chunk = find(file, name);

    return chunk ? sizeof(struct format_chunk) + format_padded(chunk->bytes) : 0;
}
