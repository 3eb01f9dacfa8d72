/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The shared ring: its memory, its state and its counters. See ring.h. */
#define _GNU_SOURCE
#include "ring.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "ring_private.h"

#define RING_MAGIC UINT64_C(0x31676e6972544d4d)
/* No counter gets there: no sum of counters overflows. */
#define MAX_COUNT (UINT64_C(1) << 54)

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
    return fields & MT_FIELD_INSTRUCTION ? RING_MAX_INSTRUCTIONS * sizeof(struct mt_instruction) : 0;
}

static size_t change_bytes_for(unsigned fields)
{
    return fields & MT_FIELD_TASK ? RING_MAX_CHANGES * sizeof(uint64_t) + RING_CHANGE_BYTES : 0;
}

/* All of the memfd; the tables of instructions and changes are last, and sparse. */
static size_t file_bytes_for(unsigned vcpus, uint32_t ring_bytes, unsigned fields)
{
    return header_bytes_for(vcpus, ring_bytes) + (size_t)vcpus * ring_bytes + table_bytes_for(fields) +
           change_bytes_for(fields);
}

unsigned ring_record_bytes_for(unsigned fields)
{
    return fields & MT_FIELD_VALUE ? sizeof(WideRow) : sizeof(struct gmbeoo_record);
}

void *ring_map_aligned(int fd, off_t offset, size_t bytes)
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
    ring->shared = ring_map_aligned(ring->fd, 0, ring->header_bytes);
    ring->data = ring_map_aligned(ring->fd, (off_t)ring->header_bytes, ring->data_bytes);
    if (ring->fields & MT_FIELD_INSTRUCTION)
        ring->instructions =
            ring_map_aligned(ring->fd, (off_t)(ring->header_bytes + ring->data_bytes), table_bytes_for(ring->fields));
    if (ring->fields & MT_FIELD_TASK)
        ring->changes =
            ring_map_aligned(ring->fd, (off_t)(ring->header_bytes + ring->data_bytes + table_bytes_for(ring->fields)),
                             change_bytes_for(ring->fields));
    if (ring->shared && ring->data && !ring->instructions == !(ring->fields & MT_FIELD_INSTRUCTION) &&
        !ring->changes == !(ring->fields & MT_FIELD_TASK)) {
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
    if (ring->changes)
        munmap(ring->changes, change_bytes_for(ring->fields));
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

bool ring_is_in_turns(const Ring *ring)
{
    return atomic_load(&ring->shared->in_turns);
}

void ring_set_vcpus_known(Ring *ring)
{
    atomic_store(&ring->shared->vcpus_known, 1);
}

bool ring_vcpus_are_known(const Ring *ring)
{
    return !atomic_load(&ring->shared->in_turns) || atomic_load(&ring->shared->vcpus_known);
}

uint32_t ring_add_instruction(Ring *ring, const struct mt_instruction *instruction)
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

const struct mt_instruction *ring_get_instruction(const Ring *ring, uint32_t number)
{
    return &ring->instructions[number];
}

/* In the ring, a change is its beginning up to the last of its values, then its text. */

static size_t change_head_bytes(unsigned values)
{
    return offsetof(Change, value) + values * sizeof(uint64_t);
}

uint32_t ring_add_change(Ring *ring, const Change *change)
{
    uint32_t number = atomic_load_explicit(&ring->shared->changes, memory_order_relaxed);
    uint64_t at = ring->shared->change_bytes, *places = (uint64_t *)ring->changes;
    size_t head = change_head_bytes(change->values), bytes = head + change->text_bytes;
    uint8_t *to = ring->changes + RING_MAX_CHANGES * sizeof *places + at;

    if (number == RING_MAX_CHANGES || at > RING_CHANGE_BYTES - sizeof *change) {
        atomic_fetch_add(&ring->shared->lost_changes, 1);
        return 0;
    }
    memcpy(to, change, head);
    memcpy(to + head, change->text, change->text_bytes);
    places[number] = at;
    ring->shared->change_bytes = (at + bytes + 7) & ~UINT64_C(7);
    atomic_store_explicit(&ring->shared->changes, number + 1, memory_order_release);
    return number + 1;
}

uint32_t ring_changes(const Ring *ring)
{
    return MIN(atomic_load_explicit(&ring->shared->changes, memory_order_acquire), RING_MAX_CHANGES);
}

uint64_t ring_lost_changes(const Ring *ring)
{
    return atomic_load(&ring->shared->lost_changes);
}

bool ring_get_change(const Ring *ring, uint32_t number, Change *change)
{
    const uint64_t *places = (const uint64_t *)ring->changes;
    const uint8_t *from;
    uint64_t at;
    size_t head;

    if (!number || number > ring_changes(ring))
        return false;
    at = *(const volatile uint64_t *)&places[number - 1];
    if (at > RING_CHANGE_BYTES - sizeof *change)
        return false;
    from = ring->changes + RING_MAX_CHANGES * sizeof *places + at;
    memcpy(change, from, offsetof(Change, value));
    if (change->values > CHANGE_VALUES || change->text_bytes >= CHANGE_TEXT_BYTES)
        return false;
    head = change_head_bytes(change->values);
    memset(change->value, 0, sizeof change->value);
    memcpy(change->value, from + offsetof(Change, value), head - offsetof(Change, value));
    memcpy(change->text, from + head, change->text_bytes);
    change->text[change->text_bytes] = 0;
    return true;
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

    counts.written -= MIN(counts.written, atomic_load(&shared->events));
    counts.waiting = MIN(counts.waiting, counts.written);
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
