/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The trace file and libmemory_tracer: what is written is what is read, and damage never goes unnoticed. */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "../../include/memory_tracer/record.h"
#include "../../include/memory_tracer/trace.h"
#include "../../src/trace/format.h"
#include "../../src/trace/writer.h"

#define ALL_FIELDS (MT_FIELD_INSTRUCTION | MT_FIELD_PADDR | MT_FIELD_VALUE | MT_FIELD_TIME | MT_FIELD_PAGE_SIZE)
#define ALL_COLUMNS (MT_COLUMN_ALL | MT_COLUMN_PAGE_SIZE)

/* One record, with everything. */
typedef struct {
    uint64_t address, paddr, time_ns;
    struct mt_value value;
    uint32_t instruction;
    unsigned vcpu;
    uint8_t info, page_size;
    bool unknown; /* its value */
} Expected;

static char *temporary_path(void)
{
    char *path = g_strdup("/tmp/mt_test_trace.XXXXXX");
    int fd = g_mkstemp(path);

    g_assert_cmpint(fd, >=, 0);
    close(fd);
    return path;
}

static void remove_path(char *path)
{
    g_unlink(path);
    g_free(path);
}

typedef char TemporaryPath;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TemporaryPath, remove_path)

static uint64_t random_u64(GRand *random)
{
    return (uint64_t)g_rand_int(random) << 32 | g_rand_int(random);
}

/* Values that break things: extremes, neighbours of powers of two, small and large strides, noise. */
static uint64_t random_address(GRand *random, uint64_t before)
{
    static const uint64_t extremes[] = {
        0,          1,          UINT64_MAX, UINT64_MAX - 1, INT64_MAX,          UINT64_C(1) << 63,
        0x7fffffff, 0x80000000, 0xffffffff, 0x100000000,    0xffff800000000000, 0x7fffffffffff
    };

    switch (g_rand_int_range(random, 0, 8)) {
    case 0:
        return extremes[g_rand_int_range(random, 0, G_N_ELEMENTS(extremes))];
    case 1:
        return random_u64(random);
    case 2:
        return before + (UINT64_C(1) << g_rand_int_range(random, 0, 64));
    case 3:
        return before - (UINT64_C(1) << g_rand_int_range(random, 0, 64)) - 1;
    case 4:
        return before;
    default:
        return before + 8;
    }
}

/* `variety`: out of how many instructions the program consists. */
static GArray *random_records(GRand *random, unsigned count, unsigned fields, unsigned vcpus, unsigned variety)
{
    GArray *all = g_array_new(FALSE, TRUE, sizeof(Expected));
    uint64_t address = 0, time_ns = 0;
    unsigned vcpu = 0;

    for (unsigned i = 0; i < count; i++) {
        Expected e = { 0 };
        unsigned bytes;

        if (g_rand_int_range(random, 0, 30) == 0)
            vcpu = (unsigned)g_rand_int_range(random, 0, (int)vcpus);
        if (g_rand_int_range(random, 0, 100) == 0)
            time_ns += g_rand_int_range(random, 0, 3) ? g_rand_int(random) : random_u64(random) >> 20;
        e.vcpu = vcpu;
        e.address = address = random_address(random, address);
        e.info = (uint8_t)g_rand_int(random);
        if (fields & MT_FIELD_INSTRUCTION)
            e.instruction = g_rand_int_range(random, 0, 50) ? (uint32_t)g_rand_int_range(random, 0, (int)variety)
                                                            : g_rand_int(random) % RING_MAX_INSTRUCTIONS;
        if (fields & MT_FIELD_PADDR) {
            e.paddr = (random_u64(random) & (g_rand_boolean(random) ? 0xf000 : 0x7ffffffffffff000)) | (address & 0xfff);
            e.paddr |= g_rand_int_range(random, 0, 9) ? 0 : MT_PADDR_IO;
            if (g_rand_int_range(random, 0, 20) == 0)
                e.paddr = MT_PADDR_UNKNOWN;
        }
        if ((fields & MT_FIELD_PAGE_SIZE) && (fields & MT_FIELD_PADDR) && e.paddr != MT_PADDR_UNKNOWN) {
            static const uint8_t sizes[] = { 0, 12, 21, 30 };

            e.paddr &= ~ROW_PAGE_SIZE_MASK;
            e.page_size = sizes[g_rand_int_range(random, 0, 5) ? address >> 40 & 3 : g_rand_int(random) & 3];
        }
        bytes = MIN(mt_size(e.info), 16);
        if (fields & MT_FIELD_VALUE) {
            e.value = (struct mt_value){ random_u64(random), random_u64(random) };
            if (bytes <= 8)
                e.value.high = 0;
            if (bytes < 8)
                e.value.low &= (UINT64_C(1) << 8 * bytes) - 1;
            e.unknown = i % 3000 > 1000 && g_rand_int_range(random, 0, 20) == 0; /* some blocks have none */
            if (e.unknown)
                e.value = (struct mt_value){ 0 };
        }
        e.time_ns = fields & MT_FIELD_TIME ? time_ns : 0;
        g_array_append_val(all, e);
    }
    return all;
}

static WideRow make_row(const Expected *e, unsigned fields)
{
    WideRow wide = { .record = { .info = GMBEOO_VALID | e->info | (uint64_t)e->vcpu << GMBEOO_VCPU_SHIFT |
                                         (uint64_t)e->instruction << ROW_INSTRUCTION_SHIFT |
                                         (e->unknown ? ROW_VALUE_UNKNOWN : 0),
                                 .virt_addr = e->address } };

    if (fields & MT_FIELD_VALUE) {
        wide.value[0] = e->value.low;
        wide.value[1] = row_is_big(&wide.record) ? e->value.high : 0xdeadbeefdeadbeef; /* which doesn't count */
    }
    return wide;
}

/* Puts the rows of a record behind `count` others. `frames`: what was told of its vCPU. Returns how many rows there are
 * then. */
static guint put_rows(uint8_t *rows, guint count, const Expected *e, unsigned fields, RowFrames *frames)
{
    unsigned bytes = ring_record_bytes_for(fields);
    WideRow wide = make_row(e, fields);

    return count + (guint)row_put(rows + count * bytes, bytes, &wide, fields & MT_FIELD_PADDR ? frames : NULL,
                                  e->paddr | row_page_size_bits(e->page_size));
}

/* In pieces of one vCPU and one time, as a ring gives them. */
static void write_records(const char *path, const GArray *all, unsigned fields, unsigned vcpus, uint32_t block,
                          GRand *random)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(TraceWriter) writer = trace_writer_new(path, fields, vcpus, block, &error);
    g_autofree RowFrames *frames = g_new0(RowFrames, vcpus);
    guint i = 0;

    g_assert_no_error(error);
    g_assert_true(trace_writer_add_metadata(writer, "{\"a\":1}", &error));
    while (i < all->len) {
        const Expected *first = &g_array_index(all, Expected, i);
        guint count = 0, most = (guint)g_rand_int_range(random, 1, 500), end = MIN(i + most, all->len);
        g_autofree uint8_t *rows = g_malloc(2 * most * sizeof(WideRow));

        for (; i < end; i++) {
            const Expected *e = &g_array_index(all, Expected, i);

            if (e->vcpu != first->vcpu || e->time_ns != first->time_ns)
                break;
            count = put_rows(rows, count, e, fields, &frames[e->vcpu]);
        }
        g_assert_true(trace_writer_add(writer, first->vcpu, rows, count, first->time_ns, &error));
    }
    g_assert_true(trace_writer_add_attachment(writer, "kallsyms", "text", 4, &error));
    g_assert_true(trace_writer_finish(writer, &error));
    g_assert_no_error(error);
}

static mt_trace *open_trace(const char *path)
{
    struct mt_error error;
    mt_trace *trace = mt_trace_open(path, MT_FORMAT_AUTO, &error);

    if (!trace)
        g_error("%s", error.message);
    return trace;
}

/* Compares a batch with what was written; only the columns that it has. */
static void compare(const struct mt_batch *batch, const GArray *all)
{
    for (size_t k = 0; k < batch->count; k++) {
        const Expected *e = &g_array_index(all, Expected, batch->first + k);

        g_assert_cmpuint(batch->first + k, <, all->len);
        g_assert_cmpuint(batch->vcpu, ==, e->vcpu);
        if (batch->address)
            g_assert_cmphex(batch->address[k], ==, e->address);
        if (batch->info)
            g_assert_cmphex(batch->info[k], ==, e->info);
        if (batch->instruction)
            g_assert_cmpuint(batch->instruction[k], ==, e->instruction);
        if (batch->paddr)
            g_assert_cmphex(batch->paddr[k], ==, e->paddr);
        if (batch->page_size)
            g_assert_cmpuint(batch->page_size[k], ==, e->page_size);
        if (batch->value) {
            g_assert_cmphex(batch->value[k].low, ==, e->value.low);
            g_assert_cmphex(batch->value[k].high, ==, e->value.high);
            g_assert_true((batch->value_unknown && batch->value_unknown[k]) == e->unknown);
        }
    }
}

static void read_and_compare(mt_trace *trace, unsigned columns, const GArray *all, uint64_t from)
{
    struct mt_error error = { "" };
    mt_reader *reader = mt_reader_new(trace, columns, &error);
    const struct mt_batch *batch;
    uint64_t next = from;

    if (from)
        g_assert_true(mt_reader_seek(reader, from, &error));
    while ((batch = mt_reader_next(reader, &error))) {
        g_assert_cmpuint(batch->first, ==, next);
        g_assert_true(!batch->address == !(columns & MT_COLUMN_ADDRESS));
        g_assert_true(!batch->page_size ==
                      !(columns & MT_COLUMN_PAGE_SIZE && mt_trace_fields(trace) & MT_FIELD_PAGE_SIZE));
        compare(batch, all);
        if ((columns & MT_COLUMN_TIME) && (mt_trace_fields(trace) & MT_FIELD_TIME))
            for (size_t k = 0; k < batch->count; k++)
                g_assert_cmpuint(batch->time_ns, ==, g_array_index(all, Expected, batch->first + k).time_ns);
        next += batch->count;
    }
    if (*error.message)
        g_error("%s", error.message);
    g_assert_cmpuint(next, ==, MAX(all->len, from));
    mt_reader_free(reader);
}

static mt_reader *new_reader(mt_trace *trace, bool by_blocks)
{
    return by_blocks ? mt_reader_new_blocks(trace, MT_COLUMN_ADDRESS, 0, mt_trace_blocks(trace), NULL)
                     : mt_reader_new(trace, MT_COLUMN_ADDRESS, NULL);
}

/* How many records come from this one on; reads only the first `most` batches. */
static uint64_t count_from(mt_reader *reader, uint64_t from, unsigned most)
{
    const struct mt_batch *batch;
    uint64_t records = 0;

    g_assert_true(mt_reader_seek(reader, from, NULL));
    while (most-- && (batch = mt_reader_next(reader, NULL)))
        records += batch->count;
    return records;
}

/* Where a reader has been before makes no difference, with the blocks of several vCPUs behind each other, too. */
static void test_seek_again(void)
{
    for (unsigned round = 0; round < 20; round++) {
        GRand *random = g_rand_new_with_seed(round);
        g_autoptr(TemporaryPath) path = temporary_path();
        g_autoptr(GArray) all = random_records(random, 2000, 0, 1 + round % 4, 20);
        mt_trace *trace;

        write_records(path, all, 0, 1 + round % 4, (uint32_t)g_rand_int_range(random, 1, 300), random);
        trace = open_trace(path);
        for (unsigned by_blocks = 0; by_blocks < 2; by_blocks++) {
            mt_reader *reader = new_reader(trace, by_blocks);

            for (unsigned i = 0; i < 30; i++) {
                uint64_t from = (uint64_t)g_rand_int_range(random, 0, 2001);
                unsigned most = g_rand_boolean(random) ? UINT_MAX : (unsigned)g_rand_int_range(random, 0, 20);
                mt_reader *other = new_reader(trace, by_blocks);

                g_assert_cmpuint(count_from(reader, from, most), ==, count_from(other, from, most));
                mt_reader_free(other);
            }
            mt_reader_free(reader);
        }
        mt_trace_close(trace);
        g_rand_free(random);
    }
}

static void test_what_is_written_is_read(void)
{
    for (unsigned round = 0; round < 60; round++) {
        GRand *random = g_rand_new_with_seed(round);
        unsigned fields = round % 16, vcpus = round % 3 ? 1 : 1 + round % 5;
        unsigned count = (unsigned)g_rand_int_range(random, 1, 20000);
        uint32_t block = (uint32_t)g_rand_int_range(random, 1, 5000);
        g_autoptr(TemporaryPath) path = temporary_path();
        g_autoptr(GArray) all = NULL;
        mt_trace *trace;

        if ((fields & MT_FIELD_PADDR) && round % 5 < 3)
            fields |= MT_FIELD_PAGE_SIZE;
        all = random_records(random, count, fields, vcpus, round % 2 ? 20 : 30000);

        write_records(path, all, fields, vcpus, block, random);
        trace = open_trace(path);
        g_assert_true(mt_trace_is_complete(trace));
        g_assert_cmpuint(mt_trace_records(trace), ==, count);
        g_assert_cmpuint(mt_trace_fields(trace), ==, fields);
        g_assert_cmpstr(mt_trace_metadata(trace), ==, "{\"a\":1}\n");
        read_and_compare(trace, ALL_COLUMNS, all, 0);
        read_and_compare(trace, round % 7 == 6 ? MT_COLUMN_PAGE_SIZE : 1u << round % 7, all, 0);
        read_and_compare(trace, ALL_COLUMNS, all, (uint64_t)g_rand_int_range(random, 0, (int)count + 2));
        mt_trace_close(trace);
        g_rand_free(random);
    }
}

/* A record of array_increments: a counter in a register, an array in memory. */
static Expected increment(unsigned i)
{
    unsigned step = i / 2, element = step % 1000;
    Expected e = { .address = 0x1000 + 4 * element, .instruction = 1 + i % 2, .info = 0xc0 | 2 };

    e.value.low = step / 1000;
    if (i % 2) {
        e.info |= GMBEOO_STORE;
        e.value.low++;
    }
    return e;
}

/* A record of a copy of noise: what is stored is what was loaded before. */
static Expected copy(unsigned i, GRand *random, struct mt_value *loaded)
{
    Expected e = { .address = 0x100000 + 16 * (i / 2), .instruction = 3 + i % 2, .info = 0xc0 | 4 };

    if (i % 2) {
        e.info |= GMBEOO_STORE;
        e.address += 0x100000;
    } else {
        *loaded = (struct mt_value){ random_u64(random), random_u64(random) };
    }
    e.value = *loaded;
    return e;
}

static void test_values_that_can_be_predicted_cost_nothing(void)
{
    GRand *random = g_rand_new_with_seed(7);
    unsigned fields = MT_FIELD_INSTRUCTION | MT_FIELD_VALUE;

    for (unsigned kind = 0; kind < 2; kind++) {
        g_autoptr(TemporaryPath) path = temporary_path();
        g_autoptr(GArray) all = g_array_new(FALSE, TRUE, sizeof(Expected));
        struct mt_value loaded = { 0 };
        mt_trace *trace;

        for (unsigned i = 0; i < 200000; i++) {
            Expected e = kind ? copy(i, random, &loaded) : increment(i);

            g_array_append_val(all, e);
        }
        write_records(path, all, fields, 1, 1 << 20, random);
        trace = open_trace(path);
        g_assert_cmpuint(mt_trace_fields(trace), ==, fields);
        /* Of the copies, the loads are noise. */
        g_assert_cmpuint(mt_trace_bytes(trace), <, kind ? all->len * 17 / 2 : all->len / 50);
        read_and_compare(trace, ALL_COLUMNS, all, 0);
        read_and_compare(trace, MT_COLUMN_VALUE, all, 5000);
        mt_trace_close(trace);
    }
    g_rand_free(random);
}

static void test_many_symbols_end_a_block(void)
{
    GRand *random = g_rand_new_with_seed(1);
    g_autoptr(TemporaryPath) path = temporary_path();
    g_autoptr(GArray) all =
        random_records(random, 3 * FORMAT_MAX_SYMBOLS, MT_FIELD_INSTRUCTION, 1, RING_MAX_INSTRUCTIONS);
    mt_trace *trace;

    write_records(path, all, MT_FIELD_INSTRUCTION, 1, FORMAT_MAX_RECORDS, random);
    trace = open_trace(path);
    g_assert_cmpuint(mt_trace_blocks(trace), >=, 3);
    read_and_compare(trace, ALL_COLUMNS, all, 0);
    mt_trace_close(trace);
    g_rand_free(random);
}

/* Whoever sizes tables by these numbers must not get any other one. */
static void test_a_number_that_no_instruction_has(void)
{
    static const uint32_t numbers[] = { RING_MAX_INSTRUCTIONS - 1, RING_MAX_INSTRUCTIONS, INT32_MAX, UINT32_MAX };
    GRand *random = g_rand_new_with_seed(2);

    for (guint i = 0; i < G_N_ELEMENTS(numbers); i++) {
        g_autoptr(TemporaryPath) path = temporary_path();
        g_autoptr(GArray) all = random_records(random, 5, MT_FIELD_INSTRUCTION, 1, 10);
        struct mt_error error;
        mt_trace *trace;
        mt_reader *reader;

        g_array_index(all, Expected, 3).instruction = numbers[i];
        write_records(path, all, MT_FIELD_INSTRUCTION, 1, FORMAT_MAX_RECORDS, random);
        trace = open_trace(path);
        if (!i)
            read_and_compare(trace, ALL_COLUMNS, all, 0);
        reader = mt_reader_new(trace, MT_COLUMN_INSTRUCTION, &error);
        g_assert_true(!mt_reader_next(reader, &error) == (i > 0));
        g_assert_true(!strstr(error.message, "instruction whose number is too high") == !i);
        mt_reader_free(reader);
        mt_trace_close(trace);
    }
    g_rand_free(random);
}

typedef struct {
    mt_trace *trace;
    size_t begin, end;
    const GArray *all;
    uint64_t records;
} BlockJob;

static gpointer read_blocks(gpointer data)
{
    BlockJob *job = data;
    mt_reader *reader = mt_reader_new_blocks(job->trace, ALL_COLUMNS, job->begin, job->end, NULL);
    const struct mt_batch *batch;

    while ((batch = mt_reader_next(reader, NULL))) {
        compare(batch, job->all);
        job->records += batch->count;
    }
    g_assert_false(mt_reader_has_failed(reader));
    mt_reader_free(reader);
    return NULL;
}

static void test_blocks_are_read_in_parallel(void)
{
    GRand *random = g_rand_new_with_seed(2);
    g_autoptr(TemporaryPath) path = temporary_path();
    g_autoptr(GArray) all = random_records(random, 50000, ALL_FIELDS, 3, 100);
    GThread *threads[4];
    BlockJob jobs[4];
    uint64_t records = 0;
    size_t blocks;
    mt_trace *trace;

    write_records(path, all, ALL_FIELDS, 3, 1000, random);
    trace = open_trace(path);
    blocks = mt_trace_blocks(trace);
    for (int i = 0; i < 4; i++) {
        jobs[i] = (BlockJob){ trace, blocks * (size_t)i / 4, blocks * (size_t)(i + 1) / 4, all, 0 };
        threads[i] = g_thread_new("reader", read_blocks, &jobs[i]);
    }
    for (int i = 0; i < 4; i++) {
        g_thread_join(threads[i]);
        records += jobs[i].records;
    }
    g_assert_cmpuint(records, ==, all->len);
    mt_trace_close(trace);
    g_rand_free(random);
}

/* Damage. */

static char *small_file(gsize *bytes, GArray **all)
{
    GRand *random = g_rand_new_with_seed(3);
    g_autoptr(TemporaryPath) path = temporary_path();
    char *contents;

    *all = random_records(random, 300, ALL_FIELDS, 2, 10);
    write_records(path, *all, ALL_FIELDS, 2, 64, random);
    g_assert_true(g_file_get_contents(path, &contents, bytes, NULL));
    g_rand_free(random);
    return contents;
}

/* Writes a damaged file and reads what is left of it, without any order. Returns how many records came before it ended
 * or failed. */
static uint64_t read_damaged(const char *path, const char *contents, gsize bytes, const GArray *all, bool *failed)
{
    struct mt_error error = { "" };
    mt_trace *trace;
    mt_reader *reader;
    const struct mt_batch *batch;
    uint64_t records = 0;

    g_assert_true(g_file_set_contents_full(path, contents, (gssize)bytes, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
    trace = mt_trace_open(path, MT_FORMAT_FILE, &error);
    *failed = true;
    if (!trace) {
        g_assert_nonnull(strstr(error.message, "offset"));
        return 0;
    }
    *failed = !mt_trace_is_complete(trace);
    g_assert_true(!mt_trace_damage(trace) == mt_trace_is_complete(trace));
    reader = mt_reader_new(trace, ALL_COLUMNS, &error);
    while ((batch = mt_reader_next(reader, &error))) {
        compare(batch, all);
        records += batch->count;
    }
    *failed |= mt_reader_has_failed(reader);
    if (mt_reader_has_failed(reader))
        g_assert_nonnull(strstr(error.message, "offset"));
    mt_reader_free(reader);
    mt_trace_close(trace);
    return records;
}

static void test_a_file_that_was_cut_is_read_up_to_there(void)
{
    g_autoptr(TemporaryPath) path = temporary_path();
    g_autoptr(GArray) all = NULL;
    gsize bytes;
    g_autofree char *contents = small_file(&bytes, &all);
    uint64_t before = 0;

    for (gsize length = 0; length <= bytes; length++) {
        bool failed;
        uint64_t records = read_damaged(path, contents, length, all, &failed);

        g_assert_cmpuint(records, >=, before);
        g_assert_true(failed == (length < bytes));
        before = records;
    }
    g_assert_cmpuint(before, ==, all->len);
}

static void test_a_flipped_bit_of_any_byte_is_noticed(void)
{
    g_autoptr(TemporaryPath) path = temporary_path();
    g_autoptr(GArray) all = NULL;
    gsize bytes;
    g_autofree char *contents = small_file(&bytes, &all);
    unsigned unnoticed = 0;

    for (gsize at = 0; at < bytes; at++) {
        bool failed;

        contents[at] ^= (char)(1 << at % 8);
        read_damaged(path, contents, bytes, all, &failed); /* whatever it gives is right */
        unnoticed += !failed;
        contents[at] ^= (char)(1 << at % 8);
    }
    /* What nobody needs: padding, and the attachment, which isn't read here. */
    g_assert_cmpuint(unnoticed, <, 200);
}

static void put(GByteArray *to, const void *bytes, size_t count)
{
    g_byte_array_append(to, bytes, (guint)count);
}

static void put_chunk(GByteArray *to, uint32_t type, const void *payload, size_t bytes)
{
    struct format_chunk chunk = { .magic = FORMAT_CHUNK_MAGIC, .type = type, .bytes = bytes };

    chunk.payload_hash = XXH3_64bits(payload, bytes);
    chunk.hash = XXH3_64bits(&chunk, offsetof(struct format_chunk, hash));
    put(to, &chunk, sizeof chunk);
    put(to, payload, bytes);
    put(to, "\0\0\0\0\0\0\0", -bytes & 7);
}

static GByteArray *begin_file(uint32_t version, uint32_t fields)
{
    struct format_header header = { .version = version, .fields = fields, .vcpus = 1 };
    GByteArray *file = g_byte_array_new();

    memcpy(header.magic, FORMAT_MAGIC, sizeof header.magic);
    header.hash = XXH3_64bits(&header, offsetof(struct format_header, hash));
    put(file, &header, sizeof header);
    return file;
}

static void test_newer_files(void)
{
    g_autoptr(TemporaryPath) path = temporary_path();
    g_autoptr(GByteArray) newer = begin_file(FORMAT_VERSION + 1, 0), unknown = begin_file(FORMAT_VERSION, 0xffff0000);
    struct {
        struct format_block header;
        struct format_column columns[4];
        uint64_t symbol;
        uint8_t codes[1];
        uint16_t literal;
        uint8_t what_is_this[3];
    } __attribute__((packed)) block = {
        .header = { .records = 1, .end = 1, .columns = 4 },
        .columns = { { FORMAT_SYMBOLS, FORMAT_PLAIN, 8, 8, 0 },
                     { FORMAT_CODES, FORMAT_PLAIN, 1, 1, 0 },
                     { FORMAT_LITERALS, FORMAT_PLAIN, 2, 2, 0 },
                     { 999, 77, 3, 5, 0 } },
        .symbol = GMBEOO_VALID | GMBEOO_STORE | 3,
        .codes = { SYMBOL_LITERAL },
        .literal = 1,
    };
    struct mt_error error;
    const struct mt_batch *batch;
    mt_reader *reader;
    mt_trace *trace;

    g_assert_true(g_file_set_contents(path, (char *)newer->data, newer->len, NULL));
    g_assert_null(mt_trace_open(path, MT_FORMAT_AUTO, &error));
    g_assert_nonnull(strstr(error.message, "version 2"));

    put_chunk(unknown, 4711, "whatever", 8);
    put_chunk(unknown, FORMAT_BLOCK, &block, sizeof block);
    g_assert_true(g_file_set_contents(path, (char *)unknown->data, unknown->len, NULL));
    trace = open_trace(path);
    g_assert_cmpuint(mt_trace_fields(trace), ==, 0);
    reader = mt_reader_new(trace, ALL_COLUMNS, &error);
    batch = mt_reader_next(reader, &error);
    g_assert_nonnull(batch);
    g_assert_cmpuint(batch->count, ==, 1);
    g_assert_cmphex(batch->info[0], ==, GMBEOO_STORE | 3);
    g_assert_cmphex(batch->address[0], ==, 0);
    g_assert_null(mt_reader_next(reader, &error));
    g_assert_cmpstr(error.message, ==, "");
    mt_reader_free(reader);
    mt_trace_close(trace);
}

/* How far the guest is ahead. */

/* The chunks of these types, one behind the other. */
static GByteArray *chunks_of(const char *path, unsigned types)
{
    g_autofree char *contents = NULL;
    GByteArray *result = g_byte_array_new();
    struct format_chunk chunk;
    gsize bytes;

    g_assert_true(g_file_get_contents(path, &contents, &bytes, NULL));
    for (gsize at = sizeof(struct format_header); at + sizeof chunk < bytes;
         at += sizeof chunk + format_padded(chunk.bytes)) {
        memcpy(&chunk, contents + at, sizeof chunk);
        if (chunk.magic != FORMAT_CHUNK_MAGIC)
            break;
        if (types & 1u << chunk.type)
            put(result, contents + at, sizeof chunk + format_padded(chunk.bytes));
    }
    return result;
}

/* Two blocks of instructions 1 to 20 and 1 to 40. `ahead`: so many instructions are translated before they are
 * recorded. */
static void write_with_ring(const char *path, unsigned ahead)
{
    g_autoptr(Ring) ring = ring_new(1, 4 * RING_CHUNK_BYTES, MT_FIELD_INSTRUCTION, NULL);
    g_autoptr(TraceWriter) writer = trace_writer_new(path, MT_FIELD_INSTRUCTION, 1, 20, NULL);
    unsigned last = 0;

    trace_writer_set_ring(writer, ring);
    for (unsigned i = 1; i <= 40; i++) {
        struct gmbeoo_record record = { GMBEOO_VALID | (uint64_t)i << ROW_INSTRUCTION_SHIFT, i * 100 };

        for (; last < MIN(i + ahead, 40); last++) {
            struct mt_instruction instruction = { .pc = 0x1000 + 3 * last, .length = 3 };

            ring_add_instruction(ring, &instruction);
        }
        g_assert_true(trace_writer_add(writer, 0, &record, 1, 0, NULL));
    }
    g_assert_true(trace_writer_finish(writer, NULL));
}

static void test_a_file_does_not_depend_on_how_far_the_guest_is_ahead(void)
{
    g_autoptr(TemporaryPath) one = temporary_path(), two = temporary_path();
    g_autoptr(GByteArray) of_one = NULL, of_two = NULL;
    mt_trace *trace;

    write_with_ring(one, 0);
    write_with_ring(two, 30);
    of_one = chunks_of(one, 1u << FORMAT_INSTRUCTIONS | 1u << FORMAT_BLOCK);
    of_two = chunks_of(two, 1u << FORMAT_INSTRUCTIONS | 1u << FORMAT_BLOCK);
    g_assert_cmpmem(of_one->data, of_one->len, of_two->data, of_two->len);
    trace = open_trace(two);
    g_assert_cmpuint(mt_trace_instructions(trace), ==, 40);
    g_assert_cmpuint(mt_trace_blocks(trace), ==, 2);
    mt_trace_close(trace);
}

static void test_header_words(void)
{
    g_autoptr(TemporaryPath) path = temporary_path();
    g_autoptr(TraceWriter) writer = trace_writer_new(path, MT_FIELD_INSTRUCTION, 2, 1000, NULL);
    struct mt_instruction instructions[] = { { .pc = 1, .length = 1, .mode = MT_MODE_16, .cpl = 3 },
                                             { .pc = 2, .length = 15, .mode = MT_MODE_32 },
                                             { .pc = 3, .length = 2, .mode = MT_MODE_64, .cpl = 3 },
                                             { .pc = 4, .length = 3 } };
    unsigned inputs[] = { 0, 0, 1, 1, 0, 2 }, block_inputs[] = { 0, 1, 0, 2 };
    struct mt_error error;
    const struct mt_batch *batch;
    mt_reader *reader;
    mt_trace *trace;

    g_assert_true(trace_writer_set_architecture(writer, 77, NULL));
    g_assert_true(trace_writer_add_instructions(writer, instructions, G_N_ELEMENTS(instructions), NULL));
    for (guint i = 0; i < G_N_ELEMENTS(inputs); i++) {
        struct gmbeoo_record record = { GMBEOO_VALID | UINT64_C(1) << GMBEOO_VCPU_SHIFT, i };

        trace_writer_set_input(writer, inputs[i]);
        g_assert_true(trace_writer_add(writer, 1, &record, 1, 0, NULL));
    }
    g_assert_true(trace_writer_finish(writer, NULL));
    trace = open_trace(path);
    g_assert_cmpuint(mt_trace_architecture(trace), ==, 77);
    for (guint i = 0; i < G_N_ELEMENTS(instructions); i++) {
        g_assert_cmpuint(mt_trace_instruction(trace, i + 1)->mode, ==, instructions[i].mode);
        g_assert_cmpuint(mt_trace_instruction(trace, i + 1)->cpl, ==, instructions[i].cpl);
        g_assert_cmpuint(mt_trace_instruction(trace, i + 1)->length, ==, instructions[i].length);
    }
    g_assert_cmpuint(mt_trace_blocks(trace), ==, G_N_ELEMENTS(block_inputs));
    for (guint i = 0; i < G_N_ELEMENTS(block_inputs); i++)
        g_assert_cmpuint(mt_trace_block(trace, i)->input, ==, block_inputs[i]);
    reader = mt_reader_new(trace, MT_COLUMN_ADDRESS, &error);
    while ((batch = mt_reader_next(reader, &error)))
        for (size_t i = 0; i < batch->count; i++) {
            g_assert_cmphex(batch->address[i], ==, batch->first + i);
            g_assert_cmpuint(batch->input, ==, inputs[batch->first + i]);
        }
    mt_reader_free(reader);
    mt_trace_close(trace);
}

/* Events. */

typedef struct {
    uint64_t before; /* the access of this index */
    unsigned kind;
    uint32_t number;
} ExpectedEvent;

/* Loops of blocks that are executed, noise, and more at one place than a batch has. */
static GArray *random_events(GRand *random, unsigned accesses)
{
    GArray *events = g_array_new(FALSE, TRUE, sizeof(ExpectedEvent));

    for (unsigned i = 0; i <= accesses; i++) {
        unsigned count = i == accesses ? 5000 : i % 700 == 5 ? 9000 : (unsigned)g_rand_int_range(random, 0, 3);

        for (unsigned k = 0; k < count; k++) {
            ExpectedEvent event = { i, ROW_EVENT_EXECUTED, 1 + (i + k) % 7 };

            if (g_rand_int_range(random, 0, 50) == 0)
                event.number = g_rand_int(random);
            if (g_rand_int_range(random, 0, 40) == 0)
                event.kind = ROW_EVENT_TASK;
            g_array_append_val(events, event);
        }
    }
    return events;
}

static void write_with_events(const char *path, const GArray *all, const GArray *events, unsigned fields,
                              uint32_t block, GRand *random)
{
    g_autoptr(TraceWriter) writer = trace_writer_new(path, fields, 1, block, NULL);
    g_autoptr(GByteArray) rows = g_byte_array_new();
    unsigned bytes = ring_record_bytes_for(fields);
    RowFrames frames = { 0 };
    guint next = 0;

    for (guint i = 0; i <= all->len; i++) {
        for (; next < events->len && g_array_index(events, ExpectedEvent, next).before == i; next++) {
            const ExpectedEvent *event = &g_array_index(events, ExpectedEvent, next);
            WideRow wide = { .record = { event->kind, event->number } };

            put(rows, &wide, bytes);
        }
        if (i < all->len) {
            WideRow both[2];
            guint count = put_rows((uint8_t *)both, 0, &g_array_index(all, Expected, i), fields, &frames);

            put(rows, both, count * bytes);
        }
        if (i == all->len || g_rand_int_range(random, 0, 20) == 0) {
            g_assert_true(trace_writer_add(writer, 0, rows->data, rows->len / bytes, 0, NULL));
            g_byte_array_set_size(rows, 0);
        }
    }
    g_assert_true(trace_writer_finish(writer, NULL));
}

/* Compares a batch's events of one kind with those from `*next` on. */
static void compare_events(const struct mt_batch *batch, const struct mt_events *got, unsigned kind,
                           const GArray *events, guint *next, uint32_t *state)
{
    g_assert_cmpuint(got->state, ==, *state);
    for (size_t i = 0; i < got->count; i++, (*next)++) {
        while (g_array_index(events, ExpectedEvent, *next).kind != kind)
            (*next)++;
        g_assert_cmpuint(got->event[i].before, <=, batch->count);
        g_assert_cmpuint(batch->first + got->event[i].before, ==, g_array_index(events, ExpectedEvent, *next).before);
        g_assert_cmpuint(got->event[i].number, ==, g_array_index(events, ExpectedEvent, *next).number);
        *state = got->event[i].number;
    }
}

/* What comes before the access `from`. */
static guint skip_events(const GArray *events, unsigned kind, uint64_t from, uint32_t *state)
{
    guint i = 0;

    *state = 0;
    for (; i < events->len && g_array_index(events, ExpectedEvent, i).before < from; i++)
        if (g_array_index(events, ExpectedEvent, i).kind == kind)
            *state = g_array_index(events, ExpectedEvent, i).number;
    return i;
}

static void read_events(mt_trace *trace, unsigned columns, const GArray *all, const GArray *events, uint64_t from)
{
    const unsigned kinds[] = { ROW_EVENT_TASK, ROW_EVENT_EXECUTED };
    mt_reader *reader = mt_reader_new(trace, columns, NULL);
    struct mt_error error = { "" };
    uint64_t records = from;
    const struct mt_batch *batch;
    uint32_t state[2];
    guint next[2];

    for (int k = 0; k < 2; k++)
        next[k] = skip_events(events, kinds[k], from, &state[k]);
    if (from)
        g_assert_true(mt_reader_seek(reader, from, NULL));
    while ((batch = mt_reader_next(reader, &error))) {
        g_assert_cmpuint(batch->first, ==, records);
        compare(batch, all);
        if (columns & MT_COLUMN_TASK)
            compare_events(batch, &batch->task, kinds[0], events, &next[0], &state[0]);
        if (columns & MT_COLUMN_EXECUTED)
            compare_events(batch, &batch->executed, kinds[1], events, &next[1], &state[1]);
        records += batch->count;
    }
    g_assert_cmpstr(error.message, ==, "");
    g_assert_cmpuint(records, ==, all->len);
    for (int k = 0; k < 2; k++)
        if (columns & (k ? MT_COLUMN_EXECUTED : MT_COLUMN_TASK)) /* all of them were there */
            for (; next[k] < events->len; next[k]++)
                g_assert_cmpuint(g_array_index(events, ExpectedEvent, next[k]).kind, !=, kinds[k]);
    mt_reader_free(reader);
}

static void test_events_stand_where_they_were(void)
{
    const unsigned both = MT_COLUMN_TASK | MT_COLUMN_EXECUTED;

    for (unsigned round = 0; round < 12; round++) {
        GRand *random = g_rand_new_with_seed(round);
        unsigned fields = (round % 8 & ~(unsigned)MT_FIELD_TIME) | MT_FIELD_TASK | MT_FIELD_EXECUTED;
        unsigned count = (unsigned)g_rand_int_range(random, 1, 3000);
        g_autoptr(TemporaryPath) path = temporary_path();
        g_autoptr(GArray) all = random_records(random, count, fields, 1, 20);
        g_autoptr(GArray) events = random_events(random, count);
        mt_trace *trace;

        write_with_events(path, all, events, fields, (uint32_t)g_rand_int_range(random, 1, 2000), random);
        trace = open_trace(path);
        g_assert_cmpuint(mt_trace_fields(trace), ==, fields);
        g_assert_cmpuint(mt_trace_records(trace), ==, count);
        read_events(trace, ALL_COLUMNS | both, all, events, 0);
        read_events(trace, MT_COLUMN_ADDRESS | MT_COLUMN_TASK, all, events, 0);
        read_events(trace, MT_COLUMN_INFO | MT_COLUMN_EXECUTED, all, events, 0);
        read_events(trace, both, all, events, (uint64_t)g_rand_int_range(random, 0, (int)count));
        read_and_compare(trace, ALL_COLUMNS, all, 0); /* who doesn't ask sees none */
        mt_trace_close(trace);
        g_rand_free(random);
    }
}

/* An attacker who has taken over QEMU may put anything into the ring. */
static void test_rows_that_are_neither_access_nor_event_are_left_out(void)
{
    for (unsigned fields = 0; fields <= MT_FIELD_TASK; fields += MT_FIELD_TASK) {
        g_autoptr(TemporaryPath) path = temporary_path();
        g_autoptr(TraceWriter) writer = trace_writer_new(path, fields, 1, 5, NULL);
        struct gmbeoo_record rows[60] = { 0 };
        uint64_t sum = 0;
        mt_trace *trace;

        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++)
            rows[i] = (struct gmbeoo_record){ i % 3 == 0   ? GMBEOO_VALID | 2
                                              : i % 3 == 1 ? 0
                                                           : GMBEOO_VALID - 1 - (i & 4),
                                              i };
        g_assert_true(trace_writer_add(writer, 0, rows, G_N_ELEMENTS(rows), 0, NULL));
        g_assert_true(trace_writer_finish(writer, NULL));
        trace = open_trace(path);
        g_assert_cmpuint(mt_trace_records(trace), ==, 20);
        {
            mt_reader *reader = mt_reader_new(trace, MT_COLUMN_ADDRESS, NULL);
            struct mt_error error = { "" };

            for (const struct mt_batch *batch; (batch = mt_reader_next(reader, &error));)
                for (size_t i = 0; i < batch->count; i++)
                    sum += batch->address[i];
            g_assert_cmpstr(error.message, ==, "");
            mt_reader_free(reader);
        }
        g_assert_cmpuint(sum, ==, 20 * 57 / 2);
        mt_trace_close(trace);
    }
}

/* Streams. */

static mt_trace *open_bytes(const void *bytes, size_t count, enum mt_format format, struct mt_error *error)
{
    g_autoptr(TemporaryPath) path = temporary_path();

    g_assert_true(g_file_set_contents(path, bytes, (gssize)count, NULL));
    return mt_trace_open_fd(open(path, O_RDONLY | O_CLOEXEC), "the stream", format, error);
}

static void test_streams(void)
{
    GRand *random = g_rand_new_with_seed(4);
    g_autoptr(GArray) all = random_records(random, 30000, 0, 100, 1);
    g_autoptr(GByteArray) gmbeoo = g_byte_array_new(), compact = g_byte_array_new();
    mt_trace *trace;

    for (guint i = 0; i < all->len; i++) {
        Expected *e = &g_array_index(all, Expected, i);
        WideRow wide = make_row(e, 0);
        uint64_t words[2];

        if ((e->info & 7) > 4)
            wide.record.info = (wide.record.info & ~7ull) | (e->info &= (uint8_t)~4);
        wide.record.info &= ~UINT64_C(0x88); /* CPL 0 or 1, no sign */
        wide.record.info |= (wide.record.info & 0x40) << 1;
        e->info = (uint8_t)wide.record.info;
        if (i == 0)
            wide.record.info &= ~0xffff00ull, e->vcpu = 0;
        put(gmbeoo, &wide.record, sizeof wide.record);
        put(compact, words, gmbeoo_to_compact(&wide.record, words) * sizeof *words);
    }
    trace = open_bytes(gmbeoo->data, gmbeoo->len, MT_FORMAT_AUTO, NULL);
    g_assert_cmpint(mt_trace_format(trace), ==, MT_FORMAT_GMBEOO);
    read_and_compare(trace, ALL_COLUMNS, all, 0);
    mt_trace_close(trace);
    trace = open_bytes(compact->data, compact->len, MT_FORMAT_AUTO, NULL);
    g_assert_cmpint(mt_trace_format(trace), ==, MT_FORMAT_COMPACT);
    read_and_compare(trace, ALL_COLUMNS, all, 0);
    mt_trace_close(trace);
    g_rand_free(random);
}

static void assert_stream_fails(const void *bytes, size_t count, enum mt_format format, unsigned good,
                                const char *message)
{
    mt_trace *trace = open_bytes(bytes, count, format, NULL);
    mt_reader *reader = mt_reader_new(trace, ALL_COLUMNS, NULL);
    struct mt_error error;
    const struct mt_batch *batch;
    uint64_t records = 0;

    while ((batch = mt_reader_next(reader, &error)))
        records += batch->count;
    g_assert_true(mt_reader_has_failed(reader));
    g_assert_cmpstr(error.message, ==, message);
    g_assert_cmpuint(records, ==, good);
    mt_reader_free(reader);
    mt_trace_close(trace);
}

static void test_bad_streams(void)
{
    const uint64_t words[] = { GMBEOO_VALID, 1, GMBEOO_VALID, 2, 5, 6 };
    const uint64_t escape[] = { 1, COMPACT_ESCAPE << COMPACT_INFO_SHIFT };

    assert_stream_fails(words, 40, MT_FORMAT_GMBEOO, 2, "the stream: offset 32: the stream ends within a record");
    assert_stream_fails(words, 48, MT_FORMAT_GMBEOO, 2, "the stream: offset 32: this is not a GMBEOO record");
    assert_stream_fails(escape, 16, MT_FORMAT_COMPACT, 1, "the stream: offset 8: the stream ends within a record");
    assert_stream_fails(escape, 3, MT_FORMAT_AUTO, 0, "the stream: offset 0: the stream ends within a record");
}

static void test_two_writers_of_one_file(void)
{
    g_autoptr(TemporaryPath) path = temporary_path();
    g_autoptr(TraceWriter) first = trace_writer_new(path, 0, 1, 100, NULL), second = NULL;
    g_autoptr(GError) error = NULL;
    struct gmbeoo_record row = { GMBEOO_VALID | 3, 64 };

    g_assert_null(trace_writer_new(path, 0, 1, 100, &error));
    g_assert_true(g_str_has_suffix(error->message, "another process is writing it"));
    g_assert_true(trace_writer_add(first, 0, &row, 1, 0, NULL) && trace_writer_finish(first, NULL));
    second = trace_writer_new(path, 0, 1, 100, NULL); /* the first one has ended */
    g_assert_nonnull(second);
}

/* A recording that is given up: what can be read of it stays. */
static void test_what_nothing_can_be_read_of_is_removed(void)
{
    struct gmbeoo_record rows[100];

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++)
        rows[i] = (struct gmbeoo_record){ GMBEOO_VALID | 3, 8 * i };
    for (unsigned count = 0; count <= 100; count += 50) {
        g_autoptr(TemporaryPath) path = temporary_path();
        g_autoptr(TraceWriter) writer = trace_writer_new(path, 0, 1, 100, NULL);

        g_assert_true(trace_writer_add_metadata(writer, "{}", NULL));
        g_assert_true(!count || trace_writer_add(writer, 0, rows, count, 0, NULL));
        trace_writer_remove_if_empty(writer);
        g_assert_true(g_file_test(path, G_FILE_TEST_EXISTS) == (count == 100)); /* a whole block */
    }
}

/* Input that is neither a file nor a stream, without a format being given. */
static void test_what_is_no_trace(void)
{
    g_autofree char *letters = g_strnfill(4096, 'e'), *zeros = g_malloc0(4096);
    g_autoptr(GString) numbers = g_string_new(NULL);
    const struct {
        const char *bytes;
        size_t count;
    } cases[] = { { letters, 4096 }, { zeros, 4096 }, { NULL, 0 }, { "#!/bin/sh\nexit\n", 16 } };

    for (int i = 0; i < 1000; i++)
        g_string_append_printf(numbers, "%d\n", i);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        const char *bytes = cases[i].bytes ? cases[i].bytes : numbers->str;
        size_t count = cases[i].bytes ? cases[i].count : numbers->len;
        struct mt_error error;
        mt_trace *trace = open_bytes(bytes, count, MT_FORMAT_AUTO, &error);

        g_assert_null(trace);
        g_assert_true(strstr(error.message, "neither a trace file nor a stream of records"));
    }
}

/* A live ring. */

typedef struct {
    Ring *ring;
    const GArray *all;
} ProducerJob;

/* The last record is written with a number that no instruction has. */
static gpointer produce(gpointer data)
{
    const ProducerJob *job = data;
    RowFrames frames = { 0 };
    RingProducer producer;

    ring_producer_init(&producer, job->ring, 0, RING_BLOCK);
    for (guint i = 0; i < job->all->len; i++) {
        WideRow rows[2];
        guint count = put_rows((uint8_t *)rows, 0, &g_array_index(job->all, Expected, i), ALL_FIELDS, &frames);

        if (count > 1)
            ring_producer_put_event(&producer, ROW_EVENT_FRAME, 0, rows[0].record.virt_addr);
        if (i + 1 == job->all->len)
            rows[count - 1].record.info |= (uint64_t)UINT32_MAX << ROW_INSTRUCTION_SHIFT;
        *ring_producer_slot(&producer) = rows[count - 1];
        ring_producer_advance(&producer, sizeof(WideRow));
    }
    ring_producer_publish(&producer);
    ring_producer_clear(&producer);
    ring_set_state(job->ring, RING_STOPPED);
    return NULL;
}

static void test_a_live_ring_is_read(void)
{
    GRand *random = g_rand_new_with_seed(5);
    g_autoptr(GArray) all = random_records(random, 20000, ALL_FIELDS & ~MT_FIELD_TIME, 1, 50);
    g_autoptr(Ring) ring = ring_new(1, 4 * RING_CHUNK_BYTES, ALL_FIELDS, NULL);
    struct mt_instruction instruction = { .pc = 0x1234, .length = 3, .bytes = { 1, 2, 3 } };
    ProducerJob job = { ring, all };
    GThread *thread;
    mt_trace *trace;

    g_array_index(all, Expected, all->len - 1).instruction = 0; /* which it is read as: unknown */
    g_assert_cmpuint(ring_add_instruction(ring, &instruction), ==, 1);
    ring_set_state(ring, RING_TRACING);
    thread = g_thread_new("producer", produce, &job);
    trace = mt_trace_open_ring(fcntl(ring_fd(ring), F_DUPFD_CLOEXEC, 0), NULL);
    g_assert_nonnull(trace);
    g_assert_cmpuint(mt_trace_fields(trace), ==, ALL_FIELDS);
    g_assert_cmphex(mt_trace_instruction(trace, 1)->pc, ==, 0x1234);
    g_assert_null(mt_trace_instruction(trace, 2));
    read_and_compare(trace, ALL_COLUMNS & ~MT_COLUMN_TIME, all, 0);
    g_thread_join(thread);
    mt_trace_close(trace);
    g_rand_free(random);
}

/* Golden files: made by memory_tracer 0.1 (the first nine) and by later versions; see tests/fuzz/seed_corpus.c. Every
 * later version reads them, and finds the same in them. */

static const struct {
    const char *name;
    uint64_t records, hash;
} golden[] = {
#include "../golden/hashes.h"
};

/* Whatever batches they come in. */
static uint64_t sum_of_events(const struct mt_batch *batch, const struct mt_events *events, uint64_t kind,
                              uint64_t *count)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < events->count; i++) {
        uint64_t row[] = { kind, batch->vcpu, (*count)++, batch->first + events->event[i].before,
                           events->event[i].number };

        sum += XXH3_64bits(row, sizeof row);
    }
    return sum;
}

static uint64_t hash_of_records(mt_trace *trace, uint64_t *records)
{
    mt_reader *reader = mt_reader_new(trace, ALL_COLUMNS | MT_COLUMN_TASK | MT_COLUMN_EXECUTED, NULL);
    uint64_t extras = 0, counts[2] = { 0 };
    XXH3_state_t *hash = XXH3_createState();
    struct mt_error error;
    const struct mt_batch *batch;
    uint64_t result;

    XXH3_64bits_reset(hash);
    *records = 0;
    while ((batch = mt_reader_next(reader, &error))) {
        for (size_t i = 0; i < batch->count; i++) {
            const struct mt_instruction *instruction = mt_trace_instruction(trace, batch->instruction[i]);
            uint64_t row[] = { batch->first + i,
                               batch->vcpu,
                               batch->time_ns,
                               batch->address[i],
                               batch->info[i],
                               instruction ? instruction->pc + instruction->bytes[0] : 0,
                               batch->paddr ? batch->paddr[i] : 0,
                               batch->value ? batch->value[i].low : 0,
                               batch->value ? batch->value[i].high : 0 };

            XXH3_64bits_update(hash, row, sizeof row);
            if (batch->value_unknown && batch->value_unknown[i])
                extras += *records + i + 1;
            if (instruction && instruction->mode)
                extras += (*records + i) << 8 | instruction->mode;
            if (batch->input)
                extras += (*records + i) << 16 | batch->input;
        }
        extras +=
            sum_of_events(batch, &batch->task, 1, &counts[0]) + sum_of_events(batch, &batch->executed, 2, &counts[1]);
        *records += batch->count;
    }
    if (*error.message)
        g_error("%s", error.message);
    if (extras) /* what the first files don't have */
        XXH3_64bits_update(hash, &extras, sizeof extras);
    result = XXH3_64bits_digest(hash);
    XXH3_freeState(hash);
    mt_reader_free(reader);
    return result;
}

static void test_golden_files_stay_readable(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(golden); i++) {
        g_autofree char *path = g_build_filename(GOLDEN_FOLDER, golden[i].name, NULL);
        /* Its records are random, so that nobody could tell that they are some. */
        enum mt_format format = g_str_has_suffix(path, ".compact") ? MT_FORMAT_COMPACT : MT_FORMAT_AUTO;
        mt_trace *trace = mt_trace_open(path, format, NULL);
        uint64_t records, hash = hash_of_records(trace, &records);

        g_test_message("{ \"%s\", %" G_GUINT64_FORMAT ", 0x%" G_GINT64_MODIFIER "x },", golden[i].name, records, hash);
        g_assert_cmpuint(records, ==, golden[i].records);
        g_assert_cmphex(hash, ==, golden[i].hash);
        mt_trace_close(trace);
    }
}

int main(int argc, char **argv)
{
    alarm(300); /* a hang is a failure */
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/trace/what_is_written_is_read", test_what_is_written_is_read);
    g_test_add_func("/trace/seek_again", test_seek_again);
    g_test_add_func("/trace/values_that_can_be_predicted_cost_nothing", test_values_that_can_be_predicted_cost_nothing);
    g_test_add_func("/trace/many_symbols_end_a_block", test_many_symbols_end_a_block);
    g_test_add_func("/trace/a_number_that_no_instruction_has", test_a_number_that_no_instruction_has);
    g_test_add_func("/trace/blocks_are_read_in_parallel", test_blocks_are_read_in_parallel);
    g_test_add_func("/trace/a_file_that_was_cut_is_read_up_to_there", test_a_file_that_was_cut_is_read_up_to_there);
    g_test_add_func("/trace/a_flipped_bit_of_any_byte_is_noticed", test_a_flipped_bit_of_any_byte_is_noticed);
    g_test_add_func("/trace/newer_files", test_newer_files);
    g_test_add_func("/trace/a_file_does_not_depend_on_how_far_the_guest_is_ahead",
                    test_a_file_does_not_depend_on_how_far_the_guest_is_ahead);
    g_test_add_func("/trace/header_words", test_header_words);
    g_test_add_func("/trace/events_stand_where_they_were", test_events_stand_where_they_were);
    g_test_add_func("/trace/rows_that_are_neither_access_nor_event_are_left_out",
                    test_rows_that_are_neither_access_nor_event_are_left_out);
    g_test_add_func("/trace/streams", test_streams);
    g_test_add_func("/trace/bad_streams", test_bad_streams);
    g_test_add_func("/trace/two_writers_of_one_file", test_two_writers_of_one_file);
    g_test_add_func("/trace/what_nothing_can_be_read_of_is_removed", test_what_nothing_can_be_read_of_is_removed);
    g_test_add_func("/trace/what_is_no_trace", test_what_is_no_trace);
    g_test_add_func("/trace/a_live_ring_is_read", test_a_live_ring_is_read);
    g_test_add_func("/trace/golden_files_stay_readable", test_golden_files_stay_readable);
    return g_test_run();
}
