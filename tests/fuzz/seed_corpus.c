/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes small files of each format that the library reads into a folder: where fuzzing starts, and what the golden
 * files were made with (some by earlier versions, which wrote all.mtrace, value.mtrace and vcpus.mtrace). The same each
 * time. usage: seed_corpus FOLDER */
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>

#include "../../src/trace/writer.h"

#define RECORDS 600
#define BLOCK 256

/* Accesses with strides, repetitions and jumps, so that every code of the format occurs. Returns the physical address.
 */
static uint64_t make_record(GRand *random, unsigned vcpu, unsigned i, unsigned fields, WideRow *wide)
{
    static const uint64_t regions[] = { 0x7fffffffe000, 0x555555554000, 0xffff888000000000, 0xffffffff81000000, 0x10 };
    unsigned instruction = i % 7 == 3 ? (unsigned)g_rand_int_range(random, 1, 20) : 1 + i % 5;
    uint64_t address = regions[i % 5] + (i / 5) * (i % 3 ? 8 : 64);
    unsigned size_shift = instruction % 5, cpl = address >> 63 ? 0 : 3;

    if (g_rand_int_range(random, 0, 16) == 0)
        address ^= (uint64_t)g_rand_int(random) << (i % 20);
    memset(wide, 0, sizeof *wide);
    wide->record.info = GMBEOO_VALID | size_shift | (i % 11 == 0 ? GMBEOO_SIGN_EXTEND : 0) |
                        (i % 13 == 0 ? GMBEOO_BIG_ENDIAN : 0) | (instruction & 1 ? GMBEOO_STORE : 0) |
                        (uint64_t)cpl << GMBEOO_CPL_SHIFT | (uint64_t)vcpu << GMBEOO_VCPU_SHIFT;
    if (fields & MT_FIELD_INSTRUCTION)
        wide->record.info |= (uint64_t)(instruction + (cpl ? 20 : 0)) << ROW_INSTRUCTION_SHIFT;
    wide->record.virt_addr = address;
    uint64_t paddr = (address & 0xfffffff) | (i % 50 == 7 ? MT_PADDR_IO : 0);
    if (i % 97 == 5)
        paddr = MT_PADDR_UNKNOWN;
    if (fields & MT_FIELD_VALUE) {
        wide->value[0] = size_shift < 3 ? (address * 0x9e3779b97f4a7c15) & ((1ull << (8 << size_shift)) - 1) : address;
        wide->value[1] = size_shift == 4 ? ~address : 0;
        if (i % 89 == 3) {
            wide->value[0] = wide->value[1] = 0;
            wide->record.info |= ROW_VALUE_UNKNOWN;
        } else if (i % 4 == 0) { /* one that can be predicted */
            wide->value[0] = i & 0xff;
            wide->value[1] = 0;
        }
    }
    return paddr;
}

/* Those before the record i: a loop of blocks, now and then another block, and some tasks. */
static bool write_events(TraceWriter *writer, unsigned vcpu, unsigned i, GError **error)
{
    WideRow rows[3] = { 0 };
    size_t count = 0;

    if (i % 100 == 0)
        rows[count++].record = (struct gmbeoo_record){ ROW_EVENT_TASK, 1 + i / 100 % 3 };
    if (i % 3 == 0)
        rows[count++].record = (struct gmbeoo_record){ ROW_EVENT_EXECUTED, 1 + i / 3 % 4 };
    if (i % 31 == 0)
        rows[count++].record = (struct gmbeoo_record){ ROW_EVENT_EXECUTED, 1000 + i };
    return trace_writer_add(writer, vcpu, rows, count, 0, error);
}

static void write_trace(const char *path, unsigned fields, unsigned vcpus)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(TraceWriter) writer = trace_writer_new(path, fields, vcpus, BLOCK, &error);
    g_autoptr(GRand) random = g_rand_new_with_seed(fields * 16 + vcpus);
    struct mt_instruction instructions[40] = { 0 };
    g_autofree RowFrames *frames = g_new0(RowFrames, vcpus);
    bool fine = writer && trace_writer_add_metadata(writer, "{\"recorded_by\":\"seed_corpus\",\"vcpus\":1}", &error);

    for (unsigned i = 0; i < G_N_ELEMENTS(instructions); i++) {
        instructions[i] = (struct mt_instruction){ .pc = (i < 20 ? 0xffffffff81000000 : 0x555555555000) + i * 4,
                                                   .cpl = i < 20 ? 0 : 3,
                                                   .mode = (uint8_t)(i % 4),
                                                   .length = (uint8_t)(1 + i % 15) };
        memset(instructions[i].bytes, (int)(0x90 + i), instructions[i].length);
    }
    fine = fine && trace_writer_add_attachment(writer, "kallsyms", "ffffffff81000000 T _text\n", 25, &error);
    if (vcpus > 1) /* kernel code, one that is unknown, and the rest of a file */
        fine = fine && trace_writer_add_attachment(writer, "elf/ab", "0 8 main\n10 40 f\n", 17, &error) &&
               trace_writer_add_attachment(writer, "loaded", "555555555050 elf/ab /bin/x\n0 kallsyms kernel\n", 45,
                                           &error) &&
               trace_writer_add_attachment(writer, "code", "\24\2\1\0\23\1", 6, &error);
    if (fields & MT_FIELD_INSTRUCTION)
        fine = fine && trace_writer_add_instructions(writer, instructions, G_N_ELEMENTS(instructions), &error);
    for (unsigned i = 0; fine && i < RECORDS * vcpus; i++) {
        unsigned vcpu = i / 40 % vcpus;
        WideRow wide, rows[2];
        uint64_t paddr;
        size_t count;

        if (fields & (MT_FIELD_TASK | MT_FIELD_EXECUTED)) {
            fine = write_events(writer, vcpu, i, &error);
            trace_writer_set_input(writer, i / 400);
        }
        paddr = make_record(random, vcpu, i, fields, &wide);
        count = row_put((uint8_t *)rows, ring_record_bytes_for(fields), &wide,
                        fields & MT_FIELD_PADDR ? &frames[vcpu] : NULL, paddr);
        fine = fine && trace_writer_add(writer, vcpu, rows, count, 1000 + i / 30 * 500, &error);
    }
    fine = fine && trace_writer_add_metadata(writer, "{\"dropped\":0}", &error) && trace_writer_finish(writer, &error);
    if (!fine)
        g_error("%s", error->message);
}

/* Walks through arrays: the regular accesses that make_record() has not, and distances of more than 32 bits, which are
 * cut. Blocks have an odd number of records. */
static void write_walks(const char *path)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(TraceWriter) writer = trace_writer_new(path, MT_FIELD_INSTRUCTION, 1, BLOCK - 1, &error);
    struct mt_instruction instructions[4] = { 0 };
    uint64_t address = 0;
    bool fine;

    for (unsigned i = 0; i < G_N_ELEMENTS(instructions); i++)
        instructions[i] =
            (struct mt_instruction){ .pc = 0x400000 + 2 * i, .cpl = 3, .length = 2, .bytes = { 0x8b, i } };
    fine = writer && trace_writer_add_instructions(writer, instructions, G_N_ELEMENTS(instructions), &error);
    for (unsigned i = 0; fine && i < RECORDS + 1; i++) {
        uint64_t step = i / 4, addresses[] = { 0x1000 + 8 * step, 0x100000000000 + 0x200000008 * step,
                                               address + 0x180000010, address + (step % 5 ? 16 : 0x80000000) };
        struct gmbeoo_record record = { .info = GMBEOO_VALID | 3 | 3 << GMBEOO_CPL_SHIFT |
                                                (uint64_t)(1 + i % 4) << ROW_INSTRUCTION_SHIFT,
                                        .virt_addr = address = addresses[i % 4] };

        fine = trace_writer_add(writer, 0, &record, 1, 0, &error);
    }
    fine = fine && trace_writer_add_total(writer, &error) && trace_writer_finish(writer, &error);
    if (!fine)
        g_error("%s", error->message);
}

static void write_streams(const char *gmbeoo, const char *compact)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(1);
    FILE *wide_file = fopen(gmbeoo, "w"), *compact_file = fopen(compact, "w");

    if (!wide_file || !compact_file)
        g_error("can't write %s", gmbeoo);
    for (unsigned i = 0; i < RECORDS; i++) {
        uint64_t words[2];
        WideRow wide;

        make_record(random, i / 40 % 2, i, 0, &wide);
        fwrite(&wide.record, sizeof wide.record, 1, wide_file);
        fwrite(words, sizeof *words, gmbeoo_to_compact(&wide.record, words), compact_file);
    }
    fclose(wide_file);
    fclose(compact_file);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        unsigned fields, vcpus;
    } traces[] = {
        { "plain.mtrace", 0, 1 },
        { "pc.mtrace", MT_FIELD_INSTRUCTION, 1 },
        { "paddr.mtrace", MT_FIELD_PADDR, 1 },
        { "values.mtrace", MT_FIELD_VALUE | MT_FIELD_TIME, 1 },
        { "fields.mtrace", MT_FIELD_INSTRUCTION | MT_FIELD_PADDR | MT_FIELD_VALUE | MT_FIELD_TIME, 1 },
        { "events.mtrace", MT_FIELD_INSTRUCTION | MT_FIELD_VALUE | MT_FIELD_TASK | MT_FIELD_EXECUTED, 3 },
    };

    if (argc != 2) {
        fprintf(stderr, "usage: seed_corpus FOLDER\n");
        return 2;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(traces); i++) {
        g_autofree char *path = g_build_filename(argv[1], traces[i].name, NULL);

        write_trace(path, traces[i].fields, traces[i].vcpus);
    }
    g_autofree char *walks = g_build_filename(argv[1], "walks.mtrace", NULL);
    write_walks(walks);
    g_autofree char *gmbeoo = g_build_filename(argv[1], "stream.gmbeoo", NULL);
    g_autofree char *compact = g_build_filename(argv[1], "stream.compact", NULL);
    write_streams(gmbeoo, compact);
    return 0;
}
