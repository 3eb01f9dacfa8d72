/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a guest's kernel says about itself: its functions, and the layout of its structures. */
#ifndef MEMORY_TRACER_VM_KERNEL_TYPES_H
#define MEMORY_TRACER_VM_KERNEL_TYPES_H

#include <glib.h>

#include "../record/kernel_layout.h"

/*
 * Fills a layout from the guest's /proc/kallsyms and /sys/kernel/btf/vmlinux (BTF), neither of which is trusted. What
 * they don't tell is unknown. `btf` may be NULL.
 */
void kernel_types_find_layout(KernelLayout *layout, const char *kallsyms, GBytes *btf);

#endif
