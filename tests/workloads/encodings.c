/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Executes encodings that tests/system/test_sizes.py has made, each in a slot of its own in the section .slots, on
 * memory at OPERAND. Prints the numbers of those that raised no signal.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <memory_tracer/roi.h>

#define OPERAND UINT64_C(0x200000800)
#define SLOT_BYTES 32

extern const uint8_t slots_begin[], slots_end[];
extern const uint8_t slot_is_done[];
void execute_slot(const uint8_t *slot, uint64_t operand);

static volatile sig_atomic_t raised;
static uint8_t stack_of_signals[65536];

static void caught(int number, siginfo_t *info, void *context)
{
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;

    (void)number;
    (void)info;
    raised = 1;
    registers[REG_RIP] = (greg_t)(uintptr_t)slot_is_done;
}

/*
 * rbx is the operand's address. The vector registers are all ones, so that masks let all elements pass; the general
 * registers that an operand may be in are 0. What an instruction may spoil is put right: the x87 and MMX state, MXCSR
 * and the base of fs. r12 to r15 and rsp are ours.
 */
__asm__(".text\n"
        "execute_slot:\n"
        "\tpush %rbx\n\tpush %rbp\n\tpush %r12\n\tpush %r13\n\tpush %r14\n\tpush %r15\n"
        "\tsub $8, %rsp\n\tstmxcsr (%rsp)\n"
        "\trdfsbase %r12\n"
        "\tmov %rdi, %r14\n\tmov %rsi, %rbx\n"
        "\tlea slot_is_done(%rip), %r15\n"
        "\tvpcmpeqb %xmm0, %xmm0, %xmm0\n\tvinsertf128 $1, %xmm0, %ymm0, %ymm0\n"
        "\txor %eax, %eax\n\txor %ecx, %ecx\n\txor %edx, %edx\n\txor %esi, %esi\n\txor %edi, %edi\n"
        "\txor %r8d, %r8d\n"
        "\tjmp *%r14\n"
        "slot_is_done:\n"
        "\twrfsbase %r12\n"
        "\tcld\n\tfninit\n\tldmxcsr (%rsp)\n"
        "\tadd $8, %rsp\n"
        "\tpop %r15\n\tpop %r14\n\tpop %r13\n\tpop %r12\n\tpop %rbp\n\tpop %rbx\n"
        "\tret\n");

int main(void)
{
    static const int signals[] = { SIGILL, SIGSEGV, SIGFPE, SIGBUS, SIGTRAP };
    struct sigaction action = { .sa_sigaction = caught, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
    stack_t stack = { .ss_sp = stack_of_signals, .ss_size = sizeof stack_of_signals };
    size_t count = (size_t)(slots_end - slots_begin) / SLOT_BYTES;
    static uint8_t executed[1 << 20];
    uint8_t *operand = mmap((void *)(OPERAND & ~UINT64_C(4095)), 4096, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

    if (operand == MAP_FAILED || sigaltstack(&stack, NULL))
        return 1;
    for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++)
        sigaction(signals[i], &action, NULL);
    MEMORY_TRACER_ROI_BEGIN();
    for (size_t i = 0; i < count; i++) {
        memset((void *)OPERAND, 0, 64);
        raised = 0;
        execute_slot(slots_begin + i * SLOT_BYTES, OPERAND);
        executed[i] = !raised;
    }
    MEMORY_TRACER_ROI_END();
    for (size_t i = 0; i < count; i++)
        if (executed[i])
            printf("%zu\n", i);
    return 0;
}
