/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A workload without any locality: loads from pseudo-random lines of 64 bytes, and hardly anything else.
 * usage: random_lines LINES TIMES */
#include <stdint.h>
#include <stdlib.h>

#define WORDS_OF_LINE 8

int main(int argc, char **argv)
{
    uint64_t lines = argc > 1 ? strtoull(argv[1], NULL, 0) : 0, times = argc > 2 ? strtoull(argv[2], NULL, 0) : 0;
    uint64_t *memory = lines && lines <= UINT32_MAX ? calloc(lines, WORDS_OF_LINE * sizeof *memory) : NULL;
    uint64_t state = 1, sum = 0;

    if (!memory)
        return 2;
    for (uint64_t i = 0; i < lines; i++)
        memory[i * WORDS_OF_LINE] = 1;
    for (uint64_t i = 0; i < times; i++) {
        state ^= state << 13; /* xorshift64 (Marsaglia, 2003) */
        state ^= state >> 7;
        state ^= state << 17;
        sum += memory[((state >> 32) * lines >> 32) * WORDS_OF_LINE];
    }
    free(memory);
    return sum != times;
}
