/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The memory of a running guest: see live_memory.h. */
#include "live_memory.h"

LiveMemory *live_memory_new(const LiveFacts *facts)
{
    LiveMemory *memory = g_new0(LiveMemory, 1);

    memory->names = kernel_names_new(facts->kallsyms, facts->modules, facts->iomem);
    memory->kernel = kernel_objects_new_live(memory->names);
    memory->user = user_objects_new_live(facts->find_file, facts->find_file_data);
    return memory;
}

void live_memory_free(LiveMemory *memory)
{
    if (!memory)
        return;
    kernel_objects_free(memory->kernel);
    kernel_names_free(memory->names);
    user_objects_free(memory->user);
    g_free(memory);
}

void live_memory_add(LiveMemory *memory, const TraceChange *change)
{
    TraceChange now = *change;

    now.index = 0;
    if (trace_change_is_of_user(&now))
        memory->user_changes++;
    else
        memory->kernel_changes++;
    if (now.kind == CHANGE_TASK) /* the task's stack gets its name */
        memory->user_changes++;
    kernel_objects_add(memory->kernel, &now);
    user_objects_add(memory->user, &now);
}
