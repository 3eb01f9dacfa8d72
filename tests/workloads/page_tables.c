/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Maps 200 pages so that each needs a page table of its own (which covers 2 MiB), and stores to them. Tells its pid. */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define TABLES 200
#define TABLE_BYTES (2ul << 20)

int main(void)
{
    volatile char *memory =
        mmap(NULL, TABLES * TABLE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        return 1;
    madvise((void *)memory, TABLES * TABLE_BYTES, MADV_NOHUGEPAGE);
    for (unsigned long i = 0; i < TABLES; i++)
        memory[i * TABLE_BYTES] = 1;
    printf("%d\n", (int)getpid());
    return 0;
}
