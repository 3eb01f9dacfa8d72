/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the guest marks: the beginning and the end of a run, and regions of interest (memory_tracer/roi.h). */
#ifndef MEMORY_TRACER_PLUGIN_REGIONS_H
#define MEMORY_TRACER_PLUGIN_REGIONS_H

#include "plugin.h"

/* Begins or ends a run; it takes effect with phase_reconsider(). */
void regions_set_active(bool active);
/* Ends the run, if there is one, as QEMU exits. Returns whether there was. */
bool regions_end_run(void);
/* A process (tasks_process_of()) has ended: so have the regions that it has begun. */
void regions_end_with_process(uint32_t process);
/* Whether start and stop markers mean anything. */
bool regions_heed_start_and_stop(void);
/* Whether a region of interest has begun and not ended. */
bool regions_are_open(void);
/* Instruments the marker if `insn`, which is being translated, is one. */
void regions_look_for_marker(struct qemu_plugin_insn *insn);

#endif
