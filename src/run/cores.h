/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How many of this machine's processor cores we may use. */
#ifndef MEMORY_TRACER_RUN_CORES_H
#define MEMORY_TRACER_RUN_CORES_H

/* Those that the scheduler lets this process have (taskset, cpusets, containers); at least 1. */
unsigned cores_usable(void);

#endif
