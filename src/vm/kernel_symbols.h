/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest kernel's symbols and modules: the same for each run from a snapshot, so they are read once and kept. */
#ifndef MEMORY_TRACER_VM_KERNEL_SYMBOLS_H
#define MEMORY_TRACER_VM_KERNEL_SYMBOLS_H

#include "guest.h"

typedef struct KernelSymbols {
    char *kallsyms, *modules; /* the guest's /proc/kallsyms and /proc/modules */
    char *iomem;              /* its /proc/iomem: which physical addresses are of which device */
    char *layout;             /* what tells tasks apart (kernel_layout_write()); "" if its kernel doesn't tell */
} KernelSymbols;

/*
 * Reads them. What can't be had is NULL, which is no failure. `qemu` is how the guest is started (without the plugin,
 * on a new layer at qemu->disk), if they were not read before: they are kept in the user's cache folder. False when the
 * run is to end (interrupted).
 */
bool kernel_symbols_load(KernelSymbols *symbols, const QemuOptions *qemu, const char *qemu_img, RunLoop *outer,
                         GError **error);
void kernel_symbols_clear(KernelSymbols *symbols);

#endif
