/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Physical addresses. Asking QEMU for each access doubles the access's cost, so each vCPU remembers its last pages. It
 * drops them when it executes an instruction that may change the mapping (a write to a control register or MSR, INVLPG,
 * INVPCID, RSM). Device memory is not remembered, and nothing is remembered while vCPUs can't be told apart.
 */
#ifndef MEMORY_TRACER_PLUGIN_PAGES_H
#define MEMORY_TRACER_PLUGIN_PAGES_H

#include "interface.h"
#include "plugin.h"

#define PAGES_SHIFT 12
#define PAGES_ENTRIES 1024        /* for 4 MiB; with 256, a merge sort of 4 MiB asked QEMU 20 times as often */
#define PAGES_GENERATION_SHIFT 52 /* a page's number has 52 bits */

typedef struct PagesVcpu {
    uint64_t generation; /* already shifted; not 0 */
    struct {
        uint64_t key; /* the page's number, and the generation in which it was seen */
        uint64_t frame;
    } entry[PAGES_ENTRIES];
} __attribute__((aligned(64))) PagesVcpu;

extern PagesVcpu pages[RING_MAX_VCPUS];

void pages_init(void);
/* Instruments an instruction that is being translated to drop the pages, if it is of that kind. */
void pages_look_for_flush(struct qemu_plugin_insn *insn);
/* Drops all pages, because such instructions may have been missed. To be called while all vCPUs stand still. */
void pages_drop_all(void);
/* What callbacks of accesses that ask for physical addresses are registered with: a page's size is found by cr3. */
static inline enum qemu_plugin_cb_flags pages_callback_flags(void)
{
    return ring_fields(plugin.ring) & MT_FIELD_PAGE_SIZE ? interface_flags_for_stored_registers()
                                                         : QEMU_PLUGIN_CB_NO_REGS;
}
/* Asks QEMU for the physical address of an access. With MT_FIELD_PAGE_SIZE, the page's size is in it
 * (ROW_PAGE_SIZE_SHIFT). */
uint64_t pages_ask(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t vaddr);

/* The physical address of `vaddr`, as WideRow has it, if its page is remembered. */
static inline bool pages_find(unsigned vcpu, uint64_t vaddr, uint64_t *paddr)
{
    const PagesVcpu *of = &pages[vcpu];
    uint64_t page = vaddr >> PAGES_SHIFT;

    *paddr = of->entry[page % PAGES_ENTRIES].frame | (vaddr & ((1u << PAGES_SHIFT) - 1));
    return of->entry[page % PAGES_ENTRIES].key == (page | of->generation);
}

/* The physical address of an access that is taking place. */
static inline uint64_t pages_translate(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t vaddr)
{
    uint64_t paddr;

    return G_LIKELY(pages_find(vcpu, vaddr, &paddr)) ? paddr : pages_ask(vcpu, info, vaddr);
}

#endif
