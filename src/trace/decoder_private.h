/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a decoder is made of, for its two files: its columns (decoder_columns.c), and the records in them (decoder.c).
 */
#ifndef MEMORY_TRACER_TRACE_DECODER_PRIVATE_H
#define MEMORY_TRACER_TRACE_DECODER_PRIVATE_H

#include <zstd.h>

#include "../../include/memory_tracer/record.h"
#include "decoder.h"
#include "events.h"
#include "values.h"

/* So many records are decoded at once: what they need stays in the L1 and L2 caches. */
#define BATCH 1024
#define CACHE_LINE 64
/* Behind a column's data lie so many zeros: a varint and a value end there at the latest. */
#define PADDING 16

typedef struct {
    uint8_t *data;
    size_t room, bytes;
    const uint8_t *next, *end;
} Column;

/* What is kept per symbol: half a cache line. The loop over the records waits for one symbol's successor to find the
 * next one, so that a successor is where it lies in the table, and not its number. */
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
    uint32_t done; /* records */
    bool failed;   /* the block can't be read, or not further */

    uint32_t symbols, symbol; /* how many there are; the last record's */
    uint64_t address;
    DecodedSymbol *table; /* of 1 + symbols; room for `table_room` */
    uint32_t table_room;
    uint8_t infos[FORMAT_MAX_SYMBOLS + 1]; /* by symbol: the low byte of its info */

    uint64_t position, run_left, gap; /* order: index of the next record, how many neighbours there are, what follows */
    uint64_t time_ns, next_mark_ns;
    uint32_t next_mark; /* the record at which the time becomes next_mark_ns */
    uint64_t right;     /* paddrs: records before the next exception */
    bool more_exceptions;
    uint64_t sizes_right; /* page sizes: likewise */
    bool more_size_exceptions;
    uint8_t page_sizes[1 << FORMAT_PADDR_TABLE_BITS];
    uint64_t frames[1 << FORMAT_PADDR_TABLE_BITS];
    ValuePredictor *values; /* NULL: values aren't wanted, or there are all of them */

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

/* Whether the columns that were asked for need this one of the file's. */
bool decoder_needs_column(const Decoder *decoder, int id);
/* Reads the columns behind a block's header. Returns what is wrong, or NULL. */
const char *decoder_load_columns(Decoder *decoder, const uint8_t *payload, size_t bytes);
/* Makes the table of the block's symbols. Likewise. */
const char *decoder_load_symbols(Decoder *decoder);

#endif
