/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Locked instructions of each kind and size inside a region of interest, each on a line of its own of the page at
 * LINES, whose bytes are known before; aligned, and not. Afterwards a line is printed for each: its name, and the
 * address, size and values (before and after) of what it has changed.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <memory_tracer/roi.h>

#define LINES UINT64_C(0x200000000)
#define PAGES 16
#define LINE_BYTES 64

typedef struct {
    const char *name;
    unsigned bytes;
    uint64_t address;
    uint8_t before[16];
} Operation;

static Operation operations[PAGES * 4096 / LINE_BYTES];
static unsigned count;

static void fill(uint8_t *to, uint64_t address, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        to[i] = (uint8_t)((address + i) * 37 + 11);
}

/* The next line, `offset` bytes from its beginning. `accumulator`: what lies there. */
static uint64_t next(const char *name, unsigned bytes, unsigned offset, uint64_t accumulator[2])
{
    Operation *operation = &operations[count];

    operation->name = name;
    operation->bytes = bytes;
    operation->address = LINES + count++ * LINE_BYTES + offset;
    fill(operation->before, operation->address, bytes);
    memcpy(accumulator, operation->before, sizeof operation->before);
    return operation->address;
}

#define OPERAND UINT64_C(0x123456789abcde05)

/* With the carry set. What is compared with is what lies there, plus `difference`. */
#define DO(text, bytes, offset, difference)                                                                            \
    do {                                                                                                               \
        uint64_t accumulator[2] = { 0, 0 }, at = next(text, bytes, offset, accumulator), operand = OPERAND;            \
                                                                                                                       \
        accumulator[0] += (difference);                                                                                \
        __asm__ volatile("stc\n\t" text                                                                                \
                         : "+a"(accumulator[0]), "+d"(accumulator[1]), "+c"(operand)                                   \
                         : "D"(at), "b"(UINT64_C(77))                                                                  \
                         : "memory", "cc");                                                                            \
    } while (0)

#define WITH_REGISTER(name, offset)                                                                                    \
    do {                                                                                                               \
        DO("lock " name "b %%cl, (%%rdi)", 1, 0, 0);                                                                   \
        DO("lock " name "w %%cx, (%%rdi)", 2, offset, 0);                                                              \
        DO("lock " name "l %%ecx, (%%rdi)", 4, offset, 0);                                                             \
        DO("lock " name "q %%rcx, (%%rdi)", 8, offset, 0);                                                             \
    } while (0)

#define WITH_IMMEDIATE(name, offset)                                                                                   \
    do {                                                                                                               \
        DO("lock " name "w $7, (%%rdi)", 2, offset, 0);                                                                \
        DO("lock " name "l $7, (%%rdi)", 4, offset, 0);                                                                \
        DO("lock " name "q $-7, (%%rdi)", 8, offset, 0);                                                               \
        DO("lock " name "l $0, (%%rdi)", 4, offset, 0);                                                                \
    } while (0)

#define UNARY(name, offset)                                                                                            \
    do {                                                                                                               \
        DO("lock " name "b (%%rdi)", 1, 0, 0);                                                                         \
        DO("lock " name "w (%%rdi)", 2, offset, 0);                                                                    \
        DO("lock " name "l (%%rdi)", 4, offset, 0);                                                                    \
        DO("lock " name "q (%%rdi)", 8, offset, 0);                                                                    \
    } while (0)

#define BITS(name, offset)                                                                                             \
    do {                                                                                                               \
        DO("lock " name "w $9, (%%rdi)", 2, offset, 0);                                                                \
        DO("lock " name "l $9, (%%rdi)", 4, offset, 0);                                                                \
        DO("lock " name "l $8, (%%rdi)", 4, offset, 0);                                                                \
        DO("lock " name "q $40, (%%rdi)", 8, offset, 0);                                                               \
    } while (0)

#define COMPARE(offset, difference)                                                                                    \
    do {                                                                                                               \
        DO("lock cmpxchgb %%cl, (%%rdi)", 1, 0, difference);                                                           \
        DO("lock cmpxchgw %%cx, (%%rdi)", 2, offset, difference);                                                      \
        DO("lock cmpxchgl %%ecx, (%%rdi)", 4, offset, difference);                                                     \
        DO("lock cmpxchgq %%rcx, (%%rdi)", 8, offset, difference);                                                     \
        DO("mov %%rax, %%rdx\n\tshr $32, %%rdx\n\tlock cmpxchg8b (%%rdi)", 8, offset, difference);                     \
        DO("lock cmpxchg16b (%%rdi)", 16, 0, difference);                                                              \
    } while (0)

static void all(unsigned offset)
{
    WITH_REGISTER("add", offset);
    WITH_REGISTER("or", offset);
    WITH_REGISTER("adc", offset);
    WITH_REGISTER("sbb", offset);
    WITH_REGISTER("and", offset);
    WITH_REGISTER("sub", offset);
    WITH_REGISTER("xor", offset);
    WITH_REGISTER("xadd", offset);
    WITH_IMMEDIATE("add", offset);
    WITH_IMMEDIATE("or", offset);
    WITH_IMMEDIATE("adc", offset);
    WITH_IMMEDIATE("sbb", offset);
    WITH_IMMEDIATE("and", offset);
    WITH_IMMEDIATE("sub", offset);
    WITH_IMMEDIATE("xor", offset);
    UNARY("inc", offset);
    UNARY("dec", offset);
    UNARY("not", offset);
    UNARY("neg", offset);
    BITS("bts", offset);
    BITS("btr", offset);
    BITS("btc", offset);
    COMPARE(offset, 0);
    COMPARE(offset, 1);
    DO("xchgl %%ecx, (%%rdi)", 4, offset, 0);
    DO("lock xchgq %%rcx, (%%rdi)", 8, offset, 0);
}

static void print_bytes(const uint8_t *bytes, unsigned number)
{
    printf(" 0x");
    while (number--)
        printf("%02x", bytes[number]);
}

int main(void)
{
    uint8_t *lines =
        mmap((void *)LINES, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

    if (lines == MAP_FAILED)
        return 1;
    fill(lines, LINES, PAGES * 4096);
    MEMORY_TRACER_ROI_BEGIN();
    all(0);
    all(3);
    MEMORY_TRACER_ROI_END();
    for (unsigned i = 0; i < count; i++) {
        const Operation *operation = &operations[i];

        printf("%#lx %u", (unsigned long)operation->address, operation->bytes);
        print_bytes(operation->before, operation->bytes);
        print_bytes((const uint8_t *)operation->address, operation->bytes);
        putchar(' ');
        for (const char *letter = operation->name; *letter; letter++)
            putchar(*letter == '\n' || *letter == '\t' || *letter == ' ' ? '_' : *letter);
        putchar('\n');
    }
    return 0;
}
