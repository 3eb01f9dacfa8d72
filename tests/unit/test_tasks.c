/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is told of the guest's tasks: changes in files and rings, the table of tasks, descriptions of kernels. */
#include <string.h>

#include "../../src/context/task_table.h"
#include "../../src/record/kernel_layout.h"
#include "../../src/ring/ring.h"
#include "../../src/trace/changes.h"

#define RING_BYTES (2 * RING_CHUNK_BYTES)

static const TraceChange changes[] = {
    { .index = 0, .kind = CHANGE_TASK, .value = { 1, 7, 7, 100, 100, 0, 1 }, .text = "sh" },
    { .index = 0, .vcpu = 3, .kind = CHANGE_TASK, .value = { 2, 8, 8, 200, 200, 1, 2 }, .text = "a \n name" },
    { .index = UINT64_C(1) << 40, .kind = CHANGE_MAP, .value = { 2, 4096, 8192, 5, 0, 1, UINT64_MAX }, .text = "/x" },
    { .index = UINT64_MAX, .kind = 77, .value = { 0 }, .text = "" },
};

static GByteArray *write_all(void)
{
    GByteArray *contents = g_byte_array_new();
    uint64_t last = 0;

    for (guint i = 0; i < G_N_ELEMENTS(changes); i++)
        trace_change_write(contents, &last, &changes[i]);
    return contents;
}

static void test_changes_are_read_as_written(void)
{
    g_autoptr(GByteArray) contents = write_all();
    g_autoptr(TraceChanges) read = trace_changes_new();

    g_assert_null(trace_changes_read(read, contents->data, contents->len));
    g_assert_cmpuint(read->list->len, ==, G_N_ELEMENTS(changes));
    for (guint i = 0; i < read->list->len; i++) {
        const TraceChange *change = &g_array_index(read->list, TraceChange, i);

        g_assert_cmpuint(change->index, ==, changes[i].index);
        g_assert_cmpuint(change->vcpu, ==, changes[i].vcpu);
        g_assert_cmpuint(change->kind, ==, changes[i].kind);
        g_assert_cmpmem(change->value, sizeof change->value, changes[i].value, sizeof changes[i].value);
        g_assert_cmpstr(change->text, ==, changes[i].text);
    }
}

/* Cut anywhere, and with any byte changed, it is read or refused (and the sanitizers report nothing). */
static void test_damaged_changes_are_refused(void)
{
    g_autoptr(GByteArray) contents = write_all();
    unsigned refused = 0;

    for (guint i = 0; i < contents->len; i++) {
        g_autoptr(TraceChanges) cut = trace_changes_new(), changed = trace_changes_new();
        g_autofree uint8_t *copy = g_memdup2(contents->data, contents->len);

        refused += trace_changes_read(cut, copy, i) != NULL;
        copy[i] ^= 0xff;
        trace_changes_read(changed, copy, contents->len);
    }
    g_assert_cmpuint(refused, ==, contents->len - G_N_ELEMENTS(changes)); /* between changes, it is only shorter */
}

static void test_changes_of_several_traces_are_told_apart(void)
{
    g_autoptr(GByteArray) contents = write_all();
    g_autoptr(TraceChanges) read = trace_changes_new();
    TraceChange change = changes[1];
    uint64_t task, memory;

    trace_changes_read(read, contents->data, contents->len);
    trace_changes_find_last(read, &task, &memory);
    g_assert_cmpuint(task, ==, 2);
    g_assert_cmpuint(memory, ==, 2);
    trace_change_renumber(&change, 10, 20);
    g_assert_cmpuint(change.value[0], ==, 12);
    g_assert_cmpuint(change.value[1], ==, 8);
    g_assert_cmpuint(change.value[5], ==, 11);
    g_assert_cmpuint(change.value[6], ==, 22);
    change = changes[0];
    trace_change_renumber(&change, 10, 20);
    g_assert_cmpuint(change.value[5], ==, 0); /* no parent stays none */
}

/* A ring gives back what was put, and nothing beyond that. */
static void test_rings_carry_changes(void)
{
    g_autoptr(Ring) ring = ring_new(1, RING_BYTES, MT_FIELD_TASK, NULL);
    g_autofree Change *put = g_new0(Change, 1), *got = g_new0(Change, 1);
    uint32_t last = 0;

    *put = (Change){ .kind = CHANGE_EXEC, .values = 2, .value = { 5, 6 }, .text = "/bin/true", .text_bytes = 9 };
    g_assert_false(ring_get_change(ring, 1, got));
    g_assert_cmpuint(ring_add_change(ring, put), ==, 1);
    g_assert_true(ring_get_change(ring, 1, got));
    g_assert_cmpuint(got->value[1], ==, 6);
    g_assert_cmpstr(got->text, ==, "/bin/true");
    g_assert_false(ring_get_change(ring, 0, got));
    g_assert_false(ring_get_change(ring, 2, got));
    memset(put->text, 'x', CHANGE_TEXT_BYTES - 1);
    put->text_bytes = CHANGE_TEXT_BYTES - 1;
    for (uint32_t number = 1; number; number = ring_add_change(ring, put))
        last = number;
    g_assert_cmpuint(last, >, RING_CHANGE_BYTES / (CHANGE_TEXT_BYTES + 128)); /* full, and that is all */
    g_assert_true(ring_get_change(ring, last, got));
    g_assert_cmpuint(strlen(got->text), ==, CHANGE_TEXT_BYTES - 1);
}

/* Rows that are events are no accesses: neither those written nor those dropped. */
static void test_events_are_not_counted(void)
{
    g_autoptr(Ring) ring = ring_new(1, RING_BYTES, MT_FIELD_TASK, NULL);
    RingProducer producer;
    RingCounts counts;
    unsigned accesses = 0;

    ring_producer_init(&producer, ring, 0, RING_DROP);
    for (unsigned i = 0; i < 4 * RING_CHUNK_RECORDS; i++)
        if (i % 3) {
            ring_producer_put(&producer, GMBEOO_VALID, i);
            accesses++;
        } else {
            ring_producer_put_event(&producer, ROW_EVENT_TASK, 0, i);
        }
    ring_producer_publish(&producer);
    counts = ring_get_counts(ring);
    g_assert_cmpuint(counts.events, ==, accesses);
    g_assert_cmpuint(counts.written + counts.dropped, ==, accesses);
    g_assert_cmpuint(counts.dropped, >, 0);
    ring_producer_clear(&producer);
}

static void test_the_table_tells_processes_by_their_beginning(void)
{
    g_autoptr(TaskTable) table = task_table_new();
    const TraceChange told[] = {
        { .kind = CHANGE_TASK, .value = { 1, 7, 7, 100, 100 }, .text = "first" },
        { .kind = CHANGE_TASK, .value = { 2, 9, 7, 150, 100 }, .text = "its thread" },
        { .kind = CHANGE_TASK, .value = { 3, 7, 7, 900, 900 }, .text = "the same pid, later" },
        { .kind = CHANGE_NAME, .value = { 1 }, .text = "renamed" },
        { .kind = CHANGE_EXIT, .value = { 3, 256 }, .text = "" },
        { .kind = CHANGE_EXIT, .value = { 99 }, .text = "" },
        { .kind = CHANGE_TASK, .value = { UINT64_MAX, 1, 1, 1, 1 }, .text = "none" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(told); i++)
        task_table_add(table, &told[i]);
    g_assert_cmpuint(task_table_tasks(table), ==, 3);
    g_assert_cmpuint(task_table_processes(table), ==, 2);
    g_assert_cmpuint(task_table_task(table, 1)->process, ==, task_table_task(table, 2)->process);
    g_assert_cmpuint(task_table_task(table, 1)->process, !=, task_table_task(table, 3)->process);
    g_assert_cmpstr(task_table_process_name(table, task_table_task(table, 2)->process), ==, "renamed");
    g_assert_true(task_table_task(table, 3)->has_exited);
    g_assert_null(task_table_task(table, 0));
    g_assert_null(task_table_task(table, 4));
}

static void test_a_kernels_description_is_read_as_written(void)
{
    KernelLayout layout, read;
    g_autofree char *text = NULL, *with_nonsense = NULL;

    kernel_layout_init(&layout);
    g_assert_false(kernel_layout_tells_tasks(&layout));
    layout.function[KERNEL_SWITCH_TO] = (KernelRange){ UINT64_C(0xffffffff81000000), UINT64_C(0xffffffff81000100) };
    layout.offset[KERNEL_TASK_PID] = layout.offset[KERNEL_TASK_TGID] = 8;
    layout.offset[KERNEL_TASK_START] = 0;
    layout.offset[KERNEL_TASK_COMM] = 3000;
    g_assert_true(kernel_layout_tells_tasks(&layout));
    text = kernel_layout_write(&layout);
    with_nonsense = g_strconcat("\n \nno_such_thing 5\ndo_exit -1\nexit_mmap zz\n", text, NULL);
    kernel_layout_read(&read, with_nonsense);
    g_assert_cmpmem(&read, sizeof read, &layout, sizeof layout);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tasks/changes/written", test_changes_are_read_as_written);
    g_test_add_func("/tasks/changes/damaged", test_damaged_changes_are_refused);
    g_test_add_func("/tasks/changes/several_traces", test_changes_of_several_traces_are_told_apart);
    g_test_add_func("/tasks/ring/changes", test_rings_carry_changes);
    g_test_add_func("/tasks/ring/events", test_events_are_not_counted);
    g_test_add_func("/tasks/table", test_the_table_tells_processes_by_their_beginning);
    g_test_add_func("/tasks/kernel", test_a_kernels_description_is_read_as_written);
    return g_test_run();
}
