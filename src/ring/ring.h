/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ring: shared memory between the vCPUs of a guest (in QEMU, with our plugin) and one consumer, which usually lives
 * in another process.
 *
 * There is one ring per vCPU, each with one producer; all have the same consumer. A producer fills its ring chunk by
 * chunk and publishes a chunk when it is full (or sooner: ring_producer_publish). When there is no room, it either
 * waits (RING_BLOCK) or drops whole chunks of records and counts them (RING_DROP). Nobody spins: both sides wait on
 * futexes, and each notices when the other one has died.
 *
 * All counters are 64 bits wide and only grow.
 *
 * The consumer's process survives whatever the other side writes into the shared memory: see ring_damage().
 */
#ifndef MEMORY_TRACER_RING_H
#define MEMORY_TRACER_RING_H

#include <glib.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "../record/change.h"
#include "../record/row.h"

#define RING_CHUNK_BYTES (32u * 1024)
#define RING_CHUNK_RECORDS (RING_CHUNK_BYTES / sizeof(struct gmbeoo_record))
/* Some milliseconds of tracing, during which a consumer may be busy with something else, or not be scheduled. */
#define RING_DEFAULT_BYTES (8u * 1024 * 1024)
#define RING_MAX_VCPUS 256

enum ring_policy { RING_BLOCK, RING_DROP };

enum ring_state {
    RING_ASLEEP,  /* nothing is instrumented, not even the markers, until ring_arm() is called */
    RING_ARMED,   /* the plugin looks for the start marker */
    RING_TRACING, /* between the markers */
    RING_STOPPED, /* everything that was traced has been published */
};

/* What a ring may carry beside plain records. A field that isn't asked for costs nothing. */
#define RING_ALL_FIELDS                                                                                                \
    (MT_FIELD_INSTRUCTION | MT_FIELD_PADDR | MT_FIELD_VALUE | MT_FIELD_TIME | MT_FIELD_TASK | MT_FIELD_PAGE_SIZE)

/* Instruction 0 stands for those that the table has no room for. */
#define RING_MAX_INSTRUCTIONS (1u << 24)
/* With MT_FIELD_TASK: the most changes, and the most bytes of all of them. */
#define RING_MAX_CHANGES (1u << 21)
#define RING_CHANGE_BYTES (128u << 20)

typedef struct Ring Ring;

/* Creates a ring of `bytes` per vCPU (a multiple of RING_CHUNK_BYTES, at least two of them) in a new memfd. `fields`:
 * of enum mt_fields. The caller is its consumer: when this process ends, producers stop waiting for room. NULL with an
 * error. */
Ring *ring_new(unsigned vcpus, uint32_t bytes, unsigned fields, GError **error);

/* Maps a ring that another process made, as its producer. Takes `fd`, also on failure. NULL with an error. */
Ring *ring_attach(int fd, GError **error);

void ring_free(Ring *ring);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Ring, ring_free)

/* The memfd, to be inherited by the producers' process. It belongs to the ring. */
int ring_fd(const Ring *ring);
unsigned ring_vcpus(const Ring *ring);
unsigned ring_fields(const Ring *ring);
/* The distance between records: 16 bytes, or that of WideRow. */
unsigned ring_record_bytes(const Ring *ring);
unsigned ring_record_bytes_for(unsigned fields);

enum ring_state ring_get_state(const Ring *ring);
/* By the producers' side. Takes the time for ring_traced_ns() and wakes the consumer. */
void ring_set_state(Ring *ring, enum ring_state state);
/* By the consumer: asks the producers' side to look for the start marker. It does so when a vCPU next wakes up. */
void ring_arm(Ring *ring);
bool ring_is_armed(const Ring *ring);
/* Nanoseconds from the start to the stop (while tracing: until now), without what was excluded; 0 before the start. */
uint64_t ring_traced_ns(const Ring *ring);
/* By the producers' side: adds time since the start that lay outside the regions, and so was not traced. */
void ring_exclude_ns(Ring *ring, uint64_t ns);
/* By the producers' side: how many accesses of a vCPU sampling has left out so far. */
void ring_set_skipped(Ring *ring, unsigned vcpu, uint64_t accesses);
/* By the producers' side: adds accesses of a vCPU that could not be recorded. */
void ring_add_dropped(Ring *ring, unsigned vcpu, uint64_t accesses);
/* By the producers' side, before any record: the vCPUs run in one thread, in turns, and all use the ring of vCPU 0. So
 * the order of all records is exact; they are all counted as vCPU 0's. */
void ring_set_in_turns(Ring *ring);
bool ring_is_in_turns(const Ring *ring);
/* By the producers' side: when vCPUs run in turns, records say which vCPU made them. */
void ring_set_vcpus_known(Ring *ring);
/* Whether records tell vCPUs apart. */
bool ring_vcpus_are_known(const Ring *ring);
/* By the producers' side, one caller at a time: appends to the table of instructions. Returns the number of the new
 * one, or 0 if the table is full. */
uint32_t ring_add_instruction(Ring *ring, const struct mt_instruction *instruction);
/* How many instructions the table has, number 0 included. */
uint32_t ring_instructions(const Ring *ring);
/* `number` must be below ring_instructions(). Belongs to the ring. */
const struct mt_instruction *ring_get_instruction(const Ring *ring, uint32_t number);
/* With MT_FIELD_TASK, by the producers' side, one caller at a time: appends a change. Returns its number, from 1 on, or
 * 0 if there is no room. */
uint32_t ring_add_change(Ring *ring, const Change *change);
/* How many changes there are, and for how many there was no room. */
uint32_t ring_changes(const Ring *ring);
uint64_t ring_lost_changes(const Ring *ring);
/* Copies a change, by its number, from 1 to ring_changes(). False if there is none, or it makes no sense. */
bool ring_get_change(const Ring *ring, uint32_t number, Change *change);
/* By the producers' side: one more region of interest has begun. */
void ring_count_region(Ring *ring);
uint64_t ring_regions(const Ring *ring);
/* By the producers' side, at the stop: regions that have begun and not ended. */
void ring_set_open_regions(Ring *ring, uint64_t regions);
uint64_t ring_open_regions(const Ring *ring);
/* By the producers' side: a program in the guest has executed a start or stop marker that is to be ignored. */
void ring_count_ignored_marker(Ring *ring);
uint64_t ring_ignored_markers(const Ring *ring);

typedef struct RingCounts {
    uint64_t events;  /* accesses (not rows that are events) that took place while tracing, after the CPL filter and
                         inside the regions */
    uint64_t skipped; /* of these, the ones that sampling left out */
    uint64_t written; /* of these, records published */
    uint64_t dropped; /* of these, records dropped because there was no room */
    uint64_t waiting; /* of those written, the ones that the consumer has not taken yet */
} RingCounts;

/* Of one vCPU, and the sums over all. Exact once the state is RING_STOPPED; before that, without what is in the
 * producers' unfinished chunks. */
RingCounts ring_get_vcpu_counts(const Ring *ring, unsigned vcpu);
RingCounts ring_get_counts(const Ring *ring);

/* By the producers' side: another clock than CLOCK_MONOTONIC for MT_FIELD_TIME. It gives nanoseconds since tracing
 * began.
 */
void ring_set_clock(Ring *ring, uint64_t (*elapsed_ns)(void));

/* Producer. */

typedef struct RingProducer RingProducer;
struct RingProducer {
    uint64_t *next; /* where the next record goes; reaching a multiple of RING_CHUNK_BYTES ends the chunk */
    uint64_t *published;
    Ring *ring;
    struct RingVcpu *shared;
    uint8_t *data;
    uint8_t *scratch; /* a chunk to write to while records are dropped */
    enum ring_policy policy;
    bool dropping;
    uint32_t events; /* rows since `published` that are not accesses */
    /* Called before the first record after dropped ones, as events may be missing. It may put events. Or NULL. */
    void (*resumes)(RingProducer *producer);
} __attribute__((aligned(64)));

void ring_producer_init(RingProducer *producer, Ring *ring, unsigned vcpu, enum ring_policy policy);
void ring_producer_clear(RingProducer *producer);

/* The chunk is full: publishes it and makes room for another one. */
void ring_producer_next_chunk(RingProducer *producer);

/* Publishes what is in an unfinished chunk, and wakes the consumer if there is anything for it. */
void ring_producer_publish(RingProducer *producer);

/* Appends one record. The hot path. */
static inline void ring_producer_put(RingProducer *producer, uint64_t info, uint64_t virt_addr)
{
    uint64_t *slot = producer->next;

    slot[0] = info;
    slot[1] = virt_addr;
    slot += 2;
    producer->next = slot;
    if (__builtin_expect(((uintptr_t)slot & (RING_CHUNK_BYTES - 1)) == 0, 0))
        ring_producer_next_chunk(producer);
}

/* The consumer's cache had the memory ahead last. A processor that learns of that from a store makes all later ones
 * wait; for wide records, that was two fifths of the callback's time. With plain ones it keeps up. (The compiler's
 * prefetch only reads, unless it knows of a processor with this instruction: all that have 64 bits.) */
#define RING_FETCH_BYTES 1024
static inline void ring_fetch_for_writing(const uint64_t *slot)
{
#ifdef __x86_64__
    __asm__ volatile("prefetchw %0" : : "m"(slot[RING_FETCH_BYTES / sizeof *slot]));
#else
    __builtin_prefetch(slot + RING_FETCH_BYTES / sizeof *slot, 1);
#endif
}

/* The same for wide records, in two steps: the caller fills the slot, and ring_producer_advance() makes it a record;
 * `bytes` is ring_record_bytes(). (Copying a record would wait for the stores that made it.) */
static inline WideRow *ring_producer_slot(const RingProducer *producer)
{
    return (WideRow *)producer->next;
}

static inline void ring_producer_advance(RingProducer *producer, size_t bytes)
{
    uint64_t *slot = producer->next + bytes / sizeof *slot;

    ring_fetch_for_writing(slot);
    producer->next = slot;
    if (__builtin_expect(((uintptr_t)slot & (RING_CHUNK_BYTES - 1)) == 0, 0))
        ring_producer_next_chunk(producer);
}

/* Appends a row that is not an access. */
void ring_producer_put_event(RingProducer *producer, enum row_event event, unsigned vcpu, uint64_t number);

/* Consumer. */

/* The records in a vCPU's ring that can be taken now, oldest first, as far as they are contiguous. Returns their
 * number. */
size_t ring_peek(Ring *ring, unsigned vcpu, const struct gmbeoo_record **records);

/* Gives the first `count` of the peeked records back to the producer. */
void ring_release(Ring *ring, unsigned vcpu, size_t count);

/* Waits until a ring is half full, a producer publishes an unfinished chunk, the state changes, ring_wake() is called,
 * or the time is up. */
void ring_wait(Ring *ring, uint64_t timeout_us);
void ring_wake(Ring *ring);

/* With MT_FIELD_TIME: when the chunk of these records was published last, in nanoseconds since tracing began. */
uint64_t ring_time(const Ring *ring, const struct gmbeoo_record *records);

/* Waits for records: those of one vCPU that come next in the order below. They are the caller's until it calls
 * ring_release() with their number. Returns 1; 0 when tracing has stopped and all was taken; -1 when the ring was
 * closed before that. */
int ring_take(Ring *ring, unsigned *vcpu, const struct gmbeoo_record **records, size_t *count);

/* Takes `count` records of one vCPU, ring_record_bytes() apart; they are valid during the call only. A `count` of 0
 * says that there are no more records for now, or at all: records that the sink has held back are to be passed on.
 * Returns false if it wants no more. */
typedef bool (*RingSink)(void *data, const struct gmbeoo_record *records, size_t count);

/* The most records that are handed over at once: as many as a pipe takes, as each write wakes up its reader. With
 * fields, as many as fit into the same number of bytes; with MT_FIELD_TIME or several vCPUs, those of one chunk; of a
 * small ring, an eighth of it, so that its room is given back early. */
#define RING_PIECE_RECORDS (32 * RING_CHUNK_RECORDS)

/*
 * The consumer's loop: hands everything to `sink` until tracing has stopped and all was taken. Returns false if it
 * ended sooner, because the sink wanted no more or the ring was closed; it is closed then.
 *
 * The records of one vCPU come in their order. Those of several come in the order in which their chunks were published:
 * no record is displaced by more than one chunk. With ring_set_in_turns() the order is exact.
 */
bool ring_consume(Ring *ring, RingSink sink, void *sink_data);

/* Writes records in the compact format (record.h) to `words`, which has room for two per record. Returns the number of
 * bytes. */
size_t ring_make_compact(const struct gmbeoo_record *records, size_t count, uint64_t *words);

/* Called by the sink: which vCPU made the records. This vCPU exists; what the records themselves say may be anything.
 */
unsigned ring_taken_vcpu(const Ring *ring);

/* By the consumer's side: how the producers' side has broken the rules (the ring is closed then), or NULL. */
const char *ring_damage(const Ring *ring);

/* The consumer will take no more: producers stop waiting for room, and drop (and count) from now on. */
void ring_close(Ring *ring);
bool ring_is_closed(const Ring *ring);

#endif
