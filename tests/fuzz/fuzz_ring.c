/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libFuzzer's entry: the shared memory of a ring, as QEMU's side could leave it. The input's first two bytes say what
 * ring it is; then come words and where they are written, and in between the consumer takes what it believes is there.
 * And all of it is attached as if it were a ring.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../src/ring/ring.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RING_BYTES (2 * RING_CHUNK_BYTES)

static void attach(const uint8_t *data, size_t size)
{
    int fd = memfd_create("input", MFD_CLOEXEC);
    Ring *ring;

    if (pwrite(fd, data, size, 0) != (ssize_t)size || ftruncate(fd, data[0] << 12))
        abort();
    ring = ring_attach(fd, NULL);
    if (ring)
        ring_get_counts(ring);
    ring_free(ring);
}

/* Takes once, and reads it all. Returns false when there will be no more. */
static bool take(Ring *ring)
{
    const struct gmbeoo_record *records;
    volatile uint64_t sum = 0;
    unsigned vcpu;
    size_t count;

    if (ring_take(ring, &vcpu, &records, &count) != 1)
        return false;
    if (vcpu >= ring_vcpus(ring) || vcpu != ring_taken_vcpu(ring) || !count)
        abort();
    for (size_t i = 0; i < count * ring_record_bytes(ring) / sizeof *records; i++)
        sum += records[i].info + records[i].virt_addr;
    if (ring_fields(ring) & MT_FIELD_TIME)
        sum += ring_time(ring, records);
    ring_release(ring, vcpu, count);
    return true;
}

static void check_counts(const Ring *ring)
{
    RingCounts counts = ring_get_counts(ring);

    if (counts.events != counts.written + counts.dropped + counts.skipped || counts.events < counts.written ||
        ring_instructions(ring) > RING_MAX_INSTRUCTIONS || ring_get_state(ring) > RING_STOPPED)
        abort();
    ring_traced_ns(ring);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Ring *ring;
    uint8_t *header;

    if (size < 2)
        return 0;
    attach(data, size);
    ring = ring_new(1 + data[0] % 4, RING_BYTES, data[1] & RING_ALL_FIELDS & ~(unsigned)MT_FIELD_INSTRUCTION, NULL);
    header = mmap(NULL, RING_CHUNK_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, ring_fd(ring), 0);
    for (data += 2, size -= 2; size >= 11; data += 11, size -= 11) {
        uint64_t word;

        memcpy(&word, data + 3, sizeof word);
        if (data[2] & 4)
            word &= ~UINT64_C(15);
        memcpy(header + (data[2] & 8 ? 8 * (size_t)data[0] : (data[0] | (size_t)data[1] << 8) % (RING_CHUNK_BYTES - 8)),
               &word, sizeof word);
        if (!(data[2] & 1))
            continue;
        ring_set_state(ring, RING_STOPPED); /* else it would wait for more */
        for (int i = 0; i < 8 && take(ring); i++)
            ;
        check_counts(ring);
    }
    munmap(header, RING_CHUNK_BYTES);
    ring_free(ring);
    return 0;
}
