/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Changes of phase: Plugin.active, regions and requests say what is wanted; the phase says what is instrumented. */
#ifndef MEMORY_TRACER_PLUGIN_PHASE_H
#define MEMORY_TRACER_PLUGIN_PHASE_H

/* `change` is called while all vCPUs stand still, and QEMU has dropped all translations and callbacks. It chooses the
 * phase, registers callbacks, and calls phase_is_settled(). */
void phase_init(void (*change)(void));
/* Makes all vCPUs stop before their next blocks, so that `change` is called. To be called by a vCPU. */
void phase_reconsider(void);
void phase_is_settled(void);

#endif
