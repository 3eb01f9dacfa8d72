/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes a trace file of exactly the records that a test wants. usage: make_trace FILE FIELDS VCPUS BLOCK_RECORDS
 * FIELDS: a sum of enum mt_fields. Standard input has lines, in the order in which things go into the file:
 *     m JSON                     metadata
 *     a NAME TEXT                an attachment
 *     b NAME HEXADECIMAL         an attachment of such bytes
 *     i PC CPL                   an instruction of 4 bytes; they are numbered from 1
 *     c VCPU TIME_NS COUNT       the next COUNT records are of this vCPU, and were handed over together then
 *     r INFO ADDRESS PADDR VALUE INSTRUCTION
 *     t VCPU EVENT               a task event: which task the vCPU executes, and in which context
 *     h VCPU KIND VALUE... / TEXT  a change, which takes place here
 * Numbers are hexadecimal, but for VCPU, TIME_NS, COUNT, EVENT and KIND. INFO: bits 0-7 of a record's info.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/trace/writer.h"

#define MAX_CHUNK 4096
#define MAX_LINE 65536

typedef struct {
    TraceWriter *writer;
    unsigned fields, row_bytes, vcpu, wanted, count;
    uint64_t time_ns;
    unsigned row_count;
    RowFrames frames[RING_MAX_VCPUS];
    uint8_t rows[2 * MAX_CHUNK * sizeof(WideRow)];
} Maker;

static bool add_row(Maker *maker, const char *line, GError **error)
{
    uint64_t info, address, paddr, value, instruction;
    WideRow wide = { 0 };

    if (maker->count == maker->wanted || sscanf(line, "%" SCNx64 "%" SCNx64 "%" SCNx64 "%" SCNx64 "%" SCNx64, &info,
                                                &address, &paddr, &value, &instruction) != 5)
        g_error("bad row: %s", line);
    wide.record.info =
        GMBEOO_VALID | info | (uint64_t)maker->vcpu << GMBEOO_VCPU_SHIFT | instruction << ROW_INSTRUCTION_SHIFT;
    wide.record.virt_addr = address;
    if (maker->fields & MT_FIELD_VALUE)
        wide.value[0] = value;
    maker->row_count += (unsigned)row_put(maker->rows + maker->row_count * maker->row_bytes, maker->row_bytes, &wide,
                                          maker->fields & MT_FIELD_PADDR ? &maker->frames[maker->vcpu] : NULL, paddr);
    return ++maker->count < maker->wanted ||
           trace_writer_add(maker->writer, maker->vcpu, maker->rows, maker->row_count, maker->time_ns, error);
}

static bool add_instruction(Maker *maker, const char *line, GError **error)
{
    struct mt_instruction instruction = { .length = 4, .bytes = { 0x0f, 0x1f, 0x40, 0 } };
    unsigned cpl;

    if (sscanf(line, "%" SCNx64 "%u", &instruction.pc, &cpl) != 2)
        g_error("bad instruction: %s", line);
    instruction.cpl = (uint8_t)cpl;
    return trace_writer_add_instructions(maker->writer, &instruction, 1, error);
}

static bool add_bytes(Maker *maker, const char *name, const char *digits, GError **error)
{
    static uint8_t bytes[MAX_LINE / 2];
    size_t count = 0;

    for (unsigned byte; sscanf(digits, "%2x", &byte) == 1; digits += 2)
        bytes[count++] = (uint8_t)byte;
    return trace_writer_add_attachment(maker->writer, name, bytes, count, error);
}

static bool add_event(Maker *maker, const char *line, GError **error)
{
    unsigned vcpu, event;
    WideRow row = { 0 };

    if (sscanf(line, "%u%u", &vcpu, &event) != 2)
        g_error("bad event: %s", line);
    row.record = (struct gmbeoo_record){ ROW_EVENT_TASK | (uint64_t)vcpu << GMBEOO_VCPU_SHIFT, event };
    return trace_writer_add(maker->writer, vcpu, &row, 1, 0, error);
}

static bool add_change(Maker *maker, char *line, GError **error)
{
    TraceChange change = { 0 };
    char *text = strstr(line, " /");
    g_auto(GStrv) words = NULL;

    if (!text)
        g_error("bad change: %s", line);
    *text = 0;
    change.text = text + 2;
    words = g_strsplit(line, " ", -1);
    for (unsigned i = 0; words[i]; i++) {
        uint64_t number = strtoull(words[i], NULL, i < 2 ? 10 : 16);

        if (i >= 2 + CHANGE_VALUES)
            g_error("too many values");
        else if (i >= 2)
            change.value[i - 2] = number;
        else
            *(i ? &change.kind : &change.vcpu) = (uint32_t)number;
    }
    return trace_writer_add_change(maker->writer, &change, error);
}

static bool add_line(Maker *maker, char *line, GError **error)
{
    char *rest = line + 2, *text = strchr(rest, ' ');

    switch (*line) {
    case 'm':
        return trace_writer_add_metadata(maker->writer, rest, error);
    case 'a':
        *text++ = 0;
        return trace_writer_add_attachment(maker->writer, rest, text, strlen(text), error);
    case 'b':
        *text++ = 0;
        return add_bytes(maker, rest, text, error);
    case 't':
        return add_event(maker, rest, error);
    case 'h':
        return add_change(maker, rest, error);
    case 'i':
        return add_instruction(maker, rest, error);
    case 'c':
        maker->count = maker->row_count = 0;
        if (sscanf(rest, "%u%" SCNu64 "%u", &maker->vcpu, &maker->time_ns, &maker->wanted) != 3 ||
            maker->wanted > MAX_CHUNK)
            g_error("bad chunk: %s", line);
        return true;
    default:
        return add_row(maker, rest, error);
    }
}

int main(int argc, char **argv)
{
    static Maker maker;
    static char line[MAX_LINE];
    g_autoptr(GError) error = NULL;
    bool fine;

    if (argc != 5) {
        fprintf(stderr, "usage: make_trace FILE FIELDS VCPUS BLOCK_RECORDS\n");
        return 2;
    }
    maker.fields = (unsigned)atoi(argv[2]);
    maker.row_bytes = ring_record_bytes_for(maker.fields);
    maker.writer = trace_writer_new(argv[1], maker.fields, (unsigned)atoi(argv[3]), (uint32_t)atoi(argv[4]), &error);
    fine = maker.writer;
    while (fine && fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        fine = add_line(&maker, line, &error);
    }
    if (!fine || !trace_writer_finish(maker.writer, &error))
        g_error("%s", error->message);
    trace_writer_free(maker.writer);
    return 0;
}
