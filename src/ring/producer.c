/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The producers' side of a ring: chunks are filled, published, or dropped. See ring.h. */
#define _GNU_SOURCE
#include <poll.h>
#include <sys/mman.h>

#include "ring_private.h"

void ring_producer_init(RingProducer *producer, Ring *ring, unsigned vcpu, enum ring_policy policy)
{
    *producer = (RingProducer){
        .ring = ring,
        .shared = &ring->shared->vcpu[vcpu],
        .data = ring->data + (size_t)vcpu * ring->bytes,
        .policy = policy,
    };
    producer->next = producer->published = (uint64_t *)producer->data;
}

void ring_producer_clear(RingProducer *producer)
{
    if (producer->scratch)
        munmap(producer->scratch, RING_CHUNK_BYTES);
    producer->scratch = NULL;
}

static void wake_consumer(Ring *ring)
{
    /* Pairs with ring_wait(): either we see that it waits, or it sees what we have published. */
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&ring->shared->consumer_waits, memory_order_relaxed))
        futex_wake(&ring->shared->data_futex);
}

static bool consumer_gone(const Ring *ring)
{
    struct pollfd polled = { .fd = ring->consumer_pidfd, .events = POLLIN };

    if (ring_is_closed(ring))
        return true;
    if (ring->consumer_pidfd >= 0 && poll(&polled, 1, 0) > 0) {
        ring_close((Ring *)ring);
        return true;
    }
    return false;
}

static bool has_room(const RingProducer *producer)
{
    uint64_t head = atomic_load_explicit(&producer->shared->head, memory_order_relaxed);
    uint64_t tail = atomic_load_explicit(&producer->shared->tail, memory_order_acquire);

    return head - tail <= producer->ring->bytes - RING_CHUNK_BYTES;
}

/* Waits until there is room for a chunk. Returns false if there will never be any. */
static bool wait_for_room(RingProducer *producer)
{
    struct RingVcpu *shared = producer->shared;
    bool room = true;

    while (!has_room(producer)) {
        uint32_t seen = atomic_load(&shared->room_futex);

        atomic_store(&shared->producer_waits, 1);
        atomic_thread_fence(memory_order_seq_cst);
        if (!has_room(producer)) {
            if (consumer_gone(producer->ring)) {
                room = false;
                break;
            }
            futex_wait(&shared->room_futex, seen, LIVENESS_US);
        }
    }
    atomic_store(&shared->producer_waits, 0);
    return room;
}

/* Publishes the records up to `next`, or counts them as dropped. */
static void account(RingProducer *producer)
{
    Ring *ring = producer->ring;
    struct RingVcpu *shared = producer->shared;
    uint64_t bytes = (uint64_t)((uint8_t *)producer->next - (uint8_t *)producer->published);
    uint32_t events = producer->events;

    producer->published = producer->next;
    producer->events = 0;
    if ((ring->fields & MT_FIELD_TIME) && !producer->dropping)
        atomic_store_explicit(
            &ring->times[chunk_of(ring, shared, atomic_load_explicit(&shared->head, memory_order_relaxed))],
            ring_elapsed_ns(ring), memory_order_relaxed);
    if (producer->dropping) {
        atomic_fetch_add_explicit(&shared->dropped, bytes / ring->record_bytes - events, memory_order_relaxed);
        return;
    }
    if (events)
        atomic_fetch_add_explicit(&shared->events, events, memory_order_relaxed);
    if (ring->vcpus == 1) {
        atomic_fetch_add_explicit(&shared->head, bytes, memory_order_release);
    } else if (bytes) {
        atomic_store(&shared->publishing, 1);
        atomic_store(&ring->tickets[chunk_of(ring, shared, atomic_load_explicit(&shared->head, memory_order_relaxed))],
                     atomic_fetch_add(&ring->shared->ticket, 1));
        atomic_fetch_add(&shared->head, bytes);
        atomic_store(&shared->publishing, 0);
    }
}

void ring_producer_next_chunk(RingProducer *producer)
{
    Ring *ring = producer->ring;
    bool was_dropping = producer->dropping;
    uint64_t head, tail;

    account(producer);
    head = atomic_load_explicit(&producer->shared->head, memory_order_relaxed);
    tail = atomic_load_explicit(&producer->shared->tail, memory_order_relaxed);
    if (head - tail >= ring->wake_bytes)
        wake_consumer(ring);

    producer->dropping =
        !has_room(producer) && (producer->policy == RING_DROP || ring_is_closed(ring) || !wait_for_room(producer));
    if (producer->dropping) {
        if (!producer->scratch)
            producer->scratch = ring_map_aligned(-1, 0, RING_CHUNK_BYTES);
        if (!producer->scratch)
            g_error("memory_tracer: no memory for a chunk of %u bytes", RING_CHUNK_BYTES);
        producer->next = (uint64_t *)producer->scratch;
    } else {
        producer->next = (uint64_t *)(producer->data + head % ring->bytes);
    }
    producer->published = producer->next;
    if (was_dropping && !producer->dropping && producer->resumes)
        producer->resumes(producer);
}

void ring_producer_put_event(RingProducer *producer, enum row_event event, unsigned vcpu, uint64_t number)
{
    WideRow *row = ring_producer_slot(producer);

    row->record = (struct gmbeoo_record){ .info = event | (uint64_t)vcpu << GMBEOO_VCPU_SHIFT, .virt_addr = number };
    producer->events++;
    ring_producer_advance(producer, producer->ring->record_bytes);
}

void ring_producer_publish(RingProducer *producer)
{
    if (producer->next != producer->published)
        account(producer);
    if (atomic_load_explicit(&producer->shared->head, memory_order_relaxed) !=
        atomic_load_explicit(&producer->shared->tail, memory_order_relaxed))
        wake_consumer(producer->ring);
}
