/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a run needs, found and checked before anything is started: programs, the image, its snapshot, the outputs. */
#ifndef MEMORY_TRACER_RUN_SETUP_H
#define MEMORY_TRACER_RUN_SETUP_H

#include "../vm/image.h"
#include "session.h"

/* All NULL at first; in a native run they stay NULL. */
typedef struct Setup {
    char *qemu_binary, *qemu_img;
    char *plugin; /* NULL: nothing is to be traced */
    char *snapshot;
    ImageMachine *machine; /* of the snapshot */
} Setup;

/* Fills `setup`. False with an error that says what is missing or wrong. */
bool setup_find(Setup *setup, const SessionOptions *options, RunLoop *loop, GError **error);
void setup_clear(Setup *setup);

/* The folders that the guest can mount: /, for reading, and those that it may write to; ended by NULL, empty without
 * sees_host. To be freed, without the strings. */
const char **setup_list_shares(const WorkloadOptions *workload);

#endif
