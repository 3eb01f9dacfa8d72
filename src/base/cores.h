/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How many of this machine's processor cores we may use. */
#ifndef MEMORY_TRACER_BASE_CORES_H
#define MEMORY_TRACER_BASE_CORES_H

#include <stdbool.h>

/* The cores that the scheduler lets this process use (taskset, cpusets, containers); at least 1. */
unsigned cores_usable(void);

/* By which factor (1 to 16) time limits are to be longer for a guest with this many vCPUs than for one that has a core
 * for each vCPU. With `one_thread`, all its vCPUs share one core. */
unsigned cores_patience(unsigned vcpus, bool one_thread);

#endif
