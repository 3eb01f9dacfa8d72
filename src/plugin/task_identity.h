/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which task a structure of the kernel's (task_struct) stands for. The kernel uses them again within milliseconds. */
#ifndef MEMORY_TRACER_PLUGIN_TASK_IDENTITY_H
#define MEMORY_TRACER_PLUGIN_TASK_IDENTITY_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct TaskIdentity {
    uint64_t start_ns;
    uint64_t structure; /* of an idle task, of which each vCPU has one: its address. Else 0 */
    uint32_t pid;
} TaskIdentity;

/* False if the guest's memory can't be read. */
bool task_identity_read(uint64_t structure, TaskIdentity *identity);
/* For a GHashTable. */
guint task_identity_hash(gconstpointer identity);
gboolean task_identity_equal(gconstpointer a, gconstpointer b);

#endif
