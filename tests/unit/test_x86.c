/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is known of the architecture. Which instructions access something else than QEMU tells: that all others don't,
 * tests/system/test_sizes.py shows. */
#include <glib.h>
#include <string.h>

#include "../../src/record/x86.h"

typedef struct {
    const char *text;
    const char *bytes; /* hexadecimal; mod 3 means a register operand */
    X86Accesses accesses;
} Case;

static void check(const Case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint8_t bytes[16];
        size_t length = strlen(cases[i].bytes) / 2;

        for (size_t k = 0; k < length; k++)
            bytes[k] = (uint8_t)(g_ascii_xdigit_value(cases[i].bytes[2 * k]) << 4 |
                                 g_ascii_xdigit_value(cases[i].bytes[2 * k + 1]));
        if (x86_accesses(bytes, length) != cases[i].accesses)
            g_error("%s: %d, not %d", cases[i].text, (int)x86_accesses(bytes, length), (int)cases[i].accesses);
    }
}

static void test_vectors(void)
{
    static const Case cases[] = {
        { "punpcklbw mm0, [rbx]", "0f6003", X86_LOADS_4 },
        { "punpckldq mm0, [rbx]", "0f6203", X86_LOADS_4 },
        { "punpcklbw mm0, fs:[r11]", "64410f6003", X86_LOADS_4 },
        { "punpcklbw mm0, mm3", "0f60c3", X86_AS_TOLD },
        { "punpcklbw xmm0, [rbx]", "660f6003", X86_AS_TOLD },
        { "packsswb mm0, [rbx]", "0f6303", X86_AS_TOLD },
        { "cvtdq2pd xmm0, [rbx]", "f30fe603", X86_LOADS_8 },
        { "cvtdq2pd xmm9, [rbx], with a 66 that doesn't count", "66f3440fe60b", X86_LOADS_8 },
        { "cvtpd2dq xmm0, [rbx]", "f20fe603", X86_AS_TOLD },
        { "vcvtdq2pd xmm0, [rbx]", "c5fae603", X86_LOADS_8 },
        { "vcvtdq2pd ymm0, [rbx]", "c5fee603", X86_LOADS_16 },
        { "vcvtdq2pd ymm0, ymm3", "c5fee6c3", X86_AS_TOLD },
        { "vpslld xmm0, xmm0, [rbx]", "c5f9f203", X86_AS_TOLD },
        { "vpslld ymm0, ymm0, [rbx]", "c5fdf203", X86_LOADS_16 },
        { "vpsrlq ymm0, ymm0, [rbx]", "c4e17dd303", X86_LOADS_16 },
        { "vpavgw ymm0, ymm0, [rbx]", "c5fde303", X86_AS_TOLD },
        { "vfmadd231sd xmm0, xmm1, [rbx]", "c4e2f1b903", X86_LOADS_8 },
        { "vfnmsub132ss xmm0, xmm1, [rbx]", "c4e2719f03", X86_LOADS_4 },
        { "vfmadd231pd xmm0, xmm1, [rbx]", "c4e2f1b803", X86_AS_TOLD },
        { "vfmaddsub132pd xmm0, xmm1, [rbx]", "c4e2f19603", X86_AS_TOLD },
        { "vinsertf128 ymm0, ymm0, [rbx], 1", "c4e37d180301", X86_LOADS_16 },
        { "vinserti128 ymm0, ymm0, [rbx], 1", "c4e37d380301", X86_LOADS_16 },
        { "vextractf128 [rbx], ymm0, 1", "c4e37d190301", X86_AS_TOLD },
        { "cmpzxadd [rbx], rax, rcx", "c4e2f1e403", X86_RETRIED_COMPARE_AND_ADD },
        { "aesdec xmm0, [rbx]", "660f38de03", X86_AS_TOLD },
    };

    check(cases, G_N_ELEMENTS(cases));
}

static void test_locked(void)
{
    static const Case cases[] = {
        { "lock add [rbx], 5", "f0830305", X86_TELLS_NEW_ADD },
        { "add [rbx], 5", "830305", X86_AS_TOLD },
        { "lock or [rbx], 7", "f0830b07", X86_TELLS_NEW_OR },
        { "lock adc [rbx], 7", "f0831307", X86_TELLS_NEW_ADD },
        { "lock sbb [rbx], al", "f01803", X86_TELLS_NEW_ADD },
        { "lock and [rbx], rax", "f0482103", X86_TELLS_NEW_AND },
        { "lock sub word [rbx], 7", "66f0832b07", X86_TELLS_OLD_ADD },
        { "lock xor [rbx], 7", "f0833307", X86_TELLS_NEW_XOR },
        { "lock not byte [rbx]", "f0f613", X86_TELLS_NEW_XOR },
        { "lock neg [rbx]", "f0f71b", X86_RETRIED_NEG },
        { "neg [rbx]", "f71b", X86_AS_TOLD },
        { "lock inc [rbx]", "f0ff03", X86_TELLS_NEW_ADD },
        { "lock dec qword [r8]", "f049ff08", X86_TELLS_NEW_ADD },
        { "lock xchg [rbx], eax", "f08703", X86_AS_TOLD },
        { "lock bts [rbx], eax", "f00fab03", X86_TELLS_OLD_OR },
        { "lock btr [rbx], eax", "f00fb303", X86_TELLS_OLD_AND },
        { "lock btc [rbx], eax", "f00fbb03", X86_TELLS_OLD_XOR },
        { "lock bts [rbx], 2", "f00fba2b02", X86_TELLS_OLD_OR },
        { "lock btr [rbx], 2", "f00fba3302", X86_TELLS_OLD_AND },
        { "lock btc [rbx], 2", "f00fba3b02", X86_TELLS_OLD_XOR },
        { "bt [rbx], 2", "0fba2302", X86_AS_TOLD },
        { "lock cmpxchg [rbx], ecx", "f00fb10b", X86_COMPARES_ACCUMULATOR },
        { "lock xadd [rbx], eax", "f00fc103", X86_TELLS_OLD_ADD },
        { "lock cmpxchg16b [rbx]", "f0480fc70b", X86_COMPARES_PAIR },
    };

    check(cases, G_N_ELEMENTS(cases));
}

/* Bytes that end early, of any kind, are none of those instructions. */
static void test_what_is_cut_off(void)
{
    uint8_t bytes[3] = { 0 };

    g_assert_cmpint(x86_accesses(bytes, 0), ==, X86_AS_TOLD);
    for (unsigned i = 0; i < 1u << 16; i++) {
        bytes[0] = (uint8_t)i;
        bytes[1] = (uint8_t)(i >> 8);
        x86_accesses(bytes, 1);
        x86_accesses(bytes, 2);
    }
    /* inc eax, in 32-bit code */
    g_assert_cmpint(x86_accesses((const uint8_t[]){ 0x40 }, 1), ==, X86_AS_TOLD);
}

static void test_levels(void)
{
    static const struct {
        X86Registers registers; /* cr0, eflags, cs, has_efer, efer */
        unsigned cpl;
        enum mt_mode mode;
    } cases[] = {
        { { 0x10, 0, 0xf003, true, 0 }, 0, MT_MODE_16 },         /* real mode: cs is a segment, no selector */
        { { 0x11, 1u << 17, 0x1000, true, 0 }, 3, MT_MODE_16 },  /* virtual 8086 */
        { { 0x11, 0, 0x10, true, 0 }, 0, MT_MODE_32 },           /* protected, and no long mode */
        { { 0x11, 0, 0xabcd0033, true, 0x500 }, 3, MT_MODE_64 }, /* Linux's user code */
        { { 0x11, 0, 0x23, true, 0x500 }, 3, MT_MODE_32 },       /* and 32-bit programs */
        { { 0x11, 0, 0x10, true, 0x500 }, 0, MT_MODE_64 },       /* the kernel */
        { { 0x11, 0, 0x33, false, 0 }, 3, MT_MODE_UNKNOWN },     /* a QEMU that doesn't show efer */
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_assert_cmpuint(x86_cpl(&cases[i].registers), ==, cases[i].cpl);
        g_assert_cmpint(x86_mode(&cases[i].registers), ==, cases[i].mode);
    }
}

static void test_addresses(void)
{
    static const struct {
        uint64_t address;
        bool kernel, canonical;
    } cases[] = {
        { 0, false, true },
        { UINT64_C(0x00ffffffffffffff), false, true },
        { UINT64_C(0x0100000000000000), false, false },
        { UINT64_C(0xfeffffffffffffff), true, false },
        { UINT64_C(0xff00000000000000), true, true },
        { UINT64_MAX, true, true },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct mt_instruction instruction = { .pc = cases[i].address };

        g_assert_cmpint(x86_is_kernel_address(cases[i].address), ==, cases[i].kernel);
        g_assert_cmpint(x86_is_canonical(cases[i].address), ==, cases[i].canonical);
        g_assert_cmpint(x86_is_kernel_code(&instruction), ==, cases[i].kernel);
        instruction.cpl = 3;
        g_assert_false(x86_is_kernel_code(&instruction));
    }
}

static void test_what_may_remap(void)
{
    static const struct {
        const char *text;
        uint8_t bytes[4];
        size_t count;
        bool may;
    } cases[] = {
        { "mov cr3, rax", { 0x0f, 0x22, 0xd8 }, 3, true },
        { "mov rax, cr3", { 0x0f, 0x20, 0xd8 }, 3, false },
        { "wrmsr", { 0x0f, 0x30 }, 2, true },
        { "invlpg [rdi]", { 0x0f, 0x01, 0x3f }, 3, true },
        { "swapgs", { 0x0f, 0x01, 0xf8 }, 3, false },
        { "invpcid rdi, [rsi]", { 0x66, 0x0f, 0x38, 0x82 }, 4, true },
        { "mov eax, [rdi]", { 0x8b, 0x07 }, 2, false },
        { "cut off", { 0x48, 0x0f }, 2, false },
        { "prefixes only", { 0x66, 0x48 }, 2, false },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
        if (x86_may_remap(cases[i].bytes, cases[i].count) != cases[i].may)
            g_error("%s: %d", cases[i].text, !cases[i].may);
}

/* Memory with page tables of four and five levels, at physical 0x1000 and so on. */
typedef struct {
    uint64_t tables[6][X86_TABLE_ENTRIES];
    unsigned reads;
} Tables;

static bool read_entry(void *data, uint64_t address, uint64_t *entry)
{
    Tables *tables = data;
    uint64_t table = address / 0x1000 - 1;

    if (table >= G_N_ELEMENTS(tables->tables))
        return false;
    tables->reads++;
    *entry = tables->tables[table][address % 0x1000 / sizeof *entry];
    return true;
}

#define CR3_PCID 0x8000000000000123 /* what else CR3 may have */
#define NO_EXECUTE (UINT64_C(1) << 63)

static void test_walk(void)
{
    g_autofree Tables *tables = g_new0(Tables, 1);
    static const struct {
        uint64_t address;
        unsigned levels, shift, reads;
        uint64_t physical;
    } cases[] = {
        { 0x0000000000003456, 4, 12, 4, 0x000abcdef0000456 }, /* entry 3 of the lowest table; its bit 7 is no leaf */
        { 0x0000000000004456, 4, 0, 4, 0 },                   /* not present */
        { 0x0000000000234567, 4, 21, 3, 0x40034567 },         /* entry 1 of the second: bit 12 is the PAT's */
        { 0x0000000012345678, 4, 0, 3, 0 },                   /* not there */
        { 0x0000000052345678, 4, 30, 2, 0x1c0000000 | 0x12345678 },
        { 0x00000000c0000000, 4, 0, 2, 0 }, /* a table that can't be read */
        { 0x0000008000000000, 4, 0, 1, 0 }, /* a leaf where there can't be one */
        { 0xffffff8000234567, 4, 21, 3, 0x40034567 },
        { 0x0000000000234567, 5, 21, 4, 0x40034567 },
        { 0xff00000000003456, 5, 12, 5, 0x000abcdef0000456 },
    };

    /* 0x1000: five levels. 0x2000: four. 0x3000, 0x4000, 0x5000: the lower ones. */
    tables->tables[0][0] = tables->tables[0][256] = 0x2000 | X86_ENTRY_PRESENT;
    tables->tables[1][0] = tables->tables[1][511] = NO_EXECUTE | 0x3000 | X86_ENTRY_PRESENT;
    tables->tables[1][1] = 0x40000000 | X86_ENTRY_PRESENT | X86_ENTRY_LEAF;
    tables->tables[2][0] = 0x4000 | X86_ENTRY_PRESENT;
    tables->tables[2][1] = NO_EXECUTE | 0x1c0001000 | X86_ENTRY_PRESENT | X86_ENTRY_LEAF;
    tables->tables[2][3] = 0x123456000 | X86_ENTRY_PRESENT;
    tables->tables[3][0] = 0x5000 | X86_ENTRY_PRESENT;
    tables->tables[3][1] = 0x40001000 | X86_ENTRY_PRESENT | X86_ENTRY_LEAF;
    tables->tables[4][3] = NO_EXECUTE | 0x000abcdef0000000 | X86_ENTRY_PRESENT | X86_ENTRY_LEAF;

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        uint64_t physical = 0;

        tables->reads = 0;
        g_assert_cmpuint(x86_walk(CR3_PCID | (cases[i].levels == 5 ? 0x1000 : 0x2000), cases[i].levels,
                                  cases[i].address, read_entry, tables, &physical),
                         ==, cases[i].shift);
        g_assert_cmphex(physical, ==, cases[i].physical);
        g_assert_cmpuint(tables->reads, ==, cases[i].reads);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/x86/vectors", test_vectors);
    g_test_add_func("/x86/locked", test_locked);
    g_test_add_func("/x86/cut_off", test_what_is_cut_off);
    g_test_add_func("/x86/levels", test_levels);
    g_test_add_func("/x86/addresses", test_addresses);
    g_test_add_func("/x86/remap", test_what_may_remap);
    g_test_add_func("/x86/walk", test_walk);
    return g_test_run();
}
