/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QEMU's command line. */
#ifndef MEMORY_TRACER_VM_QEMU_COMMAND_LINE_H
#define MEMORY_TRACER_VM_QEMU_COMMAND_LINE_H

#include "qemu.h"

/* Descriptor numbers in QEMU. */
enum { FD_AGENT = 3, FD_QMP, FD_RING, FD_MONITOR, FD_CONSOLE };

/* The arguments, ended by NULL, to be unreferenced. `empty` is an empty folder, for the shares that aren't asked for.
 */
GPtrArray *qemu_command_line(const QemuOptions *options, const char *empty);

#endif
