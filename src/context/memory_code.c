/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What code each address space has: see memory_code.h. Ends of mappings are ignored: where a memory had several files
 * at an address, the instruction's bytes decide which one it belongs to, and if they can't, it has no name. So this
 * goes through the changes by itself: memory_map.h would tell the ends, but not which mappings were executable.
 */
#include "memory_code_private.h"

#include <stdlib.h>

/* The stretches of all memories together: a trace that isn't honest could have very many. */
#define STRETCHES_MAX (1u << 22)

static void free_memory(void *data)
{
    CodeMemory *memory = data;

    g_array_unref(memory->stretches);
    g_free(memory);
}

static CodeMemory *get_memory(MemoryCode *code, uint64_t number)
{
    gpointer key = GSIZE_TO_POINTER(number);
    CodeMemory *memory = g_hash_table_lookup(code->memories, key);

    if (!memory) {
        memory = g_new0(CodeMemory, 1);
        memory->stretches = g_array_new(FALSE, FALSE, sizeof(CodeStretch));
        g_hash_table_insert(code->memories, key, memory);
    }
    return memory;
}

/* The changes, in the order of the trace. */

static void add_stretch(MemoryCode *code, CodeMemory *memory, CodeStretch stretch)
{
    const CodeStretch *last =
        memory->stretches->len ? &g_array_index(memory->stretches, CodeStretch, memory->stretches->len - 1) : NULL;

    if (stretch.end <= stretch.begin || code->count >= STRETCHES_MAX)
        return;
    /* A generator of code may map and protect the same pages again and again. */
    if (last && last->origin == stretch.origin && last->file == stretch.file && last->begin <= stretch.begin &&
        last->end >= stretch.end && last->offset - last->begin == stretch.offset - stretch.begin)
        return;
    code->count++;
    g_array_append_val(memory->stretches, stretch);
}

/* The number of a file, plus 1; 0: unknown (its inode is 0). Files are told apart by device and inode, because a
 * program that is built anew keeps its path. */
static uint32_t find_file(MemoryCode *code, uint32_t input, uint64_t device, uint64_t inode)
{
    g_autofree char *key = g_strdup_printf("%u %" G_GINT64_MODIFIER "x %" G_GINT64_MODIFIER "x", input, device, inode);
    uint32_t number = GPOINTER_TO_UINT(g_hash_table_lookup(code->numbers, key));

    if (!number && inode) {
        g_array_set_size(code->files, code->files->len + 1);
        number = code->files->len;
        g_hash_table_insert(code->numbers, g_steal_pointer(&key), GUINT_TO_POINTER(number));
    }
    return number;
}

/* Finds out at which distance each file is mapped, and whether there are several. */
static void look_at_files(MemoryCode *code)
{
    for (guint i = 0; i < code->all->len; i++) {
        const CodeStretch *stretch = &g_array_index(code->all, CodeStretch, i);
        uint64_t distance = stretch->begin - stretch->offset;
        CodeFile *file = stretch->file ? &g_array_index(code->files, CodeFile, stretch->file - 1) : NULL;

        if (!file)
            continue;
        file->is_several |= file->is_mapped && file->distance != distance;
        file->distance = distance;
        file->is_mapped = true;
    }
}

static void add_map(MemoryCode *code, const TraceChange *change)
{
    const uint64_t *value = change->value;
    CodeMemory *memory;
    CodeStretch stretch = { .begin = value[1], .end = value[2], .origin = ORIGIN_GENERATED };

    if (!(value[3] & CHANGE_MAP_EXECUTE) || !value[0])
        return;
    memory = get_memory(code, value[0]);
    if (*change->text == '/') {
        const MappedPart part = { .begin = value[1],
                                  .offset = value[4],
                                  .device = value[5],
                                  .inode = value[6],
                                  .path = change->text,
                                  .input = memory->input };
        const MappedLine *line = code_map_find_mapped(code->map, &part);

        if (!line)
            return;
        stretch.file = find_file(code, part.input, part.device, part.inode);
        stretch.offset = part.offset;
        stretch.origin = line->origin <= code->table->origins->len ? line->origin : 0;
    } else if (*change->text == '[') { /* the kernel's, such as the vDSO */
        stretch.origin = 0;
        if (!strcmp(change->text, "[vdso]")) /* all processes have the same pages */
            stretch.file = find_file(code, memory->input, UINT64_MAX, UINT64_MAX);
    }
    add_stretch(code, memory, stretch);
}

static void copy_memory(MemoryCode *code, uint64_t to, uint64_t from)
{
    const CodeMemory *other = g_hash_table_lookup(code->memories, GSIZE_TO_POINTER(from));
    CodeMemory *memory = to ? get_memory(code, to) : NULL;

    if (!other || !memory || other == memory)
        return;
    memory->input = other->input;
    memory->parent_pid = other->pid;
    for (guint i = 0; i < other->stretches->len; i++)
        add_stretch(code, memory, g_array_index(other->stretches, CodeStretch, i));
}

static void move_code(MemoryCode *code, const uint64_t *value)
{
    CodeMemory *memory = g_hash_table_lookup(code->memories, GSIZE_TO_POINTER(value[0]));

    for (guint i = 0, count = memory ? memory->stretches->len : 0; i < count; i++) {
        CodeStretch stretch = g_array_index(memory->stretches, CodeStretch, i);

        stretch.offset += MAX(stretch.begin, value[1]) - stretch.begin;
        stretch.begin = MAX(stretch.begin, value[1]);
        stretch.end = MIN(stretch.end, value[2]);
        if (stretch.begin >= stretch.end)
            continue;
        /* A file's code would have another bias there, which no origin has: so its origin is unknown. */
        stretch.origin = stretch.origin == ORIGIN_GENERATED ? ORIGIN_GENERATED : 0;
        stretch.begin += value[3] - value[1];
        stretch.end += value[3] - value[1];
        add_stretch(code, memory, stretch);
    }
}

/* A memory belongs to the first task that had it. */
static void own_memory(MemoryCode *code, uint64_t task, uint64_t number)
{
    gpointer key = GUINT_TO_POINTER((guint)task);
    CodeMemory *memory = number ? get_memory(code, number) : NULL;

    if (!memory || memory->pid)
        return;
    memory->input = GPOINTER_TO_UINT(g_hash_table_lookup(code->inputs, key));
    memory->pid = GPOINTER_TO_UINT(g_hash_table_lookup(code->pids, key));
}

/* Finds the memories' owners. This is done before the mappings are added, because the trace tells of some mappings
 * before it tells of their task. */
static void add_owner(MemoryCode *code, const TraceChange *change)
{
    gpointer task = GUINT_TO_POINTER((guint)change->value[0]);

    switch (change->kind) {
    case CHANGE_TASK:
        g_hash_table_insert(code->inputs, task, GUINT_TO_POINTER((guint)change->value[CHANGE_INPUT]));
        g_hash_table_insert(code->pids, task, GUINT_TO_POINTER((guint)change->value[2]));
        own_memory(code, change->value[0], change->value[6]);
        break;
    case CHANGE_EXEC:
    case CHANGE_MEMORY:
        own_memory(code, change->value[0], change->value[1]);
        break;
    }
}

static void add_mapping(MemoryCode *code, const TraceChange *change)
{
    switch (change->kind) {
    case CHANGE_MAP:
    case CHANGE_WAS_MAPPED:
        add_map(code, change);
        break;
    case CHANGE_MOVE:
        move_code(code, change->value);
        break;
    case CHANGE_COPY:
        copy_memory(code, change->value[0], change->value[1]);
        break;
    }
}

/* Looking up. */

static int compare_stretches(const void *a, const void *b)
{
    const CodeStretch *x = a, *y = b;

    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end)
        return x->end < y->end ? -1 : 1;
    if (x->origin != y->origin)
        return x->origin < y->origin ? -1 : 1;
    if (x->file != y->file)
        return x->file < y->file ? -1 : 1;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Sorts the stretches by address, keeps each once, and sets `reach`. */
static void sort_stretches(GArray *list)
{
    CodeStretch *stretch = (CodeStretch *)list->data;
    guint left = 0;

    if (!list->len)
        return;
    qsort(stretch, list->len, sizeof *stretch, compare_stretches);
    for (guint i = 0; i < list->len; i++)
        if (!left || compare_stretches(&stretch[i], &stretch[left - 1]))
            stretch[left++] = stretch[i];
    g_array_set_size(list, left);
    for (guint i = 0; i < left; i++)
        stretch[i].reach = i ? MAX(stretch[i].end, stretch[i - 1].reach) : stretch[i].end;
}

/* The origin of the code that a process has made. After a fork, the child has its parent's code. */
static uint32_t find_generated(const MemoryCode *code, const CodeMemory *memory)
{
    uint32_t origin = code_map_find_generated(code->map, memory->input, memory->pid);

    return origin || !memory->parent_pid ? origin
                                         : code_map_find_generated(code->map, memory->input, memory->parent_pid);
}

/* When all changes were added: gives generated code its origin, and sorts all stretches. */
static void finish(MemoryCode *code)
{
    GHashTableIter iterator;
    gpointer value;

    g_hash_table_iter_init(&iterator, code->memories);
    while (g_hash_table_iter_next(&iterator, NULL, &value)) {
        CodeMemory *memory = value;

        for (guint i = 0; i < memory->stretches->len; i++) {
            CodeStretch *stretch = &g_array_index(memory->stretches, CodeStretch, i);

            if (stretch->origin == ORIGIN_GENERATED)
                stretch->origin = find_generated(code, memory);
            if (stretch->origin > code->table->origins->len)
                stretch->origin = 0;
        }
        sort_stretches(memory->stretches);
        g_array_append_vals(code->all, memory->stretches->data, memory->stretches->len);
    }
    sort_stretches(code->all);
    look_at_files(code);
}

MemoryCode *memory_code_new(const TraceChanges *changes, const CodeMap *map, const CodeTable *table)
{
    MemoryCode *code = g_new0(MemoryCode, 1);

    code->map = map;
    code->table = table;
    code->memories = g_hash_table_new_full(NULL, NULL, NULL, free_memory);
    code->inputs = g_hash_table_new(NULL, NULL);
    code->pids = g_hash_table_new(NULL, NULL);
    code->all = g_array_new(FALSE, FALSE, sizeof(CodeStretch));
    code->files = g_array_new(FALSE, TRUE, sizeof(CodeFile));
    code->numbers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = 0; changes && i < changes->list->len; i++)
        add_owner(code, &g_array_index(changes->list, TraceChange, i));
    for (guint i = 0; changes && i < changes->list->len; i++)
        add_mapping(code, &g_array_index(changes->list, TraceChange, i));
    finish(code);
    return code;
}

void memory_code_free(MemoryCode *code)
{
    if (!code)
        return;
    g_hash_table_unref(code->memories);
    g_hash_table_unref(code->inputs);
    g_hash_table_unref(code->pids);
    g_array_unref(code->all);
    g_array_unref(code->files);
    g_hash_table_unref(code->numbers);
    g_free(code);
}
