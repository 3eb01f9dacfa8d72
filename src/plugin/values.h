/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The values of accesses.
 *
 * QEMU 10.0 to 11.1 stores an access's value beside the state of its vCPU, and then calls the plugin. To ask for it by
 * qemu_plugin_mem_get_value() costs as much as all else that is done for an access. So it is read from that place.
 * Where that is, is in no interface: it is found out, for each vCPU, by what QEMU answers to the first accesses
 * (values.c), and then compared with its answer every once in a while. Until then, in QEMU's helpers, where the state
 * isn't known, on other hosts, and where no place is found, QEMU is asked each time.
 */
#ifndef MEMORY_TRACER_PLUGIN_VALUES_H
#define MEMORY_TRACER_PLUGIN_VALUES_H

#include "plugin.h"
#include "state.h"

/* QEMU stores values with other types. */
typedef uint32_t __attribute__((may_alias)) ValueWord;
typedef uint64_t __attribute__((may_alias)) ValueHalf;

/* Where a vCPU's values are. */
typedef struct {
    const void *state;     /* the vCPU's; (void *)1: not known */
    const ValueWord *word; /* the value's four, the lowest first */
    unsigned largest;      /* size_shift of the largest accesses whose values are read there */
} __attribute__((aligned(64))) ValuesPlace;

extern ValuesPlace values_places[RING_MAX_VCPUS];

/* Reads what MEMORY_TRACER_VALUES in the environment says: "ask": QEMU is asked each time; "compare": each value is
 * compared, which is for tests. */
void values_init(void);
/* While all vCPUs stand still: tells on stderr how many values have been compared, if all are. */
void values_report(void);

/* Asks QEMU for the value of an access that takes place now, of 1 << size_shift bytes. */
void values_ask(qemu_plugin_meminfo_t info, unsigned size_shift, uint64_t value[2]);

/* The same, where the state is known. Finds out by the answer where values are, or compares. */
void values_ask_and_learn(unsigned vcpu, qemu_plugin_meminfo_t info, unsigned size_shift, const void *state,
                          uint64_t value[2]);

/* Whether the access that takes place now has its value in that place. */
static inline bool values_are_at(const ValuesPlace *place, unsigned size_shift, const void *state)
{
    return G_LIKELY(state == place->state) && G_LIKELY(size_shift <= place->largest);
}

/* The lowest 8 bytes. QEMU has stored 4, 8 or 16: a load of more than it stored would wait until they are in the cache,
 * and one of the upper half of what it stored takes several cycles. What is beyond the access is left from earlier
 * ones. */
static inline __attribute__((always_inline)) uint64_t values_read_low(const ValuesPlace *place, unsigned size_shift)
{
    static const uint32_t mask[3] = { 0xff, 0xffff, 0xffffffff };

    if (size_shift < 3)
        return *(const volatile ValueWord *)place->word & mask[size_shift];
    return *(const volatile ValueHalf *)place->word;
}

static inline __attribute__((always_inline)) void values_read(const ValuesPlace *place, unsigned size_shift,
                                                              uint64_t value[2])
{
    value[0] = values_read_low(place, size_shift);
    value[1] = size_shift < 4 ? 0 : *(const volatile ValueHalf *)(place->word + 2);
}

#endif
