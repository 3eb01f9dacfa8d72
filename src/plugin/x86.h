/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the bytes of an x86 instruction tell of its accesses, where that isn't what QEMU (10.0 to 11.1) tells of them.
 *
 * QEMU executes a few vector instructions with loads that are wider than their operand, retries two kinds of locked
 * instructions in a loop, and tells the operand of other locked instructions in place of a value. Everything else is as
 * it tells.
 */
#ifndef MEMORY_TRACER_PLUGIN_X86_H
#define MEMORY_TRACER_PLUGIN_X86_H

#include <stddef.h>
#include <stdint.h>

typedef enum X86Accesses {
    X86_AS_TOLD,

    /* Loads so many bytes; QEMU loads more, perhaps in two pieces. */
    X86_LOADS_4,
    X86_LOADS_8,
    X86_LOADS_16,

    /* Loads and stores once. QEMU loads, and then compares and exchanges, which is a load and a store, too: until
     * nobody has come between. */
    X86_RETRIED_NEG,             /* lock neg */
    X86_RETRIED_COMPARE_AND_ADD, /* cmpccxadd, which stores what it has loaded if the condition doesn't hold */

    /* Locked instructions. Where vCPUs run at the same time, QEMU tells the old or the new value as loaded, and the
     * operand as stored. */
    X86_TELLS_OLD_ADD, /* sub, xadd: stores old + operand (of sub, QEMU negates it) */
    X86_TELLS_OLD_OR,  /* bts */
    X86_TELLS_OLD_AND, /* btr */
    X86_TELLS_OLD_XOR, /* btc */
    X86_TELLS_NEW_ADD, /* add, adc, sbb, inc, dec */
    X86_TELLS_NEW_XOR, /* xor, not */
    X86_TELLS_NEW_OR,  /* or: what it has loaded can't be known */
    X86_TELLS_NEW_AND, /* and: likewise */
    /* Stores the old value unless that is equal to the accumulator. QEMU tells the new one as stored. */
    X86_COMPARES_ACCUMULATOR, /* cmpxchg */
    X86_COMPARES_PAIR,        /* cmpxchg8b, cmpxchg16b: (E/R)DX above (E/R)AX */
} X86Accesses;

static inline int x86_is_locked(X86Accesses accesses)
{
    return accesses >= X86_TELLS_OLD_ADD;
}

/* Of the instruction that `bytes` are. They may be 16-, 32- or 64-bit code: what matters here is alike in all of them,
 * but for LDS and LES, which 64-bit code hasn't. In 16- and 32-bit code, rare ones of them look like an instruction
 * with VEX; they load at most 4 bytes, and then a selector behind them. */
X86Accesses x86_accesses(const uint8_t *bytes, size_t count);

#endif
