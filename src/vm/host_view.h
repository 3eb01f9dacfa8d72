/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What of this machine a workload sees and is under `--files host`: its files, its user, its limits. */
#ifndef MEMORY_TRACER_VM_HOST_VIEW_H
#define MEMORY_TRACER_VM_HOST_VIEW_H

#include <glib.h>
#include <stdbool.h>

#include "../protocol/frames.h"

/* Whether the guest has its own instead of what lies at this absolute path: /proc, /sys, /dev and /run. */
bool host_view_is_guests_own(const char *path);

/* The canonical paths of the folders that are to be shared for writing: they must be there, not lie in what is the
 * guest's own but for /run and /dev, and not be one another's. NULL gives an empty list. To be freed. */
GStrv host_view_writable_folders(char **folders, GError **error);

/* What the words of a command line name of this machine that the guest can't have: FIFOs, sockets, devices, open files
 * of ours, files in /run and the like. One line for each, ended by NULL. To be freed. */
GStrv host_view_missing_arguments(const char *const *argv, const char *const *writable);

/* Whether the guest has what is at this path here, as it isn't in what is its own, or is in a folder that is shared for
 * writing. */
bool host_view_has(const char *path, const char *const *writable);

/* Whether the file that is or will be at this path lies in a folder that is shared for writing. */
bool host_view_shares(const char *path, const char *const *writable);

/* Whether the guest can have this as the workload's current folder. */
bool host_view_check_folder(const char *folder, const char *const *writable, GError **error);

/* Sets whom the workload runs as: ourselves, or `user`, by name or number, unless that is NULL; our umask; and our
 * resource limits, but for those of processor time, processes and priorities, which mean something else there. */
bool host_view_describe_caller(struct mt_run *run, const char *user, GError **error);

#endif
