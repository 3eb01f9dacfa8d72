/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Predicts values. A block's columns hold only the values that were predicted wrongly: see doc/trace_format.md,
 * "values". Encoder and decoder make the same predictions.
 */
#ifndef MEMORY_TRACER_TRACE_VALUES_H
#define MEMORY_TRACER_TRACE_VALUES_H

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

#include "../record/row.h"

/* The state of the predictions, for one block after the other. */
typedef struct ValuePredictor ValuePredictor;

ValuePredictor *value_predictor_new(void);
void value_predictor_free(ValuePredictor *predictor);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ValuePredictor, value_predictor_free)

/* Begins a block. */
void value_predictor_begin(ValuePredictor *predictor);
/* Says whether a symbol is a load's or a store's. To be called before the symbol's first record, and in the order of
 * the symbols' numbers. */
void value_predictor_add_symbol(ValuePredictor *predictor, uint32_t symbol, bool is_store);

/* Where the columns are written to. */
typedef struct {
    uint8_t *exceptions, *values;
    uint8_t *unknown;     /* a bit for each record of the block */
    uint32_t records;     /* how many the block had before these */
    bool has_unknown;     /* false: no value is unknown, and the bits are not yet set to 0 */
    size_t unknown_bytes; /* bytes of `unknown` for a full block */
} ValueColumns;

/* Encodes the values of `count` rows. `symbols` has each record's symbol. */
void values_encode(ValuePredictor *predictor, const WideRow *rows, size_t count, const uint16_t *symbols,
                   ValueColumns *to);

/* Where the columns are read from. */
typedef struct {
    const uint8_t *exceptions, *exceptions_end;
    const uint8_t *values, *values_end;
} ValueSource;

/* Begins the columns of a block. Returns NULL, or what is wrong. */
const char *values_begin(ValuePredictor *predictor, ValueSource *from);

/* At the block's end: whether the columns have been read to their ends. */
bool values_are_done(const ValuePredictor *predictor, const ValueSource *from);

/* The records whose values are wanted. */
typedef struct {
    const uint64_t *address;
    const uint8_t *info;
    const uint16_t *symbol;
    const bool *unknown; /* NULL: all are known */
} ValueRecords;

/* Decodes the values of `count` records into `to`. Returns NULL, or what is wrong. */
const char *values_decode(ValuePredictor *predictor, const ValueRecords *records, size_t count, ValueSource *from,
                          struct mt_value *to);

#endif
