/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the plugin must know of a guest's Linux kernel to tell tasks apart: where its functions are, and where members
 * lie in its structures. The runner finds it out (from kallsyms and BTF) and hands it over as text, a line each: a
 * name, and a number in hexadecimal.
 */
#ifndef MEMORY_TRACER_RECORD_KERNEL_LAYOUT_H
#define MEMORY_TRACER_RECORD_KERNEL_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

/* Whatever is not there. */
#define KERNEL_UNKNOWN UINT64_MAX

/* Functions: those whose entry, and some whose end, is looked for. */
typedef enum {
    KERNEL_SWITCH_TO,
    KERNEL_WAKE_UP_NEW_TASK,
    KERNEL_PERF_EVENT_COMM,
    KERNEL_PERF_EVENT_MMAP,
    KERNEL_DO_EXIT,
    KERNEL_EXIT_MMAP,
    KERNEL_MUNMAP,
    KERNEL_MREMAP,
    KERNEL_IRQ_ENTER,
    KERNEL_IRQ_EXIT,
    KERNEL_SOFTIRQS,
    KERNEL_FUNCTIONS,
} KernelFunction;

/* Members of structures, and a per-CPU variable. */
typedef enum {
    KERNEL_CURRENT, /* task_struct *: where it lies behind gs_base */
    KERNEL_TASK_PID,
    KERNEL_TASK_TGID,
    KERNEL_TASK_START,
    KERNEL_TASK_COMM,
    KERNEL_TASK_MM,
    KERNEL_TASK_LEADER,
    KERNEL_TASK_FS,
    KERNEL_TASK_SIGNAL,
    KERNEL_TASK_CGROUPS,
    KERNEL_SIGNAL_LIVE,
    KERNEL_CSS_SET_CGROUP,
    KERNEL_CGROUP_NODE,
    KERNEL_NODE_NAME,
    KERNEL_NODE_PARENT,
    KERNEL_MM_FILE,
    KERNEL_VMA_START,
    KERNEL_VMA_END,
    KERNEL_VMA_FLAGS,
    KERNEL_VMA_OFFSET,
    KERNEL_VMA_FILE,
    KERNEL_VMA_MM,
    KERNEL_FILE_PATH,
    KERNEL_FILE_INODE,
    KERNEL_FILE_MODE,
    KERNEL_BACKING_FILE_PATH,
    KERNEL_PATH_MOUNT,
    KERNEL_PATH_DENTRY,
    KERNEL_DENTRY_PARENT,
    KERNEL_DENTRY_NAME,
    KERNEL_QSTR_NAME,
    KERNEL_VFSMOUNT_ROOT,
    KERNEL_MOUNT_VFSMOUNT,
    KERNEL_MOUNT_PARENT,
    KERNEL_MOUNT_POINT,
    KERNEL_FS_ROOT,
    KERNEL_INODE_NUMBER,
    KERNEL_INODE_SUPERBLOCK,
    KERNEL_SUPERBLOCK_DEVICE,
    KERNEL_REGS_DI,
    KERNEL_REGS_SI,
    KERNEL_REGS_DX,
    KERNEL_OFFSETS,
} KernelOffset;

typedef struct KernelRange {
    uint64_t begin, end;
} KernelRange;

typedef struct KernelLayout {
    KernelRange function[KERNEL_FUNCTIONS];
    KernelRange cold[KERNEL_FUNCTIONS]; /* a part of it that the compiler has moved away */
    uint64_t offset[KERNEL_OFFSETS];
} KernelLayout;

/* All unknown. */
void kernel_layout_init(KernelLayout *layout);
/* Whether it has what tasks can't do without. */
bool kernel_layout_tells_tasks(const KernelLayout *layout);
/* To be freed with g_free(). */
char *kernel_layout_write(const KernelLayout *layout);
/* Lines that make no sense are left out. */
void kernel_layout_read(KernelLayout *layout, const char *text);

/* The names that a kernel has for a function, in the order of preference, up to NULL. */
const char *const *kernel_layout_function_names(KernelFunction function);
/* The structure and the member that an offset is of, as BTF has them: "struct member". */
const char *kernel_layout_member(KernelOffset offset);

#endif
