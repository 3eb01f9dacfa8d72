/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `stat` of a trace in parts, one behind the other. The order of an instruction's first two accesses in a part depends
 * on its accesses in the parts before (see stat.c). So these two are kept, and are judged again when the parts are
 * merged.
 */
#include <string.h>

#include "stat_private.h"

AnalysisDivision stat_divide(const void *options, unsigned jobs)
{
    (void)options;
    (void)jobs;
    return (AnalysisDivision){ .split = ANALYSIS_BY_TIME };
}

void stat_take_part(void *data, const AnalysisPart *part)
{
    Stat *stat = data;

    stat->keeps_beginnings = part->number > 0;
}

static void make_room(StatVcpu *vcpu, uint32_t number)
{
    uint32_t room = MAX(MAX(2 * vcpu->begun_room, vcpu->room), number + 1024);

    if (number < vcpu->begun_room)
        return;
    vcpu->begun = g_realloc(vcpu->begun, room);
    vcpu->beginnings = g_renew(StatBeginning, vcpu->beginnings, room);
    memset(vcpu->begun + vcpu->begun_room, 0, room - vcpu->begun_room);
    vcpu->begun_room = room;
}

static void keep(StatVcpu *vcpu, uint32_t number, uint64_t address, uint8_t info)
{
    StatBeginning *beginning = &vcpu->beginnings[number];

    beginning->address[vcpu->begun[number]] = address;
    beginning->bytes[vcpu->begun[number]] = (uint8_t)mt_size(info);
    vcpu->begun[number]++;
}

void stat_keep_beginnings(StatVcpu *vcpu, const struct mt_batch *batch, uint32_t bound)
{
    make_room(vcpu, bound);
    if (!batch->instruction) {
        for (size_t i = 0; i < batch->count && vcpu->begun[0] < 2; i++)
            keep(vcpu, 0, batch->address[i], batch->info[i]);
        return;
    }
    for (size_t i = 0; i < batch->count; i++)
        if (G_UNLIKELY(vcpu->begun[batch->instruction[i]] < 2))
            keep(vcpu, batch->instruction[i], batch->address[i], batch->info[i]);
}

/* An instruction has accesses in both parts: judges its first two of the next part again. */
static void judge_again(StatVcpu *vcpu, const StatVcpu *next, uint32_t number)
{
    const StatBeginning *beginning = &next->beginnings[number];
    const StatInstruction *before = &vcpu->instructions[number];
    uint64_t first = beginning->address[0] - before->address, second;

    vcpu->by_order[STAT_OTHER]--;
    vcpu->by_order[stat_order(first, before->stride, beginning->bytes[0])]++;
    if (next->begun[number] < 2) {
        vcpu->instructions[number].stride = first;
        return;
    }
    second = beginning->address[1] - beginning->address[0];
    vcpu->by_order[stat_order(second, beginning->address[0], beginning->bytes[1])]--;
    vcpu->by_order[stat_order(second, first, beginning->bytes[1])]++;
    vcpu->instructions[number].stride = next->instructions[number].stride;
}

static void merge_instruction(StatVcpu *vcpu, StatVcpu *next, uint32_t number)
{
    StatInstruction *instruction = &vcpu->instructions[number];

    if (!next->instructions[number].accesses)
        return;
    stat_settle_page(&vcpu->counted[number], instruction->accesses);
    stat_settle_page(&next->counted[number], next->instructions[number].accesses);
    if (instruction->accesses)
        judge_again(vcpu, next, number);
    else
        instruction->stride = next->instructions[number].stride;
    instruction->address = next->instructions[number].address;
    instruction->accesses += next->instructions[number].accesses;
    vcpu->counted[number].to_page = instruction->accesses; /* pages are merged elsewhere */
}

static void merge_vcpu(StatVcpu *vcpu, StatVcpu *next)
{
    kind_counts_merge(&vcpu->kinds, &next->kinds);
    for (unsigned i = 0; i < STAT_ORDERS; i++)
        vcpu->by_order[i] += next->by_order[i];
    if (next->room)
        stat_make_room(vcpu, next->room - 1);
    for (uint32_t number = 0; number < next->room; number++)
        merge_instruction(vcpu, next, number);
}

bool stat_merge(void *data, void *other, GError **error)
{
    Stat *stat = data, *next = other;

    (void)error;
    for (unsigned i = 0; i < STAT_MAX_VCPUS; i++)
        if (next->vcpus[i])
            merge_vcpu(stat_get_vcpu(stat, i), next->vcpus[i]);
    page_table_add(&stat->pages, &next->pages);
    stat->lines_crossed += next->lines_crossed;
    stat->pages_crossed += next->pages_crossed;
    for (unsigned i = 0; i < STAT_PAGE_SHIFTS; i++)
        stat->by_page_shift[i] += next->by_page_shift[i];
    return true;
}
