/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The trace file's layout, as doc/trace_format.md specifies it. The structures are those of the file: little-endian. */
#ifndef MEMORY_TRACER_TRACE_FORMAT_H
#define MEMORY_TRACER_TRACE_FORMAT_H

#include <glib.h>
#include <stdint.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "a file's structures are copied to and from memory");

#define FORMAT_MAGIC "MTtrace\n"
#define FORMAT_END_MAGIC "MTend\n\n\n"
#define FORMAT_VERSION 1
#define FORMAT_CHUNK_MAGIC 0x6b63544du
#define FORMAT_ALIGNMENT 8

#define FORMAT_MAX_PAYLOAD (UINT64_C(1) << 30)
#define FORMAT_MAX_RECORDS (1u << 22)
#define FORMAT_MAX_SYMBOLS 65535u
#define FORMAT_MAX_COLUMNS 64u
#define FORMAT_MAX_VCPUS 256u

/* Where the next chunk begins if a chunk ends at `offset`. */
static inline uint64_t format_padded(uint64_t offset)
{
    return (offset + FORMAT_ALIGNMENT - 1) & ~(uint64_t)(FORMAT_ALIGNMENT - 1);
}

struct format_header {
    char magic[8];
    uint32_t version, fields, vcpus, architecture; /* enum mt_architecture */
    uint64_t created_s;
    uint8_t reserved[24];
    uint64_t hash;
};

/* Bits of the header's `fields`. */
enum format_fields {
    FORMAT_HAS_INSTRUCTIONS = 1,
    FORMAT_HAS_PADDRS = 2,
    FORMAT_HAS_ALL_VALUES = 4, /* in FORMAT_VALUES; no longer written */
    FORMAT_HAS_TIMES = 8,
    FORMAT_HAS_VALUES = 16, /* in FORMAT_VALUE_EXCEPTIONS and the two columns behind it */
    FORMAT_HAS_TASKS = 32,
    FORMAT_HAS_EXECUTED = 64,
    FORMAT_HAS_PAGE_SIZES = 128,
};

enum format_chunk_type {
    FORMAT_METADATA = 1,
    FORMAT_INSTRUCTIONS,
    FORMAT_BLOCK,
    FORMAT_ATTACHMENT,
    FORMAT_INDEX,
    FORMAT_COUNTS,
    FORMAT_CHANGES,
};

struct format_chunk {
    uint32_t magic, type;
    uint64_t bytes, payload_hash, hash;
};

struct format_instructions {
    uint32_t first, count;
};

/* How many records the guest was known to have made while the file was written. */
struct format_counts {
    uint64_t known;
};

struct format_block {
    uint32_t vcpu, records;
    uint64_t first, end;
    uint64_t dropped, known;
    uint64_t first_ns, last_ns;
    uint32_t columns, input;
};

enum format_column_id {
    FORMAT_SYMBOLS = 1,
    FORMAT_CODES,
    FORMAT_LITERALS,
    FORMAT_RESIDUALS,
    FORMAT_ORDER,
    FORMAT_TIMES,
    FORMAT_PADDRS,
    FORMAT_VALUES,
    FORMAT_VALUE_EXCEPTIONS,
    FORMAT_GIVEN_VALUES,
    FORMAT_UNKNOWN_VALUES,
    FORMAT_PAGE_SIZES,
    FORMAT_TASKS,
    FORMAT_EXECUTED,
    FORMAT_COLUMNS, /* the number of ids, from the unused 0 on */
};

enum format_encoding { FORMAT_PLAIN, FORMAT_ZSTD };

struct format_column {
    uint16_t id, encoding;
    uint32_t stored, bytes, zero;
};

struct format_index_entry {
    uint64_t offset, bytes;
    uint32_t type, vcpu;
    uint64_t first, end;
    uint32_t records, input;
    uint64_t first_ns, last_ns;
    uint64_t dropped, known;
};

/* Copies into an index entry what it says of a block. */
static inline void format_describe_block(struct format_index_entry *entry, const struct format_block *block)
{
    entry->vcpu = block->vcpu;
    entry->input = block->input;
    entry->first = block->first;
    entry->end = block->end;
    entry->records = block->records;
    entry->first_ns = block->first_ns;
    entry->last_ns = block->last_ns;
    entry->dropped = block->dropped;
    entry->known = block->known;
}

struct format_index {
    uint32_t entries, zero;
};

struct format_footer {
    uint64_t index_offset;
    char magic[8];
    uint64_t file_bytes, hash;
};

/* The codes of a record's symbol and address. */
enum { SYMBOL_NEXT0, SYMBOL_NEXT1, SYMBOL_LITERAL };
enum { ADDRESS_STRIDE, ADDRESS_ALTERNATIVE, ADDRESS_HOP, ADDRESS_RESIDUAL };

/* Where a record's info has the number of its instruction. */
#define FORMAT_INSTRUCTION_SHIFT 24

#define FORMAT_PAGE_SHIFT 12
#define FORMAT_PADDR_TABLE_BITS 14
#define FORMAT_PADDR_SET (UINT64_C(1) << 63)

/* The entry of the table of physical pages that a virtual address belongs to. */
static inline uint32_t format_paddr_slot(uint64_t virt_addr)
{
    return (uint32_t)(((virt_addr >> FORMAT_PAGE_SHIFT) * UINT64_C(0x9e3779b97f4a7c15)) >>
                      (64 - FORMAT_PADDR_TABLE_BITS));
}

/* The codes of an exception of the values; all but VALUE_GIVEN are also the symbol's source from then on. */
enum format_value_code { VALUE_GIVEN, VALUE_MEMORY, VALUE_STRIDE, VALUE_BEFORE, VALUE_CODES };
#define FORMAT_VALUE_CODE_BITS 2
#define FORMAT_VALUE_BYTES 16 /* of a larger access, the lowest 16 are kept */
#define FORMAT_VALUE_MEMORY_BITS 18
#define FORMAT_VALUE_LINE_BITS 6

/* The offset in the predictor's memory of the bytes that were last seen at an address. Lines of 64 bytes lie where a
 * hash of their number says. */
static inline uint32_t format_value_slot(uint64_t virt_addr)
{
    uint64_t line = ((virt_addr >> FORMAT_VALUE_LINE_BITS) * UINT64_C(0x9e3779b97f4a7c15)) >>
                    (64 - FORMAT_VALUE_MEMORY_BITS + FORMAT_VALUE_LINE_BITS);

    return (uint32_t)(line << FORMAT_VALUE_LINE_BITS | (virt_addr & ((1u << FORMAT_VALUE_LINE_BITS) - 1)));
}

/* Events. */
#define FORMAT_EVENT_TABLE_BITS 14
#define FORMAT_MAX_EVENT_BYTES (1u << 26)
#define FORMAT_MAX_CHANGES (1u << 22) /* of a file */
/* Of one kind in a block, so that a bad file can't make us read for ever. Fuzzers have less time. */
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
#define FORMAT_MAX_EVENTS (UINT64_C(1) << 16)
#else
#define FORMAT_MAX_EVENTS (UINT64_C(1) << 26)
#endif

/* Varints. */

#define VARINT_MAX_BYTES 10

static inline uint8_t *varint_put(uint8_t *to, uint64_t value)
{
    while (value >= 128) {
        *to++ = (uint8_t)(value | 128);
        value >>= 7;
    }
    *to++ = (uint8_t)value;
    return to;
}

static inline void varint_append(GByteArray *to, uint64_t value)
{
    uint8_t bytes[VARINT_MAX_BYTES];

    g_byte_array_append(to, bytes, (guint)(varint_put(bytes, value) - bytes));
}

/* Returns what follows the varint, or NULL if there is none. */
static inline const uint8_t *varint_get(const uint8_t *from, const uint8_t *end, uint64_t *value)
{
    uint64_t result = 0;

    for (unsigned shift = 0; shift < 7 * VARINT_MAX_BYTES && from < end; shift += 7) {
        uint8_t byte = *from++;

        result |= (uint64_t)(byte & 127) << shift;
        if (!(byte & 128)) {
            *value = result;
            return from;
        }
    }
    return NULL;
}

static inline uint64_t zigzag(uint64_t signed_value)
{
    return signed_value << 1 ^ (uint64_t)((int64_t)signed_value >> 63);
}

static inline uint64_t unzigzag(uint64_t value)
{
    return value >> 1 ^ -(value & 1);
}

#endif
