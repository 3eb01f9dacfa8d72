/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Physical addresses. Rows don't have them: where a page lies is told before the first access to it (RowFrames in
 * row.h), so a row with them takes no more memory and time than one without. Asking QEMU for each access would double
 * the access's cost, so each vCPU remembers the last pages that it has told of. It drops them when it executes an
 * instruction that may change the mapping (a write to a control register or MSR, INVLPG, INVPCID, RSM). Device memory
 * is not remembered, and nothing is remembered while vCPUs can't be told apart.
 */
#ifndef MEMORY_TRACER_PLUGIN_PAGES_H
#define MEMORY_TRACER_PLUGIN_PAGES_H

#include "interface.h"
#include "plugin.h"

#define PAGES_GENERATION_SHIFT 52 /* a page's number has 52 bits */

typedef struct PagesVcpu {
    uint64_t generation; /* already shifted; not 0 */
    struct {
        uint64_t key;   /* the page's number, and the generation in which it was seen; 0: none */
        uint64_t frame; /* what was told last of this slot, without the offset */
    } entry[ROW_FRAME_SLOTS];
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
/* Records were dropped, and events with them: what was told of the vCPU's pages is to be told again. */
void pages_tell_again(unsigned vcpu);

/* Whether it was told where the page of `vaddr` lies, and holds still. */
static inline bool pages_is_told(unsigned vcpu, uint64_t vaddr)
{
    const PagesVcpu *of = &pages[vcpu];

    return of->entry[row_frame_slot(vaddr)].key == (vaddr >> ROW_PAGE_SHIFT | of->generation);
}

/* Otherwise, before the row of an access that is taking place: finds out where the page lies, and puts an event if that
 * isn't what was told last. With MT_FIELD_PAGE_SIZE, the page's size is told, too. */
void pages_find(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t vaddr);

static inline void pages_tell(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t vaddr)
{
    if (G_UNLIKELY(!pages_is_told(vcpu, vaddr)))
        pages_find(vcpu, info, vaddr);
}

#endif
