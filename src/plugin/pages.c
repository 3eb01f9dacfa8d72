/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Physical addresses: see pages.h. */
#include "pages.h"

#include <string.h>

#include "../record/x86.h"
#include "page_sizes.h"

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

uint64_t __attribute__((noinline)) pages_ask(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t vaddr)
{
    const struct qemu_plugin_hwaddr *address = qemu_plugin_get_hwaddr(info, vaddr);
    PagesVcpu *of = &pages[vcpu];
    uint64_t page = vaddr >> PAGES_SHIFT, paddr;

    if (!address)
        return MT_PADDR_UNKNOWN;
    paddr = qemu_plugin_hwaddr_phys_addr(address);
    if (qemu_plugin_hwaddr_is_io(address))
        return paddr | MT_PADDR_IO;
    if (ring_vcpus_are_known(plugin.ring)) {
        if (ring_fields(plugin.ring) & MT_FIELD_PAGE_SIZE)
            paddr |= page_sizes_ask(vcpu, vaddr, paddr);
        of->entry[page % PAGES_ENTRIES].key = page | of->generation;
        of->entry[page % PAGES_ENTRIES].frame = paddr & ~(uint64_t)((1u << PAGES_SHIFT) - 1);
    }
    return paddr;
}
