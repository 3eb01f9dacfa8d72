/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the plugin must know of a guest's Linux kernel to tell tasks apart, and to tell what the kernel's memory is used
 * for: the addresses of functions and variables, and the offsets of members in structures. The runner finds it out
 * (from kallsyms and BTF) and hands it over as text. Each line is a name and a number in hexadecimal.
 */
#ifndef MEMORY_TRACER_RECORD_KERNEL_LAYOUT_H
#define MEMORY_TRACER_RECORD_KERNEL_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

/* The value of everything that isn't known. */
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
    KERNEL_DO_MREMAP, /* what the one before jumps to, if the compiler has not inlined it */
    KERNEL_BRK,
    KERNEL_SHMDT,
    KERNEL_IRQ_ENTER,
    KERNEL_IRQ_EXIT,
    KERNEL_SOFTIRQS,
    KERNEL_SETUP_OBJECT, /* this one and those that follow: of what the kernel's memory is used for */
    KERNEL_ALLOCATE_SLAB,
    KERNEL_FREE_SLAB,
    KERNEL_PTE_INSTALL,
    KERNEL_PTE_ALLOC_KERNEL,
    KERNEL_PMD_ALLOC,
    KERNEL_PUD_ALLOC,
    KERNEL_P4D_ALLOC,
    KERNEL_PGD_ALLOC,
    KERNEL_PTE_FREE,
    KERNEL_PMD_FREE,
    KERNEL_PUD_FREE,
    KERNEL_P4D_FREE,
    KERNEL_PGD_FREE,
    KERNEL_VMALLOC,
    KERNEL_VFREE,
    KERNEL_FUNCTIONS,
} KernelFunction;

/* Members of structures, per-CPU variables, sizes of structures and values of constants. */
typedef enum {
    KERNEL_CURRENT, /* of the pointer to the current task_struct, from gs_base on */
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
    KERNEL_VMA_OPERATIONS,
    KERNEL_VMA_PRIVATE,
    KERNEL_SPECIAL_MAPPING_NAME,
    KERNEL_MM_BRK_BEGIN,
    KERNEL_MM_BRK,
    KERNEL_MM_TREE,
    KERNEL_TREE_ROOT,
    KERNEL_TASK_KERNEL_STACK,
    KERNEL_TASK_THREAD,
    KERNEL_THREAD_FS_BASE,
    KERNEL_REGS_SP,
    KERNEL_REGS_CS,
    KERNEL_REGS_SYSTEM_CALL,
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
    KERNEL_REGS_R10,
    KERNEL_IRQ_STACK, /* of a pointer, in a CPU's variables */
    KERNEL_PAGE_BYTES,
    KERNEL_PAGE_FLAGS,
    KERNEL_PAGE_TYPE,
    KERNEL_PAGE_LRU,
    KERNEL_PAGE_HEAD,
    KERNEL_PAGE_ORDER, /* of a free block's first page: log2 of how many pages it has */
    KERNEL_SLAB_FLAG,  /* number of the bit in a page's flags; newer kernels have: */
    KERNEL_SLAB_TYPE,  /* the top byte of a page's type */
    KERNEL_FREE_TYPE,  /* likewise, of a free block's first page */
    KERNEL_SLAB_CACHE,
    KERNEL_SLAB_OBJECTS,
    KERNEL_CACHE_NAME,
    KERNEL_CACHE_SIZE,
    KERNEL_VM_ADDRESS,
    KERNEL_VM_SIZE,
    KERNEL_VM_CALLER,
    KERNEL_VMAP_LIST,
    KERNEL_VMAP_VM,
    KERNEL_VMAP_NODE_BYTES,
    KERNEL_VMAP_NODE_BUSY,
    KERNEL_RB_LIST_HEAD,
    KERNEL_OFFSETS,
} KernelOffset;

/* Variables: their addresses. */
typedef enum {
    KERNEL_VMEMMAP_BASE,
    KERNEL_PAGE_OFFSET_BASE,
    KERNEL_VMALLOC_BASE,
    KERNEL_MAX_FRAME,
    KERNEL_PER_CPU_START,
    KERNEL_PER_CPU_OFFSET,
    KERNEL_PER_CPU_UNIT_SIZE,
    KERNEL_PGD_LIST,
    KERNEL_PGD,
    KERNEL_VMAP_AREAS, /* a list; newer kernels have several, in KERNEL_VMAP_NODES */
    KERNEL_VMAP_NODES,
    KERNEL_VMAP_NODE_COUNT,
    KERNEL_VARIABLES,
} KernelVariable;

typedef struct KernelRange {
    uint64_t begin, end;
} KernelRange;

typedef struct KernelLayout {
    KernelRange function[KERNEL_FUNCTIONS];
    KernelRange cold[KERNEL_FUNCTIONS]; /* a part of it that the compiler has moved away */
    uint64_t offset[KERNEL_OFFSETS];
    uint64_t variable[KERNEL_VARIABLES];
} KernelLayout;

/* Makes everything unknown. */
void kernel_layout_init(KernelLayout *layout);
/* Whether it has what is needed to tell tasks apart. */
bool kernel_layout_tells_tasks(const KernelLayout *layout);
/* Whether it has what is needed to tell which pages are slabs, and of which cache. */
bool kernel_layout_tells_slabs(const KernelLayout *layout);
/* The layout as text, without what isn't known. To be freed with g_free(). */
char *kernel_layout_write(const KernelLayout *layout);
/* Reads a layout from text. What the text doesn't tell is unknown; lines that make no sense are ignored. */
void kernel_layout_read(KernelLayout *layout, const char *text);

/* The names that a kernel has for a function, in the order of preference, up to NULL. */
const char *const *kernel_layout_function_names(KernelFunction function);
/* Which offset it is, in BTF's names: "struct member"; or "struct", for its size; or an enumeration and the name of one
 * of its values. */
const char *kernel_layout_member(KernelOffset offset);
const char *kernel_layout_variable_name(KernelVariable variable);
/* A text that differs between versions of this program that look for different things. To be freed with g_free(). */
char *kernel_layout_version(void);

#endif
