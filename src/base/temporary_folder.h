/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Private folders for temporary files. The process that has one holds a lock on it, which the kernel releases however
 * the process ends. So a killed process leaves a folder without a lock, and the next process that makes such a folder
 * removes it.
 */
#ifndef MEMORY_TRACER_BASE_TEMPORARY_FOLDER_H
#define MEMORY_TRACER_BASE_TEMPORARY_FOLDER_H

#include <glib.h>

typedef struct TemporaryFolder {
    char *path;
    int lock;
} TemporaryFolder;

/* Removes folders of this user that killed processes have left in `parent`, and makes a new one. Their names begin with
 * `prefix`, which must not be used for anything else. NULL with an error. */
TemporaryFolder *temporary_folder_new(const char *parent, const char *prefix, GError **error);
/* The same in the folder for temporary files (TMPDIR), with the usual prefix. */
TemporaryFolder *temporary_folder_new_usual(GError **error);
/* Removes it with all that is in it. `folder` may be NULL. */
void temporary_folder_free(TemporaryFolder *folder);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TemporaryFolder, temporary_folder_free)

#endif
