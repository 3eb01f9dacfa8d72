/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Standard output or error, written by a thread of its own: when it is blocked (a pager, a full pipe, a terminal after
 * Ctrl-S), nobody else is, and Ctrl-C works.
 */
#ifndef MEMORY_TRACER_BASE_PRINTER_H
#define MEMORY_TRACER_BASE_PRINTER_H

#include <glib.h>
#include <stdbool.h>

typedef struct Printer Printer;

/* Prints to `fd`, which stays the caller's. */
Printer *printer_new(int fd);
/* Waits at most `patience_ms` for what is still to be written; the rest is lost. NULL is fine. */
void printer_free(Printer *printer, unsigned patience_ms);

/* Queues a copy of the bytes. Never blocks, and wakes up the main loop when all has been written. */
void printer_write(Printer *printer, const char *bytes, gsize length);
/* Bytes that have been queued and not written yet. */
gsize printer_waiting(Printer *printer);
/* The errno of the first write that failed, or 0. What came after it was dropped. */
int printer_failure(Printer *printer);

#endif
