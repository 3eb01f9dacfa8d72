/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The transfer drive's contents for a run (src/protocol/frames.h): the current agent, and perhaps a folder. */
#ifndef MEMORY_TRACER_VM_TRANSFER_DRIVE_H
#define MEMORY_TRACER_VM_TRANSFER_DRIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "../base/loop.h"

/* Makes a new sparse file of the drive's size at `path`. `folder` (or NULL) is packed into it; *folder_bytes becomes
 * the packed size. Shows progress. False with an error. */
bool transfer_drive_create(const char *path, const char *folder, uint64_t *folder_bytes, RunLoop *loop, GError **error);

#endif
