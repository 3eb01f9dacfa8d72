/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Instructions of whose accesses QEMU tells wrongly (src/plugin/x86.h), once, inside a region of interest, each on a
 * line of its own; the bytes of the page at LINES are 0, 1, 2... With an argument N, some of them N times, which makes
 * 4 N accesses.
 */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <memory_tracer/roi.h>

#define LINES UINT64_C(0x200000000)

#define AT(line, code) __asm__ volatile(code ::"D"(LINES + 64 * (line)) : "xmm0", "mm0", "eax", "memory", "cc")

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
    MEMORY_TRACER_ROI_END();
    return 0;
}
