/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The list of the guests that this user has made on this machine: those see this machine's files unless they are told
 * not to. It lies in the user's data folder, not in the images' metadata: an image that came from elsewhere can't claim
 * to be one of them.
 */
#ifndef MEMORY_TRACER_IMAGE_OWN_IMAGES_H
#define MEMORY_TRACER_IMAGE_OWN_IMAGES_H

#include <glib.h>
#include <stdbool.h>

/* Adds an image file that was just made. It is recognised by its device, inode, size and time of change: it may be
 * moved within its file system, but not copied or replaced. False with an error. */
bool own_images_add(const char *image, GError **error);
/* Whether the image file is in the list. A list that is missing, damaged or somebody else's has nothing in it. */
bool own_images_has(const char *image);

#endif
