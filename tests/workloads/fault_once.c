/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stores once to each of 1000 pages that are not there yet: each store faults, is repeated, and was performed once. */
#include <sys/mman.h>

#include "speak.h"

#define PAGES 1000

int main(void)
{
    volatile char *pages = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (pages == MAP_FAILED)
        return 1;
    say_ready(pages, 4096, PAGES);
    for (int i = 0; i < PAGES; i++)
        pages[i * 4096 + 8] = 1;
    say_stop();
    return 0;
}
