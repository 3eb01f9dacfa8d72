/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest kernel's symbols and modules. They are the same for each run from a snapshot, so they are read once and kept.
 */
#ifndef MEMORY_TRACER_VM_KERNEL_SYMBOLS_H
#define MEMORY_TRACER_VM_KERNEL_SYMBOLS_H

#include "guest.h"

typedef struct KernelSymbols {
    char *kallsyms, *modules; /* the guest's /proc/kallsyms and /proc/modules */
    char *iomem;              /* its /proc/iomem: which physical addresses are of which device */
    char *layout;             /* what tells tasks apart (kernel_layout_write()); "" if its kernel doesn't tell */
} KernelSymbols;

/*
 * Gets them from the user's cache folder, or, the first time, from the guest, which is then started as `qemu` says
 * (without the plugin, on a new layer at qemu->disk). What can't be read is NULL, which is not an error. False with an
 * error only if the run is to end (interrupted).
 */
bool kernel_symbols_load(KernelSymbols *symbols, const QemuOptions *qemu, const char *qemu_img, RunLoop *outer,
                         GError **error);
void kernel_symbols_clear(KernelSymbols *symbols);

#endif
