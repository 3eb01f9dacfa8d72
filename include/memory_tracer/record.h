/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * GMBEOO records: what memory_tracer writes into a FIFO. An analysis tool needs this header and nothing else.
 *
 * A stream is a sequence of 16-byte records, little-endian, without header or padding: one record per access that the
 * guest performed, in program order within each vCPU.
 */
#ifndef MEMORY_TRACER_RECORD_H
#define MEMORY_TRACER_RECORD_H

#include <stdbool.h>
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

#ifdef __cplusplus
}
#endif

#endif
