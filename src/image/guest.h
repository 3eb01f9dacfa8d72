/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest of which a snapshot is to be taken: it is booted, its agent answers, and it becomes quiet. */
#ifndef MEMORY_TRACER_IMAGE_GUEST_H
#define MEMORY_TRACER_IMAGE_GUEST_H

#include "../vm/qemu.h"

typedef struct ImageGuest ImageGuest;

/* Boots the guest. `machine` is the one in `qemu`; what the guest tells about itself is added to it. NULL with an
 * error. */
ImageGuest *image_guest_start(const QemuOptions *qemu, ImageMachine *machine, RunLoop *loop, GError **error);
void image_guest_free(ImageGuest *guest);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ImageGuest, image_guest_free)

Qemu *image_guest_qemu(const ImageGuest *guest);

/* Sends a greeting. The agent answers it when it has started, perhaps much later. */
void image_guest_hail(ImageGuest *guest);
/* Whether our agent, of this version, has answered since then. For WaitFor: `guest` is an ImageGuest. */
bool image_guest_has_answered(void *guest);
/* Sends a greeting and waits for the answer. `what` completes "waiting for ...". False with an error. */
bool image_guest_greet(ImageGuest *guest, const char *what, unsigned timeout_s, GError **error);

/* Waits until the guest does nothing, takes the snapshot, and ends the guest. False with an error. */
bool image_guest_save(ImageGuest *guest, const char *snapshot, GError **error);

/* Notes that the image file, which is in its place now, was made here: workloads in it may see this machine's files. If
 * it can't be noted, a line says so. */
void image_guest_is_ours(const char *image, RunLoop *loop);

#endif
