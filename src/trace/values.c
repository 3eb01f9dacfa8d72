/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Predicts values: see values.h. A load's value is mostly what was last seen at its address. A store's value is mostly
 * that of the same instruction's last store, or a stride more, or what was loaded just before.
 */
#include "values.h"

#include <string.h>

#include "../../include/memory_tracer/record.h"
#include "../ring/ring.h"
#include "format.h"

#define MEMORY_BYTES (1u << FORMAT_VALUE_MEMORY_BITS)
#define SIZE_SHIFT_MASK 7u /* the bits of an info that have the size */
#define BIG 4              /* log2 of 16 bytes: of accesses of this size or more, 16 bytes are kept */

/* The state of a symbol. */
typedef struct {
    uint64_t last, stride;
    uint64_t source; /* enum value_code, not VALUE_GIVEN */
} ValueSymbol;

struct ValuePredictor {
    struct mt_value before; /* the last record's */
    uint64_t right;         /* encoder: records since the last exception; decoder: records before the next one */
    bool more_exceptions;
    uint32_t symbols;
    uint8_t memory[MEMORY_BYTES + FORMAT_VALUE_BYTES]; /* an access may begin at its last byte */
    ValueSymbol symbol[FORMAT_MAX_SYMBOLS + 1];
};

static const uint64_t mask_of_size[8] = {
    0xff, 0xffff, 0xffffffff, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX,
};

ValuePredictor *value_predictor_new(void)
{
    return g_new0(ValuePredictor, 1); /* unused pages take no memory */
}

void value_predictor_free(ValuePredictor *predictor)
{
    g_free(predictor);
}

void value_predictor_begin(ValuePredictor *predictor)
{
    memset(predictor->memory, 0, sizeof predictor->memory);
    predictor->before = (struct mt_value){ 0 };
    predictor->right = predictor->symbols = 0;
    predictor->more_exceptions = false;
}

void value_predictor_add_symbol(ValuePredictor *predictor, uint32_t symbol, bool is_store)
{
    predictor->symbol[symbol] = (ValueSymbol){ .source = is_store ? VALUE_STRIDE : VALUE_MEMORY };
}

/* The bytes of an access, loaded with the guest's size: then the processor can forward a value that was just stored, as
 * it could in the guest. */
static inline __attribute__((always_inline)) struct mt_value load(const uint8_t *from, unsigned size_shift)
{
    struct mt_value value = { 0 };

    switch (size_shift) {
    case 0:
        value.low = *from;
        break;
    case 1: {
        uint16_t word;

        memcpy(&word, from, sizeof word);
        value.low = word;
        break;
    }
    case 2: {
        uint32_t word;

        memcpy(&word, from, sizeof word);
        value.low = word;
        break;
    }
    case 3:
        memcpy(&value.low, from, sizeof value.low);
        break;
    default:
        memcpy(&value, from, sizeof value);
    }
    return value;
}

/* Up to 8 bytes. From a register: two halves that were just stored, read as 16 bytes, would have to reach the cache
 * first, and the compiler reads ahead. */
static inline __attribute__((always_inline)) void store_small(uint8_t *to, unsigned size_shift, uint64_t low)
{
    switch (size_shift) {
    case 0:
        *to = (uint8_t)low;
        break;
    case 1:
        memcpy(to, &low, 2);
        break;
    case 2:
        memcpy(to, &low, 4);
        break;
    default:
        memcpy(to, &low, 8);
    }
}

static inline __attribute__((always_inline)) void store(uint8_t *to, unsigned size_shift, struct mt_value value)
{
    if (size_shift < BIG) {
        store_small(to, size_shift, value.low);
    } else {
        memcpy(to, &value.low, sizeof value.low);
        memcpy(to + sizeof value.low, &value.high, sizeof value.high);
    }
}

static inline __attribute__((always_inline)) struct mt_value predict(const ValuePredictor *predictor,
                                                                     const ValueSymbol *symbol, uint64_t source,
                                                                     const uint8_t *place, unsigned size_shift)
{
    if (source == VALUE_MEMORY)
        return load(place, size_shift);
    if (source == VALUE_STRIDE)
        return (struct mt_value){ (symbol->last + symbol->stride) & mask_of_size[size_shift], 0 };
    return (struct mt_value){ predictor->before.low & mask_of_size[size_shift],
                              size_shift >= BIG ? predictor->before.high : 0 };
}

static inline __attribute__((always_inline)) bool equal(struct mt_value a, struct mt_value b)
{
    return !((a.low ^ b.low) | (a.high ^ b.high));
}

static inline __attribute__((always_inline)) void learn(ValuePredictor *predictor, ValueSymbol *symbol, uint8_t *place,
                                                        unsigned size_shift, struct mt_value value)
{
    symbol->stride = value.low - symbol->last;
    symbol->last = value.low;
    predictor->before = value;
    store(place, size_shift, value);
}

/* The source whose prediction would have been right, or VALUE_GIVEN. */
static uint64_t find_source(const ValuePredictor *predictor, const ValueSymbol *symbol, const uint8_t *place,
                            unsigned size_shift, struct mt_value value)
{
    for (uint64_t source = VALUE_MEMORY; source < VALUE_CODES; source++)
        if (equal(predict(predictor, symbol, source, place, size_shift), value))
            return source;
    return VALUE_GIVEN;
}

static __attribute__((noinline)) void put_exception(ValuePredictor *predictor, ValueSymbol *symbol,
                                                    const uint8_t *place, unsigned size_shift, struct mt_value value,
                                                    ValueColumns *to)
{
    uint64_t code = find_source(predictor, symbol, place, size_shift, value);

    to->exceptions = varint_put(to->exceptions, predictor->right << FORMAT_VALUE_CODE_BITS | code);
    predictor->right = 0;
    if (code == VALUE_GIVEN) {
        store(to->values, size_shift, value);
        to->values += MIN(1u << size_shift, FORMAT_VALUE_BYTES);
    } else {
        symbol->source = code;
    }
}

static __attribute__((noinline)) void mark_unknown(ValueColumns *to, size_t i)
{
    size_t at = to->records + i;

    if (!to->has_unknown)
        memset(to->unknown, 0, to->unknown_bytes);
    to->has_unknown = true;
    to->unknown[at / 8] |= (uint8_t)(1u << at % 8);
}

/* Encodes the unusual cases: large accesses, unknown values, exceptions. */
static __attribute__((noinline)) void encode_any(ValuePredictor *predictor, const WideRow *wide, ValueSymbol *symbol,
                                                 uint8_t *place, size_t i, ValueColumns *to)
{
    unsigned size_shift = wide->record.info & SIZE_SHIFT_MASK;
    /* Bytes of the low half beyond the access should be 0, but the plugin wrote them, and it is not trusted. */
    const struct mt_value value = { wide->value[0] & mask_of_size[size_shift],
                                    row_is_big(&wide->record) ? wide->value[1] : 0 };

    if (wide->record.info & ROW_VALUE_UNKNOWN) {
        mark_unknown(to, i);
        predictor->right++;
        return;
    }
    if (equal(predict(predictor, symbol, symbol->source, place, size_shift), value))
        predictor->right++;
    else
        put_exception(predictor, symbol, place, size_shift, value, to);
    learn(predictor, symbol, place, size_shift, value);
}

/* Whether a known value of up to 8 bytes, `low`, is as predicted, which most are; then all is done, but for counting
 * it. `before`: the low half of the last record's. */
static inline __attribute__((always_inline)) bool is_predicted(const WideRow *wide, uint64_t low, ValueSymbol *symbol,
                                                               uint8_t *place, uint64_t before)
{
    unsigned size_shift = wide->record.info & SIZE_SHIFT_MASK;

    if (wide->record.info & (BIG | ROW_VALUE_UNKNOWN))
        return false;
    /* What is predicted has no bits that the access doesn't cover, so neither has a value that is equal. */
    if (symbol->source == VALUE_MEMORY) { /* which has it already */
        if (load(place, size_shift).low != low)
            return false;
    } else {
        uint64_t expected = symbol->source == VALUE_STRIDE ? symbol->last + symbol->stride : before;

        if ((expected & mask_of_size[size_shift]) != low)
            return false;
        store_small(place, size_shift, low);
    }
    symbol->stride = low - symbol->last;
    symbol->last = low;
    return true;
}
_Static_assert((BIG & ~SIZE_SHIFT_MASK) == 0 && 2 * BIG > SIZE_SHIFT_MASK, "a size is big if it has this bit");

/* What changes with every record is kept out of memory: to read what was just written takes several cycles. */
void values_encode(ValuePredictor *predictor, const WideRow *rows, size_t count, const uint16_t *symbols,
                   ValueColumns *to)
{
    uint64_t before = predictor->before.low;
    size_t counted = 0; /* records that predictor->right knows of */

    for (size_t i = 0; i < count; i++) {
        const WideRow *wide = &rows[i];
        ValueSymbol *symbol = &predictor->symbol[symbols[i]];
        uint8_t *place = &predictor->memory[format_value_slot(wide->record.virt_addr)];

        uint64_t low = wide->value[0]; /* once: it is the word of the ring's other side */

        if (G_LIKELY(is_predicted(wide, low, symbol, place, before))) {
            before = low;
            continue;
        }
        if (i > counted) /* else the last record's may have been big */
            predictor->before = (struct mt_value){ before, 0 };
        predictor->right += i - counted;
        counted = i + 1;
        encode_any(predictor, wide, symbol, place, i, to);
        before = predictor->before.low;
    }
    if (count > counted)
        predictor->before = (struct mt_value){ before, 0 };
    predictor->right += count - counted;
}

/* Reads the next exception: how many records come before it, and its code. */
static const char *next_exception(ValuePredictor *predictor, ValueSource *from)
{
    predictor->more_exceptions = from->exceptions < from->exceptions_end;
    if (!predictor->more_exceptions)
        return NULL;
    from->exceptions = varint_get(from->exceptions, from->exceptions_end, &predictor->right);
    return from->exceptions ? NULL : "a block's values are damaged";
}

const char *values_begin(ValuePredictor *predictor, ValueSource *from)
{
    return next_exception(predictor, from);
}

static __attribute__((noinline)) const char *get_exception(ValuePredictor *predictor, ValueSymbol *symbol,
                                                           const uint8_t *place, unsigned size_shift, ValueSource *from,
                                                           struct mt_value *value)
{
    uint64_t code = predictor->right & (VALUE_CODES - 1);
    ptrdiff_t bytes = MIN(1 << size_shift, FORMAT_VALUE_BYTES);

    if (code != VALUE_GIVEN) {
        symbol->source = code;
        *value = predict(predictor, symbol, code, place, size_shift);
    } else {
        if (from->values_end - from->values < bytes)
            return "a block's values are incomplete";
        *value = load(from->values, size_shift);
        from->values += bytes;
    }
    return next_exception(predictor, from);
}

const char *values_decode(ValuePredictor *predictor, const ValueRecords *records, size_t count, ValueSource *from,
                          struct mt_value *to)
{
    for (size_t i = 0; i < count; i++) {
        ValueSymbol *symbol = &predictor->symbol[records->symbol[i]];
        uint8_t *place = &predictor->memory[format_value_slot(records->address[i])];
        unsigned size_shift = records->info[i] & SIZE_SHIFT_MASK;
        bool is_exception = predictor->more_exceptions && predictor->right < VALUE_CODES;

        if (records->unknown && records->unknown[i]) {
            if (is_exception)
                return "a block says of an unknown value what it is";
            predictor->right -= VALUE_CODES;
            to[i] = (struct mt_value){ 0 };
            continue;
        }
        if (G_UNLIKELY(is_exception)) {
            const char *problem = get_exception(predictor, symbol, place, size_shift, from, &to[i]);

            if (problem)
                return problem;
        } else {
            predictor->right -= VALUE_CODES;
            to[i] = predict(predictor, symbol, symbol->source, place, size_shift);
        }
        learn(predictor, symbol, place, size_shift, to[i]);
    }
    return NULL;
}

bool values_are_done(const ValuePredictor *predictor, const ValueSource *from)
{
    return !predictor->more_exceptions && from->exceptions == from->exceptions_end && from->values == from->values_end;
}
