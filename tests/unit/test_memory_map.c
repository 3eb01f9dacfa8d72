/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What was mapped where and when, from changes: stacks, heaps, what is joined, split, moved and copied. */
#include "../../src/context/memory_map.h"

#define MEMORY 1
#define TASK 1
#define CHILD 2
#define FILE_FLAGS (CHANGE_MAP_READ | CHANGE_MAP_EXECUTE)

static TraceChanges *begin(void)
{
    TraceChanges *changes = trace_changes_new();
    const TraceChange task = { .kind = CHANGE_TASK, .value = { TASK, 7, 7, 100, 100, 0, MEMORY }, .text = "sh" };

    trace_changes_add(changes, &task);
    return changes;
}

static void add(TraceChanges *changes, uint64_t index, enum change_kind kind, const char *text, uint64_t first,
                uint64_t second, uint64_t third, uint64_t fourth, uint64_t fifth)
{
    const TraceChange change = {
        .index = index, .kind = kind, .value = { first, second, third, fourth, fifth }, .text = text
    };

    trace_changes_add(changes, &change);
}

static void add_map(TraceChanges *changes, uint64_t index, uint64_t from, uint64_t to, uint64_t flags, uint64_t heap)
{
    const TraceChange change = {
        .index = index, .kind = CHANGE_MAP, .value = { MEMORY, from, to, flags, 0, 0, 0, heap }, .text = ""
    };

    trace_changes_add(changes, &change);
}

static const MappedObject *find(const MemoryMap *map, uint32_t memory, uint64_t position, uint64_t address)
{
    const Stretch *stretch = memory_map_find(map, memory, position, address);

    return stretch ? memory_map_object(map, stretch->object) : NULL;
}

static void assert_is(const MemoryMap *map, uint32_t memory, uint64_t position, uint64_t address, const char *name)
{
    const MappedObject *object = find(map, memory, position, address);

    g_assert_nonnull(object);
    g_assert_cmpstr(object->name, ==, name);
}

static void test_what_the_kernel_joins_stays_apart(void)
{
    g_autoptr(TraceChanges) changes = begin();
    g_autoptr(MemoryMap) map = NULL;

    add_map(changes, 10, 0x20000, 0x30000, 0, 0);
    add_map(changes, 20, 0x10000, 0x30000, 0, 0); /* below, joined with the first one */
    add_map(changes, 30, 0x18000, 0x19000, 0, 0); /* mprotect() splits it */
    add(changes, 40, CHANGE_UNMAP, "", MEMORY, 0x28000, 0x30000, 0, 0);
    add_map(changes, 50, 0x10000, 0x30000, 0, 0); /* and what is mapped there again is new */
    map = memory_map_new(changes);
    assert_is(map, MEMORY, 15, 0x2ffff, "anonymous 20000 of 7");
    assert_is(map, MEMORY, 25, 0x20000, "anonymous 20000 of 7");
    assert_is(map, MEMORY, 25, 0x1ffff, "anonymous 10000 of 7");
    assert_is(map, MEMORY, 35, 0x18000, "anonymous 10000 of 7");
    assert_is(map, MEMORY, 45, 0x27fff, "anonymous 20000 of 7");
    assert_is(map, MEMORY, 55, 0x28000, "anonymous 28000 of 7");
    g_assert_null(find(map, MEMORY, 55, 0x30000));
    g_assert_null(find(map, MEMORY, 55, 0xffff));
    g_assert_null(find(map, MEMORY + 1, 55, 0x20000));
}

static void test_heaps_and_stacks_grow(void)
{
    g_autoptr(TraceChanges) changes = begin();
    g_autoptr(MemoryMap) map = NULL;
    const MappedObject *heap, *stack;

    add_map(changes, 10, 0x10000, 0x20000, 0, 0);       /* .bss */
    add_map(changes, 20, 0x10000, 0x30000, 0, 0x20000); /* the heap, joined with it */
    add_map(changes, 30, 0x10000, 0x50000, 0, 0x20000); /* it grows */
    add(changes, 40, CHANGE_UNMAP, "", MEMORY, 0x28000, 0x50000, 0, 0);
    add_map(changes, 50, 0x10000, 0x60000, 0, 0x20000);
    add_map(changes, 10, 0x90000, 0xa0000, CHANGE_MAP_STACK, 0);
    add_map(changes, 60, 0x80000, 0xa0000, CHANGE_MAP_STACK, 0);
    map = memory_map_new(changes);
    assert_is(map, MEMORY, 55, 0x1ffff, "anonymous 10000 of 7");
    heap = find(map, MEMORY, 25, 0x20000);
    g_assert_cmpstr(heap->name, ==, "heap of 7");
    g_assert_true(heap == find(map, MEMORY, 55, 0x5ffff));
    g_assert_cmpuint(heap->begin, ==, 0x20000);
    g_assert_cmpuint(heap->end, ==, 0x60000);
    stack = find(map, MEMORY, 70, 0x80000);
    g_assert_cmpstr(stack->name, ==, "stack of 7");
    g_assert_true(stack == find(map, MEMORY, 15, 0x9ffff));
    g_assert_cmpuint(stack->task, ==, TASK);
}

static void test_stacks_of_threads(void)
{
    g_autoptr(TraceChanges) changes = begin();
    g_autoptr(MemoryMap) map = NULL;

    add_map(changes, 10, 0x10000, 0x30000, 0, 0);
    add(changes, 20, CHANGE_TASK, "t", CHILD, 8, 7, 200, 100);
    add(changes, 20, CHANGE_STACK, "", CHILD, MEMORY, 0x18000, 0x21000, 0x20800);
    add_map(changes, 30, 0x8000, 0x30000, 0, 0); /* something beside it is joined */
    add(changes, 40, CHANGE_TASK, "u", CHILD + 1, 9, 7, 300, 100);
    add(changes, 40, CHANGE_STACK, "", CHILD + 1, MEMORY, 0, 0x21000, 0x20800); /* the same stack, used again */
    map = memory_map_new(changes);
    assert_is(map, MEMORY, 15, 0x20000, "anonymous 10000 of 7");
    assert_is(map, MEMORY, 35, 0x18000, "stack of 8");
    assert_is(map, MEMORY, 35, 0x20fff, "stack of 8");
    assert_is(map, MEMORY, 35, 0x21000, "anonymous 10000 of 7");
    assert_is(map, MEMORY, 35, 0x17fff, "anonymous 10000 of 7");
    assert_is(map, MEMORY, 35, 0x8000, "anonymous 8000 of 7");
    assert_is(map, MEMORY, 45, 0x18000, "stack of 9");
    assert_is(map, MEMORY, 45, 0x17fff, "anonymous 10000 of 7");
    g_assert_cmpuint(memory_map_own_stack(map, CHILD, MEMORY)->begin, ==, 0x18000);
    g_assert_null(memory_map_own_stack(map, CHILD, MEMORY + 1));
    g_assert_null(memory_map_own_stack(map, TASK, MEMORY));
}

static void test_fork_exec_and_mremap(void)
{
    g_autoptr(TraceChanges) changes = begin();
    g_autoptr(MemoryMap) map = NULL;
    uint64_t from, to;

    add_map(changes, 10, 0x10000, 0x20000, 0, 0x10000);
    add_map(changes, 10, 0x40000, 0x50000, 0, 0);
    add(changes, 20, CHANGE_COPY, "", 2, MEMORY, 0, 0, 0);
    {
        const TraceChange child = {
            .index = 20, .kind = CHANGE_TASK, .value = { CHILD, 8, 8, 200, 200, TASK, 2 }, .text = "sh"
        };

        trace_changes_add(changes, &child);
    }
    add(changes, 30, CHANGE_MOVE, "", MEMORY, 0x40000, 0x50000, 0x70000, 0x90000);
    add(changes, 40, CHANGE_EXEC, "/bin/true", CHILD, 3, 0, 0, 0);
    add(changes, 40, CHANGE_GONE, "", 2, 0, 0, 0, 0);
    map = memory_map_new(changes);
    assert_is(map, MEMORY, 25, 0x10000, "heap of 7");
    assert_is(map, 2, 25, 0x10000, "heap of 8");
    assert_is(map, 2, 35, 0x40000, "anonymous 40000 of 8");
    assert_is(map, MEMORY, 35, 0x8ffff, "anonymous 70000 of 7");
    g_assert_cmpuint(memory_map_memory_of(map, CHILD, 39, &from, &to), ==, 2);
    g_assert_cmpuint(to, ==, 40);
    g_assert_cmpuint(memory_map_memory_of(map, CHILD, 40, &from, &to), ==, 3);
    g_assert_cmpuint(memory_map_memory_of(map, TASK, 0, &from, &to), ==, MEMORY);
    g_assert_cmpuint(memory_map_memory_of(map, 99, 0, &from, &to), ==, 0);
    g_assert_null(find(map, 3, 50, 0x10000));
}

/* mremap() with MREMAP_DONTUNMAP, or of 0 bytes. */
static void test_what_is_moved_may_stay(void)
{
    g_autoptr(TraceChanges) changes = begin();
    g_autoptr(MemoryMap) map = NULL;
    TraceChange move = {
        .index = 30, .kind = CHANGE_MOVE, .value = { MEMORY, 0x12000, 0x16000, 0x70000, 0x74000, 1 }, .text = ""
    };

    add_map(changes, 10, 0x10000, 0x20000, 0, 0);
    add_map(changes, 20, 0x60000, 0x90000, 0, 0);
    trace_changes_add(changes, &move);
    map = memory_map_new(changes);
    for (unsigned position = 20; position <= 30; position += 10) {
        assert_is(map, MEMORY, position, 0x11fff, "anonymous 10000 of 7");
        assert_is(map, MEMORY, position, 0x12000, "anonymous 10000 of 7");
        assert_is(map, MEMORY, position, 0x6ffff, "anonymous 60000 of 7");
        assert_is(map, MEMORY, position, 0x74000, "anonymous 60000 of 7");
    }
    assert_is(map, MEMORY, 20, 0x70000, "anonymous 60000 of 7");
    assert_is(map, MEMORY, 30, 0x73fff, "anonymous 70000 of 7");
}

/* As the changes of test_fork_exec_and_mremap(): what is so at a time is so while the guest runs. */
static void test_a_running_guest(void)
{
    static const TraceChange changes[] = {
        { .kind = CHANGE_TASK, .value = { TASK, 7, 7, 100, 100, 0, MEMORY }, .text = "sh" },
        { .kind = CHANGE_WAS_MAPPED, .value = { MEMORY, 0x10000, 0x20000, 0, 0, 0, 0, 0x10000 }, .text = "" },
        { .kind = CHANGE_MAP, .value = { MEMORY, 0x40000, 0x50000 }, .text = "" },
        { .kind = CHANGE_COPY, .value = { 2, MEMORY }, .text = "" },
        { .kind = CHANGE_TASK, .value = { CHILD, 8, 8, 200, 200, TASK, 2 }, .text = "sh" },
        { .kind = CHANGE_MOVE, .value = { MEMORY, 0x40000, 0x50000, 0x70000, 0x90000 }, .text = "" },
        { .kind = CHANGE_UNMAP, .value = { MEMORY, 0x70000, 0x78000 }, .text = "" },
        { .kind = CHANGE_EXEC, .value = { CHILD, 3 }, .text = "/bin/true" },
    };
    g_autoptr(MemoryMap) map = memory_map_new_live();
    uint64_t from, to;

    for (guint i = 0; i < G_N_ELEMENTS(changes); i++) {
        memory_map_add(map, &changes[i]);
        if (i >= 1)
            assert_is(map, MEMORY, i, 0x10000, "heap of 7");
        if (i >= 2 && i < 5)
            assert_is(map, MEMORY, i, 0x40000, "anonymous 40000 of 7");
        if (i >= 4)
            assert_is(map, 2, i, 0x40000, "anonymous 40000 of 8");
        if (i >= 5)
            g_assert_null(find(map, MEMORY, i, 0x40000));
        if (i >= 5)
            assert_is(map, MEMORY, i, 0x8ffff, "anonymous 70000 of 7");
        g_assert_cmpuint(memory_map_memory_of(map, CHILD, i, &from, &to), ==, i < 4 ? 0 : i < 7 ? 2 : 3);
        g_assert_cmpuint(from, ==, i);
        g_assert_cmpuint(to, ==, i + 1);
    }
    g_assert_null(find(map, MEMORY, 9, 0x70000));
    g_assert_null(find(map, 3, 9, 0x10000));
}

/* Where nothing was mapped at the position, the nearest in time counts; what was mapped before is so from the start. */
static void test_positions(void)
{
    g_autoptr(TraceChanges) changes = begin();
    g_autoptr(MemoryMap) map = NULL;

    add(changes, 50, CHANGE_WAS_MAPPED, "/lib/a", MEMORY, 0x10000, 0x20000, FILE_FLAGS, 0);
    add(changes, 100, CHANGE_UNMAP, "", MEMORY, 0x10000, 0x20000, 0, 0);
    add(changes, 200, CHANGE_MAP, "/lib/b", MEMORY, 0x10000, 0x20000, FILE_FLAGS, 0);
    map = memory_map_new(changes);
    assert_is(map, MEMORY, 0, 0x10000, "/lib/a");
    assert_is(map, MEMORY, 99, 0x1ffff, "/lib/a");
    assert_is(map, MEMORY, 140, 0x10000, "/lib/a");
    assert_is(map, MEMORY, 160, 0x10000, "/lib/b");
    assert_is(map, MEMORY, UINT64_MAX, 0x10000, "/lib/b");
    g_assert_cmpint(find(map, MEMORY, 0, 0x10000)->region, ==, OBJECT_TEXT);
}

/* Whatever the changes are, every answer is one of the objects (and the sanitizers report nothing). */
static void test_nonsense(void)
{
    static const uint64_t numbers[] = { 0, 1, 2, 3, 4096, 8192, 12288, UINT64_MAX, UINT64_MAX - 4095, UINT32_MAX };
    static const uint16_t kinds[] = { CHANGE_TASK, CHANGE_EXEC,       CHANGE_MAP,   CHANGE_UNMAP, CHANGE_MOVE,
                                      CHANGE_COPY, CHANGE_WAS_MAPPED, CHANGE_STACK, CHANGE_GONE,  CHANGE_MEMORY };
    GRand *rand = g_rand_new_with_seed(1);

    for (int run = 0; run < 200; run++) {
        g_autoptr(TraceChanges) changes = trace_changes_new();
        g_autoptr(MemoryMap) map = NULL;

        for (uint64_t i = 0; i < 100; i++) {
            TraceChange change = { .index = i, .kind = kinds[g_rand_int_range(rand, 0, G_N_ELEMENTS(kinds))] };

            for (unsigned k = 0; k < CHANGE_VALUES; k++)
                change.value[k] = numbers[g_rand_int_range(rand, 0, G_N_ELEMENTS(numbers))];
            change.text = g_rand_boolean(rand) ? "/x" : "";
            trace_changes_add(changes, &change);
        }
        map = memory_map_new(changes);
        for (guint i = 0; i < G_N_ELEMENTS(numbers); i++)
            for (uint32_t memory = 0; memory < 4; memory++) {
                const Stretch *stretch = memory_map_find(map, memory, 50, numbers[i]);

                g_assert_true(!stretch || (numbers[i] >= stretch->begin && numbers[i] < stretch->end &&
                                           stretch->object < memory_map_objects(map)));
            }
    }
    g_rand_free(rand);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/memory_map/stays", test_what_is_moved_may_stay);
    g_test_add_func("/memory_map/live", test_a_running_guest);
    g_test_add_func("/memory_map/joined", test_what_the_kernel_joins_stays_apart);
    g_test_add_func("/memory_map/grow", test_heaps_and_stacks_grow);
    g_test_add_func("/memory_map/threads", test_stacks_of_threads);
    g_test_add_func("/memory_map/fork_exec_mremap", test_fork_exec_and_mremap);
    g_test_add_func("/memory_map/positions", test_positions);
    g_test_add_func("/memory_map/nonsense", test_nonsense);
    return g_test_run();
}
