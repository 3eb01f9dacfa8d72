/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which task a task_struct of the kernel stands for. The kernel reuses these structures within milliseconds. */
#ifndef MEMORY_TRACER_PLUGIN_TASK_IDENTITY_H
#define MEMORY_TRACER_PLUGIN_TASK_IDENTITY_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct TaskIdentity {
    uint64_t start_ns;
    uint64_t structure; /* the address of an idle task's structure, as each vCPU has an idle task; else 0 */
    uint32_t pid;
} TaskIdentity;

/* False if the guest's memory can't be read. */
bool task_identity_read(uint64_t structure, TaskIdentity *identity);
/* Functions for a GHashTable. */
guint task_identity_hash(gconstpointer identity);
gboolean task_identity_equal(gconstpointer a, gconstpointer b);

#endif
