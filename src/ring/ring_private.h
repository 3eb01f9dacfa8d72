/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a ring is made of, for its three files: ring.c (the memory), producer.c and consumer.c. */
#ifndef MEMORY_TRACER_RING_RING_PRIVATE_H
#define MEMORY_TRACER_RING_RING_PRIVATE_H

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "ring.h"

/* How often a side that waits checks whether the other one is still alive. */
#define LIVENESS_US 200000
/*
 * Trust. The memory is shared with QEMU, which runs a guest that may have taken it over: the consumer believes nothing
 * that it reads there. What it needs to know is in struct Ring, its own. What only the other side knows (how much it
 * has published, its counters) is read once and checked; the records themselves are any bytes. A size can't change, as
 * the memfd is sealed. If the other side breaks the rules, the ring is closed, and ring_damage() tells why.
 */

/* The shared words of one vCPU. What the producer writes and what the consumer writes are on different cache lines. */
struct RingVcpu {
    _Alignas(64) _Atomic uint64_t head; /* bytes published since the beginning */
    _Atomic uint64_t dropped;           /* records */
    _Atomic uint64_t skipped;           /* accesses */
    _Atomic uint64_t events;            /* rows published that are not accesses */
    _Atomic uint32_t publishing;        /* it may have a ticket for a chunk that can't be seen yet */
    _Alignas(64) _Atomic uint64_t tail; /* bytes taken since the beginning */
    _Atomic uint32_t room_futex;        /* bumped when room was made while the producer waits */
    _Atomic uint32_t producer_waits;
};

struct RingShared {
    uint64_t magic;
    uint32_t vcpus;
    uint32_t bytes; /* of each ring */
    uint32_t fields;
    int32_t consumer_pid;
    _Atomic uint32_t instructions; /* in the table */
    _Atomic uint32_t changes;      /* likewise */
    uint64_t change_bytes;         /* the producers' own */
    _Atomic uint64_t lost_changes;
    _Atomic uint32_t state;
    _Atomic uint32_t armed;
    _Atomic uint32_t closed;
    _Atomic uint64_t started_ns, stopped_ns; /* CLOCK_MONOTONIC */
    _Atomic uint64_t excluded_ns;
    _Atomic uint64_t regions, open_regions, ignored_markers;
    _Atomic uint32_t in_turns, vcpus_known;
    _Alignas(64) _Atomic uint64_t ticket;     /* the number of chunks published, by all vCPUs */
    _Alignas(64) _Atomic uint32_t data_futex; /* bumped when there is something for a waiting consumer */
    _Atomic uint32_t consumer_waits;
    struct RingVcpu vcpu[];
};

struct Ring {
    struct RingShared *shared;
    uint8_t *data; /* the rings, one after the other, aligned to chunks */
    _Atomic uint64_t
        *tickets;            /* by vCPU and chunk: the chunk's place in the order in which all chunks were published */
    _Atomic uint64_t *times; /* likewise; with MT_FIELD_TIME */
    struct mt_instruction *instructions;
    uint8_t *changes; /* where each begins, RING_MAX_CHANGES times; then their bytes. With MT_FIELD_TASK */
    size_t header_bytes, data_bytes;
    unsigned fields, record_bytes;
    uint64_t (*elapsed_ns)(void); /* NULL: by CLOCK_MONOTONIC */
    uint32_t bytes;               /* of each ring: our own copy, as the other side can scribble over the shared one */
    unsigned vcpus;
    uint64_t wake_bytes; /* a waiting consumer is woken when a ring holds this much */
    int fd;
    bool made_here;     /* this process is the consumer's: it only writes its shared words, and never reads them */
    int consumer_pidfd; /* in a producer's process: readable when the consumer has died */

    /* The consumer's own. */
    _Atomic uint64_t tails[RING_MAX_VCPUS]; /* bytes taken since the beginning; `tail` is for the producer */
    uint64_t taken_bytes, slept_us;         /* bytes taken since it last slept, and when that was */
    bool has_begun, in_turns;               /* whether it has seen a record; whether vCPUs run in turns, read then */
    unsigned taken_vcpu;
    _Atomic bool closed;
    _Atomic(const char *) damage;
};

static inline void futex_wait(_Atomic uint32_t *word, uint32_t expected, uint64_t timeout_us)
{
    struct timespec timeout = { .tv_sec = (time_t)(timeout_us / 1000000),
                                .tv_nsec = (long)(timeout_us % 1000000) * 1000 };

    syscall(SYS_futex, word, FUTEX_WAIT, expected, &timeout, NULL, 0);
}

static inline void futex_wake(_Atomic uint32_t *word)
{
    atomic_fetch_add(word, 1);
    syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static inline uint64_t monotonic_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* The time that chunks are stamped with, in nanoseconds since tracing began. */
static inline uint64_t ring_elapsed_ns(const Ring *ring)
{
    return ring->elapsed_ns ? ring->elapsed_ns() : monotonic_ns() - atomic_load(&ring->shared->started_ns);
}

/* The index, among those of all vCPUs, of the chunk that byte `position` of a vCPU's stream lies in. */
static inline size_t chunk_of(const Ring *ring, const struct RingVcpu *shared, uint64_t position)
{
    size_t vcpu = (size_t)(shared - ring->shared->vcpu);

    return (vcpu * ring->bytes + position % ring->bytes) / RING_CHUNK_BYTES;
}

/* Maps `bytes` of `fd` (-1: anonymous memory) at an address that is a multiple of the chunk size. NULL on failure. */
void *ring_map_aligned(int fd, off_t offset, size_t bytes);

#endif
