/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A decoder's parts, for its two files: decoder_columns.c reads the columns, decoder.c the records in them. */
#ifndef MEMORY_TRACER_TRACE_DECODER_PRIVATE_H
#define MEMORY_TRACER_TRACE_DECODER_PRIVATE_H

#include <zstd.h>

#include "../../include/memory_tracer/record.h"
#include "decoder.h"
#include "events.h"
#include "values.h"

/* How many records are decoded at once: their data stay in the L1 and L2 caches. */
#define BATCH 1024
#define CACHE_LINE 64
/* How many zeros follow a column's data: a varint or a value ends in them at the latest. */
#define PADDING 16

typedef struct {
    uint8_t *data;
    size_t room, bytes;
    const uint8_t *next, *end;
} Column;

/* The state of a symbol: half a cache line. The loop over the records can't go on before it knows a symbol's successor,
 * so a successor is kept as its offset in the table, which is faster than its number. */
typedef struct {
    uint64_t last;
    int32_t stride, alternative, hop;
    uint32_t next[2]; /* in bytes from the table's beginning */
    uint32_t instruction;
} __attribute__((aligned(32))) DecodedSymbol;

_Static_assert(sizeof(DecodedSymbol) == 32, "half a cache line");

/* Kinds of events, each with its column. */
enum { TASKS, EXECUTED, EVENT_KINDS };
static const int event_column[EVENT_KINDS] = { FORMAT_TASKS, FORMAT_EXECUTED };

struct Decoder {
    unsigned columns;
    struct format_block header;
    uint32_t done; /* records decoded so far */
    bool failed;   /* the rest of the block can't be read */

    uint32_t symbols, symbol; /* how many there are; the last record's */
    uint64_t address;
    DecodedSymbol *table; /* of 1 + symbols; room for `table_room` */
    uint32_t table_room;
    uint8_t infos[FORMAT_MAX_SYMBOLS + 1]; /* by symbol: the low byte of its info */

    uint64_t position, run_left, gap; /* order: index of the next record, how many neighbours there are, what follows */
    uint64_t time_ns, next_mark_ns;
    uint32_t next_mark; /* the record at which the time becomes next_mark_ns */
    uint64_t right;     /* physical addresses: records before the next exception */
    bool more_exceptions;
    uint64_t sizes_right; /* page sizes: records before the next exception */
    bool more_size_exceptions;
    uint8_t page_sizes[1 << FORMAT_PADDR_TABLE_BITS];
    uint64_t frames[1 << FORMAT_PADDR_TABLE_BITS];
    ValuePredictor *values; /* NULL: values aren't wanted, or the file has all of them (FORMAT_VALUES) */

    EventReader *events[EVENT_KINDS]; /* NULL: not wanted */
    bool has_unknown_values;
    ValueSource value_source;

    Column column[FORMAT_COLUMNS];
    ZSTD_DCtx *zstd;

    struct {
        uint64_t address[BATCH];
        uint8_t info[BATCH];
        uint32_t instruction[BATCH];
        uint64_t paddr[BATCH];
        uint8_t page_size[BATCH];
        struct mt_value value[BATCH];
        uint16_t symbol[BATCH];
        bool unknown[BATCH];
    } out;
};

/* Whether the wanted columns need the file's column `id`. */
bool decoder_needs_column(const Decoder *decoder, int id);
/* Reads the columns behind a block's header. Returns NULL, or what is wrong. */
const char *decoder_load_columns(Decoder *decoder, const uint8_t *payload, size_t bytes);
/* Makes the table of the block's symbols. Returns NULL, or what is wrong. */
const char *decoder_load_symbols(Decoder *decoder);

#endif
