/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * GMBEOO records: what memory_tracer writes into a FIFO. An analysis tool needs this header and nothing else.
 *
 * GMBE is short for guest_mem_before_exec, the trace event of QEMU 3.0 that an earlier tool used; here it means one
 * memory access by an instruction of the guest. That tool called its 16-byte records GMBEOO; these have the same
 * format.
 *
 * A stream, unless it is the compact one below, is a sequence of 16-byte records, little-endian, without header or
 * padding: one record per access that the guest performed, in program order within each vCPU.
 */
#ifndef MEMORY_TRACER_RECORD_H
#define MEMORY_TRACER_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * One access. Layout of `info`, from bit 0:
 *   0-2    size_shift: the access is 1 << size_shift bytes (0 to 4: 1 to 16 bytes)
 *   3      sign_extend: the value loaded was sign-extended
 *   4      big_endian
 *   5      store (else load)
 *   6-7    cpl: privilege level of the instruction, 0 kernel, 3 user
 *   8-23   vcpu: index of the virtual CPU
 *   24-62  0
 *   63     is_valid: always 1
 */
struct gmbeoo_record {
    uint64_t info;
    uint64_t virt_addr; /* of the first byte, as the guest's instruction formed it */
};

#define GMBEOO_SIGN_EXTEND (UINT64_C(1) << 3)
#define GMBEOO_BIG_ENDIAN (UINT64_C(1) << 4)
#define GMBEOO_STORE (UINT64_C(1) << 5)
#define GMBEOO_CPL_SHIFT 6
#define GMBEOO_VCPU_SHIFT 8
#define GMBEOO_VALID (UINT64_C(1) << 63)

static inline unsigned gmbeoo_size_shift(const struct gmbeoo_record *record)
{
    return record->info & 7;
}

/* Size of the access in bytes. */
static inline unsigned gmbeoo_size(const struct gmbeoo_record *record)
{
    return 1u << gmbeoo_size_shift(record);
}

static inline bool gmbeoo_is_sign_extended(const struct gmbeoo_record *record)
{
    return record->info & GMBEOO_SIGN_EXTEND;
}

static inline bool gmbeoo_is_big_endian(const struct gmbeoo_record *record)
{
    return record->info & GMBEOO_BIG_ENDIAN;
}

static inline bool gmbeoo_is_store(const struct gmbeoo_record *record)
{
    return record->info & GMBEOO_STORE;
}

static inline unsigned gmbeoo_cpl(const struct gmbeoo_record *record)
{
    return (record->info >> GMBEOO_CPL_SHIFT) & 3;
}

static inline unsigned gmbeoo_vcpu(const struct gmbeoo_record *record)
{
    return (record->info >> GMBEOO_VCPU_SHIFT) & 0xffff;
}

static inline bool gmbeoo_is_valid(const struct gmbeoo_record *record)
{
    return record->info & GMBEOO_VALID;
}

/*
 * The compact stream (--record_format compact): a sequence of 64-bit words, little-endian. An access is one word:
 *   0-47   the address; its bits 48 to 63 are equal to bit 47
 *   48-55  the same as bits 0-7 of gmbeoo_record's info
 *   56-63  vcpu
 * An address that doesn't fit takes two words: the first one has 7 as its size_shift, and the access's size_shift in
 * bits 0-2; the second one is the address.
 */
#define COMPACT_ADDRESS_BITS 48
#define COMPACT_INFO_SHIFT 48
#define COMPACT_VCPU_SHIFT 56
#define COMPACT_ESCAPE UINT64_C(7)

/* Writes a record as one or two words, and returns their number. */
static inline unsigned gmbeoo_to_compact(const struct gmbeoo_record *record, uint64_t words[2])
{
    uint64_t rest = (record->info & 0xff) << COMPACT_INFO_SHIFT | (uint64_t)gmbeoo_vcpu(record) << COMPACT_VCPU_SHIFT;
    uint64_t above = (uint64_t)((int64_t)record->virt_addr >> (COMPACT_ADDRESS_BITS - 1));

    if (above + 1 <= 1) { /* all ones or all zeros */
        words[0] = rest | (record->virt_addr & ((UINT64_C(1) << COMPACT_ADDRESS_BITS) - 1));
        return 1;
    }
    words[0] = rest | COMPACT_ESCAPE << COMPACT_INFO_SHIFT | gmbeoo_size_shift(record);
    words[1] = record->virt_addr;
    return 2;
}

/* Reads a record from the first of `count` words. Returns how many it took, or 0 if there are not enough. */
static inline unsigned gmbeoo_from_compact(struct gmbeoo_record *record, const uint64_t *words, size_t count)
{
    uint64_t word = count ? words[0] : 0;
    bool escaped = (word >> COMPACT_INFO_SHIFT & 7) == COMPACT_ESCAPE;

    if (count < 1u + escaped)
        return 0;
    record->info = GMBEOO_VALID | (word >> COMPACT_INFO_SHIFT & 0xff) | word >> COMPACT_VCPU_SHIFT << GMBEOO_VCPU_SHIFT;
    if (escaped) {
        record->info = (record->info & ~UINT64_C(7)) | (word & 7);
        record->virt_addr = words[1];
        return 2;
    }
    record->virt_addr = (uint64_t)((int64_t)(word << (64 - COMPACT_ADDRESS_BITS)) >> (64 - COMPACT_ADDRESS_BITS));
    return 1;
}

#ifdef __cplusplus
}
#endif

#endif
