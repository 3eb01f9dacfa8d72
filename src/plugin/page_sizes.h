/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How large the guest's pages are. QEMU doesn't tell, so the guest's page tables are walked when a page is first asked
 * for: from CR3 on, through the kernel's direct map. What the walk finds counts only if it ends where QEMU says that
 * the page is.
 */
#ifndef MEMORY_TRACER_PLUGIN_PAGE_SIZES_H
#define MEMORY_TRACER_PLUGIN_PAGE_SIZES_H

#include <stdint.h>

/* The size of the page that has virt_addr, which this vCPU accesses now at this physical address: as bits of a row's
 * physical address (ROW_PAGE_SIZE_SHIFT). It is remembered for as long as the page has the same frame. */
uint64_t page_sizes_ask(unsigned vcpu, uint64_t virt_addr, uint64_t physical);
/* While all vCPUs stand still: another run begins. */
void page_sizes_forget(void);

#endif
