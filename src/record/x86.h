/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Everything that is specific to the guest's architecture, x86-64: which code is privileged, how the address space is
 * divided, what a processor's registers say about the code that it executes, and what the bytes of an instruction say.
 *
 * No other room knows the architecture. The functions here depend on their arguments alone: the plugin reads registers
 * and bytes (cpl.c, corrections.c, pages.c), others have them from the trace.
 */
#ifndef MEMORY_TRACER_RECORD_X86_H
#define MEMORY_TRACER_RECORD_X86_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../include/memory_tracer/trace.h"

#define X86_KERNEL_CPL 0u
#define X86_USER_CPL 3u
/* Bits of a virtual address, with five levels of page tables; all bits above are equal to the highest one. */
#define X86_ADDRESS_BITS 57
#define X86_PHYSICAL_BITS 52

/* Page tables: the number of entries of a table, and bits of an entry (Intel's and AMD's manuals, "4-level paging"). A
 * leaf is a large page. Linux uses the upper half of the highest table for the kernel. */
#define X86_TABLE_ENTRIES 512
#define X86_ENTRY_PRESENT (UINT64_C(1) << 0)
#define X86_ENTRY_LEAF (UINT64_C(1) << 7)
#define X86_ENTRY_FRAME UINT64_C(0x000ffffffffff000)

#define X86_ENTRY_SHIFT 3 /* of an entry's bytes */
#define X86_INDEX_BITS 9  /* of an address, for one level */

/* Reads the entry of a page table at a physical address. False if it can't be read. */
typedef bool (*X86ReadEntry)(void *data, uint64_t address, uint64_t *entry);
/* Walks the page tables as the processor does, from the highest table on, which CR3 points to; `levels`: 4 or 5. Gives
 * the base-2 logarithm of the page's bytes and in *physical the physical address of `address`; or 0, if nothing is
 * mapped there or an entry can't be read. */
unsigned x86_walk(uint64_t cr3, unsigned levels, uint64_t address, X86ReadEntry read, void *data, uint64_t *physical);

/* Where a processor has its own interrupt controller, unless it was moved. It is as large as a page. */
#define X86_LOCAL_APIC UINT64_C(0xfee00000)

/* Fixed addresses of Linux (its Documentation/arch/x86/x86_64/mm.rst): each CPU's tables and stacks for exceptions; the
 * end of the modules; and an address below which the direct map begins with five levels of page tables. */
#define X86_LINUX_CPU_ENTRY_AREA UINT64_C(0xfffffe0000000000)
#define X86_LINUX_CPU_ENTRY_AREA_END UINT64_C(0xfffffe8000000000)
#define X86_LINUX_MODULES_END UINT64_C(0xffffffffff000000)
#define X86_LINUX_FIVE_LEVELS_BELOW UINT64_C(0xffff800000000000)
/* The size of a task's stack in the kernel, and of a CPU's for interrupts. */
#define X86_LINUX_STACK_BYTES (16u << 10)

static inline bool x86_is_user(unsigned cpl)
{
    return cpl == X86_USER_CPL;
}

/* The upper half of the address space is the kernel's: on Linux, no user code has anything there. */
static inline bool x86_is_kernel_address(uint64_t address)
{
    return address >> 63;
}

static inline bool x86_is_canonical(uint64_t address)
{
    return (uint64_t)((int64_t)address >> (X86_ADDRESS_BITS - 1)) + 1 <= 1;
}

/* Code of the kernel itself: not what it executes at a user's address, as while it boots. */
static inline bool x86_is_kernel_code(const struct mt_instruction *instruction)
{
    return instruction->cpl == X86_KERNEL_CPL && x86_is_kernel_address(instruction->pc);
}

/* The low halves of registers, or the parts of them that mean something here. */
typedef struct X86Registers {
    uint32_t cr0, eflags;
    uint32_t cs; /* the selector; what stands above its 16 bits is ignored */
    bool has_efer;
    uint32_t efer;
} X86Registers;

/* The privilege level of the code that a processor with these registers executes, and its mode: MT_MODE_UNKNOWN in
 * protected mode without efer. */
unsigned x86_cpl(const X86Registers *registers);
enum mt_mode x86_mode(const X86Registers *registers);

/*
 * What the bytes of an instruction say about its accesses, where that differs from what QEMU (10.0 to 11.1) reports.
 *
 * QEMU executes a few vector instructions with loads that are wider than their operand, retries two kinds of locked
 * instructions in a loop, and reports the operand of other locked instructions instead of a value. All other reports
 * are right.
 */

typedef enum X86Accesses {
    X86_AS_TOLD,

    /* Loads 4, 8 or 16 bytes; QEMU loads more, perhaps in two pieces. */
    X86_LOADS_4,
    X86_LOADS_8,
    X86_LOADS_16,

    /* Loads and stores once. QEMU loads, and then compares and exchanges, which is another load and a store; it repeats
     * both if another vCPU has stored in between. */
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

static inline bool x86_is_locked(X86Accesses accesses)
{
    return accesses >= X86_TELLS_OLD_ADD;
}

/* What the instruction in `bytes` accesses. It may be 16-, 32- or 64-bit code: what matters here is the same in all of
 * them, except for LDS and LES, which 64-bit code doesn't have. In 16- and 32-bit code, a few forms of these look like
 * an instruction with VEX; they load at most 4 bytes, and then a selector behind them. */
X86Accesses x86_accesses(const uint8_t *bytes, size_t count);

/* Whether an instruction may change how addresses are mapped. */
bool x86_may_remap(const uint8_t *bytes, size_t count);

#endif
