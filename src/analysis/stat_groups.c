/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `stat` of groups (--by), in the same pass as that of all records. As long as an instruction accesses the line that it
 * accessed last, and its group stays the same, only its counts change (stat.c). They are added to the group's when the
 * instruction goes on to another group, and at the end. Each group has its pages; those of all records are put together
 * from these when the result is described.
 */
#include "stat_private.h"

struct StatGroup {
    uint64_t accesses, stores, user;
    PageTable pages;
};

static void free_group(gpointer data)
{
    StatGroup *group = data;

    page_table_clear(&group->pages);
    g_free(group);
}

void stat_begin_groups(Stat *stat)
{
    stat->groups = g_ptr_array_new_with_free_func(free_group);
}

static StatGroup *get_group(Stat *stat, uint32_t number)
{
    StatGroup *group;

    if (number >= stat->groups->len)
        g_ptr_array_set_size(stat->groups, (gint)number + 1);
    group = stat->groups->pdata[number];
    if (!group) {
        stat->groups->pdata[number] = group = g_new0(StatGroup, 1);
        page_table_init_small(&group->pages);
    }
    return group;
}

static bool is_user(uint32_t tag)
{
    return tag % (1u << STAT_TAG_SHIFT) == 3;
}

static void settle(StatVcpu *vcpu, uint32_t number)
{
    StatInstruction *instruction = &vcpu->instructions[number];
    StatCounted *counted = &vcpu->counted[number];
    uint64_t accesses = vcpu->accesses[number] - counted->to_groups;

    if (!counted->group)
        return;
    counted->group->accesses += accesses;
    counted->group->stores += instruction->stores;
    if (is_user(instruction->tag))
        counted->group->user += accesses;
    counted->to_groups = vcpu->accesses[number];
    instruction->stores = 0;
}

PageTable *stat_pages_of(StatGroup *group)
{
    return &group->pages;
}

PageTable *stat_change_group(Stat *stat, StatVcpu *vcpu, uint32_t number, uint32_t tag)
{
    StatInstruction *instruction = &vcpu->instructions[number];
    StatGroup *group = get_group(stat, group_finder_of(stat->finder, tag >> STAT_TAG_SHIFT, number));

    if (group != vcpu->counted[number].group || is_user(tag) != is_user(instruction->tag))
        settle(vcpu, number);
    vcpu->counted[number].group = group;
    instruction->tag = tag;
    return &group->pages;
}

static void settle_all(Stat *stat)
{
    for (guint i = 0; i < STAT_MAX_VCPUS; i++)
        for (uint32_t number = 0; stat->vcpus[i] && number < stat->vcpus[i]->room; number++)
            settle(stat->vcpus[i], number);
    stat->unsettled = 0;
}

/* Settles all instructions before their counts of stores, which have 32 bits, could overflow. */
void stat_expect(Stat *stat, size_t records)
{
    if (stat->unsettled + records > UINT32_MAX)
        settle_all(stat);
    stat->unsettled += records;
}

void stat_gather_groups(Stat *stat)
{
    settle_all(stat);
    for (guint i = 0; stat->groups && i < stat->groups->len; i++) {
        StatGroup *group = stat->groups->pdata[i];

        if (group) {
            page_table_add(&stat->pages, &group->pages);
            page_table_clear_accesses(&group->pages);
        }
    }
}

void stat_measure_group(void *data, guint number, uint64_t *values)
{
    Stat *stat = data;
    const StatGroup *group = get_group(stat, number);

    values[0] = group->accesses;
    values[1] = group->accesses - group->stores;
    values[2] = group->stores;
    values[3] = group->user;
    values[4] = page_table_lines(&group->pages);
    values[5] = group->pages.pages;
}
