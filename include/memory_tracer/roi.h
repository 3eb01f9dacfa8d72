/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Markers: instructions that the tracer recognises when a guest executes them.
 *
 * Each is the 7-byte form of NOP with a magic displacement, followed by a jump to the next instruction. Without the
 * tracer (on hardware, under KVM) a marker does nothing, and it needs no privilege. The jump ends QEMU's translation
 * block, so that tracing begins and ends exactly there: the first access behind a beginning marker is traced, and no
 * access behind an ending marker is.
 *
 * The markers count for the whole guest, whichever process executes them: they switch the tracing of everything, kernel
 * and user, all vCPUs.
 *
 * There are two pairs:
 *
 * MEMORY_TRACER_START and _STOP begin and end a run where the plugin is used without memory_tracer. Under memory_tracer
 * they are ignored (and it says so): its agent has markers of its own, which it executes around the workload.
 *
 * MEMORY_TRACER_ROI_BEGIN and _END are for the workload: with --roi, only what lies between them is traced; without,
 * they do nothing. A program may mark as many regions as it likes. Regions may be nested or overlap (in threads, say):
 * tracing goes on until each that was begun has ended. A region ends with its process at the latest. (With a guest
 * whose kernel doesn't tell when that is, it stays open until the end of the run, and memory_tracer warns: ATTENTION.)
 *
 *     for (int i = 0; i < n; i++) {
 *         prepare(i);
 *         MEMORY_TRACER_ROI_BEGIN();
 *         work(i);
 *         MEMORY_TRACER_ROI_END();
 *     }
 */
#ifndef MEMORY_TRACER_ROI_H
#define MEMORY_TRACER_ROI_H

/* The 32-bit displacements. As bytes in memory: 0f 1f 80, then these, little-endian. */
#define MEMORY_TRACER_START_MAGIC 0x6d745f31
#define MEMORY_TRACER_STOP_MAGIC 0x6d745f30
#define MEMORY_TRACER_ROI_BEGIN_MAGIC 0x6d745f33
#define MEMORY_TRACER_ROI_END_MAGIC 0x6d745f32

#if defined(__ASSEMBLER__)
/* The magics are all that assembly code gets. */
#elif defined(__x86_64__) || defined(__i386__)
#define MEMORY_TRACER_MARKER(magic)                                                                                    \
    __asm__ volatile(".byte 0x0f, 0x1f, 0x80\n\t.long %c0\n\tjmp 1f\n1:" : : "i"(magic) : "memory")
#else
#error "memory_tracer traces x86-64 guests"
#endif

#define MEMORY_TRACER_START() MEMORY_TRACER_MARKER(MEMORY_TRACER_START_MAGIC)
#define MEMORY_TRACER_STOP() MEMORY_TRACER_MARKER(MEMORY_TRACER_STOP_MAGIC)
#define MEMORY_TRACER_ROI_BEGIN() MEMORY_TRACER_MARKER(MEMORY_TRACER_ROI_BEGIN_MAGIC)
#define MEMORY_TRACER_ROI_END() MEMORY_TRACER_MARKER(MEMORY_TRACER_ROI_END_MAGIC)

#endif
