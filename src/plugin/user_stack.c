/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stacks of threads: see user_stack.h.
 *
 * The kernel keeps a task's user registers (pt_regs) at the top of its kernel stack, and the user stack pointer is
 * among them. The beginning of the stack is an argument of clone3(). glibc puts a thread's own data (TLS, struct
 * pthread) at the end of the stack's mapping, above the first stack pointer; the thread pointer (fs_base) points into
 * it.
 */
#include "user_stack.h"

#include <glib.h>
#include <linux/sched.h>
#include <stddef.h>
#include <sys/syscall.h>

#include "kernel.h"

#define PAGE_BYTES 4096u
#define KERNEL_STACK_BYTES 16384u /* THREAD_SIZE on x86-64; with KASAN it is: */
#define KERNEL_STACK_BYTES_KASAN 32768u
#define REGISTERS_BYTES 168u /* struct pt_regs: 21 registers */
#define CS_USER_64 0x33u
#define CS_USER_32 0x23u
#define OWN_DATA_MAX (1u << 20) /* how far a thread's own data may be from its stack pointer */

typedef struct {
    uint64_t begin; /* 0: not known, so it is where the mapping begins */
    uint64_t end;
    uint64_t pointer; /* the stack pointer */
} UserStack;

/* The address of a task's user registers; 0: it has none. Kernels with FRED leave 16 bytes free above them. A task that
 * has been in user mode has one of two selectors in cs. */
static uint64_t find_registers(uint64_t structure)
{
    static const unsigned sizes[] = { KERNEL_STACK_BYTES, KERNEL_STACK_BYTES_KASAN }, gaps[] = { 0, 16 };
    uint64_t base = kernel_read_pointer(structure, KERNEL_TASK_KERNEL_STACK), cs;

    for (unsigned i = 0; base && i < G_N_ELEMENTS(sizes); i++)
        for (unsigned k = 0; k < G_N_ELEMENTS(gaps); k++) {
            uint64_t registers = base + sizes[i] - gaps[k] - REGISTERS_BYTES;

            if (kernel_read_u64(registers, KERNEL_REGS_CS, &cs) &&
                ((cs & 0xffff) == CS_USER_64 || (cs & 0xffff) == CS_USER_32))
                return registers;
        }
    return 0;
}

/* Reads the stack from the arguments of clone3(). */
static void read_clone_arguments(uint64_t creator, UserStack *stack)
{
    uint64_t registers = find_registers(creator), number = 0, arguments = 0, given[2];

    if (!kernel_read_u64(registers, KERNEL_REGS_SYSTEM_CALL, &number) || number != SYS_clone3 ||
        !kernel_read_u64(registers, KERNEL_REGS_DI, &arguments) ||
        !kernel_read_memory(arguments + offsetof(struct clone_args, stack), given, sizeof given))
        return;
    if (stack->pointer > given[0] && stack->pointer - given[0] <= given[1]) {
        stack->begin = given[0];
        stack->end = given[0] + given[1];
    }
}

/* Reads a task's stack. False for a kernel thread, or if it can't be read. */
static bool read_stack(uint64_t structure, uint64_t creator, UserStack *stack)
{
    uint64_t registers = find_registers(structure), fs_base = 0, end;

    *stack = (UserStack){ 0 };
    if (!kernel_read_u64(registers, KERNEL_REGS_SP, &stack->pointer) || !stack->pointer)
        return false;
    if (creator)
        read_clone_arguments(creator, stack);
    kernel_read_u64(kernel_member(structure, KERNEL_TASK_THREAD), KERNEL_THREAD_FS_BASE, &fs_base);
    end = MAX(stack->end, stack->pointer);
    if (fs_base >= end - MIN(end, PAGE_BYTES) && fs_base < end + OWN_DATA_MAX)
        end = MAX(end, fs_base + 1);
    stack->end = (end + PAGE_BYTES - 1) & ~(uint64_t)(PAGE_BYTES - 1);
    return true;
}

void user_stack_note(unsigned vcpu, uint32_t task, uint32_t memory, uint64_t structure, uint64_t creator,
                     MemoriesNote note)
{
    UserStack stack, other;

    if (!read_stack(structure, creator, &stack) ||
        (creator && read_stack(creator, 0, &other) && other.pointer == stack.pointer))
        return;
    memories_note_values(vcpu, CHANGE_STACK, (const uint64_t[]){ task, memory, stack.begin, stack.end, stack.pointer },
                         5, note);
}
