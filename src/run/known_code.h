/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files whose code a run may execute, and what its trace says about them. */
#ifndef MEMORY_TRACER_RUN_KNOWN_CODE_H
#define MEMORY_TRACER_RUN_KNOWN_CODE_H

#include <glib.h>
#include <stdbool.h>

#include "../ring/ring.h"
#include "../trace/writer.h"
#include "../vm/guest.h"
#include "guest_code.h"

typedef struct KnownCode KnownCode;

/* To be called before the workload runs. `libraries`: where some files will be loaded, as in GuestWorkload; or NULL. A
 * file that changes from now until the end of the run is left out. */
KnownCode *known_code_new(const WorkloadOptions *workload, const char *libraries);
void known_code_free(KnownCode *known);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KnownCode, known_code_free)

/* Makes it attach these files' debug information, too. */
void known_code_embed_debug(KnownCode *known);

/* Gives it the files that only the guest has; takes `guest`. To be called when the workload has ended. */
void known_code_set_guest(KnownCode *known, GuestCode *guest);

/* When the ring has all instructions: attaches to the trace which instruction is of which file, and these files'
 * symbols (doc/trace_format.md). `has_kernel`: the kernel's symbols are attached already. False with an error. */
bool known_code_attach(KnownCode *known, const Ring *ring, bool has_kernel, TraceWriter *writer, GError **error);
/* After that: how much of the trace is debug information, and files (char *, paths) whose debug information there was
 * no room for. Belongs to `known`. */
uint64_t known_code_debug_bytes(const KnownCode *known);
const GPtrArray *known_code_left_out(const KnownCode *known);
/* After that: the files with executed code whose names aren't known (MissingCode). Belongs to `known`. */
const GPtrArray *known_code_missing(const KnownCode *known);

#endif
