/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libFuzzer's entry: reads its input with everything that reads traces: as whatever it seems to be, as
 * each of the formats by force, from the beginning, from the middle, block by block, and as `recover` does.
 * tests/fuzz/run builds and runs it. Hashes are not checked in this build, else nothing would get past them.
 */
#define _GNU_SOURCE
#include <stdio.h>

#include "../../include/memory_tracer/trace.h"
#include "../../src/trace/decoder.h"
#include "../../src/trace/file.h"
#include "input.h"

#define EVENTS (MT_COLUMN_TASK | MT_COLUMN_EXECUTED)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Uses every byte of a batch, so that a sanitizer sees what is not there. */
static uint64_t add_up(const struct mt_batch *batch)
{
    uint64_t sum = batch->first + batch->vcpu + batch->time_ns;

    for (size_t i = 0; i < batch->count; i++) {
        sum += batch->address ? batch->address[i] : 0;
        sum += batch->info ? batch->info[i] : 0;
        sum += batch->instruction ? batch->instruction[i] : 0;
        sum += batch->paddr ? batch->paddr[i] : 0;
        sum += batch->value ? batch->value[i].low ^ batch->value[i].high : 0;
        sum += batch->value_unknown && batch->value_unknown[i];
    }
    for (size_t i = 0; i < batch->task.count; i++)
        sum += batch->task.event[i].before + batch->task.event[i].number;
    for (size_t i = 0; i < batch->executed.count; i++)
        sum += batch->executed.event[i].before + batch->executed.event[i].number;
    return sum;
}

static void read_all(mt_reader *reader)
{
    struct mt_error error;
    const struct mt_batch *batch;
    volatile uint64_t sum = 0;

    while (reader && (batch = mt_reader_next(reader, &error)))
        sum += add_up(batch);
    mt_reader_free(reader);
}

/* As `dump --lines` does. */
static void look_up_names(mt_trace *trace)
{
    for (uint32_t i = 1; i <= mt_trace_instructions(trace) && i < 100; i++) {
        const struct mt_symbol *symbol = mt_symbol_of(trace, i);

        for (size_t k = 0; symbol && k < symbol->frame_count; k++)
            if (symbol->frames[k].file && !*symbol->frames[k].file && symbol->frames[k].line == 12345)
                putchar(' '); /* so that it is read */
    }
}

/* As `stat --by function` does. */
static void look_up_names_at(mt_trace *trace)
{
    struct mt_error error;
    mt_reader *reader = mt_reader_new(trace, MT_COLUMN_INSTRUCTION | EVENTS, &error);
    const struct mt_batch *batch;

    for (unsigned batches = 0; reader && batches < 10 && (batch = mt_reader_next(reader, &error)); batches++)
        for (size_t i = 0; i < batch->count && i < 100; i++) {
            const struct mt_symbol *symbol = mt_symbol_at(trace, batch, i);

            if ((symbol && symbol->object && !*symbol->object) || mt_pc_at(trace, batch, i) == 1)
                putchar(' '); /* so that it is read */
        }
    mt_reader_free(reader);
}

static void read_as(const uint8_t *data, size_t size, enum mt_format format)
{
    struct mt_error error;
    mt_trace *trace = mt_trace_open_fd(input_fd(data, size), "input", format, &error);
    mt_reader *reader;

    if (!trace)
        return;
    read_all(mt_reader_new(trace, MT_COLUMN_ALL | MT_COLUMN_PAGE_SIZE | EVENTS, &error));
    if (mt_trace_format(trace) == MT_FORMAT_FILE) {
        reader = mt_reader_new(trace, MT_COLUMN_ADDRESS | EVENTS, &error);
        if (mt_reader_seek(reader, mt_trace_records(trace) / 2, &error))
            read_all(reader);
        else
            mt_reader_free(reader);
        read_all(mt_reader_new_blocks(trace, MT_COLUMN_INFO | MT_COLUMN_TIME, 0, mt_trace_blocks(trace), &error));
        look_up_names(trace);
        look_up_names_at(trace);
    }
    mt_trace_close(trace);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    GError *problem = NULL;
    TraceFile *file;

    read_as(data, size, MT_FORMAT_AUTO);
    read_as(data, size, MT_FORMAT_GMBEOO);
    read_as(data, size, MT_FORMAT_COMPACT);
    file = trace_file_open(input_fd(data, size), "input", TRACE_FILE_SALVAGE, &problem);
    trace_file_free(file);
    g_clear_error(&problem);
    return 0;
}
