/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The consumer's side of a ring: what comes next, and when to sleep. See ring.h. */
#define _GNU_SOURCE
#include <sched.h>

#include "ring_private.h"

/* The shortest time that a consumer sleeps before it looks into the rings again by itself. */
#define SHORTEST_SLEEP_US 50
/* While a vCPU publishes a chunk, the consumer looks again at once this often, and then with these pauses. */
#define PUBLISHING_SPINS 1000
#define PUBLISHING_PAUSE_US 500
/* After this many pauses after the stop, the consumer decides that the producer is broken. */
#ifndef PUBLISHING_PAUSES
#define PUBLISHING_PAUSES 10000
#endif
/* How often it looks again while all tickets are newer than its look. */
#define TICKET_LOOKS 1000

/* The other side has broken the rules: nothing more is taken from it. */
static void give_up(Ring *ring, const char *damage)
{
    atomic_store(&ring->damage, damage);
    ring_close(ring);
}

const char *ring_damage(const Ring *ring)
{
    return atomic_load(&ring->damage);
}

static uint64_t tail_of(const Ring *ring, unsigned vcpu)
{
    return atomic_load_explicit(&ring->tails[vcpu], memory_order_relaxed);
}

/* How many bytes the consumer can take, given the head that it has read. */
static uint64_t available(Ring *ring, unsigned vcpu, uint64_t head)
{
    uint64_t bytes = head - tail_of(ring, vcpu);

    if (G_LIKELY(bytes <= ring->bytes && !(bytes & (ring->record_bytes - 1))))
        return bytes;
    give_up(ring, "it says that it holds more records than there is room for");
    return 0;
}

/* Where the oldest record is, and how many of `bytes` are contiguous from there. */
static uint64_t contiguous(const Ring *ring, unsigned vcpu, uint64_t bytes, const struct gmbeoo_record **records)
{
    uint64_t offset = tail_of(ring, vcpu) % ring->bytes;

    *records = (const struct gmbeoo_record *)(ring->data + (size_t)vcpu * ring->bytes + offset);
    return MIN(bytes, ring->bytes - offset);
}

size_t ring_peek(Ring *ring, unsigned vcpu, const struct gmbeoo_record **records)
{
    uint64_t head = atomic_load_explicit(&ring->shared->vcpu[vcpu].head, memory_order_acquire);

    return contiguous(ring, vcpu, available(ring, vcpu, head), records) / ring->record_bytes;
}

void ring_release(Ring *ring, unsigned vcpu, size_t count)
{
    unsigned number = ring->in_turns ? 0 : vcpu;
    struct RingVcpu *shared = &ring->shared->vcpu[number];
    uint64_t tail = tail_of(ring, number) + count * ring->record_bytes;

    atomic_store_explicit(&ring->tails[number], tail, memory_order_relaxed);
    atomic_store_explicit(&shared->tail, tail, memory_order_release);
    /* Pairs with wait_for_room(). A waiting producer is woken when half of the ring is free, not for each piece. */
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&shared->producer_waits, memory_order_relaxed) &&
        atomic_load_explicit(&shared->head, memory_order_relaxed) - tail <= ring->bytes / 2)
        futex_wake(&shared->room_futex);
}

unsigned ring_taken_vcpu(const Ring *ring)
{
    return ring->taken_vcpu;
}

static bool any_half_full(const Ring *ring)
{
    for (unsigned i = 0; i < ring->vcpus; i++)
        if (atomic_load(&ring->shared->vcpu[i].head) - tail_of(ring, i) >= ring->wake_bytes)
            return true;
    return false;
}

void ring_wait(Ring *ring, uint64_t timeout_us)
{
    uint32_t seen = atomic_load(&ring->shared->data_futex);
    enum ring_state state = ring_get_state(ring);

    atomic_store(&ring->shared->consumer_waits, 1);
    atomic_thread_fence(memory_order_seq_cst);
    if (!any_half_full(ring) && ring_get_state(ring) == state)
        futex_wait(&ring->shared->data_futex, seen, timeout_us);
    atomic_store(&ring->shared->consumer_waits, 0);
}

uint64_t ring_time(const Ring *ring, const struct gmbeoo_record *records)
{
    return atomic_load_explicit(&ring->times[((const uint8_t *)records - ring->data) / RING_CHUNK_BYTES],
                                memory_order_relaxed);
}

void ring_wake(Ring *ring)
{
    futex_wake(&ring->shared->data_futex);
}

void ring_close(Ring *ring)
{
    atomic_store(&ring->closed, true);
    atomic_store(&ring->shared->closed, 1);
    for (unsigned i = 0; i < ring->vcpus; i++)
        futex_wake(&ring->shared->vcpu[i].room_futex);
}

bool ring_is_closed(const Ring *ring)
{
    return ring->made_here ? atomic_load(&ring->closed) : atomic_load(&ring->shared->closed);
}

/*
 * How long to sleep, given that `bytes` have come in the last `elapsed_us`: until a quarter of a ring has come again.
 * The consumer wakes up by itself then, and a vCPU seldom has to spend a system call on waking it.
 */
static uint64_t sleep_us(const Ring *ring, uint64_t bytes, uint64_t elapsed_us)
{
    uint64_t us = bytes ? elapsed_us * (ring->bytes / 4) / bytes : LIVENESS_US;

    return CLAMP(us, SHORTEST_SLEEP_US, LIVENESS_US);
}

/* The records of the only vCPU that come next. */
static size_t peek_at_only_one(Ring *ring, const struct gmbeoo_record **records)
{
    size_t room = CLAMP(ring->bytes / 8, RING_CHUNK_BYTES, RING_PIECE_RECORDS * (uint32_t)sizeof(struct gmbeoo_record));
    size_t count = ring_peek(ring, 0, records);

    if (ring->fields & MT_FIELD_TIME)
        room = RING_CHUNK_BYTES - ((uintptr_t)*records & (RING_CHUNK_BYTES - 1));
    return MIN(count, room / ring->record_bytes);
}

/*
 * Waits until a vCPU has published the chunk that it has drawn a ticket for. That takes some nanoseconds, unless its
 * thread isn't scheduled in between. A broken producer may never do it: then we don't spin; ring_close() ends the wait,
 * and so does the stop, which comes after all publishing.
 */
static void wait_until_published(Ring *ring, const struct RingVcpu *shared)
{
    for (unsigned looks = 0, pauses = 0; atomic_load(&shared->publishing) && !ring_is_closed(ring); looks++) {
        if (looks < PUBLISHING_SPINS) {
            sched_yield();
            continue;
        }
        g_usleep(PUBLISHING_PAUSE_US);
        if (ring_get_state(ring) == RING_STOPPED && ++pauses == PUBLISHING_PAUSES)
            give_up(ring, "it never finishes publishing a chunk");
    }
}

typedef struct {
    unsigned vcpu; /* ring->vcpus: none */
    uint64_t bytes;
    bool newer; /* there are chunks that were published after the look began */
} OldestChunk;

/* Looks which vCPU has published its oldest chunk first. If `whatever`, chunks that were published meanwhile count,
 * too.
 */
static OldestChunk find_oldest(Ring *ring, bool whatever)
{
    OldestChunk found = { .vcpu = ring->vcpus };
    uint64_t drawn = whatever ? UINT64_MAX : atomic_load(&ring->shared->ticket), oldest = drawn;

    for (unsigned i = 0; i < ring->vcpus; i++) {
        struct RingVcpu *shared = &ring->shared->vcpu[i];
        uint64_t bytes, ticket;

        /* After this, every ticket below `drawn` is to be seen; later ones are left for the next look. */
        wait_until_published(ring, shared);
        bytes = available(ring, i, atomic_load(&shared->head));
        if (!bytes)
            continue;
        ticket = atomic_load(&ring->tickets[chunk_of(ring, shared, tail_of(ring, i))]);
        if (ticket < oldest) {
            oldest = ticket;
            found.vcpu = i;
            found.bytes = bytes;
        }
        found.newer |= ticket >= drawn;
    }
    return found;
}

/*
 * The vCPU whose records come next, or ring->vcpus if there are none; *count is how many. With several vCPUs it is the
 * one that has published its oldest chunk first.
 */
static unsigned choose_vcpu(Ring *ring, const struct gmbeoo_record **records, size_t *count)
{
    OldestChunk oldest;
    unsigned looks = 0;
    uint64_t bytes;

    *count = 0;
    if (ring->vcpus == 1) {
        *count = peek_at_only_one(ring, records);
        return *count ? 0 : 1;
    }
    do
        oldest = find_oldest(ring, looks++ >= TICKET_LOOKS);
    while (oldest.vcpu == ring->vcpus && oldest.newer && looks <= TICKET_LOOKS && !ring_is_closed(ring));
    if (oldest.vcpu == ring->vcpus)
        return ring->vcpus;
    /* No further than what was published when the ticket was read: the rest of the chunk gets a later one. */
    bytes = contiguous(ring, oldest.vcpu, oldest.bytes, records);
    *count = MIN(bytes, RING_CHUNK_BYTES - ((uintptr_t)*records & (RING_CHUNK_BYTES - 1))) / ring->record_bytes;
    return oldest.vcpu;
}

/* How many of the records, of which there is one at least, are of this vCPU, as the first one was. */
static size_t count_turn(const Ring *ring, unsigned vcpu, const struct gmbeoo_record *records, size_t count)
{
    const uint8_t *at = (const uint8_t *)records + ring->record_bytes;
    size_t turn = 1;

    while (turn < count && gmbeoo_vcpu((const struct gmbeoo_record *)at) == vcpu) {
        turn++;
        at += ring->record_bytes;
    }
    return turn;
}

/* When vCPUs run in turns, all records are in vCPU 0's ring, and each says which vCPU made it. */
static void take_turn(Ring *ring, unsigned *vcpu, const struct gmbeoo_record *records, size_t *count)
{
    unsigned said = gmbeoo_vcpu(records);

    if (*vcpu || said >= ring->vcpus) {
        give_up(ring, "it has a record of a vCPU that doesn't exist");
        return;
    }
    *vcpu = said;
    *count = count_turn(ring, said, records, *count);
}

#define NOTHING_YET 2

/* As ring_take(), but doesn't wait: then it returns NOTHING_YET. With that, as at the end, *count is 0. */
static int try_to_take(Ring *ring, unsigned *vcpu, const struct gmbeoo_record **records, size_t *count)
{
    /* The state first: what was published before the stop is then seen below. */
    bool stopped = ring_get_state(ring) == RING_STOPPED, any;

    *vcpu = choose_vcpu(ring, records, count);
    any = *vcpu < ring->vcpus;
    if (any && ring->vcpus > 1) {
        if (!ring->has_begun)
            ring->in_turns = atomic_load(&ring->shared->in_turns);
        ring->has_begun = true;
        if (ring->in_turns)
            take_turn(ring, vcpu, *records, count);
    }
    if (ring_is_closed(ring))
        return any || !stopped || ring_damage(ring) ? -1 : 0;
    if (!any)
        return stopped ? 0 : NOTHING_YET;
    ring->taken_vcpu = *vcpu;
    ring->taken_bytes += *count * ring->record_bytes;
    return 1;
}

static void wait_for_more(Ring *ring)
{
    uint64_t now_us = monotonic_ns() / 1000;

    if (!ring->slept_us)
        ring->slept_us = now_us;
    ring_wait(ring, sleep_us(ring, ring->taken_bytes, now_us - ring->slept_us));
    ring->taken_bytes = 0;
    ring->slept_us = now_us;
}

int ring_take(Ring *ring, unsigned *vcpu, const struct gmbeoo_record **records, size_t *count)
{
    int more;

    while ((more = try_to_take(ring, vcpu, records, count)) == NOTHING_YET)
        wait_for_more(ring);
    return more;
}

bool ring_consume(Ring *ring, RingSink sink, void *sink_data)
{
    const struct gmbeoo_record *records = NULL;
    unsigned vcpu;
    size_t count;
    int more;

    while ((more = try_to_take(ring, &vcpu, &records, &count)) >= 0) {
        if (!sink(sink_data, records, count)) {
            ring_close(ring);
            return false;
        }
        if (!more)
            return true;
        if (count)
            ring_release(ring, vcpu, count);
        else
            wait_for_more(ring);
    }
    return false;
}
