/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Private folders for temporary files. What has one holds a lock on it, which the kernel releases however it ends. So
 * what was killed leaves a folder that nobody locks, and the next one who makes such a folder removes it.
 */
#ifndef MEMORY_TRACER_BASE_TEMPORARY_FOLDER_H
#define MEMORY_TRACER_BASE_TEMPORARY_FOLDER_H

#include <glib.h>

typedef struct TemporaryFolder {
    char *path;
    int lock;
} TemporaryFolder;

/* Removes folders that were left in `parent`, if they are ours, and makes a new one. Their names begin with `prefix`,
 * which must be used for nothing else. */
TemporaryFolder *temporary_folder_new(const char *parent, const char *prefix, GError **error);
/* In the folder for temporary files (TMPDIR). */
TemporaryFolder *temporary_folder_new_usual(GError **error);
/* Removes it with all that is in it. `folder` may be NULL. */
void temporary_folder_free(TemporaryFolder *folder);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TemporaryFolder, temporary_folder_free)

#endif
