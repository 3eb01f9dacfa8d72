/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How many of this machine's processor cores we may use. */
#ifndef MEMORY_TRACER_BASE_CORES_H
#define MEMORY_TRACER_BASE_CORES_H

#include <stdbool.h>

/* Those that the scheduler lets this process have (taskset, cpusets, containers); at least 1. */
unsigned cores_usable(void);

/* By how much longer a guest of so many vCPUs may take than one that has a core for each: for limits of time. With
 * `one_thread`, all its vCPUs share one core. */
unsigned cores_patience(unsigned vcpus, bool one_thread);

#endif
