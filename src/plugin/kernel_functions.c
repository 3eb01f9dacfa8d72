/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The wanted kernel functions: see kernel_functions.h.
 *
 * Every instruction of the kernel is checked when it is translated, and hardly any is in a wanted function. So a bit
 * for each page, by the low bits of its number, says whether the page may have a wanted function at all.
 */
#include "kernel_functions.h"

#include <string.h>

#include "../record/x86.h"
#include "kernel.h"
#include "kernel_memory.h"

#define PAGE_SHIFT 12
/* The number of bits: a kernel's text has some thousands of pages, and the wanted functions are on some fifty of them.
 */
#define PAGES 4096u

static uint64_t pages[PAGES / 64];

static void add_range(const KernelRange *range)
{
    uint64_t first = range->begin >> PAGE_SHIFT, last = (range->end - 1) >> PAGE_SHIFT;

    if (range->begin == KERNEL_UNKNOWN || range->end <= range->begin)
        return;
    for (uint64_t page = first; page <= last && page - first < PAGES; page++)
        pages[page % PAGES / 64] |= UINT64_C(1) << page % 64;
}

void kernel_functions_init(void)
{
    memset(pages, 0, sizeof pages);
    for (unsigned i = 0; i < KERNEL_FUNCTIONS; i++)
        add_range(&kernel_layout()->function[i]);
}

static bool may_be_on_page(uint64_t address)
{
    uint64_t page = address >> PAGE_SHIFT;

    return pages[page % PAGES / 64] >> page % 64 & 1;
}

static bool covers(const KernelRange *range, uint64_t address)
{
    return range->begin != KERNEL_UNKNOWN && address >= range->begin && address < range->end;
}

/* Whether an instruction of the function returns from it, or jumps to code that does. */
static bool leaves(struct qemu_plugin_insn *insn, KernelFunction function)
{
    const KernelLayout *layout = kernel_layout();
    uint64_t address = qemu_plugin_insn_vaddr(insn), target = address + qemu_plugin_insn_size(insn);
    uint8_t code[16];
    size_t bytes = qemu_plugin_insn_data(insn, code, sizeof code);

    if (bytes && (code[bytes - 1] == 0xc3) && (bytes == 1 || (bytes == 2 && code[0] == 0xf3)))
        return true;
    if (bytes == 5 && code[0] == 0xe9) {
        int32_t distance;

        memcpy(&distance, code + 1, sizeof distance);
        target += (uint64_t)(int64_t)distance;
    } else if (bytes == 2 && code[0] == 0xeb) {
        target += (uint64_t)(int64_t)(int8_t)code[1];
    } else {
        return false;
    }
    return !covers(&layout->function[function], target) && !covers(&layout->cold[function], target);
}

static bool has_end(KernelFunction function)
{
    if (function == KERNEL_MREMAP) /* its last jump goes to the function that does the work */
        return kernel_layout()->function[KERNEL_DO_MREMAP].begin == KERNEL_UNKNOWN;
    return function == KERNEL_DO_MREMAP || function == KERNEL_IRQ_EXIT || function == KERNEL_SOFTIRQS ||
           kernel_memory_watches_end(function);
}

/* Some functions are of interest at their end only. */
static bool has_begin(KernelFunction function)
{
    return function != KERNEL_DO_MREMAP && function != KERNEL_IRQ_EXIT &&
           (!kernel_memory_watches(function) || kernel_memory_watches_begin(function));
}

void kernel_functions_find(struct qemu_plugin_insn *insn, void (*found)(struct qemu_plugin_insn *insn, unsigned what))
{
    const KernelLayout *layout = kernel_layout();
    uint64_t address = qemu_plugin_insn_vaddr(insn);
    unsigned count;

    if (!may_be_on_page(address) || !x86_is_kernel_address(address)) /* enough for most instructions */
        return;
    count = kernel_memory_is_wanted() ? KERNEL_FUNCTIONS : KERNEL_SETUP_OBJECT;
    for (unsigned i = 0; i < count; i++) {
        if (!covers(&layout->function[i], address))
            continue;
        if (layout->function[i].begin == address && has_begin(i))
            found(insn, i);
        else if (has_end(i) && leaves(insn, i))
            found(insn, i | KERNEL_FUNCTION_LEAVES);
    }
}
