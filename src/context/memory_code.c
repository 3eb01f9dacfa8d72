/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What code each address space has: see memory_code.h. When a mapping ends is not looked at: where one memory had
 * several things at an address, the instruction's bytes decide, and where they don't, it has no name.
 */
#include "memory_code.h"

#include <stdlib.h>
#include <string.h>

#define ORIGIN_GENERATED UINT32_MAX /* what the process has made itself */
/* Of all memories: a file that isn't honest could tell of very many. */
#define STRETCHES_MAX (1u << 22)

typedef struct {
    uint64_t begin, end;
    uint64_t reach; /* the highest `end` of those up to this one; set by sort_stretches() */
    uint32_t origin;
    uint32_t file;   /* which file is mapped there: number in `files`, plus 1; 0: none, or it isn't told */
    uint64_t offset; /* of `begin` in it */
} Stretch;

/* A file, and how far its addresses are from its offsets where it is mapped. */
typedef struct {
    uint64_t distance;
    bool is_mapped, is_several; /* at all; at several distances */
} File;

typedef struct {
    GArray *stretches; /* Stretch */
    uint32_t input, pid;
    uint32_t parent_pid; /* of the process that it is a copy of; or 0 */
} Memory;

struct MemoryCode {
    const CodeMap *map;
    const CodeTable *table;
    GHashTable *memories; /* Memory by its number */
    GHashTable *inputs;   /* of tasks, by their number */
    GHashTable *pids;     /* likewise */
    GArray *all;          /* Stretch: of all memories, each once */
    GArray *files;        /* File */
    GHashTable *numbers;  /* of files, plus 1, by what tells them apart */
    size_t count;
};

static void free_memory(void *data)
{
    Memory *memory = data;

    g_array_unref(memory->stretches);
    g_free(memory);
}

static Memory *get_memory(MemoryCode *code, uint64_t number)
{
    gpointer key = GSIZE_TO_POINTER(number);
    Memory *memory = g_hash_table_lookup(code->memories, key);

    if (!memory) {
        memory = g_new0(Memory, 1);
        memory->stretches = g_array_new(FALSE, FALSE, sizeof(Stretch));
        g_hash_table_insert(code->memories, key, memory);
    }
    return memory;
}

/* The changes, in the order of the trace. */

static void add_stretch(MemoryCode *code, Memory *memory, Stretch stretch)
{
    const Stretch *last =
        memory->stretches->len ? &g_array_index(memory->stretches, Stretch, memory->stretches->len - 1) : NULL;

    if (stretch.end <= stretch.begin || code->count >= STRETCHES_MAX)
        return;
    /* A generator of code may map and protect the same pages again and again. */
    if (last && last->origin == stretch.origin && last->file == stretch.file && last->begin <= stretch.begin &&
        last->end >= stretch.end && last->offset - last->begin == stretch.offset - stretch.begin)
        return;
    code->count++;
    g_array_append_val(memory->stretches, stretch);
}

/* Paths don't tell files apart: a program that is built anew has its old one. An inode of 0 isn't known. */
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

/* At which distances each file is mapped. */
static void look_at_files(MemoryCode *code)
{
    for (guint i = 0; i < code->all->len; i++) {
        const Stretch *stretch = &g_array_index(code->all, Stretch, i);
        uint64_t distance = stretch->begin - stretch->offset;
        File *file = stretch->file ? &g_array_index(code->files, File, stretch->file - 1) : NULL;

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
    Memory *memory;
    Stretch stretch = { .begin = value[1], .end = value[2], .origin = ORIGIN_GENERATED };

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
    } else if (*change->text == '[') { /* the kernel's: the vDSO */
        stretch.origin = 0;
        if (!strcmp(change->text, "[vdso]")) /* the same pages for all */
            stretch.file = find_file(code, memory->input, UINT64_MAX, UINT64_MAX);
    }
    add_stretch(code, memory, stretch);
}

static void copy_memory(MemoryCode *code, uint64_t to, uint64_t from)
{
    const Memory *other = g_hash_table_lookup(code->memories, GSIZE_TO_POINTER(from));
    Memory *memory = to ? get_memory(code, to) : NULL;

    if (!other || !memory || other == memory)
        return;
    memory->input = other->input;
    memory->parent_pid = other->pid;
    for (guint i = 0; i < other->stretches->len; i++)
        add_stretch(code, memory, g_array_index(other->stretches, Stretch, i));
}

static void move_code(MemoryCode *code, const uint64_t *value)
{
    Memory *memory = g_hash_table_lookup(code->memories, GSIZE_TO_POINTER(value[0]));

    for (guint i = 0, count = memory ? memory->stretches->len : 0; i < count; i++) {
        Stretch stretch = g_array_index(memory->stretches, Stretch, i);

        stretch.offset += MAX(stretch.begin, value[1]) - stretch.begin;
        stretch.begin = MAX(stretch.begin, value[1]);
        stretch.end = MIN(stretch.end, value[2]);
        if (stretch.begin >= stretch.end)
            continue;
        /* A file's code would have another distance to its addresses: what is there isn't told. */
        stretch.origin = stretch.origin == ORIGIN_GENERATED ? ORIGIN_GENERATED : 0;
        stretch.begin += value[3] - value[1];
        stretch.end += value[3] - value[1];
        add_stretch(code, memory, stretch);
    }
}

/* A memory is of the first task that had it. */
static void own_memory(MemoryCode *code, uint64_t task, uint64_t number)
{
    gpointer key = GUINT_TO_POINTER((guint)task);
    Memory *memory = number ? get_memory(code, number) : NULL;

    if (!memory || memory->pid)
        return;
    memory->input = GPOINTER_TO_UINT(g_hash_table_lookup(code->inputs, key));
    memory->pid = GPOINTER_TO_UINT(g_hash_table_lookup(code->pids, key));
}

/* Whose memories are. All of that comes first: what was mapped before a task was seen stands before the task. */
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
    const Stretch *x = a, *y = b;

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

/* By address, each once. */
static void sort_stretches(GArray *list)
{
    Stretch *stretch = (Stretch *)list->data;
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

/* A copy of a process has what that one had made. */
static uint32_t find_generated(const MemoryCode *code, const Memory *memory)
{
    uint32_t origin = code_map_find_generated(code->map, memory->input, memory->pid);

    return origin || !memory->parent_pid ? origin
                                         : code_map_find_generated(code->map, memory->input, memory->parent_pid);
}

/* Code that the process has made gets its name, if it has any. */
static void finish(MemoryCode *code)
{
    GHashTableIter iterator;
    gpointer value;

    g_hash_table_iter_init(&iterator, code->memories);
    while (g_hash_table_iter_next(&iterator, NULL, &value)) {
        Memory *memory = value;

        for (guint i = 0; i < memory->stretches->len; i++) {
            Stretch *stretch = &g_array_index(memory->stretches, Stretch, i);

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
    code->all = g_array_new(FALSE, FALSE, sizeof(Stretch));
    code->files = g_array_new(FALSE, TRUE, sizeof(File));
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

/* Where those that begin above an address begin in a list. */
static guint first_above(const GArray *list, uint64_t pc)
{
    guint first = 0, end = list->len;

    while (first < end) {
        guint middle = first + (end - first) / 2;

        if (g_array_index(list, Stretch, middle).begin <= pc)
            first = middle + 1;
        else
            end = middle;
    }
    return first;
}

/* Whether the instruction can be of this origin. Code that a process has made isn't in a file. */
static bool can_be(const MemoryCode *code, uint32_t number, uint32_t origin)
{
    const CodeOrigin *of = code->table->origins->pdata[origin - 1];
    size_t count;
    const SameCode *same = code_map_find_same(code->map, number, &count);

    if (code_table_owner(code->table, number) == origin || g_str_has_prefix(of->attachment, CODE_TABLE_GENERATED))
        return true;
    for (size_t i = 0; i < count; i++)
        if (same[i].origin == origin)
            return true;
    return false;
}

bool memory_code_varies(const MemoryCode *code, uint32_t number, uint64_t pc)
{
    uint32_t owner = code_table_owner(code->table, number);

    for (guint i = first_above(code->all, pc); i > 0; i--) {
        const Stretch *stretch = &g_array_index(code->all, Stretch, i - 1);

        if (stretch->reach <= pc)
            break;
        if (stretch->end > pc && stretch->origin != owner)
            return true;
    }
    return false;
}

/* Whether two origins are the same file, loaded somewhere. */
static bool same_file(const MemoryCode *code, uint32_t one, uint32_t other)
{
    const CodeOrigin *x = code->table->origins->pdata[one - 1], *y = code->table->origins->pdata[other - 1];

    return one == other || (!strcmp(x->attachment, y->attachment) && !strcmp(x->path, y->path));
}

static bool maps_file(const MemoryCode *code, const Memory *memory, uint32_t origin)
{
    for (guint i = 0; i < memory->stretches->len; i++) {
        uint32_t mapped = g_array_index(memory->stretches, Stretch, i).origin;

        if (mapped && same_file(code, mapped, origin))
            return true;
    }
    return false;
}

/*
 * QEMU translates a page of a file once (CF_PCREL): where several processes have it at different addresses, they all
 * execute the translation, and the recorded address is that of the process that came first. So an instruction may be of
 * any file that the memory has mapped, at whichever address. Adds it to what was found already: 0 if there is none.
 * Returns false if there are several that it can be.
 */
static bool find_elsewhere(const MemoryCode *code, const Memory *memory, uint32_t number, uint32_t *found)
{
    size_t count;
    const SameCode *same = code_map_find_same(code->map, number, &count);

    for (size_t i = 0; i <= count; i++) {
        uint32_t origin = i ? same[i - 1].origin : code_table_owner(code->table, number);

        if (!origin || origin > code->table->origins->len || !maps_file(code, memory, origin))
            continue;
        if (*found && !same_file(code, *found, origin))
            return false;
        if (!*found)
            *found = origin;
    }
    return true;
}

/* What the memory has mapped at the instruction's address and may be it. *covered: it has anything there that is told.
 * Returns false if there are several, or something unknown. */
static bool find_there(const MemoryCode *code, const Memory *memory, uint32_t number, uint64_t pc, uint32_t *found,
                       bool *covered)
{
    for (guint i = first_above(memory->stretches, pc); i > 0; i--) {
        const Stretch *stretch = &g_array_index(memory->stretches, Stretch, i - 1);

        if (stretch->reach <= pc)
            break;
        if (stretch->end <= pc)
            continue;
        *covered = true;
        if (!stretch->origin)
            return false;
        if (!can_be(code, number, stretch->origin) || *found == stretch->origin)
            continue;
        if (*found)
            return false;
        *found = stretch->origin;
    }
    return true;
}

uint32_t memory_code_origin(const MemoryCode *code, uint32_t memory, uint32_t number, uint64_t pc)
{
    const Memory *of = memory ? g_hash_table_lookup(code->memories, GUINT_TO_POINTER(memory)) : NULL;
    bool covered = false;
    uint32_t found = 0;

    if (!of || !of->stretches->len)
        return code_table_owner(code->table, number);
    if (!find_there(code, of, number, pc, &found, &covered))
        return 0;
    if (!covered)
        return code_table_owner(code->table, number);
    return find_elsewhere(code, of, number, &found) ? found : 0;
}

/* Whether the instruction has this origin: 0, if nothing is known of either. */
static bool has_origin(const MemoryCode *code, uint32_t number, uint32_t origin)
{
    size_t count;
    const SameCode *same = code_map_find_same(code->map, number, &count);

    if (code_table_owner(code->table, number) == origin)
        return true;
    for (size_t i = 0; i < count; i++)
        if (same[i].origin == origin)
            return true;
    return false;
}

/* The next stretch, from *i downwards, that has the instruction at `pc`, in a file, in any memory; NULL if none is
 * left.
 */
static const Stretch *next_recorded(const MemoryCode *code, uint32_t number, uint64_t pc, guint *i)
{
    while (*i > 0) {
        const Stretch *stretch = &g_array_index(code->all, Stretch, --*i);

        if (stretch->reach <= pc)
            return NULL;
        if (stretch->end > pc && stretch->file && has_origin(code, number, stretch->origin))
            return stretch;
    }
    return NULL;
}

bool memory_code_moves(const MemoryCode *code, uint32_t number, uint64_t pc)
{
    guint i = first_above(code->all, pc);
    const Stretch *recorded;

    while ((recorded = next_recorded(code, number, pc, &i)))
        if (g_array_index(code->files, File, recorded->file - 1).is_several)
            return true;
    return false;
}

/* Where a memory has what lies at `offset` in a file. *at: where something was found already (0: nowhere). Returns
 * false if there are several such places. */
static bool find_place(const Memory *memory, uint32_t file, uint64_t offset, uint64_t *at)
{
    for (guint i = 0; i < memory->stretches->len; i++) {
        const Stretch *stretch = &g_array_index(memory->stretches, Stretch, i);
        uint64_t place = offset - stretch->offset + stretch->begin;

        if (stretch->file != file || place < stretch->begin || place >= stretch->end || place == *at)
            continue;
        if (*at)
            return false;
        *at = place;
    }
    return true;
}

uint64_t memory_code_pc(const MemoryCode *code, uint32_t memory, uint32_t number, uint64_t pc)
{
    const Memory *of = memory ? g_hash_table_lookup(code->memories, GUINT_TO_POINTER(memory)) : NULL;
    guint i = first_above(code->all, pc);
    const Stretch *recorded;
    bool covered = false;
    uint32_t found = 0;
    uint64_t at = 0;

    if (!of || !find_there(code, of, number, pc, &found, &covered) || found)
        return pc;
    while ((recorded = next_recorded(code, number, pc, &i)))
        if (!find_place(of, recorded->file, pc - recorded->begin + recorded->offset, &at))
            return pc;
    return at ? at : pc;
}

static void add_once(GArray *origins, uint32_t origin)
{
    for (guint i = 0; i < origins->len; i++)
        if (g_array_index(origins, uint32_t, i) == origin)
            return;
    g_array_append_val(origins, origin);
}

void memory_code_list_origins(const MemoryCode *code, uint32_t number, uint64_t pc, GArray *origins)
{
    uint32_t owner = code_table_owner(code->table, number);

    if (owner)
        add_once(origins, owner);
    for (guint i = first_above(code->all, pc); i > 0; i--) {
        const Stretch *stretch = &g_array_index(code->all, Stretch, i - 1);

        if (stretch->reach <= pc)
            break;
        if (stretch->end > pc && stretch->origin && can_be(code, number, stretch->origin))
            add_once(origins, stretch->origin);
    }
}
