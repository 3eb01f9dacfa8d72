/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `stat` of a trace in parts, one behind the other. The order of an instruction's first two accesses in a part depends
 * on its accesses in the parts before (see stat.c). So these two are kept, and are judged again when the parts are
 * merged.
 */
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

void stat_keep_beginning(StatVcpu *vcpu, uint32_t number, const StatAccess *access)
{
    StatBeginning *beginning;

    if (!vcpu->beginnings)
        vcpu->beginnings = g_new0(StatBeginning, vcpu->room);
    beginning = &vcpu->beginnings[number];
    beginning->address[access->accesses] = access->address;
    beginning->bytes[access->accesses] = (uint8_t)access->bytes;
}

/* An instruction has accesses in both parts: judges its first two of the next part again. */
static void judge_again(StatVcpu *vcpu, const StatVcpu *next, uint32_t number)
{
    const StatBeginning *beginning = &next->beginnings[number];
    const StatInstruction *before = &vcpu->instructions[number];
    uint64_t first = beginning->address[0] - before->address, second;

    vcpu->by_order[STAT_OTHER]--;
    vcpu->by_order[stat_order(first, before->address - before->address_before, beginning->bytes[0],
                              before->accesses)]++;
    if (next->instructions[number].accesses < STAT_BEGINNING)
        return;
    second = beginning->address[1] - beginning->address[0];
    vcpu->by_order[stat_order(second, 0, beginning->bytes[1], 1)]--;
    vcpu->by_order[stat_order(second, first, beginning->bytes[1], before->accesses + 1)]++;
}

static void merge_instruction(StatVcpu *vcpu, StatVcpu *next, uint32_t number)
{
    StatInstruction *instruction = &vcpu->instructions[number], *more = &next->instructions[number];

    if (!more->accesses)
        return;
    stat_leave_page(instruction->page, instruction->accesses);
    stat_leave_page(more->page, more->accesses);
    if (instruction->accesses)
        judge_again(vcpu, next, number);
    instruction->address_before = more->accesses < STAT_BEGINNING ? instruction->address : more->address_before;
    instruction->address = more->address;
    instruction->accesses += more->accesses;
    instruction->page = more->page = NULL; /* pages are merged elsewhere */
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
