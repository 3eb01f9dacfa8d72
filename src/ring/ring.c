/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The shared ring: see ring.h. */
#define _GNU_SOURCE
#include "ring.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define RING_MAGIC UINT64_C(0x31676e6972544d4d)
/* How often whoever waits looks whether the other side still lives. */
#define LIVENESS_US 200000
/* The shortest time that a consumer sleeps before it looks into the rings again by itself. */
#define SHORTEST_SLEEP_US 50
/* How often the consumer looks at once whether a vCPU has published what it is about to, and with which pauses then. */
#define PUBLISHING_SPINS 1000
#define PUBLISHING_PAUSE_US 500
/* So often, after the stop, it has a pause before the producer is found to be broken. */
#ifndef PUBLISHING_PAUSES
#define PUBLISHING_PAUSES 10000
#endif
/* How often it looks again when all tickets are newer than its look. */
#define TICKET_LOOKS 1000
/* No counter gets there: no sum of counters overflows. */
#define MAX_COUNT (UINT64_C(1) << 54)

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
    _Atomic uint32_t publishing;        /* it may hold a ticket that is not to be seen yet */
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
    uint8_t *data;             /* the rings, one after the other, aligned to chunks */
    _Atomic uint64_t *tickets; /* by vCPU and chunk: when the chunk was published, among those of all vCPUs */
    _Atomic uint64_t *times;   /* likewise; with RING_TIME */
    RingInstruction *instructions;
    size_t header_bytes, data_bytes;
    unsigned fields, record_bytes;
    uint64_t (*elapsed_ns)(void); /* NULL: by CLOCK_MONOTONIC */
    uint32_t bytes;               /* of each ring: our own copy, as the other side can scribble over the shared one */
    unsigned vcpus;
    uint64_t wake_bytes; /* a waiting consumer is woken when a ring holds this much */
    int fd;
    bool made_here;     /* this process is the consumer's: the shared words that it writes are for the others only */
    int consumer_pidfd; /* in a producer's process: readable when the consumer has died */

    /* The consumer's own. */
    _Atomic uint64_t tails[RING_MAX_VCPUS]; /* bytes taken since the beginning; `tail` is for the producer */
    uint64_t taken_bytes, slept_us;         /* since it slept last, and when that was */
    bool has_begun, in_turns;               /* whether it has seen a record, and what was said before that */
    unsigned taken_vcpu;
    _Atomic bool closed;
    _Atomic(const char *) damage;
};

static void futex_wait(_Atomic uint32_t *word, uint32_t expected, uint64_t timeout_us)
{
    struct timespec timeout = { .tv_sec = (time_t)(timeout_us / 1000000),
                                .tv_nsec = (long)(timeout_us % 1000000) * 1000 };

    syscall(SYS_futex, word, FUTEX_WAIT, expected, &timeout, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word)
{
    atomic_fetch_add(word, 1);
    syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static uint64_t monotonic_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static size_t tickets_offset(unsigned vcpus)
{
    return sizeof(struct RingShared) + vcpus * sizeof(struct RingVcpu);
}

static size_t header_bytes_for(unsigned vcpus, uint32_t ring_bytes)
{
    size_t bytes = tickets_offset(vcpus) + 2 * vcpus * (ring_bytes / RING_CHUNK_BYTES) * sizeof(uint64_t);

    return (bytes + RING_CHUNK_BYTES - 1) & ~(size_t)(RING_CHUNK_BYTES - 1);
}

static size_t table_bytes_for(unsigned fields)
{
    return fields & RING_INSTRUCTIONS ? RING_MAX_INSTRUCTIONS * sizeof(RingInstruction) : 0;
}

/* All of the memfd; the table of instructions is last, and sparse. */
static size_t file_bytes_for(unsigned vcpus, uint32_t ring_bytes, unsigned fields)
{
    return header_bytes_for(vcpus, ring_bytes) + (size_t)vcpus * ring_bytes + table_bytes_for(fields);
}

unsigned ring_record_bytes_for(unsigned fields)
{
    if ((fields & RING_PADDR) && (fields & RING_VALUE))
        return sizeof(RingWide);
    return fields & (RING_PADDR | RING_VALUE) ? sizeof(RingWide) / 2 : sizeof(struct gmbeoo_record);
}

/* Maps `bytes` of `fd` (-1: anonymous memory) at an address that is a multiple of the chunk size. */
static void *map_aligned(int fd, off_t offset, size_t bytes)
{
    uint8_t *reserved = mmap(NULL, bytes + RING_CHUNK_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint8_t *aligned;
    size_t before;

    if (reserved == MAP_FAILED)
        return NULL;
    before = -(uintptr_t)reserved & (RING_CHUNK_BYTES - 1);
    aligned = reserved + before;
    if (before)
        munmap(reserved, before);
    munmap(aligned + bytes, RING_CHUNK_BYTES - before);
    if (mmap(aligned, bytes, PROT_READ | PROT_WRITE, (fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED) | MAP_FIXED,
             fd, offset) == MAP_FAILED) {
        munmap(aligned, bytes);
        return NULL;
    }
    return aligned;
}

static bool map_ring(Ring *ring, GError **error)
{
    ring->header_bytes = header_bytes_for(ring->vcpus, ring->bytes);
    ring->data_bytes = (size_t)ring->vcpus * ring->bytes;
    ring->wake_bytes = ring->bytes / 2;
    ring->shared = map_aligned(ring->fd, 0, ring->header_bytes);
    ring->data = map_aligned(ring->fd, (off_t)ring->header_bytes, ring->data_bytes);
    if (ring->fields & RING_INSTRUCTIONS)
        ring->instructions =
            map_aligned(ring->fd, (off_t)(ring->header_bytes + ring->data_bytes), table_bytes_for(ring->fields));
    if (ring->shared && ring->data && !ring->instructions == !(ring->fields & RING_INSTRUCTIONS)) {
        ring->tickets = (_Atomic uint64_t *)((uint8_t *)ring->shared + tickets_offset(ring->vcpus));
        ring->times = ring->tickets + ring->data_bytes / RING_CHUNK_BYTES;
        ring->record_bytes = ring_record_bytes_for(ring->fields);
        return true;
    }
    g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errno), "can't map the ring: %s", g_strerror(errno));
    return false;
}

Ring *ring_new(unsigned vcpus, uint32_t bytes, unsigned fields, GError **error)
{
    g_autoptr(Ring) ring = g_new0(Ring, 1);

    g_return_val_if_fail(vcpus >= 1 && vcpus <= RING_MAX_VCPUS, NULL);
    g_return_val_if_fail(bytes >= 2 * RING_CHUNK_BYTES && bytes % RING_CHUNK_BYTES == 0, NULL);
    ring->vcpus = vcpus;
    ring->bytes = bytes;
    ring->fields = fields;
    ring->made_here = true;
    ring->consumer_pidfd = -1;
    ring->fd = memfd_create("memory_tracer_ring", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    /* Sealed: if the other side could make it smaller, the next access to what is gone would kill us. */
    if (ring->fd < 0 || ftruncate(ring->fd, (off_t)file_bytes_for(vcpus, bytes, fields)) ||
        fcntl(ring->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)) {
        g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errno), "can't create the ring: %s", g_strerror(errno));
        return NULL;
    }
    if (!map_ring(ring, error))
        return NULL;
    ring->shared->vcpus = vcpus;
    ring->shared->bytes = bytes;
    ring->shared->fields = fields;
    atomic_store(&ring->shared->instructions, 1); /* number 0: unknown */
    ring->shared->consumer_pid = getpid();
    ring->shared->magic = RING_MAGIC;
    return g_steal_pointer(&ring);
}

static bool is_header(const struct RingShared *header)
{
    return header->magic == RING_MAGIC && header->vcpus >= 1 && header->vcpus <= RING_MAX_VCPUS &&
           header->bytes >= 2 * RING_CHUNK_BYTES && header->bytes % RING_CHUNK_BYTES == 0 &&
           !(header->fields & ~(unsigned)RING_ALL_FIELDS);
}

Ring *ring_attach(int fd, GError **error)
{
    g_autoptr(Ring) ring = g_new0(Ring, 1);
    struct RingShared header;
    struct stat status;

    ring->fd = fd;
    ring->consumer_pidfd = -1;
    if (pread(fd, &header, sizeof header, 0) != sizeof header || !is_header(&header) || fstat(fd, &status) ||
        (size_t)status.st_size != file_bytes_for(header.vcpus, header.bytes, header.fields)) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "descriptor %d is not a ring", fd);
        return NULL;
    }
    ring->vcpus = header.vcpus;
    ring->bytes = header.bytes;
    ring->fields = header.fields;
    if (header.consumer_pid != getpid())
        ring->consumer_pidfd = (int)syscall(SYS_pidfd_open, header.consumer_pid, 0);
    if (!map_ring(ring, error))
        return NULL;
    return g_steal_pointer(&ring);
}

void ring_free(Ring *ring)
{
    if (!ring)
        return;
    if (ring->shared)
        munmap(ring->shared, ring->header_bytes);
    if (ring->data)
        munmap(ring->data, ring->data_bytes);
    if (ring->instructions)
        munmap(ring->instructions, table_bytes_for(ring->fields));
    if (ring->fd >= 0)
        close(ring->fd);
    if (ring->consumer_pidfd >= 0)
        close(ring->consumer_pidfd);
    g_free(ring);
}

int ring_fd(const Ring *ring)
{
    return ring->fd;
}

unsigned ring_vcpus(const Ring *ring)
{
    return ring->vcpus;
}

unsigned ring_fields(const Ring *ring)
{
    return ring->fields;
}

unsigned ring_record_bytes(const Ring *ring)
{
    return ring->record_bytes;
}

enum ring_state ring_get_state(const Ring *ring)
{
    return MIN(atomic_load(&ring->shared->state), RING_STOPPED);
}

void ring_set_state(Ring *ring, enum ring_state state)
{
    if (state == RING_TRACING)
        atomic_store(&ring->shared->started_ns, monotonic_ns());
    else if (state == RING_STOPPED)
        atomic_store(&ring->shared->stopped_ns, monotonic_ns());
    atomic_store(&ring->shared->state, state);
    futex_wake(&ring->shared->data_futex);
}

void ring_arm(Ring *ring)
{
    atomic_store(&ring->shared->armed, 1);
}

bool ring_is_armed(const Ring *ring)
{
    return atomic_load(&ring->shared->armed);
}

uint64_t ring_traced_ns(const Ring *ring)
{
    uint64_t started = atomic_load(&ring->shared->started_ns), excluded = atomic_load(&ring->shared->excluded_ns);
    uint64_t now = monotonic_ns(), elapsed;
    enum ring_state state = ring_get_state(ring);

    if (state != RING_TRACING && state != RING_STOPPED)
        return 0;
    if (state == RING_STOPPED)
        now = MIN(now, atomic_load(&ring->shared->stopped_ns));
    elapsed = now - MIN(now, started);
    return elapsed - MIN(elapsed, excluded);
}

void ring_exclude_ns(Ring *ring, uint64_t ns)
{
    atomic_fetch_add(&ring->shared->excluded_ns, ns);
}

void ring_set_skipped(Ring *ring, unsigned vcpu, uint64_t accesses)
{
    atomic_store_explicit(&ring->shared->vcpu[vcpu].skipped, accesses, memory_order_relaxed);
}

void ring_add_dropped(Ring *ring, unsigned vcpu, uint64_t accesses)
{
    atomic_fetch_add(&ring->shared->vcpu[vcpu].dropped, accesses);
}

void ring_set_in_turns(Ring *ring)
{
    atomic_store(&ring->shared->in_turns, 1);
}

void ring_set_vcpus_known(Ring *ring)
{
    atomic_store(&ring->shared->vcpus_known, 1);
}

bool ring_vcpus_are_known(const Ring *ring)
{
    return !atomic_load(&ring->shared->in_turns) || atomic_load(&ring->shared->vcpus_known);
}

uint32_t ring_add_instruction(Ring *ring, const RingInstruction *instruction)
{
    uint32_t number = atomic_load_explicit(&ring->shared->instructions, memory_order_relaxed);

    if (number >= RING_MAX_INSTRUCTIONS)
        return 0;
    ring->instructions[number] = *instruction;
    atomic_store_explicit(&ring->shared->instructions, number + 1, memory_order_release);
    return number;
}

uint32_t ring_instructions(const Ring *ring)
{
    return CLAMP(atomic_load_explicit(&ring->shared->instructions, memory_order_acquire), 1, RING_MAX_INSTRUCTIONS);
}

const RingInstruction *ring_get_instruction(const Ring *ring, uint32_t number)
{
    return &ring->instructions[number];
}

void ring_count_region(Ring *ring)
{
    atomic_fetch_add(&ring->shared->regions, 1);
}

uint64_t ring_regions(const Ring *ring)
{
    return atomic_load(&ring->shared->regions);
}

void ring_set_open_regions(Ring *ring, uint64_t regions)
{
    atomic_store(&ring->shared->open_regions, regions);
}

uint64_t ring_open_regions(const Ring *ring)
{
    return atomic_load(&ring->shared->open_regions);
}

void ring_count_ignored_marker(Ring *ring)
{
    atomic_fetch_add(&ring->shared->ignored_markers, 1);
}

uint64_t ring_ignored_markers(const Ring *ring)
{
    return atomic_load(&ring->shared->ignored_markers);
}

RingCounts ring_get_vcpu_counts(const Ring *ring, unsigned vcpu)
{
    const struct RingVcpu *shared = &ring->shared->vcpu[vcpu];
    /* The tail first: the head that is read then isn't before it. */
    uint64_t tail = ring->made_here ? atomic_load(&ring->tails[vcpu]) : atomic_load(&shared->tail);
    uint64_t head = atomic_load(&shared->head);
    RingCounts counts = {
        .skipped = MIN(atomic_load(&shared->skipped), MAX_COUNT),
        .written = MIN(head / ring->record_bytes, MAX_COUNT),
        .dropped = MIN(atomic_load(&shared->dropped), MAX_COUNT),
        .waiting = MIN(head - tail, ring->bytes) / ring->record_bytes,
    };

    counts.events = counts.written + counts.dropped + counts.skipped;
    return counts;
}

RingCounts ring_get_counts(const Ring *ring)
{
    RingCounts sum = { 0 };

    for (unsigned i = 0; i < ring->vcpus; i++) {
        RingCounts counts = ring_get_vcpu_counts(ring, i);

        sum.events += counts.events;
        sum.skipped += counts.skipped;
        sum.written += counts.written;
        sum.dropped += counts.dropped;
        sum.waiting += counts.waiting;
    }
    return sum;
}

void ring_set_clock(Ring *ring, uint64_t (*elapsed_ns)(void))
{
    ring->elapsed_ns = elapsed_ns;
}

static uint64_t elapsed_ns(const Ring *ring)
{
    return ring->elapsed_ns ? ring->elapsed_ns() : monotonic_ns() - atomic_load(&ring->shared->started_ns);
}

/* Producer. */

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

/* The index, among those of all vCPUs, of the chunk that byte `position` of a vCPU's stream lies in. */
static size_t chunk_of(const Ring *ring, const struct RingVcpu *shared, uint64_t position)
{
    size_t vcpu = (size_t)(shared - ring->shared->vcpu);

    return (vcpu * ring->bytes + position % ring->bytes) / RING_CHUNK_BYTES;
}

/* Publishes the records up to `next`, or counts them as dropped. */
static void account(RingProducer *producer)
{
    Ring *ring = producer->ring;
    struct RingVcpu *shared = producer->shared;
    uint64_t bytes = (uint64_t)((uint8_t *)producer->next - (uint8_t *)producer->published);

    producer->published = producer->next;
    if ((ring->fields & RING_TIME) && !producer->dropping)
        atomic_store_explicit(
            &ring->times[chunk_of(ring, shared, atomic_load_explicit(&shared->head, memory_order_relaxed))],
            elapsed_ns(ring), memory_order_relaxed);
    if (producer->dropping) {
        atomic_fetch_add_explicit(&shared->dropped, bytes / ring->record_bytes, memory_order_relaxed);
    } else if (ring->vcpus == 1) {
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
            producer->scratch = map_aligned(-1, 0, RING_CHUNK_BYTES);
        if (!producer->scratch)
            g_error("memory_tracer: no memory for a chunk of %u bytes", RING_CHUNK_BYTES);
        producer->next = (uint64_t *)producer->scratch;
    } else {
        producer->next = (uint64_t *)(producer->data + head % ring->bytes);
    }
    producer->published = producer->next;
}

void ring_producer_publish(RingProducer *producer)
{
    if (producer->next != producer->published)
        account(producer);
    if (atomic_load_explicit(&producer->shared->head, memory_order_relaxed) !=
        atomic_load_explicit(&producer->shared->tail, memory_order_relaxed))
        wake_consumer(producer->ring);
}

/* Consumer. */

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
    /* Pairs with wait_for_room(). A producer that waits is woken for half a ring, not for each piece. */
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

    if (ring->fields & RING_TIME)
        room = RING_CHUNK_BYTES - ((uintptr_t)*records & (RING_CHUNK_BYTES - 1));
    return MIN(count, room / ring->record_bytes);
}

/*
 * Waits until a vCPU has published the chunk that it has drawn a ticket for. That takes it some nanoseconds, unless its
 * thread isn't scheduled in between. A broken one may never do it: then we don't spin, ring_close() ends it, and so
 * does the stop, which comes after all publishing.
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

/* In turns, it's the records in the first vCPU's ring that say whose they are. */
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
