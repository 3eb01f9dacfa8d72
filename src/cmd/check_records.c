/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is wrong with records: see check.h. */
#include <string.h>

#include "../record/x86.h"
#include "check.h"

#define PAGE_BYTES 4096
#define PAGE_SHIFT 12
#define MAX_SIZE 16

void check_facts_init(CheckFacts *facts, mt_trace *trace, bool user_only)
{
    *facts = (CheckFacts){ .trace = trace, .user_only = user_only };
    if (!(mt_trace_fields(trace) & MT_FIELD_INSTRUCTION))
        return;
    facts->instructions = mt_trace_instructions(trace);
    facts->instruction_cpls = g_malloc((gsize)facts->instructions + 1);
    for (uint32_t i = 0; i <= facts->instructions; i++) {
        const struct mt_instruction *instruction = mt_trace_instruction(trace, i);

        facts->instruction_cpls[i] = instruction ? instruction->cpl : CHECK_NO_INSTRUCTION;
    }
}

void check_facts_clear(CheckFacts *facts)
{
    g_free(facts->instruction_cpls);
}

void check_counts_add(CheckCounts *to, const CheckCounts *from)
{
    for (int i = 0; i < FINDINGS; i++)
        to->found[i] += from->found[i];
    to->records += from->records;
    to->compared += from->compared;
}

/* Without a branch, so that the compiler can vectorise it. */
static void check_accesses(const CheckFacts *facts, const struct mt_batch *batch, CheckCounts *counts)
{
    const uint64_t *addresses = batch->address;
    const uint8_t *infos = batch->info;
    uint64_t addresses_bad = 0, in_kernel = 0;
    uint32_t sizes_bad = 0, not_user = 0;

    for (size_t i = 0; i < batch->count; i++) {
        sizes_bad += mt_size(infos[i]) > MAX_SIZE;
        not_user += !x86_is_user(mt_cpl(infos[i]));
    }
    for (size_t i = 0; i < batch->count; i++) {
        addresses_bad += !x86_is_canonical(addresses[i]);
        in_kernel += x86_is_kernel_address(addresses[i]) & x86_is_user(mt_cpl(infos[i]));
    }
    counts->found[PROBLEM_SIZE] += sizes_bad;
    counts->found[PROBLEM_ADDRESS] += addresses_bad;
    counts->found[EXCEPTION_USER_IN_KERNEL] += in_kernel;
    counts->found[PROBLEM_KERNEL] += facts->user_only ? not_user : 0;
}

static void check_paddrs(const struct mt_batch *batch, CheckCounts *counts)
{
    for (size_t i = 0; i < batch->count; i++) {
        uint64_t paddr = batch->paddr[i];

        if (paddr == MT_PADDR_UNKNOWN)
            counts->found[EXCEPTION_NO_PADDR]++;
        else if ((paddr ^ batch->address[i]) % PAGE_BYTES || (paddr & ~MT_PADDR_IO) >> X86_PHYSICAL_BITS)
            counts->found[PROBLEM_PADDR]++;
    }
}

static void check_instructions(const CheckFacts *facts, const struct mt_batch *batch, CheckCounts *counts)
{
    for (size_t i = 0; i < batch->count; i++) {
        uint32_t number = batch->instruction[i];
        uint8_t cpl = number <= facts->instructions ? facts->instruction_cpls[number] : CHECK_NO_INSTRUCTION;

        if (G_LIKELY(cpl == mt_cpl(batch->info[i])))
            continue;
        counts->found[!number                       ? EXCEPTION_NO_INSTRUCTION
                      : cpl == CHECK_NO_INSTRUCTION ? PROBLEM_INSTRUCTION
                                                    : PROBLEM_CPL]++;
    }
}

void check_records(const CheckFacts *facts, const struct mt_batch *batch, CheckCounts *counts)
{
    check_accesses(facts, batch, counts);
    if (batch->paddr)
        check_paddrs(batch, counts);
    if (facts->instruction_cpls)
        check_instructions(facts, batch, counts);
}

bool check_order(CheckOrder *order, const CheckPlace *place, CheckCounts *counts)
{
    uint64_t *last_ns = &order->last_ns[place->vcpu % CHECK_MAX_VCPUS];
    bool follows = place->first == order->next_index;

    counts->records += place->count;
    if (place->first < order->next_index)
        counts->found[PROBLEM_ORDER]++;
    else
        counts->found[PROBLEM_MISSING] += place->first - order->next_index;
    order->next_index = MAX(order->next_index, place->first + place->count);
    counts->found[PROBLEM_TIME] += place->time_ns < *last_ns;
    *last_ns = place->time_ns;
    return follows;
}

static void check_value(MemoryImage *image, const struct mt_batch *batch, size_t i, CheckCounts *counts)
{
    uint8_t info = batch->info[i], bytes[MAX_SIZE];
    unsigned size = mt_size(info);
    uint64_t paddr = batch->paddr[i];
    bool user = x86_is_user(mt_cpl(info));

    memcpy(bytes, &batch->value[i], sizeof bytes);
    if (mt_is_big_endian(info))
        for (unsigned k = 0; k < size; k++)
            bytes[k] = ((const uint8_t *)&batch->value[i])[size - 1 - k];
    if (mt_is_store(info)) {
        memory_image_store(image, paddr, bytes, size);
        return;
    }
    /* Only loads by user code count: what the processor itself stores (an exception's frame, bits in page tables) lies
     * in the kernel's memory. */
    switch (memory_image_load(image, paddr, bytes, size)) {
    case MEMORY_IMAGE_OTHER:
        counts->found[EXCEPTION_VALUE] += user;
        counts->compared += user;
        break;
    case MEMORY_IMAGE_SAME:
        counts->compared += user;
        break;
    case MEMORY_IMAGE_UNKNOWN:
        break;
    }
}

void check_values(MemoryImage *image, const struct mt_batch *batch, unsigned share, unsigned shares,
                  CheckCounts *counts)
{
    for (size_t i = 0; i < batch->count; i++) {
        uint64_t paddr = batch->paddr[i];
        unsigned size = mt_size(batch->info[i]);

        if (batch->value_unknown && batch->value_unknown[i])
            continue; /* several vCPUs ran at the same time: nothing is compared then */
        if (!(paddr & MT_PADDR_IO) /* which MT_PADDR_UNKNOWN has, too */ && size <= MAX_SIZE &&
            paddr % PAGE_BYTES + size <= PAGE_BYTES && (shares == 1 || (paddr >> PAGE_SHIFT) % shares == share))
            check_value(image, batch, i, counts);
    }
}
