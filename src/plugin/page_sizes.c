/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How large the guest's pages are: see page_sizes.h. */
#include "page_sizes.h"

#include "../record/x86.h"
#include "frames.h"
#include "kernel.h"
#include "plugin.h"

#define REMEMBERED_BITS 15 /* log2 of the entries: enough for 128 MiB of 4-KiB pages */
#define SIZE_TAG_SHIFT 52  /* bits of a page's number */

/* A page of some size, and the frame that it is mapped to; all 0: an empty entry. */
typedef struct {
    uint64_t page;  /* its number, in pages of this size, and the size's logarithm above SIZE_TAG_SHIFT */
    uint64_t frame; /* likewise */
} Remembered;

/* What belongs to one vCPU. */
typedef struct {
    Frames frames;
    bool frames_are_known;
    Remembered *remembered;
} __attribute__((aligned(64))) PageSizesVcpu;

static PageSizesVcpu vcpus[RING_MAX_VCPUS];

void page_sizes_forget(void)
{
    for (unsigned i = 0; i < plugin.vcpus; i++) {
        vcpus[i].frames_are_known = false;
        g_clear_pointer(&vcpus[i].remembered, g_free);
    }
}

/* The entry for the page of this size; *wanted becomes what it has if the page is remembered. */
static Remembered *find(PageSizesVcpu *of, unsigned shift, uint64_t virt_addr, uint64_t physical, Remembered *wanted)
{
    *wanted = (Remembered){ virt_addr >> shift | (uint64_t)shift << SIZE_TAG_SHIFT, physical >> shift };
    return &of->remembered[((wanted->page + (wanted->frame << 20)) * UINT64_C(0x9e3779b97f4a7c15)) >>
                           (64 - REMEMBERED_BITS)];
}

static bool is_remembered(PageSizesVcpu *of, unsigned shift, uint64_t virt_addr, uint64_t physical)
{
    Remembered wanted;
    const Remembered *found = find(of, shift, virt_addr, physical, &wanted);

    return found->page == wanted.page && found->frame == wanted.frame;
}

/* Reads an entry of a page table in the guest's memory. */
static bool read_entry(void *data, uint64_t address, uint64_t *entry)
{
    const Frames *frames = data;

    return address >> FRAME_SHIFT < frames->count &&
           kernel_read_memory(frames->direct_map + address, entry, sizeof *entry);
}

/* Walks the page tables. Returns log2 of the page's bytes; 0: unknown. */
static unsigned walk(PageSizesVcpu *of, uint64_t virt_addr, uint64_t physical)
{
    uint64_t cr3, found;
    unsigned shift;

    if (!of->frames_are_known && !(of->frames_are_known = frames_find(&of->frames)))
        return 0;
    if (!kernel_read_register(KERNEL_CR3, &cr3))
        return 0;
    shift = x86_walk(cr3, of->frames.direct_map < X86_LINUX_FIVE_LEVELS_BELOW ? 5 : 4, virt_addr, read_entry,
                     &of->frames, &found);
    return shift && found >> FRAME_SHIFT == physical >> FRAME_SHIFT ? shift : 0;
}

uint64_t page_sizes_ask(unsigned vcpu, uint64_t virt_addr, uint64_t physical)
{
    static const unsigned shifts[] = { 12, 21, 30 };
    PageSizesVcpu *of = &vcpus[vcpu];
    unsigned shift;
    Remembered wanted, *place;

    if (!kernel_is_known())
        return 0;
    if (!of->remembered)
        of->remembered = g_new0(Remembered, 1u << REMEMBERED_BITS);
    for (unsigned i = 0; i < G_N_ELEMENTS(shifts); i++)
        if (is_remembered(of, shifts[i], virt_addr, physical))
            return row_page_size_bits(shifts[i]);
    kernel_read_begin();
    shift = walk(of, virt_addr, physical);
    kernel_read_end();
    if (shift) {
        place = find(of, shift, virt_addr, physical, &wanted);
        *place = wanted;
    }
    return row_page_size_bits(shift);
}
