/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A FIFO that records are written to, as a sink of the ring. */
#ifndef MEMORY_TRACER_RUN_FIFO_H
#define MEMORY_TRACER_RUN_FIFO_H

#include "../ring/ring.h"

typedef struct Fifo Fifo;

/* For the FIFO at `path`, which must exist, with compact or GMBEOO records. It isn't opened yet. */
Fifo *fifo_new(const char *path, Ring *ring, bool compact);
/* Closes it: the reader sees the end of the stream. */
void fifo_free(Fifo *fifo);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Fifo, fifo_free)

/* Opens it if there is a reader by now. Returns 1 if it is open, 0 if there is no reader yet, -1 with an error. The
 * pipe gets the largest size allowed (/proc/sys/fs/pipe-max-size). */
int fifo_try_open(Fifo *fifo, GError **error);

/* A RingSink; `data` is the Fifo. Waits while the pipe is full. Small pieces are held back while more come. */
bool fifo_write(void *data, const struct gmbeoo_record *records, size_t count);

/* Bytes that the reader has not taken yet. */
size_t fifo_unread_bytes(const Fifo *fifo);
/* Bytes and records written so far. From any thread. */
uint64_t fifo_written_bytes(const Fifo *fifo);
uint64_t fifo_written_records(const Fifo *fifo);
/* The errno that made fifo_write() give up, or 0. EPIPE: the reader has closed it. */
int fifo_failure(const Fifo *fifo);

#endif
