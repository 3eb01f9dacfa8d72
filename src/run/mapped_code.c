/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mapped code: see mapped_code.h. What the ring says is the guest's, and may be anything. */
#include "mapped_code.h"

#include <string.h>

#define MAPPED_MAX 4096

static void free_mapped(void *data)
{
    MappedCode *mapped = data;

    g_free(mapped->path);
    g_free(mapped);
}

static guint hash_mapped(gconstpointer data)
{
    const MappedCode *mapped = data;

    return g_str_hash(mapped->path) + (guint)(mapped->address >> 12) + (guint)(mapped->offset >> 12);
}

static gboolean same_mapped(gconstpointer a, gconstpointer b)
{
    const MappedCode *x = a, *y = b;

    return x->address == y->address && x->offset == y->offset && x->device == y->device && x->inode == y->inode &&
           !strcmp(x->path, y->path);
}

GPtrArray *mapped_code_list(const Ring *ring)
{
    GPtrArray *list = g_ptr_array_new_with_free_func(free_mapped);
    g_autoptr(GHashTable) known = g_hash_table_new(hash_mapped, same_mapped);
    uint32_t count = ring_fields(ring) & MT_FIELD_TASK ? ring_changes(ring) : 0;
    Change change;

    for (uint32_t number = 1; number <= count && list->len < MAPPED_MAX; number++) {
        MappedCode found = { .path = change.text }, *mapped;

        if (!ring_get_change(ring, number, &change) || change.kind != CHANGE_MAP || *change.text != '/' ||
            !(change.value[3] & CHANGE_MAP_EXECUTE))
            continue;
        found.address = change.value[1];
        found.offset = change.value[4];
        found.device = change.value[5];
        found.inode = change.value[6];
        if (g_hash_table_contains(known, &found))
            continue;
        mapped = g_memdup2(&found, sizeof found);
        mapped->path = g_strdup(change.text);
        g_hash_table_add(known, mapped);
        g_ptr_array_add(list, mapped);
    }
    return list;
}
