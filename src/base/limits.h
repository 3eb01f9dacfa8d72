/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Resource limits (ulimit). The caller's limits are meant for the workload. We and QEMU need more memory and files than
 * the workload does, so we raise our own soft limits to the hard ones.
 */
#ifndef MEMORY_TRACER_BASE_LIMITS_H
#define MEMORY_TRACER_BASE_LIMITS_H

#include <glib.h>
#include <stdbool.h>
#include <sys/resource.h>

/* Called once, first of all: remembers the caller's limits, and raises those of address space, data, open files and
 * processes. The limit on the size of files stays: it also applies to what we write for the caller. */
void limits_raise(void);

/* The caller's limit of a resource (RLIMIT_...), in the units of getrlimit(2). False if it isn't known. */
bool limits_of_caller(int resource, struct rlimit *limit);

/* In a child, between fork and exec: sets the caller's limits again, for the caller's own programs. */
void limits_give_back(void);
/* Allows files as large as the hard limit says: for those that the caller hasn't asked for, such as QEMU's. *before
 * becomes the limit so far, for limits_set_file_size(). */
void limits_raise_file_size(struct rlimit *before);
void limits_set_file_size(const struct rlimit *limit);

/* Whether enough files may be open for a guest. False with an error if not. */
bool limits_check_files(GError **error);

/* Names the limit that may have caused an error with this message: " (ulimit -n is 16)", several limits if the message
 * fits several, or "". To be freed. */
char *limits_explain(const char *message);

#endif
