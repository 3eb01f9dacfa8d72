/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Accesses that QEMU reports wrongly (record/x86.h) are recorded as the architecture defines them. The few instructions
 * that make such accesses have callbacks of their own, so that other instructions pay nothing.
 */
#ifndef MEMORY_TRACER_PLUGIN_CORRECTIONS_H
#define MEMORY_TRACER_PLUGIN_CORRECTIONS_H

#include "plugin.h"

/* To be called by a vCPU that is starting. */
void corrections_init(void);

/* Instruments an instruction that is being translated, so that its accesses are corrected and passed to capture_put().
 * `info`: as for capture_instrument(). Returns false if it needs no correction. */
bool corrections_instrument(struct qemu_plugin_insn *insn, uint64_t info);

#endif
