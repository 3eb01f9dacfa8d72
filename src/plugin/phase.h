/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Changes of phase: from what is wanted (Plugin.active, regions, requests) to what is instrumented. */
#ifndef MEMORY_TRACER_PLUGIN_PHASE_H
#define MEMORY_TRACER_PLUGIN_PHASE_H

/* `change` is called when all vCPUs stand still, all translations are gone, and so are our callbacks. It chooses the
 * phase, registers callbacks anew, and calls phase_is_settled(). */
void phase_init(void (*change)(void));
/* Makes all vCPUs stop for it before the next block. By a vCPU. */
void phase_reconsider(void);
void phase_is_settled(void);

#endif
