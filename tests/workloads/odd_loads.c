/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Executes the instructions whose accesses QEMU reports wrongly (src/record/x86.h) once, inside a region of interest,
 * each on a line of its own; the bytes of the page at LINES are 0, 1, 2... Then 32-bit code, whose instructions look
 * like these. With an argument N, some of them N times, which makes 4 N accesses.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <memory_tracer/roi.h>

#define LINES UINT64_C(0x200000000)

#define AT(line, code) __asm__ volatile(code ::"D"(LINES + 64 * (line)) : "xmm0", "mm0", "eax", "memory", "cc")

/* Below 4 GiB: code, its stack, and what it accesses. (So is a static program, to which it returns.) */
#define LOW UINT64_C(0x10000000)
#define CODE_OF_32_BITS "0x23" /* Linux's selector */

static int run_code_of_32_bits(void)
{
    static const uint8_t code[] = {
        0x16, 0x1f,                         /* push ss; pop ds: there is none in 64-bit code */
        0xc4, 0x82, 0x01, 0x99, 0x03, 0x00, /* les eax, [edx + 0x39901]: a scalar FMA, if it were 64-bit code */
        0xc4, 0x82, 0x01, 0xe5, 0x03, 0x00, /* les eax, [edx + 0x3e501]: cmpnzxadd */
        0xcb,                               /* a far return */
    };
    uint8_t *low =
        mmap((void *)LOW, 0x80000, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

    if (low == MAP_FAILED)
        return -1;
    memcpy(low, code, sizeof code);
    __asm__ volatile("mov %%rsp, %%r15\n\t"
                     "lea 0xf000(%0), %%rsp\n\t"
                     "movl %k0, 8(%%rsp)\n\t"
                     "movl $" CODE_OF_32_BITS ", 12(%%rsp)\n\t"
                     "lea 0x10000(%0), %%edx\n\t"
                     "lcall *8(%%rsp)\n\t"
                     "mov %%r15, %%rsp" ::"D"(LOW)
                     : "rax", "rcx", "rdx", "r15", "memory", "cc");
    return 0;
}

static void repeat(unsigned long times)
{
    while (times--)
        __asm__ volatile("vinsertf128 $1, (%0), %%ymm0, %%ymm0\n\t"
                         "lock negl (%0)\n\t"
                         "vfmadd231sd (%0), %%xmm0, %%xmm0" ::"r"(LINES)
                         : "xmm0", "memory", "cc");
}

int main(int count, char **words)
{
    uint8_t *lines = mmap((void *)LINES, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

    if (lines == MAP_FAILED)
        return 1;
    for (unsigned i = 0; i < 4096; i++)
        lines[i] = (uint8_t)i;
    if (count > 1) {
        repeat(strtoul(words[1], NULL, 10));
        return 0;
    }
    MEMORY_TRACER_ROI_BEGIN();
    AT(0, "vfmadd231sd (%0), %%xmm0, %%xmm0");
    AT(1, "vfmadd231ss (%0), %%xmm0, %%xmm0");
    AT(2, "vinsertf128 $1, (%0), %%ymm0, %%ymm0");
    AT(3, "vcvtdq2pd (%0), %%ymm0");
    AT(4, "cvtdq2pd (%0), %%xmm0");
    AT(5, "vpslld (%0), %%ymm0, %%ymm0");
    AT(6, "punpcklbw (%0), %%mm0\n\temms");
    AT(7, "lock negl (%0)");
    AT(8, "xor %%eax, %%eax\n\t.byte 0xc4, 0xe2, 0x79, 0xe5, 0x07" /* cmpnzxadd (%rdi), %eax, %eax */);
    if (run_code_of_32_bits())
        return 1;
    MEMORY_TRACER_ROI_END();
    return 0;
}
