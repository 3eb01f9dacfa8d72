/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Makes blocks: see encoder.h. The loop over the records limits the speed of `record`. It is one long file so that all
 * that the loop calls is inlined. */
#include "encoder.h"

#include <glib.h>
#include <string.h>
#include <zstd.h>

#include "events.h"
#include "format.h"
#include "values.h"

#define SLOT_BITS 17 /* twice as many slots as there can be symbols */
#define PIECE 1024   /* how many rows at a time go through one column after the other, if several look at each */
#define CACHE_LINE 64
#define GENERATION_SHIFT 52 /* a page's number has 52 bits */
/* Of `frames` and `told`: the frame is unknown. No entry of the former is that. */
#define FRAME_UNKNOWN 1

/* A column that is being made. */
typedef struct {
    uint8_t *data;
    uint8_t *next;
} Column;

/* The state of a symbol: half a cache line. */
typedef struct {
    uint64_t info;
    uint64_t last;
    int32_t stride, alternative, hop;
    uint16_t next[2];
} __attribute__((aligned(32))) Symbol;

struct Encoder {
    unsigned vcpu, input, fields, record_bytes;
    uint32_t block_records, records;
    uint64_t first, end;

    /* Prediction. Symbol 0 stands before the first record. */
    uint32_t symbols, symbol; /* how many there are; the last record's */
    uint64_t address;         /* the last record's */
    Symbol table[FORMAT_MAX_SYMBOLS + 1];
    uint16_t slots[1 << SLOT_BITS]; /* a hash table of symbols by info */

    uint64_t run;                       /* order: records since the last gap */
    uint64_t first_ns, last_ns, marked; /* times: at which record the last pair was */
    uint64_t right;                     /* physical addresses: records since the last exception */
    uint32_t sized;                     /* page sizes: the record behind the last exception */
    /* The tables of columns 7 and 12 in one: the latter's entries are the bits of ROW_PAGE_SIZE_MASK. */
    uint64_t frames[1 << FORMAT_PADDR_TABLE_BITS];
    uint64_t told[ROW_FRAME_SLOTS]; /* what the rows told last, as entries of that table; of all blocks */
    /* By row_frame_slot(): a page whose entries of both are equal, with the generation in which they were compared. It
     * holds until an entry of `frames` changes, with which another generation begins. */
    uint64_t right_pages[ROW_FRAME_SLOTS];
    uint64_t generation; /* shifted by GENERATION_SHIFT; not 0 */
    ValuePredictor *values;
    uint16_t piece_symbols[PIECE]; /* symbols of the records whose values are added next */
    bool has_unknown_values;
    EventWriter *tasks, *executed;

    Column columns[FORMAT_COLUMNS];
    ZSTD_CCtx *zstd;
    uint8_t *payload;
    size_t payload_room;
};

static const struct {
    unsigned bytes; /* of a record at most; 0: not per record */
    int level;      /* of zstd: a fast one, because slower ones hardly make these columns smaller */
} column_limits[FORMAT_COLUMNS] = {
    [FORMAT_SYMBOLS] = { 0, 1 },
    [FORMAT_CODES] = { 1, -1 },
    [FORMAT_LITERALS] = { 2, -1 },
    [FORMAT_RESIDUALS] = { VARINT_MAX_BYTES, -1 },
    [FORMAT_ORDER] = { 2 * VARINT_MAX_BYTES, 1 },
    [FORMAT_TIMES] = { 2 * VARINT_MAX_BYTES, 1 },
    [FORMAT_PADDRS] = { 2 * VARINT_MAX_BYTES, 1 },
    [FORMAT_VALUE_EXCEPTIONS] = { VARINT_MAX_BYTES, -1 },
    [FORMAT_GIVEN_VALUES] = { FORMAT_VALUE_BYTES, -1 },
    [FORMAT_UNKNOWN_VALUES] = { 1, 1 }, /* a bit per record */
    [FORMAT_PAGE_SIZES] = { 2 * VARINT_MAX_BYTES, 1 },
    [FORMAT_TASKS] = { 0, 1 },
    [FORMAT_EXECUTED] = { 0, 1 },
};

static size_t column_room(const Encoder *encoder, int id)
{
    if (id == FORMAT_SYMBOLS)
        return FORMAT_MAX_SYMBOLS * sizeof(uint64_t);
    return (size_t)column_limits[id].bytes * encoder->block_records + 2 * VARINT_MAX_BYTES;
}

/* Entries of `frames` change. */
static void begin_generation(Encoder *encoder)
{
    encoder->generation += UINT64_C(1) << GENERATION_SHIFT;
    if (encoder->generation)
        return;
    memset(encoder->right_pages, 0, sizeof encoder->right_pages);
    encoder->generation = UINT64_C(1) << GENERATION_SHIFT;
}

static void begin_block(Encoder *encoder)
{
    /* Entries beyond the last block's symbols were not changed since they were cleared. */
    memset(encoder->table, 0, (encoder->symbols + 1) * sizeof *encoder->table);
    memset(encoder->slots, 0, sizeof encoder->slots);
    if (encoder->fields & MT_FIELD_PADDR) {
        memset(encoder->frames, 0, sizeof encoder->frames);
        begin_generation(encoder);
    }
    if (encoder->values)
        value_predictor_begin(encoder->values);
    encoder->has_unknown_values = false;
    encoder->table[0].info = ROW_NEVER; /* no row has this info, so none matches symbol 0 */
    encoder->records = encoder->symbols = encoder->symbol = encoder->sized = 0;
    encoder->address = encoder->run = encoder->marked = encoder->right = 0;
    for (int id = 0; id < FORMAT_COLUMNS; id++)
        encoder->columns[id].next = encoder->columns[id].data;
}

Encoder *encoder_new(unsigned vcpu, unsigned fields, uint32_t block_records)
{
    Encoder *encoder = g_aligned_alloc0(1, sizeof *encoder, CACHE_LINE);

    encoder->vcpu = vcpu;
    encoder->fields = fields;
    encoder->record_bytes = ring_record_bytes_for(fields);
    encoder->block_records = CLAMP(block_records, 1, FORMAT_MAX_RECORDS);
    encoder->zstd = ZSTD_createCCtx();
    for (uint64_t slot = 0; (fields & MT_FIELD_PADDR) && slot < ROW_FRAME_SLOTS; slot++)
        encoder_set_frame(encoder, slot);
    if (fields & MT_FIELD_VALUE)
        encoder->values = value_predictor_new();
    if (fields & MT_FIELD_TASK)
        encoder->tasks = event_writer_new();
    if (fields & MT_FIELD_EXECUTED)
        encoder->executed = event_writer_new();
    for (int id = FORMAT_SYMBOLS; id < FORMAT_TASKS; id++)
        encoder->columns[id].data = g_malloc(column_room(encoder, id)); /* unused pages take no memory */
    begin_block(encoder);
    return encoder;
}

void encoder_free(Encoder *encoder)
{
    if (!encoder)
        return;
    ZSTD_freeCCtx(encoder->zstd);
    value_predictor_free(encoder->values);
    event_writer_free(encoder->tasks);
    event_writer_free(encoder->executed);
    for (int id = 0; id < FORMAT_TASKS; id++) /* the event writers own the others */
        g_free(encoder->columns[id].data);
    g_free(encoder->payload);
    g_aligned_free(encoder);
}

uint32_t encoder_records(const Encoder *encoder)
{
    return encoder->records;
}

void encoder_set_input(Encoder *encoder, unsigned input)
{
    encoder->input = input;
}

unsigned encoder_input(const Encoder *encoder)
{
    return encoder->input;
}

uint32_t encoder_last_instruction(const Encoder *encoder)
{
    uint32_t last = 0;

    for (uint32_t i = 1; i <= encoder->symbols; i++)
        last = MAX(last, (uint32_t)(encoder->table[i].info >> FORMAT_INSTRUCTION_SHIFT));
    return last;
}

/* The symbol of `info`, which is added if it is new; 0 if there are too many. */
static __attribute__((noinline)) uint32_t find_symbol(Encoder *encoder, uint64_t info)
{
    uint32_t slot = (uint32_t)((info * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - SLOT_BITS));

    while (encoder->slots[slot]) {
        if (encoder->table[encoder->slots[slot]].info == info)
            return encoder->slots[slot];
        slot = (slot + 1) & ((1u << SLOT_BITS) - 1);
    }
    if (encoder->symbols == FORMAT_MAX_SYMBOLS)
        return 0;
    encoder->table[++encoder->symbols].info = info;
    encoder->slots[slot] = (uint16_t)encoder->symbols;
    if (encoder->values)
        value_predictor_add_symbol(encoder->values, encoder->symbols, info & GMBEOO_STORE);
    return encoder->symbols;
}

/* The state of the loop over the records. */
typedef struct {
    Symbol *table, *symbol; /* of the record before */
    uint64_t address;       /* of the record before */
    uint16_t *literals;
    uint8_t *residuals;
    uint16_t *symbols; /* with values: where the records' symbols go */
} AccessState;

#define FETCH_AHEAD 32 /* rows */
#define NO_CODE 16     /* the row is an event, or there are too many symbols */

/* Returns a record's code. The processor predicts the branches as well as the encoder predicts the records. Whether the
 * row is an event is checked only if the record isn't as predicted, because an event never is. */
static inline __attribute__((always_inline)) uint32_t encode_access(Encoder *encoder, AccessState *state,
                                                                    const struct gmbeoo_record *record, bool values)
{
    uint64_t info = record->info & (values ? ~(ROW_NEVER | ROW_VALUE_UNKNOWN) : ~ROW_NEVER);
    uint64_t address = record->virt_addr, distance;
    Symbol *symbol = state->symbol;
    uint32_t next = symbol->next[0], code = SYMBOL_NEXT0;

    if (G_UNLIKELY(state->table[next].info != info)) {
        uint32_t other = symbol->next[1];

        code = SYMBOL_NEXT1;
        if (state->table[other].info != info) {
            code = SYMBOL_LITERAL;
            other = info & GMBEOO_VALID ? find_symbol(encoder, info) : 0;
            if (!other)
                return NO_CODE;
            *state->literals++ = (uint16_t)other;
        }
        symbol->next[1] = (uint16_t)next;
        symbol->next[0] = (uint16_t)other;
        next = other;
    }
    if (values)
        *state->symbols++ = (uint16_t)next;
    symbol = &state->table[next];
    distance = address - symbol->last;
    if (distance != (uint64_t)(int64_t)symbol->stride) {
        if (distance == (uint64_t)(int64_t)symbol->alternative) {
            code |= ADDRESS_ALTERNATIVE << 2;
        } else if (address - state->address == (uint64_t)(int64_t)symbol->hop) {
            code |= ADDRESS_HOP << 2;
        } else {
            code |= ADDRESS_RESIDUAL << 2;
            state->residuals = varint_put(state->residuals, zigzag(distance));
        }
        symbol->alternative = symbol->stride;
        symbol->stride = (int32_t)distance;
    }
    symbol->hop = (int32_t)(address - state->address);
    symbol->last = state->address = address;
    state->symbol = symbol;
    return code;
}

/* Adds records to columns 2 to 4. Returns how many it took. */
static inline __attribute__((always_inline)) size_t add_accesses(Encoder *encoder, const uint8_t *records, size_t count,
                                                                 bool values)
{
    const size_t record_bytes = values ? sizeof(WideRow) : sizeof(struct gmbeoo_record);
    AccessState state = { .table = encoder->table,
                          .symbol = &encoder->table[encoder->symbol],
                          .address = encoder->address,
                          .literals = (uint16_t *)encoder->columns[FORMAT_LITERALS].next,
                          .residuals = encoder->columns[FORMAT_RESIDUALS].next,
                          .symbols = encoder->piece_symbols };
    uint8_t *codes = encoder->columns[FORMAT_CODES].next;
    uint32_t low, high = 0;
    size_t i = 0;

#define RECORD(number) ((const struct gmbeoo_record *)(records + (number)*record_bytes))
    if (encoder->records & 1 && count) { /* completes the last call's last byte of codes */
        high = encode_access(encoder, &state, RECORD(0), values);
        if (high != NO_CODE) {
            *codes++ |= (uint8_t)(high << 4);
            i = 1;
        }
    }
    for (; high != NO_CODE && i + 2 <= count; i += 2) {
        if (values) /* another core has just written them */
            __builtin_prefetch(RECORD(i + FETCH_AHEAD));
        low = encode_access(encoder, &state, RECORD(i), values);
        if (G_UNLIKELY(low == NO_CODE))
            break;
        high = encode_access(encoder, &state, RECORD(i + 1), values);
        if (G_UNLIKELY(high == NO_CODE)) {
            *codes = (uint8_t)low;
            i++;
            break;
        }
        *codes++ = (uint8_t)(low | high << 4);
    }
    if (high != NO_CODE && i + 1 == count) {
        low = encode_access(encoder, &state, RECORD(i), values);
        if (low != NO_CODE) {
            *codes = (uint8_t)low;
            i++;
        }
    }
#undef RECORD
    encoder->columns[FORMAT_CODES].next = codes;
    encoder->columns[FORMAT_RESIDUALS].next = state.residuals;
    encoder->columns[FORMAT_LITERALS].next = (uint8_t *)state.literals;
    encoder->symbol = (uint32_t)(state.symbol - encoder->table);
    encoder->address = state.address;
    return i;
}

static void add_order(Encoder *encoder, uint64_t first, size_t count)
{
    Column *column = &encoder->columns[FORMAT_ORDER];

    if (!encoder->records)
        encoder->first = first;
    else if (first != encoder->end) {
        column->next = varint_put(varint_put(column->next, encoder->run), first - encoder->end);
        encoder->run = 0;
    }
    encoder->run += count;
    encoder->end = first + count;
}

static void add_time(Encoder *encoder, uint64_t time_ns)
{
    Column *column = &encoder->columns[FORMAT_TIMES];

    if (!encoder->records)
        encoder->first_ns = encoder->last_ns = time_ns;
    if (time_ns <= encoder->last_ns)
        return;
    column->next = varint_put(column->next, encoder->records - encoder->marked);
    column->next = varint_put(column->next, time_ns - encoder->last_ns);
    encoder->marked = encoder->records;
    encoder->last_ns = time_ns;
}

void encoder_set_frame(Encoder *encoder, uint64_t event)
{
    const uint64_t sizes = encoder->fields & MT_FIELD_PAGE_SIZE ? ROW_PAGE_SIZE_MASK : 0;
    uint64_t frame = row_event_frame(event), address = frame & ~(MT_PADDR_IO | sizes);

    encoder->right_pages[row_event_slot(event)] = 0;
    encoder->told[row_event_slot(event)] =
        frame == MT_PADDR_UNKNOWN
            ? FRAME_UNKNOWN
            : FORMAT_PADDR_SET | (frame & sizes) | address >> FORMAT_PAGE_SHIFT << 1 | !!(frame & MT_PADDR_IO);
}

/* Adds an exception: the frame or the size of a record's page isn't as predicted. `record`: its index in the block. */
static void add_page_exception(Encoder *encoder, uint64_t *entry, uint64_t mapped, uint32_t record)
{
    Column *frames = &encoder->columns[FORMAT_PADDRS], *sizes = &encoder->columns[FORMAT_PAGE_SIZES];
    uint64_t size = mapped & ROW_PAGE_SIZE_MASK;

    begin_generation(encoder);
    if (size != (*entry & ROW_PAGE_SIZE_MASK)) {
        sizes->next = varint_put(varint_put(sizes->next, record - encoder->sized), row_page_shift(size));
        encoder->sized = record + 1;
        *entry = (*entry & ~ROW_PAGE_SIZE_MASK) | size;
    }
    if (mapped == *entry) {
        encoder->right++;
        return;
    }
    frames->next = varint_put(frames->next, encoder->right);
    encoder->right = 0;
    if (mapped == FRAME_UNKNOWN) {
        frames->next = varint_put(frames->next, 0);
        return;
    }
    frames->next = varint_put(frames->next, (mapped & ~(FORMAT_PADDR_SET | ROW_PAGE_SIZE_MASK)) + 1);
    *entry = mapped;
}

/* Compares what is predicted for the page of a record with what the rows told. */
static __attribute__((noinline)) void add_page(Encoder *encoder, uint64_t address, uint32_t record)
{
    unsigned slot = row_frame_slot(address);
    uint64_t *entry = &encoder->frames[format_paddr_slot(address)], mapped = encoder->told[slot];

    if (*entry == mapped)
        encoder->right++;
    else
        add_page_exception(encoder, entry, mapped, record);
    if (*entry == mapped)
        encoder->right_pages[slot] = address >> FORMAT_PAGE_SHIFT | encoder->generation;
}

/* Adds records to columns 7 and 12. Most are to pages that have been compared. */
static void add_paddrs(Encoder *encoder, const uint8_t *records, size_t count)
{
    const size_t record_bytes = encoder->record_bytes;
    uint64_t generation = encoder->generation;
    size_t counted = 0; /* records that encoder->right knows of */

    for (size_t i = 0; i < count; i++, records += record_bytes) {
        uint64_t address = ((const struct gmbeoo_record *)records)->virt_addr;

        if (G_LIKELY(encoder->right_pages[row_frame_slot(address)] == (address >> FORMAT_PAGE_SHIFT | generation)))
            continue;
        encoder->right += i - counted;
        counted = i + 1;
        add_page(encoder, address, encoder->records + (uint32_t)i);
        generation = encoder->generation;
    }
    encoder->right += count - counted;
}

/* Adds records to columns 9 to 11. */
static void add_values(Encoder *encoder, const uint8_t *records, size_t count)
{
    Column *exceptions = &encoder->columns[FORMAT_VALUE_EXCEPTIONS], *given = &encoder->columns[FORMAT_GIVEN_VALUES];
    ValueColumns to = { .exceptions = exceptions->next,
                        .values = given->next,
                        .unknown = encoder->columns[FORMAT_UNKNOWN_VALUES].data,
                        .records = encoder->records,
                        .has_unknown = encoder->has_unknown_values,
                        .unknown_bytes = (encoder->block_records + 7) / 8 };

    values_encode(encoder->values, (const WideRow *)records, count, encoder->piece_symbols, &to);
    exceptions->next = to.exceptions;
    given->next = to.values;
    encoder->has_unknown_values = to.has_unknown;
}

/* add_accesses(): a function is compiled for each kind of rows. */
static size_t add_accesses_of_rows(Encoder *encoder, const uint8_t *records, size_t count)
{
    return encoder->fields & MT_FIELD_VALUE ? add_accesses(encoder, records, count, true)
                                            : add_accesses(encoder, records, count, false);
}

static size_t add_piece(Encoder *encoder, const uint8_t *records, size_t count, uint64_t first, uint64_t time_ns)
{
    size_t taken = add_accesses_of_rows(encoder, records, count);

    if (!taken)
        return 0;
    add_order(encoder, first, taken);
    if (encoder->fields & MT_FIELD_TIME)
        add_time(encoder, time_ns);
    if (encoder->fields & MT_FIELD_PADDR)
        add_paddrs(encoder, records, taken);
    if (encoder->fields & MT_FIELD_VALUE)
        add_values(encoder, records, taken);
    encoder->records += (uint32_t)taken;
    return taken;
}

size_t encoder_add(Encoder *encoder, const void *records, size_t count, uint64_t first, uint64_t time_ns)
{
    const size_t most = encoder->fields & (MT_FIELD_VALUE | MT_FIELD_PADDR) ? PIECE : SIZE_MAX;
    size_t done = 0, wanted, taken;

    count = MIN(count, encoder->block_records - encoder->records);
    do {
        wanted = MIN(count - done, most);
        taken =
            add_piece(encoder, (const uint8_t *)records + done * encoder->record_bytes, wanted, first + done, time_ns);
        done += taken;
    } while (done < count && taken == wanted);
    return done;
}

bool encoder_add_event(Encoder *encoder, unsigned kind, uint32_t number)
{
    return event_writer_add(kind == ROW_EVENT_TASK ? encoder->tasks : encoder->executed, encoder->records, number);
}

static void complete_events(Column *column, EventWriter *events)
{
    size_t bytes;

    if (!events)
        return;
    column->data = (uint8_t *)event_writer_finish(events, &bytes);
    column->next = column->data + bytes;
}

/* Fills in what columns get at a block's end only: the symbols, the last codes, the events, the last run. */
static void complete_columns(Encoder *encoder)
{
    Column *symbols = &encoder->columns[FORMAT_SYMBOLS], *order = &encoder->columns[FORMAT_ORDER];

    for (uint32_t i = 1; i <= encoder->symbols; i++, symbols->next += sizeof(uint64_t))
        memcpy(symbols->next, &encoder->table[i].info, sizeof(uint64_t));
    if (encoder->records & 1)
        encoder->columns[FORMAT_CODES].next++;
    complete_events(&encoder->columns[FORMAT_TASKS], encoder->tasks);
    complete_events(&encoder->columns[FORMAT_EXECUTED], encoder->executed);
    if (encoder->has_unknown_values)
        encoder->columns[FORMAT_UNKNOWN_VALUES].next += (encoder->records + 7) / 8;
    if (order->next != order->data)
        order->next = varint_put(varint_put(order->next, encoder->run), 0);
}

const uint8_t *encoder_finish(Encoder *encoder, uint64_t dropped, uint64_t known, size_t *bytes)
{
    struct format_block header = { .vcpu = encoder->vcpu,
                                   .input = encoder->input,
                                   .records = encoder->records,
                                   .first = encoder->first,
                                   .end = encoder->end,
                                   .dropped = dropped,
                                   .known = MAX(known, encoder->end),
                                   .first_ns = encoder->first_ns,
                                   .last_ns = encoder->last_ns };
    struct format_column columns[FORMAT_COLUMNS] = { 0 };
    size_t room = sizeof header, at;

    complete_columns(encoder);
    for (int id = FORMAT_SYMBOLS; id < FORMAT_COLUMNS; id++) {
        size_t length = (size_t)(encoder->columns[id].next - encoder->columns[id].data);

        if (length)
            columns[header.columns++] = (struct format_column){ .id = (uint16_t)id, .bytes = (uint32_t)length };
        room += sizeof *columns + ZSTD_compressBound(length);
    }
    if (room > encoder->payload_room) {
        g_free(encoder->payload);
        encoder->payload = g_malloc(room);
        encoder->payload_room = room;
    }
    at = sizeof header + header.columns * sizeof *columns;
    for (uint32_t i = 0; i < header.columns; i++) {
        struct format_column *column = &columns[i];
        const uint8_t *data = encoder->columns[column->id].data;
        size_t stored = ZSTD_compressCCtx(encoder->zstd, encoder->payload + at, encoder->payload_room - at, data,
                                          column->bytes, column_limits[column->id].level);

        column->encoding = FORMAT_ZSTD;
        if (ZSTD_isError(stored))
            return NULL;
        if (stored >= column->bytes) {
            column->encoding = FORMAT_PLAIN;
            stored = column->bytes;
            memcpy(encoder->payload + at, data, stored);
        }
        column->stored = (uint32_t)stored;
        at += stored;
    }
    memcpy(encoder->payload, &header, sizeof header);
    memcpy(encoder->payload + sizeof header, columns, header.columns * sizeof *columns);
    *bytes = at;
    begin_block(encoder);
    return encoder->payload;
}
