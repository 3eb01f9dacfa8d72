/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Changes in a trace file: see changes.h. */
#include "changes.h"

#include <string.h>

#include "format.h"

TraceChanges *trace_changes_new(void)
{
    TraceChanges *changes = g_new0(TraceChanges, 1);

    changes->list = g_array_new(FALSE, FALSE, sizeof(TraceChange));
    changes->texts = g_string_chunk_new(4096);
    return changes;
}

void trace_changes_free(TraceChanges *changes)
{
    if (!changes)
        return;
    g_array_unref(changes->list);
    g_string_chunk_free(changes->texts);
    g_free(changes);
}

void trace_changes_add(TraceChanges *changes, const TraceChange *change)
{
    TraceChange copy = *change;

    copy.text = g_string_chunk_insert_const(changes->texts, change->text);
    g_array_append_val(changes->list, copy);
}

/* By kind of change: bit N is set if value N is the number of a task, or of a memory. */
static const struct {
    uint8_t tasks, memories;
} numbers[] = {
    [CHANGE_TASK] = { 1 << 0 | 1 << 5, 1 << 6 },
    [CHANGE_NAME] = { 1 << 0, 0 },
    [CHANGE_EXEC] = { 1 << 0, 1 << 1 },
    [CHANGE_EXIT] = { 1 << 0, 0 },
    [CHANGE_CGROUP] = { 1 << 0, 0 },
    [CHANGE_MAP] = { 0, 1 << 0 },
    [CHANGE_UNMAP] = { 0, 1 << 0 },
    [CHANGE_MOVE] = { 0, 1 << 0 },
    [CHANGE_COPY] = { 0, 1 << 0 | 1 << 1 },
    [CHANGE_GONE] = { 0, 1 << 0 },
    [CHANGE_KERNEL_STACK] = { 1 << 0, 0 },
    [CHANGE_WAS_MAPPED] = { 0, 1 << 0 },
    [CHANGE_STACK] = { 1 << 0, 1 << 1 },
    [CHANGE_MEMORY] = { 1 << 0, 1 << 1 },
};

void trace_changes_find_last(const TraceChanges *changes, uint64_t *task, uint64_t *memory)
{
    *task = *memory = 0;
    for (guint i = 0; i < changes->list->len; i++) {
        const TraceChange *change = &g_array_index(changes->list, TraceChange, i);

        for (unsigned k = 0; change->kind < G_N_ELEMENTS(numbers) && k < CHANGE_VALUES; k++) {
            if (numbers[change->kind].tasks & 1u << k)
                *task = MAX(*task, change->value[k]);
            if (numbers[change->kind].memories & 1u << k)
                *memory = MAX(*memory, change->value[k]);
        }
    }
}

bool trace_change_is_of_one_kernel(const TraceChange *change)
{
    return change->kind >= CHANGE_USES && change->kind <= CHANGE_VFREE;
}

bool trace_change_is_of_user(const TraceChange *change)
{
    return change->kind == CHANGE_NAME || change->kind == CHANGE_CGROUP ||
           (change->kind >= CHANGE_MAP && change->kind <= CHANGE_GONE) || change->kind >= CHANGE_WAS_MAPPED;
}

/* Number 0 means "none", and stays. */
static void move_number(uint64_t *number, uint64_t distance)
{
    if (*number)
        *number += distance;
}

void trace_change_renumber(TraceChange *change, uint64_t tasks, uint64_t memories)
{
    for (unsigned k = 0; change->kind < G_N_ELEMENTS(numbers) && k < CHANGE_VALUES; k++) {
        if (numbers[change->kind].tasks & 1u << k)
            move_number(&change->value[k], tasks);
        if (numbers[change->kind].memories & 1u << k)
            move_number(&change->value[k], memories);
    }
}

void trace_change_write(GByteArray *contents, uint64_t *last_index, const TraceChange *change)
{
    g_autoptr(GByteArray) entry = g_byte_array_new();
    unsigned values = CHANGE_VALUES;

    while (values && !change->value[values - 1])
        values--;
    varint_append(entry, change->index - *last_index);
    varint_append(entry, change->vcpu);
    varint_append(entry, change->kind);
    varint_append(entry, values);
    for (unsigned i = 0; i < values; i++)
        varint_append(entry, change->value[i]);
    g_byte_array_append(entry, (const uint8_t *)change->text, (guint)strlen(change->text));
    varint_append(contents, entry->len);
    g_byte_array_append(contents, entry->data, entry->len);
    *last_index = change->index;
}

/* Reads one change, up to `end`. On entry, `change` has the index of the one before. Values that later versions append
 * are ignored. */
static bool read_entry(const uint8_t *next, const uint8_t *end, TraceChange *change, char text[CHANGE_TEXT_BYTES])
{
    uint64_t distance, vcpu, kind, values, value;
    size_t length;

    memset(change->value, 0, sizeof change->value);
    if (!(next = varint_get(next, end, &distance)) || !(next = varint_get(next, end, &vcpu)) ||
        !(next = varint_get(next, end, &kind)) || !(next = varint_get(next, end, &values)) ||
        vcpu >= FORMAT_MAX_VCPUS || kind > UINT32_MAX || values > (uint64_t)(end - next))
        return false;
    for (uint64_t i = 0; i < values; i++) {
        if (!(next = varint_get(next, end, &value)))
            return false;
        if (i < CHANGE_VALUES)
            change->value[i] = value;
    }
    length = (size_t)(end - next);
    if (length >= CHANGE_TEXT_BYTES || memchr(next, 0, length))
        return false;
    memcpy(text, next, length);
    text[length] = 0;
    change->index += distance;
    change->vcpu = (uint32_t)vcpu;
    change->kind = (uint32_t)kind;
    change->text = text;
    return true;
}

const char *trace_changes_read(TraceChanges *changes, const uint8_t *contents, size_t bytes)
{
    const uint8_t *next = contents, *end = contents + bytes;
    char text[CHANGE_TEXT_BYTES];
    TraceChange change = { 0 };

    while (next < end) {
        uint64_t length;

        next = varint_get(next, end, &length);
        if (!next || length > (uint64_t)(end - next) || !read_entry(next, next + length, &change, text))
            return "a chunk of changes is damaged";
        if (changes->list->len == FORMAT_MAX_CHANGES)
            return "there are too many changes";
        trace_changes_add(changes, &change);
        next += length;
    }
    return NULL;
}
