/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Prints what user code's stores go to, as the library tells it: index, region, name, begin, end, the id of the thread
 * whose stack it is (0: it is none), separated by tabs. usage: list_objects TRACE */
#include <inttypes.h>
#include <stdio.h>

#include "../../include/memory_tracer/trace.h"

static void list(mt_trace *trace, const struct mt_batch *batch, size_t i)
{
    const struct mt_object *object = mt_object_of(trace, batch, i);
    const struct mt_task *task = object->task ? mt_trace_task(trace, object->task) : NULL;

    printf("%" PRIu64 "\t%s\t%s\t%" PRIx64 "\t%" PRIx64 "\t%" PRIu32 "\n", batch->first + i, object->region,
           object->name, object->begin, object->end, task ? task->tid : 0);
}

int main(int argc, char **argv)
{
    struct mt_error error = { "usage: list_objects TRACE" };
    mt_trace *trace = argc == 2 ? mt_trace_open(argv[1], MT_FORMAT_FILE, &error) : NULL;
    mt_reader *reader =
        trace ? mt_reader_new(trace, MT_COLUMN_ADDRESS | MT_COLUMN_INFO | MT_COLUMN_TASK, &error) : NULL;
    const struct mt_batch *batch;

    while (reader && (batch = mt_reader_next(reader, &error)))
        for (size_t i = 0; i < batch->count; i++)
            if (mt_cpl(batch->info[i]) == 3 && mt_is_store(batch->info[i]))
                list(trace, batch, i);
    mt_reader_free(reader);
    mt_trace_close(trace);
    if (*error.message)
        fprintf(stderr, "%s\n", error.message);
    return *error.message != 0;
}
