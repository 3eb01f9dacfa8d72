/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the plugin reads the guest's kernel, on memory and instructions that are made here. */
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "../../src/plugin/interface.h"
#include "../../src/plugin/kernel.h"
#include "../../src/plugin/kernel_functions.h"
#include "../../src/plugin/kernel_memory.h"
#include "../../src/plugin/slabs.h"

#define BASE UINT64_C(0xffff888000000000)
#define VMEMMAP UINT64_C(0xffffea0000000000)
#define TEXT UINT64_C(0xffffffff81000000)
#define FRAMES 8192u /* 32 MiB of memory */
#define HOLE 1024u   /* this many frames in its middle are missing */
#define PAGE_STRUCT 64u
#define CACHE (BASE + 1024)
#define CACHE_FIELD 8 /* in a struct page */
#define ORDER_FIELD 40
#define TYPE_FIELD 48
#define FREE 0xffffff7fu

/* QEMU: two pieces of the guest's memory, and instructions. */

static uint8_t memory[2 * 4096], pages[FRAMES * PAGE_STRUCT];
static unsigned reads;

bool qemu_plugin_read_memory_vaddr(uint64_t address, GByteArray *data, size_t bytes)
{
    uint64_t in_pages = address - VMEMMAP;
    const uint8_t *from = NULL;

    reads++;
    if (address >= BASE && address - BASE <= sizeof memory - bytes)
        from = memory + (address - BASE);
    else if (address >= VMEMMAP && in_pages <= sizeof pages - bytes &&
             (in_pages + bytes <= (FRAMES - HOLE) / 2 * PAGE_STRUCT || in_pages >= (FRAMES + HOLE) / 2 * PAGE_STRUCT))
        from = pages + in_pages;
    g_byte_array_set_size(data, (guint)bytes);
    if (from)
        memcpy(data->data, from, bytes);
    return from;
}

struct qemu_plugin_insn {
    uint64_t address;
    uint8_t code[16];
    size_t bytes;
};

uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn)
{
    return insn->address;
}

size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn)
{
    return insn->bytes;
}

size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *insn, void *to, size_t bytes)
{
    memcpy(to, insn->code, MIN(bytes, insn->bytes));
    return MIN(bytes, insn->bytes);
}

GArray *qemu_plugin_get_registers(void)
{
    return NULL;
}

struct qemu_plugin_register *interface_find_register(GArray *registers, const char *name)
{
    (void)registers;
    (void)name;
    return NULL;
}

bool interface_read_register(struct qemu_plugin_register *handle, GByteArray *bytes)
{
    (void)handle;
    (void)bytes;
    return false;
}

/* kernel_memory.c: all of its functions have both ends. */

bool kernel_memory_is_wanted(void)
{
    return true;
}

bool kernel_memory_watches(unsigned function)
{
    return function >= KERNEL_SETUP_OBJECT;
}

bool kernel_memory_watches_begin(unsigned function)
{
    return kernel_memory_watches(function);
}

bool kernel_memory_watches_end(unsigned function)
{
    return kernel_memory_watches(function);
}

/* The kernel: a task has two members beside each other and one elsewhere. */
static void load(void)
{
    g_autofree char *path = NULL, *text = NULL;
    KernelLayout layout;
    int fd = g_file_open_tmp("test_kernel.XXXXXX", &path, NULL);

    kernel_layout_init(&layout);
    layout.function[KERNEL_SWITCH_TO] = (KernelRange){ TEXT + 0x100, TEXT + 0x200 };
    layout.function[KERNEL_IRQ_EXIT] = (KernelRange){ TEXT + 0x1ff0, TEXT + 0x2010 }; /* on two pages */
    layout.function[KERNEL_SOFTIRQS] = (KernelRange){ TEXT + 0x5000, TEXT + 0x5100 };
    layout.cold[KERNEL_SOFTIRQS] = (KernelRange){ TEXT + 0x9000, TEXT + 0x9010 };
    layout.offset[KERNEL_TASK_PID] = 8;
    layout.offset[KERNEL_TASK_START] = 16;
    layout.offset[KERNEL_TASK_MM] = 4000;
    layout.offset[KERNEL_PAGE_BYTES] = PAGE_STRUCT;
    layout.offset[KERNEL_PAGE_FLAGS] = 0;
    layout.offset[KERNEL_PAGE_TYPE] = TYPE_FIELD;
    layout.offset[KERNEL_PAGE_ORDER] = ORDER_FIELD;
    layout.offset[KERNEL_PAGE_HEAD] = 8;
    layout.offset[KERNEL_SLAB_FLAG] = 9;
    layout.offset[KERNEL_SLAB_CACHE] = CACHE_FIELD;
    layout.offset[KERNEL_SLAB_OBJECTS] = 32;
    layout.offset[KERNEL_CACHE_NAME] = 0;
    layout.offset[KERNEL_CACHE_SIZE] = 8;
    layout.function[KERNEL_SETUP_OBJECT] = layout.function[KERNEL_ALLOCATE_SLAB] = layout.function[KERNEL_FREE_SLAB] =
        (KernelRange){ TEXT + 0x7000, TEXT + 0x7001 };
    layout.variable[KERNEL_VMEMMAP_BASE] = layout.variable[KERNEL_PAGE_OFFSET_BASE] =
        layout.variable[KERNEL_MAX_FRAME] = BASE;
    text = kernel_layout_write(&layout);
    close(fd);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    g_assert_true(kernel_load(path, NULL));
    g_unlink(path);
    kernel_functions_init();
}

static void test_what_lies_close_together_is_read_once(void)
{
    uint64_t task = BASE + 512, word;
    uint32_t pid;

    memcpy(memory + 512 + 8, &(const uint32_t){ 7 }, 4);
    memcpy(memory + 512 + 16, &(const uint64_t){ 99 }, 8);
    kernel_read_anew();
    reads = 0;
    g_assert_true(kernel_read_u32(task, KERNEL_TASK_PID, &pid) && kernel_read_u64(task, KERNEL_TASK_START, &word));
    g_assert_cmpuint(pid, ==, 7);
    g_assert_cmpuint(word, ==, 99);
    g_assert_cmpuint(reads, ==, 1);

    memory[512 + 8] = 8; /* seen only when it is read anew */
    g_assert_true(kernel_read_u32(task, KERNEL_TASK_PID, &pid));
    g_assert_cmpuint(pid, ==, 7);
    kernel_read_anew();
    g_assert_true(kernel_read_u32(task, KERNEL_TASK_PID, &pid));
    g_assert_cmpuint(pid, ==, 8);
}

static void test_reads_of_any_size_give_what_is_there(void)
{
    GRand *random = g_rand_new_with_seed(1);
    uint8_t got[3000];

    for (unsigned i = 0; i < sizeof memory; i++)
        memory[i] = (uint8_t)(i * 7 + i / 256);
    for (unsigned i = 0; i < 5000; i++) {
        unsigned bytes = (unsigned)g_rand_int_range(random, 0, i % 2 ? 20 : sizeof got);
        unsigned at = (unsigned)g_rand_int_range(random, 0, (int)sizeof memory);
        bool there = at + bytes <= sizeof memory;

        if (i % 10 == 0)
            kernel_read_anew();
        g_assert_cmpint(kernel_read_memory(BASE + at, got, bytes), ==, there);
        if (there)
            g_assert_cmpmem(got, bytes, memory + at, bytes);
    }
    g_rand_free(random);
}

/* Finding functions. */

static unsigned found;
static unsigned last_found;

static void note_found(struct qemu_plugin_insn *insn, unsigned what)
{
    (void)insn;
    found++;
    last_found = what;
}

#define NONE 0xffffu

static void assert_found(uint64_t address, const char *code, size_t bytes, unsigned what)
{
    struct qemu_plugin_insn insn = { .address = address, .bytes = bytes };

    memcpy(insn.code, code, bytes);
    found = 0;
    kernel_functions_find(&insn, note_found);
    g_assert_cmpuint(found, ==, what != NONE);
    if (found)
        g_assert_cmpuint(last_found, ==, what);
}

static void test_functions_are_found_where_they_begin_and_end(void)
{
    assert_found(TEXT + 0x100, "\x90", 1, KERNEL_SWITCH_TO);
    assert_found(TEXT + 0x101, "\xc3", 1, NONE); /* its end says nothing */
    assert_found(TEXT + 0x4100, "\x90", 1, NONE);
    assert_found(TEXT + 0x1000100, "\x90", 1, NONE); /* a page with the same low bits */
    assert_found(TEXT + 0x1ff0, "\x90", 1, NONE);    /* only its end says something */
    assert_found(TEXT + 0x200f, "\xc3", 1, KERNEL_IRQ_EXIT | KERNEL_FUNCTION_LEAVES);
    assert_found(TEXT + 0x2010, "\xc3", 1, NONE);
    assert_found(TEXT + 0x5000, "\x90", 1, KERNEL_SOFTIRQS);
    assert_found(TEXT + 0x5010, "\xeb\x10", 2, NONE); /* jumps inside of it, out, to its cold part, elsewhere */
    assert_found(TEXT + 0x50f8, "\xeb\x10", 2, KERNEL_SOFTIRQS | KERNEL_FUNCTION_LEAVES);
    assert_found(TEXT + 0x5010, "\xe9\xeb\x3f\x00\x00", 5, NONE);
    assert_found(TEXT + 0x5010, "\xe9\x00\x50\x00\x00", 5, KERNEL_SOFTIRQS | KERNEL_FUNCTION_LEAVES);
}

/* Looking for slabs. */

static GString *told;

static void note_change(unsigned vcpu, Change *change)
{
    (void)vcpu;
    if (change->kind == CHANGE_SLAB_CACHE)
        g_string_append_printf(told, "%s of %u; ", change->text, (unsigned)change->value[1]);
    if (change->kind == CHANGE_SLAB)
        g_string_append_printf(told, "%u+%u/%u; ", (unsigned)change->value[1], (unsigned)change->value[2],
                               (unsigned)change->value[3]);
}

static void set_type(unsigned frame, uint32_t type, uint64_t order)
{
    memcpy(pages + frame * PAGE_STRUCT + TYPE_FIELD, &type, sizeof type);
    memcpy(pages + frame * PAGE_STRUCT + ORDER_FIELD, &order, sizeof order);
}

static void set_slab(unsigned frame)
{
    uint8_t *page = pages + frame * PAGE_STRUCT;

    memcpy(page, &(const uint64_t){ 1u << 9 }, 8);
    memcpy(page + CACHE_FIELD, &(const uint64_t){ CACHE }, 8);
    memcpy(page + 32, &(const uint16_t){ 42 }, 2); /* objects, in two frames */
}

static void set_up_cache(void)
{
    memset(pages, 0, sizeof pages);
    memset(memory, 0, sizeof memory);
    memcpy(memory + 1024, &(const uint64_t){ BASE + 2048 }, 8);
    memcpy(memory + 1024 + 8, &(const uint32_t){ 192 }, 4);
    strcpy((char *)memory + 2048, "dentry");
}

static void test_free_blocks_are_passed_over_and_no_slab_is(void)
{
    const Frames frames = { BASE, VMEMMAP, FRAMES, PAGE_STRUCT };
    unsigned all;

    set_up_cache();
    set_slab(3);
    set_slab(5);
    set_slab(1024 + 600); /* what is left over there of a slab that was freed, in a free block */
    set_slab(2048 + 4);
    set_slab(2048 + 1000);
    set_slab(FRAMES - 2);
    told = g_string_new(NULL);
    kernel_read_anew();
    reads = 0;
    g_assert_true(slabs_find_all(0, &frames, note_change));
    g_assert_cmpstr(told->str, ==, "dentry of 192; 3+4/2; 1624+2/2; 2052+2/2; 3048+2/2; 8190+2/2; ");
    all = reads;

    g_string_set_size(told, 0);
    set_type(1024, FREE, 10);
    set_type(2048, FREE, 2);        /* up to the slab */
    set_type(2048 + 512, FREE, 11); /* the kernel has none of this size: it isn't believed */
    set_type(2048 + 769, FREE, 8);  /* nor a block that begins where none of its size does */
    set_type(5120, FREE, 10);
    set_type(6144, FREE, 10);
    kernel_read_anew();
    reads = 0;
    g_assert_true(slabs_find_all(0, &frames, note_change));
    g_assert_cmpstr(told->str, ==, "dentry of 192; 3+4/2; 2052+2/2; 3048+2/2; 8190+2/2; ");
    g_assert_cmpuint(reads, <=, all - 3 * (1024 / 64 - 1));
    g_string_free(told, TRUE);
}

static void on_object(uint64_t address, unsigned wanted_reads, const char *wanted)
{
    const Frames frames = { BASE, VMEMMAP, FRAMES, PAGE_STRUCT };

    g_string_set_size(told, 0);
    kernel_read_anew();
    reads = 0;
    slabs_on_object(0, &frames, address, note_change);
    g_assert_cmpuint(reads, <=, wanted_reads);
    g_assert_cmpstr(told->str, ==, wanted);
}

static void test_a_new_slab_is_told_once_for_all_of_its_objects(void)
{
    const Frames frames = { BASE, VMEMMAP, FRAMES, PAGE_STRUCT };
    uint64_t slab = frames_address(&frames, 700);

    set_up_cache();
    told = g_string_new(NULL);
    g_assert_true(slabs_find_all(0, &frames, note_change));
    set_slab(700);
    memcpy(pages + 701 * PAGE_STRUCT + 8, &(const uint64_t){ frames_page(&frames, 700) + 1 }, 8); /* its head */
    on_object(slab + 192, 10, "dentry of 192; 700+2/2; ");
    on_object(slab + 384, 0, "");
    on_object(slab + 5000, 0, "");
    g_string_set_size(told, 0);
    slabs_on_freed(0, &frames, frames_page(&frames, 700), note_change);
    g_assert_cmpstr(told->str, ==, "700+2/2; ");
    on_object(slab + 5000, 10, "700+2/2; ");
    set_slab(900);
    on_object(frames_address(&frames, 900), 10, "900+2/2; ");
    on_object(slab, 10, "");
    g_string_free(told, TRUE);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    load();
    g_test_add_func("/kernel/what_lies_close_together_is_read_once", test_what_lies_close_together_is_read_once);
    g_test_add_func("/kernel/reads_of_any_size_give_what_is_there", test_reads_of_any_size_give_what_is_there);
    g_test_add_func("/kernel/functions_are_found_where_they_begin_and_end",
                    test_functions_are_found_where_they_begin_and_end);
    g_test_add_func("/kernel/free_blocks_are_passed_over_and_no_slab_is",
                    test_free_blocks_are_passed_over_and_no_slab_is);
    g_test_add_func("/kernel/a_new_slab_is_told_once_for_all_of_its_objects",
                    test_a_new_slab_is_told_once_for_all_of_its_objects);
    return g_test_run();
}
