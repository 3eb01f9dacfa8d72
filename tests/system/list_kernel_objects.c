/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * list_kernel_objects TRACE [--slabs]
 *
 * Lists what the accesses to the kernel's addresses in a trace file go to, a line each: region, name, accesses, the
 * number of objects of this name that were accessed, and the size of the first of these in bytes; separated by tabs.
 * With --slabs: each slab cache's name, and how many slabs it has at the end of the trace.
 */
#include <stdio.h>

#include "../../src/context/kernels.h"
#include "../../src/context/page_uses.h"
#include "../../src/trace/trace_private.h"

static const char *const regions[OBJECT_REGIONS] = {
    [OBJECT_KERNEL_TEXT] = "kernel-text", [OBJECT_KERNEL_DATA] = "kernel-data",
    [OBJECT_PER_CPU] = "per-cpu",         [OBJECT_KERNEL_STACK] = "kernel-stack",
    [OBJECT_MODULE] = "module",           [OBJECT_VMALLOC] = "vmalloc",
    [OBJECT_PAGE_TABLE] = "page-table",   [OBJECT_SLAB] = "slab",
    [OBJECT_DIRECT_MAP] = "direct-map",   [OBJECT_VMEMMAP] = "vmemmap",
    [OBJECT_DEVICE] = "device",           [OBJECT_UNKNOWN_KERNEL] = "unknown-kernel",
};

typedef struct {
    uint64_t accesses, bytes;
    GHashTable *begins; /* addresses */
} Line;

static void free_line(void *data)
{
    Line *line = data;

    g_hash_table_unref(line->begins);
    g_free(line);
}

static void count(GHashTable *lines, const AddressObject *object)
{
    char *key = g_strdup_printf("%s\t%s", regions[object->region], object->name);
    Line *line = g_hash_table_lookup(lines, key);

    if (!line) {
        line = g_new0(Line, 1);
        line->bytes = object->end - object->begin;
        line->begins = g_hash_table_new(g_direct_hash, g_direct_equal);
        g_hash_table_insert(lines, key, line);
    } else {
        g_free(key);
    }
    line->accesses++;
    g_hash_table_add(line->begins, (gpointer)(uintptr_t)object->begin);
}

static void print_all(GHashTable *lines)
{
    GHashTableIter all;
    gpointer key, value;

    g_hash_table_iter_init(&all, lines);
    while (g_hash_table_iter_next(&all, &key, &value)) {
        const Line *line = value;

        printf("%s\t%" G_GUINT64_FORMAT "\t%u\t%" G_GUINT64_FORMAT "\n", (const char *)key, line->accesses,
               g_hash_table_size(line->begins), line->bytes);
    }
}

static void count_batch(Kernels *kernels, const struct mt_batch *batch, GHashTable *lines)
{
    for (size_t i = 0; i < batch->count; i++) {
        AddressObject object;

        if (kernels_find(kernels, batch->input, batch->first + i, batch->address[i],
                         batch->paddr ? batch->paddr[i] : MT_PADDR_UNKNOWN, &object, NULL))
            count(lines, &object);
    }
}

static void list_slabs(mt_trace *trace)
{
    const TraceChanges *changes = trace->file->changes;
    g_autoptr(PageUses) uses = page_uses_new_of(changes, 0);
    g_autoptr(GHashTable) slabs = g_hash_table_new(g_str_hash, g_str_equal), seen = g_hash_table_new(NULL, NULL);
    GHashTableIter all;
    gpointer key, value;

    for (guint i = 0; i < changes->list->len; i++) {
        const TraceChange *change = &g_array_index(changes->list, TraceChange, i);

        for (uint64_t k = 0; change->kind == CHANGE_SLAB && k < change->value[2]; k++) {
            uint64_t page = change->value[1] + k, from, to;
            const PageUse *use = page_uses_find(uses, page, UINT64_MAX, &from, &to);

            if (use->kind == PAGE_SLAB && use->first == page && g_hash_table_add(seen, (gpointer)(uintptr_t)page)) {
                const char *name = page_uses_cache(uses, use->number)->name;
                guint count = GPOINTER_TO_UINT(g_hash_table_lookup(slabs, name));

                g_hash_table_insert(slabs, (gpointer)(uintptr_t)name, GUINT_TO_POINTER(count + 1));
            }
        }
    }
    g_hash_table_iter_init(&all, slabs);
    while (g_hash_table_iter_next(&all, &key, &value))
        printf("%s\t%u\n", (const char *)key, GPOINTER_TO_UINT(value));
}

int main(int argc, char **argv)
{
    struct mt_error error = { "" };
    mt_trace *trace = argc > 1 ? mt_trace_open(argv[1], MT_FORMAT_FILE, &error) : NULL;
    mt_reader *reader = trace ? mt_reader_new(trace, MT_COLUMN_ADDRESS | MT_COLUMN_PADDR, &error) : NULL;
    g_autoptr(GHashTable) lines = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_line);
    g_autoptr(Kernels) kernels = reader ? kernels_new(trace) : NULL;
    const struct mt_batch *batch;

    if (kernels && argc > 2)
        list_slabs(trace);
    while (kernels && argc == 2 && (batch = mt_reader_next(reader, &error)))
        count_batch(kernels, batch, lines);
    mt_reader_free(reader);
    mt_trace_close(trace);
    if (!kernels || *error.message) {
        fprintf(stderr, "list_kernel_objects: %s\n", *error.message ? error.message : "one trace file is needed");
        return 1;
    }
    print_all(lines);
    return 0;
}
