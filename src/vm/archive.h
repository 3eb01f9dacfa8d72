/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A folder as the contents of the transfer drive (src/protocol/archive_format.h). */
#ifndef MEMORY_TRACER_VM_ARCHIVE_H
#define MEMORY_TRACER_VM_ARCHIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "../base/loop.h"

/* Packs a folder, with everything in it except sockets, into a new sparse file at `path`, which has the drive's size.
 * *bytes becomes the archive's own size. Shows progress. False with an error. */
bool archive_create(const char *folder, const char *path, uint64_t *bytes, RunLoop *loop, GError **error);

#endif
