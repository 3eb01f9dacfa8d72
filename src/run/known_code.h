/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files whose code a run may execute; and what is said of them in its trace. */
#ifndef MEMORY_TRACER_RUN_KNOWN_CODE_H
#define MEMORY_TRACER_RUN_KNOWN_CODE_H

#include <glib.h>
#include <stdbool.h>

#include "../ring/ring.h"
#include "../trace/writer.h"
#include "../vm/guest.h"
#include "guest_code.h"

typedef struct KnownCode KnownCode;

/* Before the workload runs. `libraries`: where some files will be loaded, as in GuestWorkload; or NULL. What becomes
 * other files until the end is left out then. */
KnownCode *known_code_new(const WorkloadOptions *workload, const char *libraries);
void known_code_free(KnownCode *known);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KnownCode, known_code_free)

/* What only the guest has, which becomes `known`'s. When the workload has ended. */
void known_code_set_guest(KnownCode *known, GuestCode *guest);

/* When all of the ring's instructions are there: attaches which of them are of which file, and these files' symbols
 * (doc/trace_format.md). `has_kernel`: the kernel's are attached. */
bool known_code_attach(KnownCode *known, const Ring *ring, bool has_kernel, TraceWriter *writer, GError **error);
/* After that: files that have executed code whose names aren't known (MissingCode). */
const GPtrArray *known_code_missing(const KnownCode *known);

#endif
