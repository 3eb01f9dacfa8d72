/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ring under stress: nothing is lost, reordered or counted twice, whatever the consumer does. Also built with TSan.
 */
#define _GNU_SOURCE
#include "../../src/ring/ring.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define SMALL_RING (2 * RING_CHUNK_BYTES)

typedef struct {
    Ring *ring;
    unsigned vcpu;
    uint64_t records;
    enum ring_policy policy;
} ProducerJob;

/* Produces records whose address is their number; now and then publishes an unfinished chunk. */
static gpointer produce(gpointer data)
{
    ProducerJob *job = data;
    RingProducer producer;

    ring_producer_init(&producer, job->ring, job->vcpu, job->policy);
    for (uint64_t i = 0; i < job->records; i++) {
        ring_producer_put(&producer, GMBEOO_VALID | (uint64_t)job->vcpu << GMBEOO_VCPU_SHIFT, i);
        if (i % 7001 == 0)
            ring_producer_publish(&producer);
    }
    ring_producer_publish(&producer);
    ring_producer_clear(&producer);
    return NULL;
}

typedef struct {
    uint64_t next[4]; /* the number expected next, per vCPU */
    uint64_t taken;
    uint64_t skipped;  /* numbers that didn't come */
    unsigned pause_us; /* per piece: a slow consumer */
    uint64_t give_up_after;
} Taken;

static bool take(void *data, const struct gmbeoo_record *records, size_t count)
{
    Taken *taken = data;

    for (size_t i = 0; i < count; i++) {
        unsigned vcpu = gmbeoo_vcpu(&records[i]);

        g_assert_cmpuint(vcpu, <, 4);
        g_assert_cmpuint(records[i].virt_addr, >=, taken->next[vcpu]); /* in order */
        taken->skipped += records[i].virt_addr - taken->next[vcpu];
        taken->next[vcpu] = records[i].virt_addr + 1;
    }
    taken->taken += count;
    if (taken->pause_us)
        g_usleep(taken->pause_us);
    return !taken->give_up_after || taken->taken < taken->give_up_after;
}

typedef struct {
    Ring *ring;
    GThread **threads;
    unsigned count;
} Producers;

/* The state changes when all have published, as in the plugin. */
static gpointer stop_when_all_have_published(gpointer data)
{
    Producers *all = data;

    for (unsigned i = 0; i < all->count; i++)
        g_thread_join(all->threads[i]);
    ring_set_state(all->ring, RING_STOPPED);
    return NULL;
}

/* Runs one producer per vCPU against take(), as the runner does. */
static RingCounts run(unsigned vcpus, uint64_t records, enum ring_policy policy, Taken *taken, bool expect_complete)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Ring) ring = ring_new(vcpus, SMALL_RING, 0, &error);
    ProducerJob jobs[4];
    GThread *threads[4], *stopper;

    g_assert_no_error(error);
    ring_set_state(ring, RING_TRACING);
    for (unsigned i = 0; i < vcpus; i++) {
        jobs[i] = (ProducerJob){ ring, i, records, policy };
        threads[i] = g_thread_new("producer", produce, &jobs[i]);
    }
    if (expect_complete) {
        Producers all = { ring, threads, vcpus };

        stopper = g_thread_new("stopper", stop_when_all_have_published, &all);
        g_assert_true(ring_consume(ring, take, taken));
        g_thread_join(stopper);
    } else {
        g_assert_false(ring_consume(ring, take, taken));
        for (unsigned i = 0; i < vcpus; i++)
            g_thread_join(threads[i]);
    }
    return ring_get_counts(ring);
}

static void test_all_arrive_in_order(void)
{
    Taken taken = { 0 };
    RingCounts counts = run(2, 3000000, RING_BLOCK, &taken, true);

    g_assert_cmpuint(taken.taken, ==, 6000000);
    g_assert_cmpuint(taken.skipped, ==, 0);
    g_assert_cmpuint(counts.events, ==, 6000000);
    g_assert_cmpuint(counts.written, ==, 6000000);
    g_assert_cmpuint(counts.dropped, ==, 0);
    g_assert_cmpuint(counts.waiting, ==, 0);
}

static void test_slow_consumer_loses_nothing(void)
{
    Taken taken = { .pause_us = 500 };
    RingCounts counts = run(1, 500000, RING_BLOCK, &taken, true);

    g_assert_cmpuint(taken.taken, ==, 500000);
    g_assert_cmpuint(taken.skipped, ==, 0);
    g_assert_cmpuint(counts.dropped, ==, 0);
}

static void test_drop_counts_every_record(void)
{
    Taken taken = { .pause_us = 2000 };
    RingCounts counts = run(1, 3000000, RING_DROP, &taken, true);

    g_assert_cmpuint(counts.dropped, >, 0);
    g_assert_cmpuint(counts.events, ==, 3000000);
    g_assert_cmpuint(counts.written + counts.dropped, ==, 3000000);
    g_assert_cmpuint(taken.taken, ==, counts.written);
    /* What was dropped is what is missing, but for the end, after which no record shows a gap. */
    g_assert_cmpuint(taken.skipped + (3000000 - taken.next[0]), ==, counts.dropped);
}

static void test_consumer_that_gives_up_frees_the_producers(void)
{
    Taken taken = { .give_up_after = 10000 };
    RingCounts counts = run(2, 1000000, RING_BLOCK, &taken, false);

    g_assert_cmpuint(counts.events, ==, 2000000);
    g_assert_cmpuint(counts.dropped, >, 0);
}

/* Starts a process that consumes; returns its pid and, in *attached, its ring as a producer sees it. */
static pid_t start_consumer(Ring **attached, uint64_t *expected_by_pipe)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = NULL;
    int ready[2], fd, ring_number = 0;
    pid_t pid;

    g_assert_no_errno(pipe(ready));
    pid = fork();
    if (pid == 0) {
        Ring *ring = ring_new(1, SMALL_RING, 0, NULL);
        Taken taken = { 0 };

        fd = ring_fd(ring);
        (void)!write(ready[1], &fd, sizeof fd);
        ring_consume(ring, take, &taken);
        (void)!write(ready[1], &taken.taken, sizeof taken.taken);
        _exit(0);
    }
    g_assert_cmpint(read(ready[0], &ring_number, sizeof ring_number), ==, sizeof ring_number);
    path = g_strdup_printf("/proc/%d/fd/%d", pid, ring_number);
    fd = open(path, O_RDWR | O_CLOEXEC);
    *attached = ring_attach(fd, &error);
    g_assert_no_error(error);
    ring_set_state(*attached, RING_TRACING);
    *expected_by_pipe = (uint64_t)ready[0];
    return pid;
}

static void test_dead_consumer_is_noticed(void)
{
    Ring *ring;
    uint64_t pipe_end;
    pid_t pid = start_consumer(&ring, &pipe_end);
    ProducerJob job = { ring, 0, 1000000, RING_BLOCK };

    kill(pid, SIGKILL); /* and it stays a zombie: nobody has waited for it yet */
    produce(&job);
    RingCounts counts = ring_get_counts(ring);
    g_assert_cmpuint(counts.events, ==, 1000000);
    g_assert_cmpuint(counts.dropped, >, 0);
    waitpid(pid, NULL, 0);
    close((int)pipe_end);
    ring_free(ring);
}

static gpointer continue_later(gpointer data)
{
    g_usleep(600000);
    kill(GPOINTER_TO_INT(data), SIGCONT);
    return NULL;
}

static void test_stopped_consumer_is_waited_for(void)
{
    Ring *ring;
    uint64_t pipe_end, taken = 0;
    pid_t pid = start_consumer(&ring, &pipe_end);
    ProducerJob job = { ring, 0, 1000000, RING_BLOCK };
    GThread *helper;

    kill(pid, SIGSTOP);
    helper = g_thread_new("continue", continue_later, GINT_TO_POINTER(pid));
    produce(&job);
    ring_set_state(ring, RING_STOPPED);
    g_thread_join(helper);
    waitpid(pid, NULL, 0);
    g_assert_cmpint(read((int)pipe_end, &taken, sizeof taken), ==, sizeof taken);
    g_assert_cmpuint(taken, ==, 1000000);
    g_assert_cmpuint(ring_get_counts(ring).dropped, ==, 0);
    close((int)pipe_end);
    ring_free(ring);
}

static gint64 own_cpu_us(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * G_USEC_PER_SEC + usage.ru_utime.tv_usec +
           usage.ru_stime.tv_usec;
}

static void test_waiting_does_not_spin(void)
{
    g_autoptr(Ring) ring = ring_new(1, SMALL_RING, 0, NULL);
    gint64 began_us = g_get_monotonic_time(), cpu_us = own_cpu_us();

    for (int i = 0; i < 4; i++)
        ring_wait(ring, 100000);
    gint64 waited_us = g_get_monotonic_time() - began_us;
    g_assert_cmpint(own_cpu_us() - cpu_us, <, waited_us / 4);
    g_assert_cmpint(waited_us, >=, 300000);
}

static void test_unfinished_chunks_can_be_published(void)
{
    g_autoptr(Ring) ring = ring_new(1, SMALL_RING, 0, NULL);
    const struct gmbeoo_record *records;
    RingProducer producer;

    ring_producer_init(&producer, ring, 0, RING_BLOCK);
    ring_producer_put(&producer, GMBEOO_VALID, 42);
    g_assert_cmpuint(ring_peek(ring, 0, &records), ==, 0);
    ring_producer_publish(&producer);
    g_assert_cmpuint(ring_peek(ring, 0, &records), ==, 1);
    g_assert_cmpuint(records[0].virt_addr, ==, 42);
    ring_release(ring, 0, 1);
    g_assert_cmpuint(ring_peek(ring, 0, &records), ==, 0);
    ring_producer_clear(&producer);
}

static __attribute__((unused)) bool take_nothing(void *data, const struct gmbeoo_record *records, size_t count)
{
    (void)records;
    *(uint64_t *)data += count;
    return true;
}

#ifndef __SANITIZE_THREAD__
static gpointer produce_and_stop(gpointer data)
{
    produce(data);
    ring_set_state(((ProducerJob *)data)->ring, RING_STOPPED);
    return NULL;
}

/* More than 4 GiB of records: positions in bytes need more than 32 bits. */
static void test_positions_exceed_32_bits(void)
{
    g_autoptr(Ring) ring = ring_new(1, RING_DEFAULT_BYTES, 0, NULL);
    uint64_t records = (UINT64_C(1) << 28) + 12345, taken = 0;
    ProducerJob job = { ring, 0, records, RING_BLOCK };
    GThread *thread = g_thread_new("producer", produce_and_stop, &job);

    g_assert_true(ring_consume(ring, take_nothing, &taken));
    g_thread_join(thread);
    g_assert_cmpuint(taken, ==, records);
    g_assert_cmpuint(ring_get_counts(ring).written, ==, records);
}
#endif

/* The order across vCPUs: each record holds the time at which it was made, by one counter for all of them. */

#define STAMPED_VCPUS 4
#define STAMPED_RECORDS 300000

typedef struct {
    Ring *ring;
    unsigned vcpu;
    _Atomic uint64_t *clock;
} StampedJob;

typedef struct {
    uint64_t newest[STAMPED_VCPUS]; /* delivered, by vCPU */
    uint64_t count, late; /* how many of the current run of records are older than what others have delivered */
    unsigned vcpu;
} StampedSink;

static gpointer produce_stamped(gpointer data)
{
    StampedJob *job = data;
    GRand *random = g_rand_new_with_seed(job->vcpu);
    RingProducer producer;

    ring_producer_init(&producer, job->ring, job->vcpu, RING_BLOCK);
    for (int i = 0; i < STAMPED_RECORDS; i++) {
        ring_producer_put(&producer, GMBEOO_VALID | (uint64_t)job->vcpu << GMBEOO_VCPU_SHIFT,
                          atomic_fetch_add(job->clock, 1));
        if (g_rand_int_range(random, 0, 3000) == 0) /* it goes idle */
            ring_producer_publish(&producer);
    }
    ring_producer_publish(&producer);
    ring_producer_clear(&producer);
    g_rand_free(random);
    return NULL;
}

static bool take_stamped(void *data, const struct gmbeoo_record *records, size_t count)
{
    StampedSink *sink = data;

    for (size_t i = 0; i < count; i++) {
        unsigned vcpu = gmbeoo_vcpu(&records[i]);
        uint64_t others = 0;

        for (unsigned other = 0; other < STAMPED_VCPUS; other++)
            if (other != vcpu)
                others = MAX(others, sink->newest[other]);
        g_assert_true(!sink->newest[vcpu] || records[i].virt_addr > sink->newest[vcpu]);
        sink->late = vcpu == sink->vcpu && records[i].virt_addr < others ? sink->late + 1 : 0;
        g_assert_cmpuint(sink->late, <=, RING_CHUNK_RECORDS);
        sink->vcpu = vcpu;
        sink->newest[vcpu] = records[i].virt_addr;
        sink->count++;
    }
    return true;
}

static gpointer produce_all_stamped(gpointer data)
{
    StampedJob *jobs = data;
    GThread *threads[STAMPED_VCPUS];

    for (unsigned i = 0; i < STAMPED_VCPUS; i++)
        threads[i] = g_thread_new("producer", produce_stamped, &jobs[i]);
    for (unsigned i = 0; i < STAMPED_VCPUS; i++)
        g_thread_join(threads[i]);
    ring_set_state(jobs[0].ring, RING_STOPPED);
    return NULL;
}

static void test_order_across_vcpus_is_exact_to_a_chunk(void)
{
    g_autoptr(Ring) ring = ring_new(STAMPED_VCPUS, 4 * RING_CHUNK_BYTES, 0, NULL);
    _Atomic uint64_t clock = 1;
    StampedJob jobs[STAMPED_VCPUS];
    StampedSink sink = { 0 };
    GThread *thread;

    for (unsigned i = 0; i < STAMPED_VCPUS; i++)
        jobs[i] = (StampedJob){ ring, i, &clock };
    thread = g_thread_new("producers", produce_all_stamped, jobs);
    g_assert_true(ring_consume(ring, take_stamped, &sink));
    g_thread_join(thread);
    g_assert_cmpuint(sink.count, ==, STAMPED_VCPUS * STAMPED_RECORDS);
}

/* vCPUs in turns of TURN records each: as many turns as fill a chunk, and a few more. */
#define TURN 100
#define TURNS (RING_CHUNK_RECORDS / TURN + 5)

static void test_in_turns_the_order_is_exact(void)
{
    g_autoptr(Ring) ring = ring_new(3, SMALL_RING, 0, NULL);
    const struct gmbeoo_record *records;
    RingProducer producer;
    uint64_t taken = 0;
    unsigned vcpu;
    size_t count;

    g_assert_true(ring_vcpus_are_known(ring));
    ring_set_in_turns(ring);
    g_assert_false(ring_vcpus_are_known(ring));
    ring_set_vcpus_known(ring);
    g_assert_true(ring_vcpus_are_known(ring));

    ring_producer_init(&producer, ring, 0, RING_BLOCK);
    for (uint64_t i = 0; i < TURN * TURNS; i++)
        ring_producer_put(&producer, GMBEOO_VALID | i / TURN % 3 << GMBEOO_VCPU_SHIFT, i);
    ring_producer_publish(&producer);
    ring_set_state(ring, RING_STOPPED);
    while (ring_take(ring, &vcpu, &records, &count) == 1) {
        g_assert_cmpuint(vcpu, ==, taken / TURN % 3);
        for (size_t i = 0; i < count; i++) {
            g_assert_cmpuint(gmbeoo_vcpu(&records[i]), ==, vcpu);
            g_assert_cmpuint(records[i].virt_addr, ==, taken++);
        }
        ring_release(ring, vcpu, count);
    }
    g_assert_cmpuint(taken, ==, TURN * TURNS);
    g_assert_cmpuint(ring_get_counts(ring).waiting, ==, 0);
    ring_producer_clear(&producer);
}

/* Whatever else the memory holds, only a ring can be attached. `word` of the header, of 32 bits, becomes `value`. */
static void check_no_ring(unsigned word, uint32_t value, off_t more_bytes)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Ring) ring = ring_new(2, SMALL_RING, 0, NULL), attached = NULL;
    off_t bytes = lseek(ring_fd(ring), 0, SEEK_END);
    g_autofree uint8_t *contents = g_malloc((gsize)bytes);
    int fd = memfd_create("no_ring", MFD_CLOEXEC);

    g_assert_cmpint(pread(ring_fd(ring), contents, (size_t)bytes, 0), ==, bytes);
    if (word)
        memcpy(contents + word * sizeof value, &value, sizeof value);
    g_assert_cmpint(pwrite(fd, contents, (size_t)bytes, 0), ==, bytes);
    g_assert_no_errno(ftruncate(fd, bytes + more_bytes));
    attached = ring_attach(fd, &error);
    g_assert_true(!attached == (word || more_bytes));
    g_assert_true(!error == !!attached);
}

static void test_garbage_is_no_ring(void)
{
    enum { VCPUS = 2, BYTES, FIELDS }; /* after the magic */
    g_autoptr(GError) error = NULL;
    int fd = open("/dev/zero", O_RDWR);

    g_assert_null(ring_attach(fd, &error));
    g_assert_nonnull(error);
    check_no_ring(0, 0, 0); /* that one is a ring */
    check_no_ring(0, 0, 4096);
    check_no_ring(0, 0, -4096);
    check_no_ring(1, 0, 0);
    check_no_ring(VCPUS, 0, 0);
    check_no_ring(VCPUS, 1, 0);
    check_no_ring(VCPUS, UINT32_MAX, 0);
    check_no_ring(BYTES, 0, 0);
    check_no_ring(BYTES, RING_CHUNK_BYTES, 0);
    check_no_ring(BYTES, SMALL_RING - 1, 0);
    check_no_ring(BYTES, -RING_CHUNK_BYTES, 0);
    check_no_ring(FIELDS, RING_ALL_FIELDS + 1, 0);
    check_no_ring(FIELDS, MT_FIELD_INSTRUCTION, 0); /* there is no table */
}

/* The other side of the ring as an enemy: it can write anything into the shared memory, at any time. */

static _Atomic uint64_t *map_words(const Ring *ring, size_t bytes)
{
    void *words = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ring_fd(ring), 0);

    g_assert_true(words != MAP_FAILED);
    return words;
}

static void test_size_is_sealed(void)
{
    g_autoptr(Ring) ring = ring_new(1, SMALL_RING, 0, NULL);

    g_assert_cmpint(ftruncate(ring_fd(ring), 0), ==, -1);
    g_assert_cmpint(ftruncate(ring_fd(ring), 64 << 20), ==, -1);
    g_assert_cmpint(fcntl(ring_fd(ring), F_ADD_SEALS, F_SEAL_WRITE), ==, -1);
}

/* Where the head of the first vCPU is, among 64-bit words; it holds `bytes`, as no other word does. */
#define FIRST_WORDS 256

static _Atomic uint64_t *find_head(_Atomic uint64_t *words, uint64_t bytes)
{
    for (int i = 0; i < FIRST_WORDS; i++)
        if (words[i] == bytes)
            return &words[i];
    g_assert_not_reached();
}

/* A ring in which `records` records were published, and its head. */
static _Atomic uint64_t *publish_some(Ring *ring, unsigned records)
{
    RingProducer producer;

    ring_producer_init(&producer, ring, 0, RING_BLOCK);
    for (unsigned i = 0; i < records; i++)
        ring_producer_put(&producer, GMBEOO_VALID, i);
    ring_producer_publish(&producer);
    ring_producer_clear(&producer);
    return find_head(map_words(ring, FIRST_WORDS * sizeof(uint64_t)), records * sizeof(struct gmbeoo_record));
}

static void check_wild_head(unsigned vcpus, uint64_t head)
{
    g_autoptr(Ring) ring = ring_new(vcpus, SMALL_RING, 0, NULL);
    const struct gmbeoo_record *records;
    unsigned vcpu;
    size_t count;

    *publish_some(ring, 1000) = head;
    g_assert_cmpint(ring_take(ring, &vcpu, &records, &count), ==, -1);
    g_assert_nonnull(ring_damage(ring));
    g_assert_true(ring_is_closed(ring));
    g_assert_cmpuint(ring_get_counts(ring).waiting, <=, SMALL_RING / sizeof *records);
}

static void test_wild_head_is_damage(void)
{
    for (unsigned vcpus = 1; vcpus <= 3; vcpus += 2) {
        check_wild_head(vcpus, SMALL_RING + sizeof(struct gmbeoo_record));
        check_wild_head(vcpus, UINT64_MAX - 15);
        check_wild_head(vcpus, 1000 * sizeof(struct gmbeoo_record) + 8);
        check_wild_head(vcpus, UINT64_C(1) << 63);
    }
}

/* What has been taken can't come again, nor does a tail that the other side sets count. */
static void test_head_can_not_go_back(void)
{
    g_autoptr(Ring) ring = ring_new(1, SMALL_RING, 0, NULL);
    _Atomic uint64_t *head = publish_some(ring, 1000), *words = map_words(ring, FIRST_WORDS * sizeof *words);
    const struct gmbeoo_record *records;
    unsigned vcpu;
    size_t count;

    g_assert_cmpint(ring_take(ring, &vcpu, &records, &count), ==, 1);
    g_assert_cmpuint(count, ==, 1000);
    ring_release(ring, vcpu, 600);
    for (int i = 0; i < FIRST_WORDS; i++)
        if (words[i] == 600 * sizeof *records)
            words[i] = UINT64_MAX; /* the tail */
    g_assert_cmpint(ring_take(ring, &vcpu, &records, &count), ==, 1);
    g_assert_cmpuint(count, ==, 400);
    g_assert_cmpuint(records[0].virt_addr, ==, 600);
    *head = 16;
    g_assert_cmpint(ring_take(ring, &vcpu, &records, &count), ==, -1);
    g_assert_nonnull(ring_damage(ring));
}

static void test_wild_vcpu_in_turns_is_damage(void)
{
    g_autoptr(Ring) ring = ring_new(3, SMALL_RING, 0, NULL);
    const struct gmbeoo_record *records;
    RingProducer producer;
    unsigned vcpu;
    size_t count;

    ring_set_in_turns(ring);
    ring_producer_init(&producer, ring, 0, RING_BLOCK);
    ring_producer_put(&producer, GMBEOO_VALID | 2 << GMBEOO_VCPU_SHIFT, 0);
    ring_producer_put(&producer, GMBEOO_VALID | 3 << GMBEOO_VCPU_SHIFT, 0);
    ring_producer_publish(&producer);
    g_assert_cmpint(ring_take(ring, &vcpu, &records, &count), ==, 1);
    g_assert_cmpuint(vcpu, ==, 2);
    g_assert_cmpuint(ring_taken_vcpu(ring), ==, 2);
    g_assert_cmpuint(count, ==, 1);
    ring_release(ring, vcpu, count);
    g_assert_cmpint(ring_take(ring, &vcpu, &records, &count), ==, -1);
    g_assert_nonnull(ring_damage(ring));
    ring_producer_clear(&producer);
}

/* A vCPU that never finishes publishing: the consumer waits without spinning, until the stop shows that it lies. */
static void test_endless_publishing_is_damage(void)
{
    g_autoptr(Ring) ring = ring_new(2, SMALL_RING, 0, NULL);
    _Atomic uint64_t *head = publish_some(ring, 1000);
    gint64 began_us = g_get_monotonic_time(), cpu_us = own_cpu_us();
    const struct gmbeoo_record *records;
    unsigned vcpu;
    size_t count;

    head[4] = 1; /* `publishing`, after `dropped`, `skipped` and `events` */
    ring_set_state(ring, RING_STOPPED);
    g_assert_cmpint(ring_take(ring, &vcpu, &records, &count), ==, -1);
    g_assert_nonnull(ring_damage(ring));
    g_assert_cmpint(own_cpu_us() - cpu_us, <, (g_get_monotonic_time() - began_us) / 2);
}

/* Tickets that are newer than any that was drawn: then the order can't be told, but the records come. */
static void test_wild_tickets_end_no_look(void)
{
    g_autoptr(Ring) ring = ring_new(2, SMALL_RING, 0, NULL);
    _Atomic uint64_t *head = publish_some(ring, 1000), *after = head + 2 * 128 / sizeof *head; /* two of RingVcpu */
    const struct gmbeoo_record *records;
    unsigned vcpu;
    size_t count;

    for (int i = 0; i < 4; i++)
        after[i] = UINT64_C(1) << 62;
    g_assert_cmpint(ring_take(ring, &vcpu, &records, &count), ==, 1);
    g_assert_cmpuint(vcpu, ==, 0);
    g_assert_cmpuint(count, ==, 1000);
}

static void test_wild_counters_add_up(void)
{
    g_autoptr(Ring) ring = ring_new(4, SMALL_RING, 0, NULL);
    _Atomic uint64_t *words = map_words(ring, FIRST_WORDS * sizeof *words);
    RingCounts counts;

    for (int i = 3; i < FIRST_WORDS; i++)
        words[i] = UINT64_MAX;
    counts = ring_get_counts(ring);
    g_assert_cmpuint(counts.events, ==, counts.written + counts.dropped + counts.skipped);
    g_assert_cmpuint(counts.events, >=, counts.dropped);
    g_assert_cmpuint(counts.waiting, <=, counts.written);
    g_assert_cmpint(ring_get_state(ring), ==, RING_STOPPED);
    g_assert_cmpuint(ring_traced_ns(ring), ==, 0);
}

typedef struct {
    Ring *ring;
    _Atomic uint64_t *words;
    size_t all_words, used_words;
    guint32 seed;
    _Atomic bool stop;
} Enemy;

static uint64_t any_word(GRand *random, uint64_t old)
{
    switch (g_rand_int_range(random, 0, 7)) {
    case 0:
        return (uint64_t)g_rand_int(random) << 32 | g_rand_int(random);
    case 1:
        return 0;
    case 2:
        return UINT64_MAX;
    case 3:
        return g_rand_int(random) & 3; /* a state, a flag */
    case 4:
        return (uint64_t)(g_rand_int(random) & 3) << 32 | (g_rand_int(random) & 3);
    case 5:
        return (uint64_t)g_rand_int_range(random, 0, 2 * SMALL_RING) & ~UINT64_C(15);
    default:
        return old + 16 * (uint64_t)g_rand_int_range(random, 0, 100);
    }
}

static gpointer scribble(gpointer data)
{
    Enemy *enemy = data;
    GRand *random = g_rand_new_with_seed(enemy->seed);

    while (!atomic_load(&enemy->stop)) {
        size_t words = g_rand_int_range(random, 0, 10) ? enemy->used_words : enemy->all_words;
        _Atomic uint64_t *word = &enemy->words[g_rand_int_range(random, 0, (gint32)words)];

        atomic_store(word, any_word(random, atomic_load(word)));
    }
    g_rand_free(random);
    return NULL;
}

static bool take_whatever(void *data, const struct gmbeoo_record *records, size_t count)
{
    Enemy *enemy = data;
    volatile uint64_t sum = 0;

    g_assert_cmpuint(ring_taken_vcpu(enemy->ring), <, ring_vcpus(enemy->ring));
    for (size_t i = 0; i < count * ring_record_bytes(enemy->ring) / sizeof *records; i++)
        sum += records[i].info + records[i].virt_addr;
    if (count && (ring_fields(enemy->ring) & MT_FIELD_TIME))
        sum += ring_time(enemy->ring, records);
    (void)sum;
    g_assert_cmpuint(ring_get_counts(enemy->ring).events, <, UINT64_C(1) << 63);
    return true;
}

static gpointer close_soon(gpointer data)
{
    Enemy *enemy = data;

    g_usleep(3000);
    ring_close(enemy->ring);
    ring_wake(enemy->ring);
    return NULL;
}

static void test_consumer_survives_an_enemy(void)
{
    for (guint32 round = 0; round < 150; round++) {
        unsigned fields = round % 3 == 0   ? 0
                          : round % 3 == 1 ? MT_FIELD_PADDR
                                           : MT_FIELD_VALUE | MT_FIELD_PADDR | MT_FIELD_TIME;
        g_autoptr(Ring) ring = ring_new(1 + round % 4, SMALL_RING, fields, NULL);
        size_t bytes = (size_t)lseek(ring_fd(ring), 0, SEEK_END);
        size_t header_words = (bytes - ring_vcpus(ring) * SMALL_RING) / sizeof(uint64_t);
        Enemy enemy = { .ring = ring,
                        .words = map_words(ring, bytes),
                        .all_words = bytes / sizeof(uint64_t),
                        .used_words = 100,
                        .seed = round };
        GThread *scribbler, *closer;

#ifdef __SANITIZE_THREAD__ /* only the header's words are atomic */
        enemy.all_words = header_words;
#endif
        (void)header_words;
        scribbler = g_thread_new("enemy", scribble, &enemy);
        closer = g_thread_new("closer", close_soon, &enemy);
        ring_consume(ring, take_whatever, &enemy);
        g_thread_join(closer);
        atomic_store(&enemy.stop, true);
        g_thread_join(scribbler);
        munmap(enemy.words, bytes);
    }
}

int main(int argc, char **argv)
{
    alarm(300); /* a hang is a failure */
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ring/all_arrive_in_order", test_all_arrive_in_order);
    g_test_add_func("/ring/slow_consumer_loses_nothing", test_slow_consumer_loses_nothing);
    g_test_add_func("/ring/drop_counts_every_record", test_drop_counts_every_record);
    g_test_add_func("/ring/consumer_that_gives_up_frees_the_producers",
                    test_consumer_that_gives_up_frees_the_producers);
    g_test_add_func("/ring/dead_consumer_is_noticed", test_dead_consumer_is_noticed);
    g_test_add_func("/ring/stopped_consumer_is_waited_for", test_stopped_consumer_is_waited_for);
    g_test_add_func("/ring/waiting_does_not_spin", test_waiting_does_not_spin);
    g_test_add_func("/ring/unfinished_chunks_can_be_published", test_unfinished_chunks_can_be_published);
#ifndef __SANITIZE_THREAD__ /* it would take minutes, and shows nothing about threads */
    g_test_add_func("/ring/positions_exceed_32_bits", test_positions_exceed_32_bits);
#endif
    g_test_add_func("/ring/order_across_vcpus_is_exact_to_a_chunk", test_order_across_vcpus_is_exact_to_a_chunk);
    g_test_add_func("/ring/in_turns_the_order_is_exact", test_in_turns_the_order_is_exact);
    g_test_add_func("/ring/garbage_is_no_ring", test_garbage_is_no_ring);
    g_test_add_func("/ring/size_is_sealed", test_size_is_sealed);
    g_test_add_func("/ring/wild_head_is_damage", test_wild_head_is_damage);
    g_test_add_func("/ring/head_can_not_go_back", test_head_can_not_go_back);
    g_test_add_func("/ring/wild_vcpu_in_turns_is_damage", test_wild_vcpu_in_turns_is_damage);
    g_test_add_func("/ring/endless_publishing_is_damage", test_endless_publishing_is_damage);
    g_test_add_func("/ring/wild_tickets_end_no_look", test_wild_tickets_end_no_look);
    g_test_add_func("/ring/wild_counters_add_up", test_wild_counters_add_up);
    g_test_add_func("/ring/consumer_survives_an_enemy", test_consumer_survives_an_enemy);
    return g_test_run();
}
