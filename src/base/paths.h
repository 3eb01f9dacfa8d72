/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where things are: what belongs to memory_tracer, QEMU, the default image. */
#ifndef MEMORY_TRACER_BASE_PATHS_H
#define MEMORY_TRACER_BASE_PATHS_H

#include <glib.h>
#include <stdbool.h>

/* A file of ours (libgmbe.so, memory_tracer_agent, build_rootfs): beside the program that runs in a build tree, else in
 * the installed library folder. To be freed; NULL with an error if it is in neither. */
char *paths_find_resource(const char *name, GError **error);

/* The path of the default guest's image; MEMORY_TRACER_IMAGE in the environment names another one. To be freed. */
char *paths_default_image(void);

/* QEMU's path, from what the user gave: a binary, a folder that has one (a build or install tree), or a program in
 * PATH. To be freed; NULL with an error. */
char *paths_find_qemu(const char *given, GError **error);
/* The path of the qemu-img beside `qemu`, or else of the one in PATH. To be freed; NULL with an error. */
char *paths_find_qemu_img(const char *qemu, GError **error);

/* Appends to PATH, for this process and what it starts, the folders of system programs (mke2fs, modinfo), which an
 * ordinary user's PATH doesn't have on Debian. */
void paths_add_system_folders(void);

/* The largest size of a pipe that we may set, in bytes: /proc/sys/fs/pipe-max-size. */
int paths_pipe_max_size(void);

#endif
