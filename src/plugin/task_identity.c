/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Identities of tasks: see task_identity.h. */
#include "task_identity.h"

#include "kernel.h"

bool task_identity_read(uint64_t structure, TaskIdentity *identity)
{
    *identity = (TaskIdentity){ 0 };
    if (!kernel_read_u32(structure, KERNEL_TASK_PID, &identity->pid) ||
        !kernel_read_u64(structure, KERNEL_TASK_START, &identity->start_ns))
        return false;
    if (!identity->pid)
        identity->structure = structure;
    return true;
}

guint task_identity_hash(gconstpointer key)
{
    const TaskIdentity *identity = key;

    return (guint)(((identity->start_ns + identity->structure + identity->pid) * UINT64_C(0x9e3779b97f4a7c15)) >> 32);
}

gboolean task_identity_equal(gconstpointer a, gconstpointer b)
{
    const TaskIdentity *x = a, *y = b;

    return x->start_ns == y->start_ns && x->structure == y->structure && x->pid == y->pid;
}
