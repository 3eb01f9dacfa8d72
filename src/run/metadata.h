/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a trace file says of the run that it was recorded in: JSON objects. */
#ifndef MEMORY_TRACER_RUN_METADATA_H
#define MEMORY_TRACER_RUN_METADATA_H

#include "session.h"

/* What is known when tracing begins. To be freed. */
char *metadata_of_run(const SessionOptions *options, const char *snapshot, const ImageMachine *machine,
                      const char *qemu_version);
/* What is known at its end. To be freed. */
char *metadata_of_result(const SessionResult *result);

#endif
