/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest of which a snapshot is to be taken: booted, until its agent answers and it is quiet. */
#ifndef MEMORY_TRACER_IMAGE_GUEST_H
#define MEMORY_TRACER_IMAGE_GUEST_H

#include "../vm/qemu.h"

typedef struct ImageGuest ImageGuest;

/* Boots it. `machine` is the one in `qemu`; what the guest tells about itself is added to it. */
ImageGuest *image_guest_start(const QemuOptions *qemu, ImageMachine *machine, RunLoop *loop, GError **error);
void image_guest_free(ImageGuest *guest);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ImageGuest, image_guest_free)

Qemu *image_guest_qemu(const ImageGuest *guest);

/* Sends a greeting. The agent answers it when it is there, be it much later. */
void image_guest_hail(ImageGuest *guest);
/* Whether our agent, of this version, has answered since then. For WaitFor: `guest` is an ImageGuest. */
bool image_guest_has_answered(void *guest);
/* Waits for that. `what` completes "waiting for ...". */
bool image_guest_greet(ImageGuest *guest, const char *what, unsigned timeout_s, GError **error);

/* Waits until the guest does nothing, takes the snapshot, and ends the guest. */
bool image_guest_save(ImageGuest *guest, const char *snapshot, GError **error);

/* The image file is in its place: workloads in it may see this machine's files. */
void image_guest_is_ours(const char *image, RunLoop *loop);

#endif
