/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Makes a snapshot of an image that somebody has installed, with our agent in it. */
#ifndef MEMORY_TRACER_IMAGE_PREPARE_H
#define MEMORY_TRACER_IMAGE_PREPARE_H

#include <glib.h>
#include <stdbool.h>

typedef struct ImagePrepareOptions {
    const char *image;
    const char *snapshot; /* its name */
    const char *qemu;     /* binary or folder */
    unsigned ram_mb, vcpus;
    const char *user;          /* who logs in at the console: root, or somebody who may use sudo */
    const char *password;      /* that user's; NULL: none is needed */
    const char *workload_user; /* who workloads run as */
    bool interactive;          /* a person logs in and installs the agent, as we tell them */
    bool icount;
    bool verbose;
} ImagePrepareOptions;

/* Boots a copy of the image by its own boot loader, gets the agent into it, takes the snapshot, and puts the copy in
 * the image's place. False with an error; then the image is as it was. */
bool image_prepare(const ImagePrepareOptions *options, GError **error);

#endif
