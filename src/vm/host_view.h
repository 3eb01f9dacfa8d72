/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a workload gets of this machine with `--files host`: files, user and limits. */
#ifndef MEMORY_TRACER_VM_HOST_VIEW_H
#define MEMORY_TRACER_VM_HOST_VIEW_H

#include <glib.h>
#include <stdbool.h>

#include "../protocol/frames.h"

/* Whether the guest has its own files at this absolute path instead of this machine's: in /proc, /sys, /dev and /run.
 */
bool host_view_is_guests_own(const char *path);

/* The canonical paths of the folders that are to be shared for writing. They must exist, must not be /, nor lie in
 * /proc or /sys or in one another. NULL gives an empty list. To be freed; NULL with an error. */
GStrv host_view_writable_folders(char **folders, GError **error);

/* Finds words of a command line that name something of this machine which the guest can't have: FIFOs, sockets,
 * devices, our open files, files in /run and the like. One line for each, ended by NULL. To be freed. */
GStrv host_view_missing_arguments(const char *const *argv, const char *const *writable);

/* Whether the guest sees what is at this path on this machine: the path is in a folder that is shared for writing, or
 * not in the guest's own folders. */
bool host_view_has(const char *path, const char *const *writable);

/* Whether the file that is or will be at this path lies in a folder that is shared for writing. */
bool host_view_shares(const char *path, const char *const *writable);

/* Whether this can be the workload's current folder in the guest. False with an error. */
bool host_view_check_folder(const char *folder, const char *const *writable, GError **error);

/* Sets in `run` as whom the workload runs (as `user`, a name or a number; NULL: as ourselves), our umask, and our
 * resource limits, except those of processor time, processes and priorities, which mean something else in the guest.
 * False with an error. */
bool host_view_describe_caller(struct mt_run *run, const char *user, GError **error);

#endif
