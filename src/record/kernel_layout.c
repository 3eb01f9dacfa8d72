/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is known of a guest's kernel: see kernel_layout.h. */
#include "kernel_layout.h"

#include <glib.h>
#include <stdio.h>
#include <string.h>

#define MAX_NAMES 3

static const char *const functions[KERNEL_FUNCTIONS][MAX_NAMES] = {
    [KERNEL_SWITCH_TO] = { "__switch_to" },
    [KERNEL_WAKE_UP_NEW_TASK] = { "wake_up_new_task" },
    [KERNEL_PERF_EVENT_COMM] = { "perf_event_comm" },
    [KERNEL_PERF_EVENT_MMAP] = { "perf_event_mmap" },
    [KERNEL_DO_EXIT] = { "do_exit" },
    [KERNEL_EXIT_MMAP] = { "exit_mmap" },
    [KERNEL_MUNMAP] = { "__x64_sys_munmap" },
    [KERNEL_MREMAP] = { "__x64_sys_mremap" },
    [KERNEL_DO_MREMAP] = { "__do_sys_mremap", "__se_sys_mremap" },
    [KERNEL_BRK] = { "__x64_sys_brk" },
    [KERNEL_SHMDT] = { "__x64_sys_shmdt" },
    [KERNEL_IRQ_ENTER] = { "irq_enter_rcu" },
    [KERNEL_IRQ_EXIT] = { "irq_exit_rcu" },
    [KERNEL_SOFTIRQS] = { "handle_softirqs", "__do_softirq" }, /* the former since 6.8, and in stable kernels */
    [KERNEL_SETUP_OBJECT] = { "setup_object" },
    [KERNEL_ALLOCATE_SLAB] = { "allocate_slab", "new_slab" },
    [KERNEL_FREE_SLAB] = { "__free_slab" },
    [KERNEL_PTE_INSTALL] = { "pmd_install" },
    [KERNEL_PTE_ALLOC_KERNEL] = { "__pte_alloc_kernel" },
    [KERNEL_PMD_ALLOC] = { "__pmd_alloc" },
    [KERNEL_PUD_ALLOC] = { "__pud_alloc" },
    [KERNEL_P4D_ALLOC] = { "__p4d_alloc" },
    [KERNEL_PGD_ALLOC] = { "pgd_alloc" },
    [KERNEL_PTE_FREE] = { "___pte_free_tlb" },
    [KERNEL_PMD_FREE] = { "___pmd_free_tlb" },
    [KERNEL_PUD_FREE] = { "___pud_free_tlb" },
    [KERNEL_P4D_FREE] = { "___p4d_free_tlb" },
    [KERNEL_PGD_FREE] = { "pgd_free" },
    [KERNEL_VMALLOC] = { "__get_vm_area_node" },
    [KERNEL_VFREE] = { "remove_vm_area" },
};

static const char *const variables[KERNEL_VARIABLES] = {
    [KERNEL_VMEMMAP_BASE] = "vmemmap_base",
    [KERNEL_PAGE_OFFSET_BASE] = "page_offset_base",
    [KERNEL_VMALLOC_BASE] = "vmalloc_base",
    [KERNEL_MAX_FRAME] = "max_pfn",
    [KERNEL_PER_CPU_START] = "__per_cpu_start",
    [KERNEL_PER_CPU_OFFSET] = "__per_cpu_offset",
    [KERNEL_PER_CPU_UNIT_SIZE] = "pcpu_unit_size",
    [KERNEL_PGD_LIST] = "pgd_list",
    [KERNEL_PGD] = "init_top_pgt",
    [KERNEL_VMAP_AREAS] = "vmap_area_list",
    [KERNEL_VMAP_NODES] = "vmap_nodes",
    [KERNEL_VMAP_NODE_COUNT] = "nr_vmap_nodes",
};

static const char *const members[KERNEL_OFFSETS] = {
    [KERNEL_CURRENT] = "pcpu_hot current_task", /* from 6.2 to 6.14; else a variable of its own */
    [KERNEL_TASK_PID] = "task_struct pid",
    [KERNEL_TASK_TGID] = "task_struct tgid",
    [KERNEL_TASK_START] = "task_struct start_time",
    [KERNEL_TASK_COMM] = "task_struct comm",
    [KERNEL_TASK_MM] = "task_struct mm",
    [KERNEL_TASK_LEADER] = "task_struct group_leader",
    [KERNEL_TASK_FS] = "task_struct fs",
    [KERNEL_TASK_SIGNAL] = "task_struct signal",
    [KERNEL_TASK_CGROUPS] = "task_struct cgroups",
    [KERNEL_SIGNAL_LIVE] = "signal_struct live",
    [KERNEL_CSS_SET_CGROUP] = "css_set dfl_cgrp",
    [KERNEL_CGROUP_NODE] = "cgroup kn",
    [KERNEL_NODE_NAME] = "kernfs_node name",
    [KERNEL_NODE_PARENT] = "kernfs_node parent|__parent",
    [KERNEL_MM_FILE] = "mm_struct exe_file",
    [KERNEL_VMA_START] = "vm_area_struct vm_start",
    [KERNEL_VMA_END] = "vm_area_struct vm_end",
    [KERNEL_VMA_FLAGS] = "vm_area_struct vm_flags",
    [KERNEL_VMA_OFFSET] = "vm_area_struct vm_pgoff",
    [KERNEL_VMA_FILE] = "vm_area_struct vm_file",
    [KERNEL_VMA_MM] = "vm_area_struct vm_mm",
    [KERNEL_VMA_OPERATIONS] = "vm_area_struct vm_ops",
    [KERNEL_VMA_PRIVATE] = "vm_area_struct vm_private_data",
    [KERNEL_SPECIAL_MAPPING_NAME] = "vm_special_mapping name",
    [KERNEL_MM_BRK_BEGIN] = "mm_struct start_brk",
    [KERNEL_MM_BRK] = "mm_struct brk",
    [KERNEL_MM_TREE] = "mm_struct mm_mt",
    [KERNEL_TREE_ROOT] = "maple_tree ma_root",
    [KERNEL_TASK_KERNEL_STACK] = "task_struct stack",
    [KERNEL_TASK_THREAD] = "task_struct thread",
    [KERNEL_THREAD_FS_BASE] = "thread_struct fsbase",
    [KERNEL_REGS_SP] = "pt_regs sp",
    [KERNEL_REGS_CS] = "pt_regs cs",
    [KERNEL_REGS_SYSTEM_CALL] = "pt_regs orig_ax",
    [KERNEL_FILE_PATH] = "file f_path",
    [KERNEL_FILE_INODE] = "file f_inode",
    [KERNEL_FILE_MODE] = "file f_mode",
    [KERNEL_BACKING_FILE_PATH] = "backing_file user_path",
    [KERNEL_PATH_MOUNT] = "path mnt",
    [KERNEL_PATH_DENTRY] = "path dentry",
    [KERNEL_DENTRY_PARENT] = "dentry d_parent",
    [KERNEL_DENTRY_NAME] = "dentry d_name",
    [KERNEL_QSTR_NAME] = "qstr name",
    [KERNEL_VFSMOUNT_ROOT] = "vfsmount mnt_root",
    [KERNEL_MOUNT_VFSMOUNT] = "mount mnt",
    [KERNEL_MOUNT_PARENT] = "mount mnt_parent",
    [KERNEL_MOUNT_POINT] = "mount mnt_mountpoint",
    [KERNEL_FS_ROOT] = "fs_struct root",
    [KERNEL_INODE_NUMBER] = "inode i_ino",
    [KERNEL_INODE_SUPERBLOCK] = "inode i_sb",
    [KERNEL_SUPERBLOCK_DEVICE] = "super_block s_dev",
    [KERNEL_REGS_DI] = "pt_regs di",
    [KERNEL_REGS_SI] = "pt_regs si",
    [KERNEL_REGS_DX] = "pt_regs dx",
    [KERNEL_REGS_R10] = "pt_regs r10",
    [KERNEL_IRQ_STACK] = "pcpu_hot hardirq_stack_ptr", /* as current_task */
    [KERNEL_PAGE_BYTES] = "page",
    [KERNEL_PAGE_FLAGS] = "page flags",
    [KERNEL_PAGE_TYPE] = "page page_type",
    [KERNEL_PAGE_LRU] = "page lru",
    [KERNEL_PAGE_HEAD] = "page compound_head",
    [KERNEL_PAGE_ORDER] = "page private",
    [KERNEL_SLAB_FLAG] = "pageflags PG_slab",  /* up to 6.10 */
    [KERNEL_SLAB_TYPE] = "pagetype PGTY_slab", /* since 6.12 */
    [KERNEL_FREE_TYPE] = "pagetype PGTY_buddy",
    [KERNEL_SLAB_CACHE] = "slab slab_cache",
    [KERNEL_SLAB_OBJECTS] = "slab objects",
    [KERNEL_CACHE_NAME] = "kmem_cache name",
    [KERNEL_CACHE_SIZE] = "kmem_cache size",
    [KERNEL_VM_ADDRESS] = "vm_struct addr",
    [KERNEL_VM_SIZE] = "vm_struct size",
    [KERNEL_VM_CALLER] = "vm_struct caller",
    [KERNEL_VMAP_LIST] = "vmap_area list",
    [KERNEL_VMAP_VM] = "vmap_area vm",
    [KERNEL_VMAP_NODE_BYTES] = "vmap_node",
    [KERNEL_VMAP_NODE_BUSY] = "vmap_node busy",
    [KERNEL_RB_LIST_HEAD] = "rb_list head",
};

const char *const *kernel_layout_function_names(KernelFunction function)
{
    return functions[function];
}

const char *kernel_layout_member(KernelOffset offset)
{
    return members[offset];
}

const char *kernel_layout_variable_name(KernelVariable variable)
{
    return variables[variable];
}

void kernel_layout_init(KernelLayout *layout)
{
    memset(layout, 0xff, sizeof *layout); /* KERNEL_UNKNOWN everywhere */
}

bool kernel_layout_tells_tasks(const KernelLayout *layout)
{
    static const KernelOffset needed[] = { KERNEL_TASK_PID, KERNEL_TASK_TGID, KERNEL_TASK_START, KERNEL_TASK_COMM };

    for (unsigned i = 0; i < G_N_ELEMENTS(needed); i++)
        if (layout->offset[needed[i]] == KERNEL_UNKNOWN)
            return false;
    return layout->function[KERNEL_SWITCH_TO].begin != KERNEL_UNKNOWN;
}

bool kernel_layout_tells_slabs(const KernelLayout *layout)
{
    static const KernelOffset needed[] = { KERNEL_PAGE_BYTES,   KERNEL_PAGE_FLAGS, KERNEL_SLAB_CACHE,
                                           KERNEL_SLAB_OBJECTS, KERNEL_CACHE_NAME, KERNEL_CACHE_SIZE };

    for (unsigned i = 0; i < G_N_ELEMENTS(needed); i++)
        if (layout->offset[needed[i]] == KERNEL_UNKNOWN)
            return false;
    return (layout->offset[KERNEL_SLAB_FLAG] != KERNEL_UNKNOWN ||
            (layout->offset[KERNEL_SLAB_TYPE] != KERNEL_UNKNOWN &&
             layout->offset[KERNEL_PAGE_TYPE] != KERNEL_UNKNOWN)) &&
           layout->variable[KERNEL_VMEMMAP_BASE] != KERNEL_UNKNOWN &&
           layout->variable[KERNEL_PAGE_OFFSET_BASE] != KERNEL_UNKNOWN &&
           layout->variable[KERNEL_MAX_FRAME] != KERNEL_UNKNOWN &&
           layout->function[KERNEL_ALLOCATE_SLAB].begin != KERNEL_UNKNOWN &&
           layout->function[KERNEL_FREE_SLAB].begin != KERNEL_UNKNOWN;
}

/* All numbers of a layout with their names, in one order. */
static void visit(KernelLayout *layout, void (*take)(void *data, const char *name, uint64_t *value), void *data)
{
    for (unsigned i = 0; i < KERNEL_FUNCTIONS; i++) {
        const struct {
            const char *suffix;
            uint64_t *value;
        } numbers[] = { { "", &layout->function[i].begin },
                        { ".end", &layout->function[i].end },
                        { ".cold", &layout->cold[i].begin },
                        { ".cold.end", &layout->cold[i].end } };

        for (unsigned k = 0; k < G_N_ELEMENTS(numbers); k++) {
            g_autofree char *name = g_strconcat(functions[i][0], numbers[k].suffix, NULL);

            take(data, name, numbers[k].value);
        }
    }
    for (unsigned i = 0; i < KERNEL_OFFSETS; i++) {
        g_autofree char *name = g_strdelimit(g_strdup(members[i]), " ", '.');

        take(data, name, &layout->offset[i]);
    }
    for (unsigned i = 0; i < KERNEL_VARIABLES; i++)
        take(data, variables[i], &layout->variable[i]);
}

static void write_number(void *data, const char *name, uint64_t *value)
{
    if (*value != KERNEL_UNKNOWN)
        g_string_append_printf(data, "%s %" G_GINT64_MODIFIER "x\n", name, *value);
}

char *kernel_layout_write(const KernelLayout *layout)
{
    GString *text = g_string_new(NULL);
    KernelLayout copy = *layout;

    visit(&copy, write_number, text);
    return g_string_free(text, FALSE);
}

static void read_number(void *data, const char *name, uint64_t *value)
{
    const char *found = g_hash_table_lookup(data, name);

    if (found && !g_ascii_string_to_unsigned(found, 16, 0, UINT64_MAX, value, NULL))
        *value = KERNEL_UNKNOWN;
}

void kernel_layout_read(KernelLayout *layout, const char *text)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    g_autoptr(GHashTable) numbers = g_hash_table_new(g_str_hash, g_str_equal);

    kernel_layout_init(layout);
    for (char **line = lines; *line; line++) {
        char *space = strchr(*line, ' ');

        if (!space)
            continue;
        *space = 0;
        g_hash_table_insert(numbers, *line, space + 1);
    }
    visit(layout, read_number, numbers);
}

static void add_name(void *data, const char *name, uint64_t *value)
{
    (void)value;
    g_checksum_update(data, (const guchar *)name, (gssize)strlen(name) + 1);
}

char *kernel_layout_version(void)
{
    g_autoptr(GChecksum) checksum = g_checksum_new(G_CHECKSUM_SHA256);
    KernelLayout layout;

    kernel_layout_init(&layout);
    visit(&layout, add_name, checksum);
    return g_strndup(g_checksum_get_string(checksum), 16);
}
