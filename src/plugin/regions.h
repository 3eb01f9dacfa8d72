/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest's markers: of the beginning and the end of a run, and of regions of interest (memory_tracer/roi.h). */
#ifndef MEMORY_TRACER_PLUGIN_REGIONS_H
#define MEMORY_TRACER_PLUGIN_REGIONS_H

#include "plugin.h"

/* Begins or ends a run. It takes effect with phase_reconsider(). */
void regions_set_active(bool active);
/* Ends the run because QEMU exits. Returns whether there was one. */
bool regions_end_run(void);
/* A process (tasks_process_of()) has ended: ends the regions that it has begun. */
void regions_end_with_process(uint32_t process);
/* Whether start and stop markers have an effect. */
bool regions_use_start_and_stop(void);
/* Whether a region of interest has begun and not ended. */
bool regions_are_open(void);
/* Instruments `insn`, which is being translated, if it is a marker. */
void regions_look_for_marker(struct qemu_plugin_insn *insn);

#endif
