/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What goes from a ring into a FIFO comes out of it, however it is read, and whether or not there are huge pages. */
#define _GNU_SOURCE
#include "../../src/run/fifo.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RECORDS (UINT64_C(3) << 20) /* a multiple of 3 */
#define RING_BYTES (4 * 1024 * 1024)
#define PIPE_BYTES (1024 * 1024)
#define INFO (GMBEOO_VALID | 3)

typedef struct {
    bool compact, small_pages;
    bool splices; /* the reader splices the beginning on to another pipe, and reads that last */
    bool breaks_off;
} Case;

typedef struct {
    const Case *how;
    char *path;
} Reader;

/* The address of the record with this number; every third one takes two words in the compact format. */
static uint64_t address_of(uint64_t number)
{
    return number | (uint64_t)(number % 3 == 0) << 60;
}

/* Publishes so that there are tiny and huge pieces. */
static gpointer produce(gpointer data)
{
    Ring *ring = data;
    RingProducer producer;

    ring_producer_init(&producer, ring, 0, RING_BLOCK);
    for (uint64_t i = 0; i < RECORDS; i++) {
        ring_producer_put(&producer, INFO, address_of(i));
        if (i % 70001 == 0 || (i < 3000 && i % 7 == 0))
            ring_producer_publish(&producer);
    }
    ring_producer_publish(&producer);
    ring_producer_clear(&producer);
    ring_set_state(ring, RING_STOPPED);
    return NULL;
}

/* Appends all that is left in `fd`. */
static void read_all(int fd, GByteArray *bytes)
{
    g_autofree uint8_t *buffer = g_malloc(PIPE_BYTES);
    ssize_t n;

    while ((n = read(fd, buffer, PIPE_BYTES)) > 0)
        g_byte_array_append(bytes, buffer, (guint)n);
    g_assert_cmpint(n, ==, 0);
}

static void check(const GByteArray *bytes, bool compact)
{
    const uint64_t *words = (const uint64_t *)bytes->data;
    size_t left = bytes->len / sizeof *words;

    for (uint64_t i = 0; i < RECORDS; i++) {
        struct gmbeoo_record record = { 0 };
        size_t taken = sizeof record / sizeof *words;

        if (compact)
            taken = gmbeoo_from_compact(&record, words, left);
        else if (left >= taken)
            memcpy(&record, words, sizeof record);
        g_assert_cmpuint(record.virt_addr, ==, address_of(i));
        g_assert_cmpuint(record.info, ==, INFO);
        words += taken;
        left -= taken;
    }
    g_assert_cmpuint(left, ==, 0);
}

static gpointer consume_stream(gpointer data)
{
    const Reader *reader = data;
    int fd = open(reader->path, O_RDONLY | O_CLOEXEC), held[2];
    g_autoptr(GByteArray) bytes = g_byte_array_new(), rest = g_byte_array_new();
    char byte;

    g_assert_cmpint(fd, >=, 0);
    if (reader->how->breaks_off) {
        g_assert_cmpint(read(fd, &byte, 1), ==, 1);
        close(fd);
        return NULL;
    }
    if (reader->how->splices) { /* what we hold must not change while the rest comes */
        g_assert_cmpint(pipe2(held, O_CLOEXEC), ==, 0);
        fcntl(held[1], F_SETPIPE_SZ, PIPE_BYTES);
        g_assert_cmpint(splice(fd, NULL, held[1], NULL, PIPE_BYTES, 0), >, 0);
        close(held[1]);
        read_all(fd, rest);
        read_all(held[0], bytes);
        close(held[0]);
    } else {
        read_all(fd, rest);
    }
    g_byte_array_append(bytes, rest->data, rest->len);
    check(bytes, reader->how->compact);
    close(fd);
    return NULL;
}

static void test_stream(gconstpointer data)
{
    const Case *how = data;
    g_autofree char *folder = g_dir_make_tmp("test_fifo.XXXXXX", NULL);
    Reader reader = { .how = how, .path = g_build_filename(folder, "fifo", NULL) };
    Ring *ring = ring_new(1, RING_BYTES, 0, NULL);
    GThread *writing, *reading;
    Fifo *fifo;
    int opened;

    g_assert_cmpint(prctl(PR_SET_THP_DISABLE, how->small_pages, 0, 0, 0), ==, 0);
    g_assert_cmpint(mkfifo(reader.path, 0600), ==, 0);
    fifo = fifo_new(reader.path, ring, how->compact);
    reading = g_thread_new("reader", consume_stream, &reader);
    while ((opened = fifo_try_open(fifo, NULL)) == 0)
        g_usleep(1000);
    g_assert_cmpint(opened, ==, 1);
    writing = g_thread_new("producer", produce, ring);
    g_assert_cmpint(ring_consume(ring, fifo_write, fifo), ==, !how->breaks_off);
    if (how->breaks_off) {
        g_assert_cmpint(fifo_failure(fifo), ==, EPIPE);
    } else {
        g_assert_cmpint(fifo_failure(fifo), ==, 0);
        g_assert_cmpuint(fifo_written_records(fifo), ==, RECORDS);
        g_assert_cmpuint(fifo_written_bytes(fifo), ==,
                         how->compact ? 8 * (RECORDS + RECORDS / 3) : RECORDS * sizeof(struct gmbeoo_record));
    }
    fifo_free(fifo);
    g_thread_join(writing);
    g_thread_join(reading);
    ring_free(ring);
    unlink(reader.path);
    rmdir(folder);
    g_free(reader.path);
}

typedef struct {
    Ring *ring;
    Fifo *fifo;
} Consumption;

static gpointer consume(gpointer data)
{
    const Consumption *consumption = data;

    g_assert_true(ring_consume(consumption->ring, fifo_write, consumption->fifo));
    return NULL;
}

/* What has been published can be read at once, though no more comes. */
static void test_prompt(void)
{
    g_autofree char *folder = g_dir_make_tmp("test_fifo.XXXXXX", NULL), *path = g_build_filename(folder, "fifo", NULL);
    Consumption consumption = { .ring = ring_new(2, RING_BYTES, 0, NULL) };
    Ring *ring = consumption.ring;
    RingProducer producer;
    GThread *consumer;
    Fifo *fifo;
    int fd;

    g_assert_cmpint(prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0), ==, 0); /* it is with huge pages that records are held */
    g_assert_cmpint(mkfifo(path, 0600), ==, 0);
    fifo = consumption.fifo = fifo_new(path, ring, false);
    fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    g_assert_cmpint(fifo_try_open(fifo, NULL), ==, 1);
    consumer = g_thread_new("consumer", consume, &consumption);
    ring_producer_init(&producer, ring, 1, RING_BLOCK);
    for (uint64_t i = 0, count = 1; count <= 3 * RING_CHUNK_RECORDS; count *= 3) {
        for (uint64_t k = 0; k < count; k++)
            ring_producer_put(&producer, INFO, i + k);
        ring_producer_publish(&producer);
        for (uint64_t end = i + count; i < end; i++) {
            struct gmbeoo_record record;

            g_assert_cmpint(poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 60000), ==, 1);
            g_assert_cmpint(read(fd, &record, sizeof record), ==, sizeof record);
            g_assert_cmpuint(record.virt_addr, ==, i);
        }
    }
    ring_set_state(ring, RING_STOPPED);
    g_thread_join(consumer);
    ring_producer_clear(&producer);
    fifo_free(fifo);
    close(fd);
    ring_free(ring);
    unlink(path);
    rmdir(folder);
}

#define HUGE_PAGE (2u * 1024 * 1024)

static _Atomic unsigned small_writes;

/* In place of the C library's: counts those of less than a page into a FIFO. */
ssize_t write(int fd, const void *bytes, size_t length)
{
    struct stat status;

    if (length < 4096 && !fstat(fd, &status) && S_ISFIFO(status.st_mode))
        small_writes++;
    return syscall(SYS_write, fd, bytes, length);
}

static gpointer read_and_forget(gpointer data)
{
    g_autofree uint8_t *buffer = g_malloc(PIPE_BYTES);

    while (read(GPOINTER_TO_INT(data), buffer, PIPE_BYTES) > 0)
        ;
    return NULL;
}

/* Writes records until `room` bytes of the first huge page are left, and then many more. */
static void check_room(const char *path, Ring *ring, size_t room)
{
    size_t first = (HUGE_PAGE - room) / sizeof(uint64_t), more = 4 * RING_CHUNK_RECORDS;
    g_autofree struct gmbeoo_record *records = g_new0(struct gmbeoo_record, first);
    Fifo *fifo = fifo_new(path, ring, true);
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    GThread *reader;

    g_assert_cmpint(fifo_try_open(fifo, NULL), ==, 1);
    fcntl(fd, F_SETFL, 0);
    reader = g_thread_new("reader", read_and_forget, GINT_TO_POINTER(fd));
    small_writes = 0;
    g_assert_true(fifo_write(fifo, records, first));
    g_assert_true(fifo_write(fifo, NULL, 0));
    g_assert_true(fifo_write(fifo, records, more));
    g_assert_true(fifo_write(fifo, NULL, 0));
    fifo_free(fifo);
    g_thread_join(reader);
    close(fd);
    g_assert_cmpuint(small_writes, <=, 8);
}

/* Large pieces don't become small ones, however much room the last one has left. */
static void test_large_pieces(void)
{
    g_autofree char *folder = g_dir_make_tmp("test_fifo.XXXXXX", NULL), *path = g_build_filename(folder, "fifo", NULL);
    Ring *ring = ring_new(1, RING_BYTES, 0, NULL);

    g_assert_cmpint(prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0), ==, 0);
    g_assert_cmpint(mkfifo(path, 0600), ==, 0);
    for (size_t room = 0; room <= 4 * 4096; room += 1024)
        check_room(path, ring, room);
    check_room(path, ring, 64 * 1024);
    check_room(path, ring, 64 * 1024 + 1024);
    ring_free(ring);
    unlink(path);
    rmdir(folder);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        Case how;
    } cases[] = {
        { "/fifo/read", { 0 } },
        { "/fifo/compact", { .compact = true } },
        { "/fifo/spliced", { .splices = true } },
        { "/fifo/compact spliced", { .compact = true, .splices = true } },
        { "/fifo/reader gone", { .breaks_off = true } },
        { "/fifo/small pages", { .small_pages = true } },
        { "/fifo/small pages, compact", { .small_pages = true, .compact = true } },
        { "/fifo/small pages, spliced", { .small_pages = true, .splices = true } },
        { "/fifo/small pages, reader gone", { .small_pages = true, .breaks_off = true } },
    };

    g_test_init(&argc, &argv, NULL);
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
        g_test_add_data_func(cases[i].name, &cases[i].how, test_stream);
    g_test_add_func("/fifo/prompt", test_prompt);
    g_test_add_func("/fifo/large pieces", test_large_pieces);
    return g_test_run();
}
