/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a run needs, found and checked before anything is started: programs, the image, its snapshot, the outputs. */
#ifndef MEMORY_TRACER_RUN_SETUP_H
#define MEMORY_TRACER_RUN_SETUP_H

#include "../vm/image.h"
#include "session.h"

/* All NULL at first; of a native run they stay so. */
typedef struct Setup {
    char *qemu_binary, *qemu_img;
    char *plugin; /* NULL: nothing is to be traced */
    char *snapshot;
    ImageMachine *machine; /* of the snapshot */
} Setup;

bool setup_find(Setup *setup, const SessionOptions *options, RunLoop *loop, GError **error);
void setup_clear(Setup *setup);

/* What the guest can mount: all, to be read, and what it may write to. To be freed, without the strings. */
const char **setup_list_shares(const WorkloadOptions *workload);

#endif
