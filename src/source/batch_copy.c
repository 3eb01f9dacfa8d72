/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copies of batches: see batch_copy.h. */
#include "batch_copy.h"

#include <string.h>

#include "../trace/batch_columns.h"
#include "../trace/events.h"

/* A copied array. */
typedef struct {
    void *data;
    size_t bytes; /* that it has room for */
} Room;

struct BatchCopy {
    struct mt_batch batch;
#define ROOM(type, column) Room column;
    BATCH_COLUMNS(ROOM)
#undef ROOM
    Room task, executed; /* events */
};

BatchCopy *batch_copy_new(void)
{
    return g_new0(BatchCopy, 1);
}

void batch_copy_free(BatchCopy *copy)
{
    if (!copy)
        return;
#define FREE(type, column) g_free(copy->column.data);
    BATCH_COLUMNS(FREE)
#undef FREE
    g_free(copy->task.data);
    g_free(copy->executed.data);
    g_free(copy);
}

/* Returns memory for an array, even for an empty one; what was in it may be lost. */
static void *make_room(Room *room, size_t bytes)
{
    if (!room->data || room->bytes < bytes) {
        g_free(room->data);
        room->data = g_malloc(MAX(bytes, 1));
        room->bytes = bytes;
    }
    return room->data;
}

static struct mt_events copy_events(Room *room, const struct mt_events *events)
{
    size_t bytes = events->count * sizeof *events->event;
    struct mt_events copy = *events;

    copy.event = make_room(room, bytes);
    if (bytes)
        memcpy(room->data, events->event, bytes);
    return copy;
}

const struct mt_batch *batch_copy_all(BatchCopy *copy, const struct mt_batch *batch)
{
    copy->batch = *batch;
#define COPY(type, column)                                                                                             \
    if (batch->column)                                                                                                 \
        copy->batch.column =                                                                                           \
            memcpy(make_room(&copy->column, batch->count * sizeof(type)), batch->column, batch->count * sizeof(type));
    BATCH_COLUMNS(COPY)
#undef COPY
    copy->batch.task = copy_events(&copy->task, &batch->task);
    copy->batch.executed = copy_events(&copy->executed, &batch->executed);
    return &copy->batch;
}

static struct mt_events copy_events_of(Room *room, const struct mt_events *events, const uint32_t *some, size_t count)
{
    struct mt_events copy = copy_events(room, events);
    struct mt_event *own = room->data;
    size_t before = 0;

    for (size_t i = 0; i < events->count; i++) {
        while (before < count && some[before] < own[i].before)
            before++;
        own[i].before = (uint32_t)before;
    }
    return copy;
}

const struct mt_batch *batch_copy_some(BatchCopy *copy, const struct mt_batch *batch, const uint32_t *some,
                                       size_t count)
{
    uint64_t *index = make_room(&copy->index, count * sizeof *index);

    copy->batch = *batch;
    copy->batch.count = count;
#define COPY(type, column)                                                                                             \
    if (batch->column) {                                                                                               \
        type *own = make_room(&copy->column, count * sizeof *own);                                                     \
                                                                                                                       \
        for (size_t i = 0; i < count; i++)                                                                             \
            own[i] = batch->column[some[i]];                                                                           \
        copy->batch.column = own;                                                                                      \
    }
    BATCH_COLUMNS(COPY)
#undef COPY
    for (size_t i = 0; !batch->index && i < count; i++)
        index[i] = batch->first + some[i];
    copy->batch.index = index;
    copy->batch.first = index[0];
    copy->batch.task = copy_events_of(&copy->task, &batch->task, some, count);
    copy->batch.executed = copy_events_of(&copy->executed, &batch->executed, some, count);
    return &copy->batch;
}
