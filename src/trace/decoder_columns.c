/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The columns of a block, and the table of its symbols: see decoder_private.h. The file is not trusted. */
#include <string.h>

#include "../ring/ring.h"
#include "decoder_private.h"

/* The bytes that a column has at most in a block of this many records: a bad file can't make us allocate more. */
static uint64_t column_limit(int id, uint64_t records)
{
    static const uint8_t per_record[FORMAT_COLUMNS] = {
        [FORMAT_SYMBOLS] = 8,
        [FORMAT_CODES] = 1,
        [FORMAT_LITERALS] = 2,
        [FORMAT_RESIDUALS] = VARINT_MAX_BYTES,
        [FORMAT_ORDER] = 2 * VARINT_MAX_BYTES,
        [FORMAT_TIMES] = 2 * VARINT_MAX_BYTES,
        [FORMAT_PADDRS] = 2 * VARINT_MAX_BYTES,
        [FORMAT_VALUES] = FORMAT_VALUE_BYTES,
        [FORMAT_VALUE_EXCEPTIONS] = VARINT_MAX_BYTES,
        [FORMAT_GIVEN_VALUES] = FORMAT_VALUE_BYTES,
        [FORMAT_UNKNOWN_VALUES] = 1,
        [FORMAT_PAGE_SIZES] = 2 * VARINT_MAX_BYTES,
    };

    if (id == FORMAT_TASKS || id == FORMAT_EXECUTED)
        return FORMAT_MAX_EVENT_BYTES;
    return per_record[id] * records + (id == FORMAT_ORDER ? 2 * VARINT_MAX_BYTES : 0);
}

bool decoder_needs_column(const Decoder *decoder, int id)
{
    const unsigned columns = decoder->columns;

    switch (id) {
    case FORMAT_RESIDUALS:
        return columns & (MT_COLUMN_ADDRESS | MT_COLUMN_PADDR | MT_COLUMN_PAGE_SIZE) || decoder->values;
    case FORMAT_TIMES:
        return columns & MT_COLUMN_TIME;
    case FORMAT_PADDRS:
        return columns & MT_COLUMN_PADDR;
    case FORMAT_VALUES:
        return (columns & MT_COLUMN_VALUE) && !decoder->values;
    case FORMAT_VALUE_EXCEPTIONS:
    case FORMAT_GIVEN_VALUES:
    case FORMAT_UNKNOWN_VALUES:
        return decoder->values;
    case FORMAT_PAGE_SIZES:
        return columns & MT_COLUMN_PAGE_SIZE;
    case FORMAT_TASKS:
        return decoder->events[TASKS];
    case FORMAT_EXECUTED:
        return decoder->events[EXECUTED];
    default:
        return true;
    }
}

/* Fills decoder->column[id]. */
static const char *load_column(Decoder *decoder, const struct format_column *column, const uint8_t *stored)
{
    Column *into = &decoder->column[column->id];
    size_t bytes;

    if (column->bytes > column_limit(column->id, decoder->header.records))
        return "a column is too long";
    if (column->bytes + PADDING > into->room) {
        uint8_t *data = g_try_malloc(column->bytes + PADDING);

        if (!data)
            return "there is no memory for a column";
        g_free(into->data);
        into->data = data;
        into->room = column->bytes + PADDING;
    }
    switch (column->encoding) {
    case FORMAT_PLAIN:
        if (column->stored != column->bytes)
            return "a column has two different lengths";
        memcpy(into->data, stored, column->bytes);
        break;
    case FORMAT_ZSTD:
        bytes = ZSTD_decompressDCtx(decoder->zstd, into->data, column->bytes, stored, column->stored);
        if (ZSTD_isError(bytes) || bytes != column->bytes)
            return "a column can't be decompressed";
        break;
    default:
        return "a column has an encoding that this version doesn't know";
    }
    memset(into->data + column->bytes, 0, PADDING);
    into->next = into->data;
    into->end = into->data + column->bytes;
    return NULL;
}

const char *decoder_load_columns(Decoder *decoder, const uint8_t *payload, size_t bytes)
{
    size_t at = sizeof decoder->header + decoder->header.columns * sizeof(struct format_column);
    unsigned seen = 0;

    if (at > bytes)
        return "a block is too short for its columns";
    for (uint32_t i = 0; i < decoder->header.columns; i++) {
        struct format_column column;
        const char *problem;

        memcpy(&column, payload + sizeof decoder->header + i * sizeof column, sizeof column);
        if (column.stored > bytes - at)
            return "a column goes beyond its block";
        if (column.id >= FORMAT_SYMBOLS && column.id < FORMAT_COLUMNS && decoder_needs_column(decoder, column.id)) {
            if (seen & 1u << column.id)
                return "a block has the same column twice";
            seen |= 1u << column.id;
            problem = load_column(decoder, &column, payload + at);
            if (problem)
                return problem;
        }
        at += column.stored;
    }
    return NULL;
}

const char *decoder_load_symbols(Decoder *decoder)
{
    const Column *column = &decoder->column[FORMAT_SYMBOLS];
    size_t bytes = (size_t)(column->end - column->next);

    if (bytes % sizeof(uint64_t) || bytes / sizeof(uint64_t) > FORMAT_MAX_SYMBOLS)
        return "a block's symbols have a wrong length";
    decoder->symbols = (uint32_t)(bytes / sizeof(uint64_t));
    if (decoder->symbols >= decoder->table_room) {
        g_aligned_free(decoder->table);
        decoder->table_room = MIN(2 * decoder->symbols, FORMAT_MAX_SYMBOLS) + 1;
        decoder->table = g_aligned_alloc(decoder->table_room, sizeof *decoder->table, CACHE_LINE);
    }
    memset(decoder->table, 0, (decoder->symbols + 1) * sizeof *decoder->table);
    for (uint32_t i = 0; i < decoder->symbols; i++) {
        uint64_t info;
        uint32_t instruction;

        memcpy(&info, column->data + i * sizeof info, sizeof info);
        if (!(info & GMBEOO_VALID) || (info >> GMBEOO_VCPU_SHIFT & 0xffff) != decoder->header.vcpu)
            return "a block has a symbol that is none of its vCPU";
        instruction = (uint32_t)(info >> FORMAT_INSTRUCTION_SHIFT);
        if (instruction >= RING_MAX_INSTRUCTIONS)
            return "a block has an instruction whose number is too high";
        decoder->table[i + 1].instruction = instruction;
        decoder->infos[i + 1] = (uint8_t)info;
        if (decoder->values)
            value_predictor_add_symbol(decoder->values, i + 1, info & GMBEOO_STORE);
    }
    return NULL;
}
