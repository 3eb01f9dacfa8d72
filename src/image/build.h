/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Builds the default guest: see guest/build_rootfs for what is in it. */
#ifndef MEMORY_TRACER_IMAGE_BUILD_H
#define MEMORY_TRACER_IMAGE_BUILD_H

#include <glib.h>
#include <stdbool.h>

typedef struct ImageBuildOptions {
    const char *output;   /* path of the image; its folder is created */
    const char *qemu;     /* binary or folder */
    const char *suite;    /* Debian suite; NULL: the host's, or the stable one */
    const char *packages; /* Debian packages for the guest, separated by commas; or NULL */
    unsigned ram_mb, vcpus, disk_mb;
    bool if_needed; /* keep what is there if it is up to date */
    bool verbose;
} ImageBuildOptions;

/* Builds the image and takes its snapshots. *built becomes whether an image was built: with if_needed, none may have
 * been needed. False with an error; then nothing is left behind. */
bool image_build(const ImageBuildOptions *options, bool *built, GError **error);

#endif
