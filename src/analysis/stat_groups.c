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

/* Counts those accesses and stores of an instruction, of so many that it has made, that no group has counted. */
static void settle(StatInGroup *counted, uint64_t accesses, uint32_t stores)
{
    StatGroup *group = counted->group;

    if (!group)
        return;
    group->accesses += accesses - counted->to_group;
    group->stores += stores - counted->stores_to_group;
    if (is_user(counted->tag))
        group->user += accesses - counted->to_group;
    counted->to_group = accesses;
    counted->stores_to_group = stores;
}

/* An access to another line of the page that the instruction has accessed before. */
static inline bool stays_in_page(PageEntry *entry, const StatAccess *access)
{
    if (!entry || entry->page != (access->address >> PAGE_SHIFT) + 1 || stat_crosses(access->address, access->bytes))
        return false;
    entry->lines |= UINT64_C(1) << (access->address >> LINE_SHIFT) % 64;
    return true;
}

void stat_touch_of_group(Stat *stat, StatVcpu *vcpu, uint32_t number, uint32_t tag, const StatAccess *access)
{
    StatInGroup *counted = &vcpu->in_groups[number];

    if (counted->tag == tag && stays_in_page(counted->page, access))
        return;
    if (!counted->group || counted->tag != tag) {
        StatGroup *group = get_group(stat, group_finder_of(stat->finder, tag >> STAT_TAG_SHIFT, number));

        if (group != counted->group || is_user(tag) != is_user(counted->tag))
            settle(counted, access->accesses, access->stores);
        counted->group = group;
        counted->tag = tag;
    }
    stat_touch(stat, &counted->group->pages, &counted->page, access);
}

static void settle_all(Stat *stat)
{
    for (guint i = 0; i < STAT_MAX_VCPUS; i++) {
        StatVcpu *vcpu = stat->vcpus[i];

        for (uint32_t number = 0; vcpu && vcpu->in_groups && number < vcpu->room; number++)
            settle(&vcpu->in_groups[number], vcpu->instructions[number].accesses, vcpu->instructions[number].stores);
    }
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
