/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How large the guest's pages are. QEMU doesn't tell, so the guest's page tables are walked when a page is first asked
 * for: from CR3 on, through the kernel's direct map. The result counts only if the walk ends at the physical address
 * that QEMU has told.
 */
#ifndef MEMORY_TRACER_PLUGIN_PAGE_SIZES_H
#define MEMORY_TRACER_PLUGIN_PAGE_SIZES_H

#include <stdint.h>

/* The size of the page that has virt_addr, which this vCPU accesses now at this physical address: as bits of a row's
 * physical address (ROW_PAGE_SIZE_SHIFT). It is remembered for as long as the page has the same frame. */
uint64_t page_sizes_ask(unsigned vcpu, uint64_t virt_addr, uint64_t physical);
/* Drops all remembered sizes, as another run begins. To be called while all vCPUs stand still. */
void page_sizes_forget(void);

#endif
