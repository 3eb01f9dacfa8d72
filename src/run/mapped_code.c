/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mapped code: see mapped_code.h. What the ring says is the guest's, and may be anything. */
#include "mapped_code.h"

#include <string.h>

#define MAPPED_MAX 4096
/* Of a device's number, as the kernel keeps it. */
#define KERNEL_MINOR_BITS 20
/* The file in memory that the agent was copied into (guest/drive.c). The agent's code is known anyway. */
#define AGENT_FILE "/memfd:" MAPPED_CODE_AGENT

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

static bool is_map(const Change *change)
{
    return change->kind == CHANGE_MAP || change->kind == CHANGE_WAS_MAPPED;
}

bool mapped_code_is_agent(const char *path)
{
    return g_str_has_prefix(path, AGENT_FILE);
}

GPtrArray *mapped_code_list(const Ring *ring)
{
    GPtrArray *list = g_ptr_array_new_with_free_func(free_mapped);
    g_autoptr(GHashTable) known = g_hash_table_new(hash_mapped, same_mapped);
    uint32_t count = ring_fields(ring) & MT_FIELD_TASK ? ring_changes(ring) : 0;
    Change change;

    for (uint32_t number = 1; number <= count && list->len < MAPPED_MAX; number++) {
        MappedCode found = { .path = change.text }, *mapped;

        if (!ring_get_change(ring, number, &change) || !is_map(&change) || *change.text != '/' ||
            !(change.value[3] & CHANGE_MAP_EXECUTE) || mapped_code_is_agent(change.text))
            continue;
        found.address = change.value[1];
        found.end = change.value[2];
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

bool mapped_code_is_on_disk(const MappedCode *code)
{
    return code->device >> KERNEL_MINOR_BITS;
}

/* Whose memories are: pids, by task and by memory. */
typedef struct {
    GHashTable *of_task, *of_memory;
} Owners;

static void set_owner(Owners *owners, uint64_t memory, uint64_t pid)
{
    gpointer key = GUINT_TO_POINTER((guint)memory);

    if (memory && !g_hash_table_contains(owners->of_memory, key))
        g_hash_table_insert(owners->of_memory, key, GUINT_TO_POINTER((guint)pid));
}

static void note_owner(Owners *owners, const Change *change)
{
    gpointer task = GUINT_TO_POINTER((guint)change->value[0]);

    if (change->kind == CHANGE_TASK) {
        g_hash_table_insert(owners->of_task, task, GUINT_TO_POINTER((guint)change->value[2]));
        set_owner(owners, change->value[6], change->value[2]);
    } else if (change->kind == CHANGE_EXEC || change->kind == CHANGE_MEMORY) {
        set_owner(owners, change->value[1], GPOINTER_TO_UINT(g_hash_table_lookup(owners->of_task, task)));
    }
}

GArray *mapped_code_list_generators(const Ring *ring, guint most)
{
    GArray *pids = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    Owners owners = { g_hash_table_new(NULL, NULL), g_hash_table_new(NULL, NULL) };
    g_autoptr(GHashTable) known = g_hash_table_new(NULL, NULL);
    uint32_t count = ring_fields(ring) & MT_FIELD_TASK ? ring_changes(ring) : 0;
    Change change;

    /* What was mapped before a task was seen stands before the task. */
    for (uint32_t number = 1; number <= count; number++)
        if (ring_get_change(ring, number, &change))
            note_owner(&owners, &change);
    for (uint32_t number = 1; number <= count && pids->len < most; number++) {
        gpointer pid;

        /* One with a text is a file, or the kernel's. */
        if (!ring_get_change(ring, number, &change) || !is_map(&change) || *change.text ||
            !(change.value[3] & CHANGE_MAP_EXECUTE))
            continue;
        pid = g_hash_table_lookup(owners.of_memory, GUINT_TO_POINTER((guint)change.value[0]));
        if (pid && g_hash_table_add(known, pid)) {
            uint32_t value = GPOINTER_TO_UINT(pid);

            g_array_append_val(pids, value);
        }
    }
    g_hash_table_unref(owners.of_task);
    g_hash_table_unref(owners.of_memory);
    return pids;
}
