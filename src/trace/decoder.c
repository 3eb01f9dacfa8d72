/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads blocks: see decoder.h. It is one long file so that all that the loop over the records calls is inlined. */
#include "decoder.h"

#include <string.h>

#include "decoder_private.h"

Decoder *decoder_new(unsigned columns, unsigned fields)
{
    static const struct {
        unsigned column, fields;
    } optional[] = {
        { MT_COLUMN_PADDR, FORMAT_HAS_PADDRS },      { MT_COLUMN_VALUE, FORMAT_HAS_ALL_VALUES | FORMAT_HAS_VALUES },
        { MT_COLUMN_TIME, FORMAT_HAS_TIMES },        { MT_COLUMN_TASK, FORMAT_HAS_TASKS },
        { MT_COLUMN_EXECUTED, FORMAT_HAS_EXECUTED }, { MT_COLUMN_PAGE_SIZE, FORMAT_HAS_PAGE_SIZES },
    };
    Decoder *decoder = g_new0(Decoder, 1);

    decoder->columns = columns;
    for (size_t i = 0; i < G_N_ELEMENTS(optional); i++)
        if (!(fields & optional[i].fields))
            decoder->columns &= ~optional[i].column;
    if ((decoder->columns & MT_COLUMN_VALUE) && (fields & FORMAT_HAS_VALUES))
        decoder->values = value_predictor_new();
    if (decoder->columns & MT_COLUMN_TASK)
        decoder->events[TASKS] = event_reader_new();
    if (decoder->columns & MT_COLUMN_EXECUTED)
        decoder->events[EXECUTED] = event_reader_new();
    decoder->zstd = ZSTD_createDCtx();
    return decoder;
}

void decoder_free(Decoder *decoder)
{
    if (!decoder)
        return;
    ZSTD_freeDCtx(decoder->zstd);
    value_predictor_free(decoder->values);
    for (int kind = 0; kind < EVENT_KINDS; kind++)
        event_reader_free(decoder->events[kind]);
    for (int id = 0; id < FORMAT_COLUMNS; id++)
        g_free(decoder->column[id].data);
    g_aligned_free(decoder->table);
    g_free(decoder);
}

const char *decoder_check_header(const struct format_block *header, unsigned vcpus)
{
    if (header->records < 1 || header->records > FORMAT_MAX_RECORDS)
        return "a block's number of records is out of range";
    if (header->vcpu >= vcpus)
        return "a block is of a vCPU that the guest doesn't have";
    if (header->end < header->first || header->end - header->first < header->records)
        return "a block's first and last index don't fit its number of records";
    if (header->columns > FORMAT_MAX_COLUMNS)
        return "a block has too many columns";
    return NULL;
}

/* Reads a pair of varints. False if the column doesn't have them. */
static bool next_pair(Column *column, uint64_t *a, uint64_t *b)
{
    const uint8_t *next = column->next;

    if (!next || next >= column->end || !(next = varint_get(next, column->end, a)) ||
        !(next = varint_get(next, column->end, b)))
        return false;
    column->next = next;
    return true;
}

static bool is_empty(const Column *column)
{
    return column->next == column->end;
}

static const char *begin_order(Decoder *decoder)
{
    Column *column = &decoder->column[FORMAT_ORDER];
    const uint64_t records = decoder->header.records;
    uint64_t total = 0, span = 0, count, gap;

    decoder->position = decoder->header.first;
    decoder->run_left = records;
    decoder->gap = 0;
    if (is_empty(column))
        return decoder->header.end - decoder->header.first == records ? NULL : "a block has no order";
    while (next_pair(column, &count, &gap)) {
        if (!count || count > records - total ||
            gap > decoder->header.end - decoder->header.first -
                      MIN(span + count, decoder->header.end - decoder->header.first))
            return "a block's order is damaged";
        total += count;
        span += count + gap;
        if (total == records && gap)
            return "a block's order is damaged";
    }
    if (!is_empty(column) || total != records || span != decoder->header.end - decoder->header.first)
        return "a block's order is damaged";
    column->next = column->data;
    next_pair(column, &decoder->run_left, &decoder->gap);
    return NULL;
}

/* Reads the next pair of the times, if there is one. */
static const char *next_time(Decoder *decoder)
{
    Column *column = &decoder->column[FORMAT_TIMES];
    uint64_t after, later;

    decoder->time_ns = decoder->next_mark_ns;
    if (is_empty(column)) {
        decoder->next_mark = UINT32_MAX;
        return NULL;
    }
    if (!next_pair(column, &after, &later) || !after || after >= decoder->header.records - decoder->next_mark)
        return "a block's times are damaged";
    decoder->next_mark += (uint32_t)after;
    decoder->next_mark_ns += later;
    return NULL;
}

static const char *begin_times(Decoder *decoder)
{
    decoder->time_ns = decoder->next_mark_ns = decoder->header.first_ns;
    decoder->next_mark = 0;
    return next_time(decoder);
}

static const char *next_exception(Decoder *decoder)
{
    Column *column = &decoder->column[FORMAT_PADDRS];

    decoder->more_exceptions = !is_empty(column);
    if (!decoder->more_exceptions)
        return NULL;
    column->next = varint_get(column->next, column->end, &decoder->right);
    return column->next ? NULL : "a block's physical addresses are damaged";
}

static const char *next_size_exception(Decoder *decoder)
{
    Column *column = &decoder->column[FORMAT_PAGE_SIZES];

    decoder->more_size_exceptions = !is_empty(column);
    if (!decoder->more_size_exceptions)
        return NULL;
    column->next = varint_get(column->next, column->end, &decoder->sizes_right);
    return column->next ? NULL : "a block's page sizes are damaged";
}

static const char *begin_values(Decoder *decoder)
{
    Column *exceptions = &decoder->column[FORMAT_VALUE_EXCEPTIONS], *given = &decoder->column[FORMAT_GIVEN_VALUES],
           *unknown = &decoder->column[FORMAT_UNKNOWN_VALUES];

    decoder->has_unknown_values = !is_empty(unknown);
    if (decoder->has_unknown_values && unknown->end - unknown->next != (ptrdiff_t)((decoder->header.records + 7) / 8))
        return "a block's unknown values have a wrong length";
    decoder->value_source = (ValueSource){ exceptions->next, exceptions->end, given->next, given->end };
    /* The predictor reads the column from here on. */
    exceptions->next = exceptions->end;
    given->next = given->end;
    unknown->next = unknown->end;
    return values_begin(decoder->values, &decoder->value_source);
}

static const char *begin_events(Decoder *decoder)
{
    const char *problem = NULL;

    for (int kind = 0; kind < EVENT_KINDS && !problem; kind++) {
        Column *column = &decoder->column[event_column[kind]];

        if (!decoder->events[kind])
            continue;
        problem = event_reader_begin(decoder->events[kind], column->next, column->end, decoder->header.records);
        column->next = column->end; /* the events' reader reads it */
    }
    return problem;
}

static const char *begin(Decoder *decoder, const uint8_t *payload, size_t bytes, unsigned vcpus)
{
    const char *problem;

    decoder->symbols = decoder->symbol = decoder->done = 0;
    decoder->address = 0;
    if (decoder->values)
        value_predictor_begin(decoder->values);
    for (int id = 0; id < FORMAT_COLUMNS; id++)
        decoder->column[id].next = decoder->column[id].end = decoder->column[id].data;
    if (bytes < sizeof decoder->header)
        return "a block is too short";
    memcpy(&decoder->header, payload, sizeof decoder->header);
    problem = decoder_check_header(&decoder->header, vcpus);
    if (!problem)
        problem = decoder_load_columns(decoder, payload, bytes);
    if (!problem)
        problem = decoder_load_symbols(decoder);
    if (!problem && decoder->column[FORMAT_CODES].end - decoder->column[FORMAT_CODES].next !=
                        (ptrdiff_t)((decoder->header.records + 1) / 2))
        problem = "a block's codes have a wrong length";
    if (!problem)
        problem = begin_order(decoder);
    if (!problem && (decoder->columns & MT_COLUMN_TIME))
        problem = begin_times(decoder);
    if (!problem && (decoder->columns & MT_COLUMN_PADDR)) {
        memset(decoder->frames, 0, sizeof decoder->frames);
        problem = next_exception(decoder);
    }
    if (!problem && (decoder->columns & MT_COLUMN_PAGE_SIZE)) {
        memset(decoder->page_sizes, 0, sizeof decoder->page_sizes);
        problem = next_size_exception(decoder);
    }
    if (!problem && decoder->values)
        problem = begin_values(decoder);
    if (!problem)
        problem = begin_events(decoder);
    return problem;
}

bool decoder_begin(Decoder *decoder, const uint8_t *payload, size_t bytes, unsigned vcpus, const char **problem)
{
    *problem = begin(decoder, payload, bytes, vcpus);
    decoder->failed = *problem;
    return !*problem;
}

/* The state of the loop over the records. */
typedef struct {
    DecodedSymbol *table, *symbol; /* of the record before */
    uint64_t address;              /* of the record before */
    uint32_t symbols;
    const uint8_t *infos;
    const uint8_t *literal, *literals_end, *residual, *residuals_end;
    uint64_t *addresses; /* where the addresses go */
    uint32_t *instruction;
    uint8_t *info;
    uint16_t *symbol_numbers;
    const char *problem;
} AccessState;

static inline __attribute__((always_inline)) DecodedSymbol *symbol_at(const AccessState *state, uint32_t offset)
{
    return (DecodedSymbol *)((uint8_t *)state->table + offset);
}

static bool damaged(AccessState *state, const char *problem)
{
    state->problem = problem;
    return false;
}

/*
 * Decodes a record's symbol and, if addresses are wanted, its address. False with a problem. The processor predicts the
 * branches as well as the encoder predicted the records.
 */
static inline __attribute__((always_inline)) bool decode_access(AccessState *state, unsigned code, size_t i,
                                                                bool addresses, bool instructions, bool symbols)
{
    DecodedSymbol *symbol = state->symbol;
    uint32_t next = symbol->next[0];

    if (G_UNLIKELY(code & 3)) {
        uint32_t other = symbol->next[1];

        if ((code & 3) != SYMBOL_NEXT1) {
            uint16_t given;

            if ((code & 3) != SYMBOL_LITERAL || state->literals_end - state->literal < (ptrdiff_t)sizeof given)
                return damaged(state, "a block's codes are damaged");
            memcpy(&given, state->literal, sizeof given);
            state->literal += sizeof given;
            if (given > state->symbols)
                return damaged(state, "a block refers to a symbol that it doesn't have");
            other = given * (uint32_t)sizeof *symbol;
        }
        symbol->next[1] = next;
        symbol->next[0] = other;
        next = other;
    }
    if (G_UNLIKELY(!next))
        return damaged(state, "a block refers to a symbol that was never set");
    state->symbol = symbol = symbol_at(state, next);
    state->info[i] = state->infos[next / sizeof *symbol];
    if (instructions)
        state->instruction[i] = symbol->instruction;
    if (symbols)
        state->symbol_numbers[i] = (uint16_t)(next / sizeof *symbol);
    if (!addresses)
        return true;

    uint64_t address = symbol->last + (uint64_t)(int64_t)symbol->stride;

    code >>= 2;
    if (code != ADDRESS_STRIDE) {
        if (code == ADDRESS_ALTERNATIVE) {
            address = symbol->last + (uint64_t)(int64_t)symbol->alternative;
        } else if (code == ADDRESS_HOP) {
            address = state->address + (uint64_t)(int64_t)symbol->hop;
        } else {
            uint64_t value;

            state->residual = state->residual ? varint_get(state->residual, state->residuals_end, &value) : NULL;
            if (!state->residual)
                return damaged(state, "a block's residuals are damaged");
            address = symbol->last + unzigzag(value);
        }
        symbol->alternative = symbol->stride;
        symbol->stride = (int32_t)(address - symbol->last);
    }
    symbol->hop = (int32_t)(address - state->address);
    symbol->last = state->address = address;
    state->addresses[i] = address;
    return true;
}

/* Decodes columns 1 to 4 of the next `count` records. */
static inline __attribute__((always_inline)) const char *
decode_accesses(Decoder *decoder, uint32_t count, bool addresses, bool instructions, bool symbols)
{
    AccessState state = { .table = decoder->table,
                          .symbol = &decoder->table[decoder->symbol],
                          .address = decoder->address,
                          .symbols = decoder->symbols,
                          .infos = decoder->infos,
                          .literal = decoder->column[FORMAT_LITERALS].next,
                          .literals_end = decoder->column[FORMAT_LITERALS].end,
                          .residual = decoder->column[FORMAT_RESIDUALS].next,
                          .residuals_end = decoder->column[FORMAT_RESIDUALS].end,
                          .addresses = decoder->out.address,
                          .instruction = decoder->out.instruction,
                          .info = decoder->out.info,
                          .symbol_numbers = decoder->out.symbol };
    const uint8_t *codes = decoder->column[FORMAT_CODES].data + decoder->done / 2;
    size_t i = 0;
    bool fine = true;

    if (decoder->done & 1)
        fine = decode_access(&state, *codes++ >> 4, i++, addresses, instructions, symbols);
    for (; fine && count - i >= 2; i += 2, codes++)
        fine = decode_access(&state, *codes & 15, i, addresses, instructions, symbols) &&
               decode_access(&state, *codes >> 4, i + 1, addresses, instructions, symbols);
    if (fine && i < count)
        fine = decode_access(&state, *codes & 15, i, addresses, instructions, symbols);
    decoder->column[FORMAT_LITERALS].next = state.literal;
    decoder->column[FORMAT_RESIDUALS].next = state.residual;
    decoder->symbol = (uint32_t)(state.symbol - state.table);
    decoder->address = state.address;
    return fine ? NULL : state.problem;
}

/* The same: a function is compiled for each combination of wanted columns. */
static const char *decode_wanted_accesses(Decoder *decoder, uint32_t count)
{
    bool addresses = decoder_needs_column(decoder, FORMAT_RESIDUALS);

    if (decoder->values)
        return decode_accesses(decoder, count, true, true, true);
    if (decoder->columns & MT_COLUMN_INSTRUCTION)
        return addresses ? decode_accesses(decoder, count, true, true, false)
                         : decode_accesses(decoder, count, false, true, false);
    return addresses ? decode_accesses(decoder, count, true, false, false)
                     : decode_accesses(decoder, count, false, false, false);
}

static const char *decode_paddrs(Decoder *decoder, uint32_t count)
{
    Column *column = &decoder->column[FORMAT_PADDRS];

    for (uint32_t i = 0; i < count; i++) {
        uint64_t address = decoder->out.address[i], *frame = &decoder->frames[format_paddr_slot(address)];

        decoder->out.paddr[i] = MT_PADDR_UNKNOWN;
        if (decoder->more_exceptions && decoder->right == 0) {
            uint64_t entry;
            const char *problem;

            column->next = varint_get(column->next, column->end, &entry);
            if (!column->next || entry > FORMAT_PADDR_SET)
                return "a block's physical addresses are damaged";
            problem = next_exception(decoder);
            if (problem)
                return problem;
            if (!entry)
                continue;
            *frame = (entry - 1) | FORMAT_PADDR_SET;
        } else {
            decoder->right--;
        }
        if (!(*frame & FORMAT_PADDR_SET))
            return "a block's physical addresses are incomplete";
        decoder->out.paddr[i] = (*frame & ~FORMAT_PADDR_SET) >> 1 << FORMAT_PAGE_SHIFT |
                                (address & ((1u << FORMAT_PAGE_SHIFT) - 1)) | (*frame & 1 ? MT_PADDR_IO : 0);
    }
    return NULL;
}

/* Reads an exception of the page sizes, which is the record's with *size. */
static const char *take_size_exception(Decoder *decoder, uint8_t *size)
{
    Column *column = &decoder->column[FORMAT_PAGE_SIZES];
    uint64_t entry;

    column->next = varint_get(column->next, column->end, &entry);
    if (!column->next || (entry && entry != 12 && entry != 21 && entry != 30))
        return "a block's page sizes are damaged";
    *size = (uint8_t)entry;
    return next_size_exception(decoder);
}

static const char *decode_page_sizes(Decoder *decoder, uint32_t count)
{
    const uint64_t *addresses = decoder->out.address;
    uint8_t *sizes = decoder->page_sizes, *out = decoder->out.page_size;

    for (uint32_t i = 0;;) {
        uint64_t right = decoder->more_size_exceptions ? decoder->sizes_right : UINT64_MAX;
        uint32_t begin = i, stop = i + (uint32_t)MIN(count - i, right);
        const char *problem;

        for (; i < stop; i++)
            out[i] = sizes[format_paddr_slot(addresses[i])];
        decoder->sizes_right -= stop - begin;
        if (i == count)
            return NULL;
        problem = take_size_exception(decoder, &sizes[format_paddr_slot(addresses[i])]);
        if (problem)
            return problem;
        out[i] = sizes[format_paddr_slot(addresses[i])];
        i++;
    }
}

static void find_unknown_values(Decoder *decoder, uint32_t count)
{
    const uint8_t *bits = decoder->column[FORMAT_UNKNOWN_VALUES].data;

    for (uint32_t i = 0; i < count; i++)
        decoder->out.unknown[i] = bits[(decoder->done + i) / 8] >> (decoder->done + i) % 8 & 1;
}

static const char *decode_predicted_values(Decoder *decoder, uint32_t count)
{
    const ValueRecords records = { decoder->out.address, decoder->out.info, decoder->out.symbol,
                                   decoder->has_unknown_values ? decoder->out.unknown : NULL };

    if (decoder->has_unknown_values)
        find_unknown_values(decoder, count);
    return values_decode(decoder->values, &records, count, &decoder->value_source, decoder->out.value);
}

/* Decodes values from a file that has all of them (FORMAT_VALUES). */
static const char *decode_values(Decoder *decoder, uint32_t count)
{
    Column *column = &decoder->column[FORMAT_VALUES];
    const uint8_t *next = column->next;

    for (uint32_t i = 0; i < count; i++) {
        size_t bytes = MIN(mt_size(decoder->out.info[i]), FORMAT_VALUE_BYTES);

        if (column->end - next < (ptrdiff_t)bytes)
            return "a block's values are incomplete";
        decoder->out.value[i] = (struct mt_value){ 0 };
        memcpy(&decoder->out.value[i], next, bytes);
        next += bytes;
    }
    column->next = next;
    return NULL;
}

/* Checks that the columns have been read to their ends. */
static const char *check_end(const Decoder *decoder)
{
    for (int id = FORMAT_LITERALS; id < FORMAT_COLUMNS; id++)
        if (decoder_needs_column(decoder, id) && !is_empty(&decoder->column[id]))
            return "a block's columns have more than its records need";
    if (decoder->values && !values_are_done(decoder->values, &decoder->value_source))
        return "a block's columns have more than its records need";
    return NULL;
}

/* Sets *count to how many records the next batch has. */
static const char *next_batch(Decoder *decoder, uint32_t *count)
{
    *count = (uint32_t)MIN(decoder->run_left, BATCH);
    if (decoder->columns & MT_COLUMN_TIME) {
        const char *problem = decoder->next_mark == decoder->done && decoder->done ? next_time(decoder) : NULL;

        if (problem)
            return problem;
        if (decoder->next_mark != UINT32_MAX)
            *count = MIN(*count, decoder->next_mark - decoder->done);
    }
    for (int kind = 0; kind < EVENT_KINDS; kind++) {
        const char *problem = decoder->events[kind] ? event_reader_look(decoder->events[kind], count) : NULL;

        if (problem)
            return problem;
    }
    return NULL;
}

/* Decodes the wanted columns into `out`. */
static const char *decode(Decoder *decoder, uint32_t count)
{
    const char *problem = count ? decode_wanted_accesses(decoder, count) : NULL; /* a batch may have events only */

    if (!problem && (decoder->columns & MT_COLUMN_PADDR))
        problem = decode_paddrs(decoder, count);
    if (!problem && (decoder->columns & MT_COLUMN_PAGE_SIZE))
        problem = decode_page_sizes(decoder, count);
    if (!problem && (decoder->columns & MT_COLUMN_VALUE))
        problem = decoder->values ? decode_predicted_values(decoder, count) : decode_values(decoder, count);
    return problem;
}

/* Whether nothing is left of the block, or nothing that can be read. */
static bool is_done(const Decoder *decoder)
{
    if (decoder->failed)
        return true;
    if (decoder->done < decoder->header.records)
        return false;
    for (int kind = 0; kind < EVENT_KINDS; kind++)
        if (decoder->events[kind] && !event_reader_is_done(decoder->events[kind]))
            return false;
    return true;
}

int decoder_next(Decoder *decoder, struct mt_batch *batch, const char **problem)
{
    const unsigned columns = decoder->columns;
    uint32_t count;

    *batch = (struct mt_batch){ 0 };
    *problem = NULL;
    if (is_done(decoder))
        return 0;
    *problem = next_batch(decoder, &count);
    if (!*problem)
        *problem = decode(decoder, count);
    if (*problem) {
        decoder->failed = true;
        return -1;
    }
    batch->count = count;
    batch->first = decoder->position;
    batch->vcpu = decoder->header.vcpu;
    batch->input = decoder->header.input;
    if (decoder->events[TASKS])
        batch->task = event_reader_take(decoder->events[TASKS], count);
    if (decoder->events[EXECUTED])
        batch->executed = event_reader_take(decoder->events[EXECUTED], count);
    batch->time_ns = columns & MT_COLUMN_TIME ? decoder->time_ns : 0;
    batch->address = columns & MT_COLUMN_ADDRESS ? decoder->out.address : NULL;
    batch->info = columns & MT_COLUMN_INFO ? decoder->out.info : NULL;
    batch->instruction = columns & MT_COLUMN_INSTRUCTION ? decoder->out.instruction : NULL;
    batch->paddr = columns & MT_COLUMN_PADDR ? decoder->out.paddr : NULL;
    batch->page_size = columns & MT_COLUMN_PAGE_SIZE ? decoder->out.page_size : NULL;
    batch->value = columns & MT_COLUMN_VALUE ? decoder->out.value : NULL;
    batch->value_unknown = decoder->values && decoder->has_unknown_values ? decoder->out.unknown : NULL;

    decoder->done += count;
    decoder->position += count;
    decoder->run_left -= count;
    if (is_done(decoder)) {
        *problem = check_end(decoder);
        return *problem ? -1 : 1;
    }
    if (!decoder->run_left && decoder->done < decoder->header.records) {
        decoder->position += decoder->gap;
        next_pair(&decoder->column[FORMAT_ORDER], &decoder->run_left, &decoder->gap); /* begin_order() checked it */
    }
    return 1;
}

uint64_t decoder_position(const Decoder *decoder)
{
    return is_done(decoder) ? UINT64_MAX : decoder->position;
}
