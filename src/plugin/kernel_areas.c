/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Areas of the guest kernel's address space: see kernel_areas.h. */
#include "kernel_areas.h"

#include <glib.h>

#include "../record/x86.h"
#include "kernel.h"
#include "plugin.h"

#define UNIT_BYTES_MAX (UINT64_C(1) << 30)
#define AREAS_MAX 65536
#define NODES_MAX 4096

static void note_area(unsigned vcpu, enum change_area area, uint64_t begin, uint64_t end, unsigned number,
                      MemoriesNote note)
{
    if (!x86_is_kernel_address(begin) || begin >= end)
        return;
    memories_note_values(vcpu, CHANGE_KERNEL_AREA, (const uint64_t[]){ area, begin, end, number }, 4, note);
}

/* Tells a CPU's interrupt stack. The kernel has a pointer to near its upper end. */
static void note_interrupt_stack(unsigned vcpu, uint64_t variables, unsigned cpu, MemoriesNote note)
{
    uint64_t top = kernel_read_pointer(variables, KERNEL_IRQ_STACK);

    top = (top + FRAME_BYTES - 1) & ~(FRAME_BYTES - 1);
    if (top >= X86_LINUX_STACK_BYTES)
        note_area(vcpu, CHANGE_AREA_INTERRUPT_STACK, top - X86_LINUX_STACK_BYTES, top, cpu, note);
}

/* Tells each CPU's variables. An array has what is added to a variable's address; a CPU's variables lie in one unit of
 * the direct map. */
static void note_per_cpu(unsigned vcpu, MemoriesNote note)
{
    const KernelLayout *layout = kernel_layout();
    uint64_t offsets = layout->variable[KERNEL_PER_CPU_OFFSET], start = layout->variable[KERNEL_PER_CPU_START], unit;

    if (offsets == KERNEL_UNKNOWN || start == KERNEL_UNKNOWN || !kernel_read_variable(KERNEL_PER_CPU_UNIT_SIZE, &unit))
        return;
    unit = (uint32_t)unit; /* it is an int */
    for (unsigned cpu = 0; cpu < plugin.vcpus && unit <= UNIT_BYTES_MAX; cpu++) {
        uint64_t offset;

        if (!kernel_read_memory(offsets + cpu * sizeof offset, &offset, sizeof offset))
            return;
        note_area(vcpu, CHANGE_AREA_PER_CPU, offset + start, offset + start + unit, cpu, note);
        note_interrupt_stack(vcpu, offset, cpu, note);
    }
}

void kernel_areas_find_fixed(unsigned vcpu, const Frames *frames, MemoriesNote note)
{
    uint64_t vmalloc;

    note_area(vcpu, CHANGE_AREA_DIRECT_MAP, frames->direct_map, frames_address(frames, frames->count), 0, note);
    note_area(vcpu, CHANGE_AREA_VMEMMAP, frames->vmemmap, frames_page(frames, frames->count), 0, note);
    if (kernel_read_variable(KERNEL_VMALLOC_BASE, &vmalloc)) /* the kernel has them in this order */
        note_area(vcpu, CHANGE_AREA_VMALLOC, vmalloc, frames->vmemmap, 0, note);
    note_per_cpu(vcpu, note);
}

/* vmalloc(). */

void kernel_areas_on_vmalloc(unsigned vcpu, uint64_t area, MemoriesNote note)
{
    uint64_t begin = kernel_read_pointer(area, KERNEL_VM_ADDRESS), bytes = 0;

    if (!area || !x86_is_kernel_address(begin) || !kernel_read_u64(area, KERNEL_VM_SIZE, &bytes) || !bytes ||
        bytes > UINT64_MAX - begin)
        return;
    memories_note_values(vcpu, CHANGE_VMALLOC,
                         (const uint64_t[]){ begin, begin + bytes, kernel_read_pointer(area, KERNEL_VM_CALLER) }, 3,
                         note);
}

void kernel_areas_on_vfree(unsigned vcpu, uint64_t begin, MemoriesNote note)
{
    if (!x86_is_kernel_address(begin))
        return;
    memories_note_values(vcpu, CHANGE_VFREE, (const uint64_t[]){ begin }, 1, note);
}

/* Tells the areas of the list whose head is at an address. */
static bool note_list(unsigned vcpu, uint64_t head, MemoriesNote note)
{
    uint64_t in_area = kernel_layout()->offset[KERNEL_VMAP_LIST], at;

    if (!head || in_area == KERNEL_UNKNOWN || !kernel_read_memory(head, &at, sizeof at))
        return false;
    for (unsigned i = 0; at != head && i < AREAS_MAX; i++) {
        kernel_areas_on_vmalloc(vcpu, kernel_read_pointer(at - in_area, KERNEL_VMAP_VM), note);
        if (!kernel_read_memory(at, &at, sizeof at))
            return false;
    }
    return true;
}

bool kernel_areas_find_vmalloc(unsigned vcpu, MemoriesNote note)
{
    const KernelLayout *layout = kernel_layout();
    uint64_t nodes, count, node_bytes = layout->offset[KERNEL_VMAP_NODE_BYTES];

    if (layout->function[KERNEL_VMALLOC].begin == KERNEL_UNKNOWN ||
        layout->function[KERNEL_VFREE].begin == KERNEL_UNKNOWN)
        return false;
    if (layout->variable[KERNEL_VMAP_AREAS] != KERNEL_UNKNOWN)
        return note_list(vcpu, layout->variable[KERNEL_VMAP_AREAS], note);
    if (node_bytes == KERNEL_UNKNOWN || !kernel_read_variable(KERNEL_VMAP_NODES, &nodes) ||
        !kernel_read_variable(KERNEL_VMAP_NODE_COUNT, &count))
        return false;
    count = MIN((uint32_t)count, NODES_MAX); /* it is an int */
    for (uint64_t i = 0; i < count; i++)
        if (!note_list(vcpu,
                       kernel_member(kernel_member(nodes + i * node_bytes, KERNEL_VMAP_NODE_BUSY), KERNEL_RB_LIST_HEAD),
                       note))
            return false;
    return true;
}

/* Stacks. */

void kernel_areas_on_task(unsigned vcpu, uint32_t number, uint64_t task, MemoriesNote note)
{
    uint64_t begin = kernel_read_pointer(task, KERNEL_TASK_KERNEL_STACK);

    if (!x86_is_kernel_address(begin) || begin >= UINT64_MAX - X86_LINUX_STACK_BYTES)
        return;
    memories_note_values(vcpu, CHANGE_KERNEL_STACK, (const uint64_t[]){ number, begin, begin + X86_LINUX_STACK_BYTES },
                         3, note);
}
