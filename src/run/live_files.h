/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The code and variables of this machine's programs and libraries that a running guest maps. */
#ifndef MEMORY_TRACER_RUN_LIVE_FILES_H
#define MEMORY_TRACER_RUN_LIVE_FILES_H

#include "../context/elf_code.h"

typedef struct LiveFiles LiveFiles;

/* Before the workload runs. `sees_host`: paths in the guest are this machine's; else nothing is known. */
LiveFiles *live_files_new(bool sees_host);
void live_files_free(LiveFiles *files);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LiveFiles, live_files_free)

/* A UserFileFunc (context/user_objects.h) of LiveFiles. A file that isn't what it was when the run began isn't known.
 */
const char *live_files_find(void *files, const char *path, uint64_t device, uint64_t address, uint64_t offset,
                            uint64_t *bias);

/* A CodeFileFunc (context/live_code.h) of LiveFiles. Likewise. */
const ElfCode *live_files_find_code(void *data, const char *path, uint64_t device, const char **shown);

#endif
