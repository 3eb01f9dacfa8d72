/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds where QEMU keeps the values of a vCPU's accesses: see values.h.
 *
 * They are shortly before the state that rbp points to: the code that QEMU generates addresses both by rbp. So of the
 * words there, those remain that hold QEMU's answer at each of the first accesses. That of them which is left alone,
 * and then holds the answers to PROOF accesses more whose values change, is the one: QEMU has stored each of these
 * values there. Another word could be that only if QEMU stored each value twice.
 *
 * What helpers have in rbp could point to anything that changes, such as a copy of the value in a function's frame. So
 * nothing on the thread's stack is taken for a state. What else they may have there, and the place can't be found by
 * it, is a state that isn't a vCPU's: the next one is tried.
 *
 * If a comparison fails later, records are wrong already: QEMU ends, and the run fails.
 */
#define _GNU_SOURCE /* process_vm_readv */
#include "values.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define WINDOW 128 /* words of 8 bytes before the state */
#define PROOF 256
#define STATES_MAX 64 /* that are tried */
/* So many accesses with another state show that the one that is being tried occurs no more. */
#define OTHERS_MAX 4096
#define NOT_ALONE WINDOW

/* What a vCPU is finding out, or has. */
typedef struct {
    const void *state; /* that is being tried; NULL: the next one will be */
    unsigned tried, others;
    bool remains[WINDOW];
    unsigned alone;  /* which word is left alone, or NOT_ALONE */
    unsigned proven; /* changed values that it has held since */
    unsigned proven_high;
    uint64_t last[2];
    ValuesPlace found;
    uint64_t compared;
} __attribute__((aligned(64))) Search;

/* No state, nor the NULL of hosts on which it isn't told. */
#define NOT_KNOWN ((const void *)1)

ValuesPlace values_places[RING_MAX_VCPUS];
static Search searches[RING_MAX_VCPUS];
static enum { READ, ASK, COMPARE } way;

static uint64_t mask_of(unsigned size_shift)
{
    return size_shift < 3 ? (UINT64_C(1) << (8u << size_shift)) - 1 : UINT64_MAX;
}

void values_init(void)
{
    const char *wanted = g_getenv("MEMORY_TRACER_VALUES");

    way = !g_strcmp0(wanted, "ask") ? ASK : !g_strcmp0(wanted, "compare") ? COMPARE : READ;
    memset(searches, 0, sizeof searches);
    for (unsigned i = 0; i < RING_MAX_VCPUS; i++)
        values_places[i] = (ValuesPlace){ .state = NOT_KNOWN };
}

void values_report(void)
{
    for (unsigned i = 0; way == COMPARE && i < plugin.vcpus; i++)
        fprintf(stderr, "libgmbe: %" G_GUINT64_FORMAT " values of vCPU %u were compared, of up to %u bytes\n",
                searches[i].compared, i, 1u << searches[i].found.largest);
}

/* Whether an address is on this thread's stack. */
static bool is_on_stack(const void *state)
{
    static __thread uintptr_t begin;
    static __thread size_t bytes;
    pthread_attr_t attributes;
    void *address;

    if (!bytes) {
        if (pthread_getattr_np(pthread_self(), &attributes))
            return true; /* it can't be found out */
        if (!pthread_attr_getstack(&attributes, &address, &bytes))
            begin = (uintptr_t)address;
        pthread_attr_destroy(&attributes);
    }
    return !bytes || (uintptr_t)state - begin < bytes + WINDOW * sizeof(uint64_t);
}

static void try_state(Search *search, const void *state)
{
    search->state = NULL;
    if (!state || (uintptr_t)state % sizeof(uint64_t) || (uintptr_t)state < WINDOW * sizeof(uint64_t) ||
        is_on_stack(state) || search->tried == STATES_MAX)
        return;
    search->tried++;
    search->state = state;
    search->others = search->proven = 0;
    search->alone = NOT_ALONE;
    memset(search->remains, true, sizeof search->remains);
}

/* Copies the words before the state, if there is memory: the kernel looks, as we would crash. */
static bool read_window(const void *state, uint64_t window[WINDOW])
{
    const size_t bytes = WINDOW * sizeof *window;
    struct iovec to = { window, bytes }, from = { (void *)((uintptr_t)state - bytes), bytes };

    return process_vm_readv(getpid(), &to, 1, &from, 1, 0) == (ssize_t)bytes;
}

/* Drops the words that don't hold the value. Returns how many are left. */
static unsigned drop(Search *search, const uint64_t window[WINDOW], uint64_t value, uint64_t mask)
{
    unsigned left = 0;

    for (unsigned i = 0; i < WINDOW; i++) {
        search->remains[i] &= (window[i] & mask) == value;
        if (search->remains[i]) {
            search->alone = i;
            left++;
        }
    }
    if (left != 1)
        search->alone = NOT_ALONE;
    return left;
}

static void set_found(Search *search, unsigned vcpu)
{
    const uint64_t *end = search->state;

    search->found = (ValuesPlace){ .state = search->state,
                                   .word = (const ValueWord *)(end - WINDOW + search->alone),
                                   .largest = 3 };
    if (way == READ)
        values_places[vcpu] = search->found;
}

/* Takes one more of QEMU's answers into account. */
static void search_place(Search *search, unsigned vcpu, const void *state, uint64_t value, uint64_t mask)
{
    uint64_t window[WINDOW];
    unsigned left;

    if (state != search->state) {
        if (!search->state || ++search->others == OTHERS_MAX)
            try_state(search, state);
        return;
    }
    search->others = 0;
    left = read_window(state, window) ? drop(search, window, value, mask) : 0;
    if (!left)
        search->state = NULL;
    else if (left == 1 && value != search->last[0] && ++search->proven == PROOF)
        set_found(search, vcpu);
    search->last[0] = value;
}

static __attribute__((noreturn, cold)) void fail(unsigned vcpu, const uint64_t asked[2], const uint64_t value[2])
{
    fprintf(stderr,
            "libgmbe: vCPU %u: QEMU tells the value %016" G_GINT64_MODIFIER "x%016" G_GINT64_MODIFIER
            "x, but where it keeps values is %016" G_GINT64_MODIFIER "x%016" G_GINT64_MODIFIER
            "x: set MEMORY_TRACER_VALUES=ask\n",
            vcpu, asked[1], asked[0], value[1], value[0]);
    _exit(1); /* wrong records are worse than none */
}

/* The upper half of 16 bytes should come next. Until that is proven, too, QEMU is asked for such values. */
static void search_high(Search *search, unsigned vcpu, uint64_t high)
{
    uint64_t there;

    memcpy(&there, search->found.word + 2, sizeof there);
    if (there != high)
        search->proven_high = 0;
    else if (high != search->last[1] && ++search->proven_high == PROOF) {
        search->found.largest = 4;
        if (way == READ)
            values_places[vcpu].largest = 4;
    }
    search->last[1] = high;
}

/*
 * QEMU gives a union and tells which member counts. But on hosts that are little-endian all begin with the lowest byte,
 * and we know the size: so we take the widest and cut it.
 */
void values_ask(qemu_plugin_meminfo_t info, unsigned size_shift, uint64_t value[2])
{
    qemu_plugin_mem_value read = qemu_plugin_mem_get_value(info);

    value[0] = read.data.u128.low & mask_of(size_shift);
    value[1] = size_shift == 4 ? read.data.u128.high : 0;
}
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the low bytes of a union's members are the same");

static void compare(Search *search, unsigned vcpu, unsigned size_shift, const uint64_t asked[2])
{
    uint64_t value[2];

    values_read(&search->found, size_shift, value);
    if (memcmp(value, asked, sizeof value))
        fail(vcpu, asked, value);
    search->compared++;
}

void values_ask_and_learn(unsigned vcpu, qemu_plugin_meminfo_t info, unsigned size_shift, const void *state,
                          uint64_t value[2])
{
    Search *search = &searches[vcpu];

    values_ask(info, size_shift, value);
    if (way == ASK || !state)
        return;
    if (!search->found.state)
        search_place(search, vcpu, state, value[0], mask_of(size_shift));
    else if (values_are_at(&search->found, size_shift, state))
        compare(search, vcpu, size_shift, value);
    else if (state == search->found.state && size_shift == 4)
        search_high(search, vcpu, value[1]);
}
