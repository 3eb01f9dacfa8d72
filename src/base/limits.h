/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Resource limits (ulimit). Those of whoever calls us are meant for the workload; we and QEMU need more memory and
 * files than it does, and take what we may: up to the hard limits.
 */
#ifndef MEMORY_TRACER_BASE_LIMITS_H
#define MEMORY_TRACER_BASE_LIMITS_H

#include <glib.h>
#include <stdbool.h>
#include <sys/resource.h>

/* Called once, first of all: remembers the caller's limits, and raises those of address space, data, open files and
 * processes. The size of files stays limited: it is for what we write, too. */
void limits_raise(void);

/* The caller's limit of a resource (RLIMIT_...). False if it isn't known. */
bool limits_of_caller(int resource, struct rlimit *limit);

/* In a child, between fork and exec: it gets the caller's limits; or it may write files as large as the hard limit
 * allows, as QEMU's are none that the caller has asked for. */
void limits_give_back(void);
void limits_raise_file_size(struct rlimit *before); /* for a while: to be set again to what is in `before` */
void limits_set_file_size(const struct rlimit *limit);

/* Whether a guest can have the open files that it needs: else an error with one line. */
bool limits_check_files(GError **error);

/* Which limit it may have been that made something fail with this message: " (ulimit -n is 16)", several if the message
 * fits several, or "". To be freed. */
char *limits_explain(const char *message);

#endif
