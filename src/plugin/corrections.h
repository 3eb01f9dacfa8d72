/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Accesses that QEMU tells of wrongly (record/x86.h), recorded as the architecture has them. The few instructions that
 * make them have callbacks of their own, so that the others pay nothing.
 */
#ifndef MEMORY_TRACER_PLUGIN_CORRECTIONS_H
#define MEMORY_TRACER_PLUGIN_CORRECTIONS_H

#include "plugin.h"

/* To be called by a vCPU that is starting. */
void corrections_init(void);

/* Makes the accesses of an instruction that is being translated be corrected and handed to capture_put(). `info`: as
 * for capture_instrument(). Returns false if it needs no correction. */
bool corrections_instrument(struct qemu_plugin_insn *insn, uint64_t info);

#endif
