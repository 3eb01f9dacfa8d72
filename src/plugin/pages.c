/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Physical addresses: see pages.h. */
#include "pages.h"

#include <string.h>

#include "../record/x86.h"
#include "page_sizes.h"

/* The highest bit of a page's number. */
#define UNTOLD (UINT64_C(1) << (PAGES_GENERATION_SHIFT - 1))
#define FIRST_GENERATION (UINT64_C(1) << PAGES_GENERATION_SHIFT)

PagesVcpu pages[RING_MAX_VCPUS];

void pages_init(void)
{
    for (unsigned i = 0; i < RING_MAX_VCPUS; i++)
        pages[i].generation = FIRST_GENERATION;
}

static void drop(PagesVcpu *of)
{
    of->generation += FIRST_GENERATION;
    if (!of->generation) { /* generations wrap around: entries of old ones must not become valid again */
        memset(of->entry, 0, sizeof of->entry);
        of->generation = FIRST_GENERATION;
    }
}

static void drop_cb(unsigned int vcpu, void *userdata)
{
    (void)userdata;
    if (turns_are_taken())
        pages_drop_all(); /* it isn't known which vCPU it is */
    else
        drop(&pages[vcpu]);
}

void pages_drop_all(void)
{
    for (unsigned i = 0; i < plugin.vcpus; i++)
        drop(&pages[i]);
}

void pages_look_for_flush(struct qemu_plugin_insn *insn)
{
    uint8_t bytes[16];
    size_t count = qemu_plugin_insn_data(insn, bytes, sizeof bytes);

    if (x86_may_remap(bytes, count))
        qemu_plugin_register_vcpu_insn_exec_cb(insn, drop_cb, QEMU_PLUGIN_CB_NO_REGS, NULL);
}

/* A key that no page has: bits 62 and 63 of its addresses would differ. The entry is that of `key`, but its frame must
 * be told again. */
static uint64_t untold(uint64_t key)
{
    return (key & ~UNTOLD) | (~key << 1 & UNTOLD);
}

void pages_tell_again(unsigned vcpu)
{
    for (unsigned i = 0; i < ROW_FRAME_SLOTS; i++)
        pages[vcpu].entry[i].key = untold(pages[vcpu].entry[i].key);
}

/* Asks QEMU. *remember: whether the answer holds for other accesses to the page. */
static uint64_t ask(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t vaddr, bool *remember)
{
    const struct qemu_plugin_hwaddr *address = qemu_plugin_get_hwaddr(info, vaddr);
    uint64_t paddr;

    *remember = false;
    if (!address)
        return MT_PADDR_UNKNOWN;
    paddr = qemu_plugin_hwaddr_phys_addr(address);
    if (qemu_plugin_hwaddr_is_io(address))
        return paddr | MT_PADDR_IO;
    *remember = ring_vcpus_are_known(plugin.ring);
    if (*remember && (ring_fields(plugin.ring) & MT_FIELD_PAGE_SIZE))
        paddr |= page_sizes_ask(vcpu, vaddr, paddr);
    return paddr;
}

void __attribute__((noinline)) pages_find(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t vaddr)
{
    PagesVcpu *of = &pages[vcpu];
    unsigned slot = row_frame_slot(vaddr);
    uint64_t key = vaddr >> ROW_PAGE_SHIFT | of->generation, before = of->entry[slot].key, frame;
    bool remember = before == untold(key);

    frame = remember ? of->entry[slot].frame : ask(vcpu, info, vaddr, &remember) & ROW_FRAME_MASK;
    if (frame != of->entry[slot].frame || before == untold(before)) {
        of->entry[slot].frame = frame;
        do {
            of->entry[slot].key = 0;
            capture_put_event(vcpu, ROW_EVENT_FRAME, row_frame_event(vaddr, frame));
        } while (of->entry[slot].key); /* the event was dropped, too, and recording has gone on since */
    }
    of->entry[slot].key = remember ? key : 0;
}
