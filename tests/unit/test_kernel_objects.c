/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a trace tells of the kernel's memory, with traces that are written here. */
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "../../src/context/kernels.h"
#include "../../src/source/derive.h"
#include "../../src/trace/writer.h"

#define MAP UINT64_C(0xffff888000000000)
#define VMALLOC UINT64_C(0xffffc90000000000)
#define VMEMMAP UINT64_C(0xffffea0000000000)
#define FRAMES UINT64_C(0x1000)
#define PAGE UINT64_C(4096)
#define CPU_0 (MAP + 0x800 * PAGE)
#define IMAGE UINT64_C(0xffffffff81000000)
#define MODULES UINT64_C(0xffffffffc0000000)
#define RECORDS 10 /* between the groups of changes */

static const char kallsyms[] = "0000000000000000 A __per_cpu_start\n"
                               "0000000000000040 A counters\n"
                               "0000000000000080 A __per_cpu_end\n"
                               "ffffffff81000000 T _text\n"
                               "ffffffff81000000 T _stext\n"
                               "ffffffff81000100 T do_it\n"
                               "ffffffff81001000 T _etext\n"
                               "ffffffff81002000 D _sdata\n"
                               "ffffffff81002000 D jiffies\n"
                               "ffffffff81002008 D next\n"
                               "ffffffff81009000 B _end\n"
                               "ffffffffc0100000 t code\t[late]\n"
                               "not a line\n";
static const char modules[] = "early 8192 0 - Live 0xffffffffc0000000\nnonsense\n";
static const char iomem[] = "00001000-0009fbff : System RAM\n"
                            "c0000000-febfffff : PCI Bus 0000:00\n"
                            "  febc0000-febc3fff : 0000:00:01.0\n"
                            "    febc0000-febc3fff : virtio-pci-modern\n"
                            "zz\n";

/* The first survey of the kernel's memory, a later one, and the changes in between. */
static const TraceChange first_look[] = {
    { .kind = CHANGE_USES, .value = { 1 } },
    { .kind = CHANGE_KERNEL_AREA, .value = { CHANGE_AREA_DIRECT_MAP, MAP, MAP + FRAMES *PAGE } },
    { .kind = CHANGE_KERNEL_AREA, .value = { CHANGE_AREA_VMEMMAP, VMEMMAP, VMEMMAP + FRAMES * 64 } },
    { .kind = CHANGE_KERNEL_AREA, .value = { CHANGE_AREA_VMALLOC, VMALLOC, VMEMMAP } },
    { .kind = CHANGE_KERNEL_AREA, .value = { CHANGE_AREA_PER_CPU, CPU_0, CPU_0 + 4 * PAGE, 0 } },
    { .kind = CHANGE_KERNEL_AREA, .value = { CHANGE_AREA_INTERRUPT_STACK, VMALLOC, VMALLOC + 4 * PAGE, 0 } },
    { .kind = CHANGE_VMALLOC, .value = { VMALLOC + 16 * PAGE, VMALLOC + 20 * PAGE, IMAGE + 0x108 } },
    { .kind = CHANGE_VMALLOC, .value = { MODULES + 0x100000, MODULES + 0x104000, IMAGE + 0x108 } },
    { .kind = CHANGE_PAGE_TABLE, .value = { 1, 7, 2 } },
    { .kind = CHANGE_SLAB_CACHE, .value = { 1, 192 }, .text = "dentry" },
    { .kind = CHANGE_SLAB, .value = { 1, 16, 6, 2 } }, /* three slabs of two pages: 42 objects each */
    { .kind = CHANGE_USES, .value = { 2, CHANGE_TELLS_SLABS | CHANGE_TELLS_PAGE_TABLES | CHANGE_TELLS_VMALLOC } },
    { .kind = CHANGE_TASK, .value = { 1, 77, 77, 5, 5, 0, 1 }, .text = "old" },
    { .kind = CHANGE_KERNEL_STACK, .value = { 1, VMALLOC + 16 * PAGE, VMALLOC + 20 * PAGE } },
    { .kind = CHANGE_KERNEL_STACK, .value = { 1, UINT64_MAX - 4095, UINT64_MAX } }, /* as all that follow: nonsense */
    { .kind = CHANGE_SLAB, .value = { 1, 0, UINT64_MAX, 1 } },
    { .kind = CHANGE_SLAB, .value = { 1, 64, 3, 2 } },
    { .kind = CHANGE_SLAB, .value = { 1, 64, 4, 0 } },
    { .kind = CHANGE_SLAB_CACHE, .value = { UINT64_MAX, 192 }, .text = "none" },
    { .kind = CHANGE_SLAB_CACHE, .value = { 2, 0 }, .text = "of nothing" },
    { .kind = CHANGE_SLAB, .value = { 2, 68, 1, 1 } },
    { .kind = CHANGE_PAGE_TABLE, .value = { 1, 100, UINT64_MAX } },
    { .kind = CHANGE_VMALLOC, .value = { VMALLOC + 64 * PAGE, VMALLOC, 0 } },
    { .kind = CHANGE_VFREE, .value = { VMALLOC + 999 * PAGE } },
};
static const TraceChange later[] = {
    { .kind = CHANGE_SLAB, .value = { 0, 18, 2, 2 } },
    { .kind = CHANGE_PAGE_TABLE, .value = { 0, 8, 1 } },
    { .kind = CHANGE_PAGE_TABLE, .value = { 1, 18, 1 } },
    { .kind = CHANGE_TASK, .value = { 2, 78, 77, 6, 5, 1, 1 }, .text = "new" },
    { .kind = CHANGE_VFREE, .value = { VMALLOC + 16 * PAGE } },
    { .kind = CHANGE_VMALLOC, .value = { VMALLOC + 16 * PAGE, VMALLOC + 20 * PAGE, IMAGE + 0x108 } },
    { .kind = CHANGE_KERNEL_STACK, .value = { 2, VMALLOC + 16 * PAGE, VMALLOC + 20 * PAGE } },
};
static const TraceChange second_look[] = {
    { .kind = CHANGE_USES, .value = { 1 } },
    { .kind = CHANGE_SLAB_CACHE, .value = { 3, 64 }, .text = "kmalloc-64" },
    { .kind = CHANGE_SLAB, .value = { 3, 20, 1, 1 } },
    { .kind = CHANGE_USES, .value = { 2, CHANGE_TELLS_SLABS | CHANGE_TELLS_PAGE_TABLES | CHANGE_TELLS_VMALLOC } },
};

/* Another kernel, which lies elsewhere. */
#define OTHER_MAP (MAP + (UINT64_C(1) << 40))
static const char other_kallsyms[] = "ffffffff82000000 T _text\n"
                                     "ffffffff82000000 T _stext\n"
                                     "ffffffff82001000 T _etext\n"
                                     "ffffffff82002000 D other_jiffies\n"
                                     "ffffffff82002008 D next\n"
                                     "ffffffff82009000 B _end\n";
static const char other_modules[] = "tardy 8192 0 - Live 0xffffffffc0000000\n";
static const TraceChange other_look[] = {
    { .kind = CHANGE_USES, .value = { 1 } },
    { .kind = CHANGE_KERNEL_AREA, .value = { CHANGE_AREA_DIRECT_MAP, OTHER_MAP, OTHER_MAP + FRAMES *PAGE } },
    { .kind = CHANGE_SLAB_CACHE, .value = { 1, 64 }, .text = "inode" },
    { .kind = CHANGE_SLAB, .value = { 1, 18, 1, 1 } },
    { .kind = CHANGE_USES, .value = { 2, CHANGE_TELLS_SLABS | CHANGE_TELLS_PAGE_TABLES | CHANGE_TELLS_VMALLOC } },
    { .kind = CHANGE_TASK, .value = { 1, 99, 99, 5, 5, 0, 1 }, .text = "other" },
    { .kind = CHANGE_KERNEL_STACK, .value = { 1, OTHER_MAP + 40 * PAGE, OTHER_MAP + 44 * PAGE } },
};

static GPtrArray *traces; /* that were opened */

static void add_records(TraceWriter *writer)
{
    struct gmbeoo_record records[RECORDS];

    for (unsigned i = 0; i < RECORDS; i++)
        records[i] = (struct gmbeoo_record){ GMBEOO_VALID, MAP };
    g_assert_true(trace_writer_add(writer, 0, records, RECORDS, 0, NULL));
}

static void add_changes(TraceWriter *writer, const TraceChange *changes, guint count)
{
    for (guint i = 0; i < count; i++) {
        TraceChange change = changes[i];

        change.text = change.text ? change.text : "";
        g_assert_true(trace_writer_add_change(writer, &change, NULL));
    }
    add_records(writer);
}

/* Ten records, the first survey, ten records, and so on. `looks`: how many surveys; 0: the trace has names only. */
static char *write_trace(unsigned looks)
{
    char *path = NULL;
    int fd = g_file_open_tmp("test_kernel_objects.XXXXXX", &path, NULL);
    g_autoptr(TraceWriter) writer = trace_writer_new(path, MT_FIELD_TASK, 1, TRACE_BLOCK_RECORDS, NULL);

    close(fd);
    g_assert_true(trace_writer_add_attachment(writer, "kallsyms", kallsyms, strlen(kallsyms), NULL));
    g_assert_true(trace_writer_add_attachment(writer, "modules", modules, strlen(modules), NULL));
    g_assert_true(trace_writer_add_attachment(writer, "iomem", iomem, strlen(iomem), NULL));
    add_records(writer);
    if (looks) {
        add_changes(writer, first_look, G_N_ELEMENTS(first_look));
        add_changes(writer, later, G_N_ELEMENTS(later));
    }
    if (looks > 1)
        add_changes(writer, second_look, G_N_ELEMENTS(second_look));
    g_assert_true(trace_writer_finish(writer, NULL));
    return path;
}

static char *write_other_trace(void)
{
    char *path = NULL;
    int fd = g_file_open_tmp("test_kernel_objects.XXXXXX", &path, NULL);
    g_autoptr(TraceWriter) writer = trace_writer_new(path, MT_FIELD_TASK, 1, TRACE_BLOCK_RECORDS, NULL);

    close(fd);
    g_assert_true(trace_writer_add_attachment(writer, "kallsyms", other_kallsyms, strlen(other_kallsyms), NULL));
    g_assert_true(trace_writer_add_attachment(writer, "modules", other_modules, strlen(other_modules), NULL));
    add_changes(writer, other_look, G_N_ELEMENTS(other_look));
    g_assert_true(trace_writer_finish(writer, NULL));
    return path;
}

static Kernels *read_objects(const char *path)
{
    struct mt_error error;
    mt_trace *trace = mt_trace_open(path, MT_FORMAT_FILE, &error);

    g_assert_nonnull(trace);
    g_ptr_array_add(traces, trace);
    return kernels_new(trace);
}

static void assert_object_of(Kernels *kernels, uint32_t input, uint64_t position, uint64_t address, ObjectRegion region,
                             const char *name, uint64_t begin, uint64_t end)
{
    AddressObject object;

    g_assert_true(kernels_find(kernels, input, position, address, MT_PADDR_UNKNOWN, &object, NULL));
    g_assert_cmpstr(object.name, ==, name);
    g_assert_cmpint(object.region, ==, region);
    if (end) {
        g_assert_cmphex(object.begin, ==, begin);
        g_assert_cmphex(object.end, ==, end);
    }
}

static void assert_object(Kernels *kernels, uint64_t position, uint64_t address, ObjectRegion region, const char *name,
                          uint64_t begin, uint64_t end)
{
    assert_object_of(kernels, 0, position, address, region, name, begin, end);
}

static Kernels *read_once(unsigned looks)
{
    g_autofree char *path = write_trace(looks);
    Kernels *objects = read_objects(path);

    g_unlink(path);
    return objects;
}

static void test_objects_of_slabs_begin_where_their_slab_does(void)
{
    g_autoptr(Kernels) objects = read_once(1);
    uint64_t slab = MAP + 18 * PAGE; /* the second one */

    assert_object(objects, 0, slab, OBJECT_SLAB, "dentry", slab, slab + 192);
    assert_object(objects, 5, slab + PAGE + 1, OBJECT_SLAB, "dentry", slab + 4032, slab + 4224);
    assert_object(objects, 5, slab + 42 * 192 - 1, OBJECT_SLAB, "dentry", slab + 41 * 192, slab + 42 * 192);
    assert_object(objects, 5, slab + 42 * 192, OBJECT_SLAB, "dentry", slab + 42 * 192, slab + 2 * PAGE);
    assert_object(objects, 5, MAP + 21 * PAGE, OBJECT_SLAB, "dentry", MAP + 20 * PAGE + 4032, MAP + 20 * PAGE + 4224);
    assert_object(objects, 5, MAP + 22 * PAGE, OBJECT_DIRECT_MAP, "direct-map", MAP, MAP + FRAMES * PAGE);
}

/* Records 0 to 19 come before what changes later. They may be asked for in any order. */
static void test_what_changes_counts_from_its_place_on(void)
{
    g_autoptr(Kernels) objects = read_once(1);
    uint64_t page = MAP + 18 * PAGE, stack = VMALLOC + 16 * PAGE;

    for (unsigned round = 0; round < 2; round++) {
        assert_object(objects, 19, page, OBJECT_SLAB, "dentry", page, page + 192);
        assert_object(objects, 20, page, OBJECT_PAGE_TABLE, "page-table", page, page + PAGE);
        assert_object(objects, 20, page + PAGE, OBJECT_DIRECT_MAP, "direct-map", 0, 0);
        assert_object(objects, 19, MAP + 8 * PAGE + 8, OBJECT_PAGE_TABLE, "page-table", MAP + 8 * PAGE, MAP + 9 * PAGE);
        assert_object(objects, 20, MAP + 8 * PAGE + 8, OBJECT_DIRECT_MAP, "direct-map", 0, 0);
        assert_object(objects, 0, stack + PAGE, OBJECT_KERNEL_STACK, "stack of 77", stack, stack + 4 * PAGE);
        assert_object(objects, 19, stack + PAGE, OBJECT_KERNEL_STACK, "stack of 77", stack, stack + 4 * PAGE);
        assert_object(objects, 20, stack + PAGE, OBJECT_KERNEL_STACK, "stack of 78", stack, stack + 4 * PAGE);
    }
}

static void assert_extent(Kernels *objects, uint64_t position, uint64_t address, ObjectExtent expected)
{
    AddressObject object;
    ObjectExtent extent;

    g_assert_true(kernels_find(objects, 0, position, address, MT_PADDR_UNKNOWN, &object, &extent));
    g_assert_cmphex(extent.begin, ==, expected.begin);
    g_assert_cmphex(extent.end, ==, expected.end);
    g_assert_cmpuint(extent.from, ==, expected.from);
    g_assert_cmpuint(extent.to, ==, expected.to);
}

/* Whatever becomes of other pages meanwhile. */
static void test_an_answer_holds_while_its_page_is_used_as_it_is(void)
{
    g_autoptr(Kernels) objects = read_once(1);
    uint64_t page = MAP + 16 * PAGE, changed = page + 2 * PAGE, stack = VMALLOC + 16 * PAGE;

    assert_extent(objects, 25, page + 200, (ObjectExtent){ page, page + PAGE, 0, UINT64_MAX });
    assert_extent(objects, 5, changed + 8, (ObjectExtent){ changed, changed + PAGE, 0, 20 });
    assert_extent(objects, 29, changed + 8, (ObjectExtent){ changed, changed + PAGE, 20, UINT64_MAX });
    assert_extent(objects, 25, MAP + 500 * PAGE, (ObjectExtent){ MAP + 500 * PAGE, MAP + 501 * PAGE, 0, UINT64_MAX });
    assert_extent(objects, 3, stack + PAGE + 1, (ObjectExtent){ stack + PAGE, stack + 2 * PAGE, 0, 20 });
    assert_extent(objects, 3, CPU_0 + 0x44, (ObjectExtent){ CPU_0 + 0x40, CPU_0 + 0x80, 0, UINT64_MAX });
    assert_extent(objects, 3, IMAGE + 0x180, (ObjectExtent){ IMAGE + 0x100, IMAGE + 0x1000, 0, UINT64_MAX });
    assert_extent(objects, 3, UINT64_MAX - 8, (ObjectExtent){ UINT64_MAX - 4095, UINT64_MAX, 0, UINT64_MAX });
}

/* All that an answer is said to hold for has it. */
static void test_what_an_answer_holds_for_has_the_same(void)
{
    static const uint64_t begins[] = { MAP + 6 * PAGE,      MAP + 15 * PAGE,     CPU_0 - PAGE,
                                       VMALLOC + 15 * PAGE, IMAGE + 0x2000 - 64, MODULES };
    g_autoptr(Kernels) objects = read_once(2);
    GRand *random = g_rand_new_with_seed(1);

    for (unsigned i = 0; i < 20000; i++) {
        uint64_t address = begins[i % G_N_ELEMENTS(begins)] + (uint64_t)g_rand_int_range(random, 0, 0x6000);
        AddressObject object, other;
        ObjectExtent extent, of_other;

        g_assert_true(kernels_find(objects, 0, (uint64_t)g_rand_int_range(random, 0, 40), address, MT_PADDR_UNKNOWN,
                                   &object, &extent));
        g_assert_true(address >= extent.begin && address < extent.end);
        address = extent.begin + g_rand_int(random) % (extent.end - extent.begin);
        g_assert_true(kernels_find(objects, 0,
                                   extent.from + g_rand_int(random) % (MIN(extent.to, 40) - MIN(extent.from, 39)),
                                   address, MT_PADDR_UNKNOWN, &other, &of_other));
        g_assert_cmpint(object.region, ==, other.region);
        g_assert_cmpstr(object.name, ==, other.name);
    }
    g_rand_free(random);
}

static void test_looking_again_replaces_what_was_told(void)
{
    g_autoptr(Kernels) objects = read_once(2);

    assert_object(objects, 29, MAP + 16 * PAGE, OBJECT_SLAB, "dentry", 0, 0);
    assert_object(objects, 30, MAP + 16 * PAGE, OBJECT_DIRECT_MAP, "direct-map", 0, 0);
    assert_object(objects, 29, MAP + 20 * PAGE, OBJECT_SLAB, "dentry", 0, 0);
    assert_object(objects, 30, MAP + 20 * PAGE, OBJECT_SLAB, "kmalloc-64", MAP + 20 * PAGE, MAP + 20 * PAGE + 64);
    assert_object(objects, 30, MAP + 7 * PAGE, OBJECT_DIRECT_MAP, "direct-map", 0, 0);
}

static void test_the_other_areas_have_their_names(void)
{
    g_autoptr(Kernels) objects = read_once(1);
    AddressObject object;

    assert_object(objects, 0, IMAGE + 0x180, OBJECT_KERNEL_TEXT, "do_it", IMAGE + 0x100, IMAGE + 0x1000);
    assert_object(objects, 0, IMAGE + 0x2004, OBJECT_KERNEL_DATA, "jiffies", IMAGE + 0x2000, IMAGE + 0x2008);
    assert_object(objects, 0, CPU_0 + 0x44, OBJECT_PER_CPU, "counters", CPU_0 + 0x40, CPU_0 + 0x80);
    assert_object(objects, 0, CPU_0 + 0x80, OBJECT_PER_CPU, "per-cpu", CPU_0, CPU_0 + 4 * PAGE);
    assert_object(objects, 0, VMALLOC + 8, OBJECT_KERNEL_STACK, "interrupt stack of CPU 0", VMALLOC,
                  VMALLOC + 4 * PAGE);
    assert_object(objects, 0, VMALLOC + 30 * PAGE, OBJECT_VMALLOC, "vmalloc", VMALLOC, VMEMMAP);
    assert_object(objects, 0, VMEMMAP + 64, OBJECT_VMEMMAP, "vmemmap", VMEMMAP, VMEMMAP + FRAMES * 64);
    assert_object(objects, 0, MODULES + 8191, OBJECT_MODULE, "early", MODULES, MODULES + 8192);
    assert_object(objects, 0, MODULES + 0x101000, OBJECT_MODULE, "late", MODULES + 0x100000, MODULES + 0x104000);
    assert_object(objects, 0, MODULES + 0x300000, OBJECT_UNKNOWN_KERNEL, "unknown-kernel", 0, 0);
    assert_object(objects, 0, UINT64_C(0xfffffe0000001000), OBJECT_PER_CPU, "cpu_entry_area", 0, 0);
    assert_object(objects, 0, MAP - 1, OBJECT_UNKNOWN_KERNEL, "unknown-kernel", 0, 0);
    g_assert_true(kernels_find(objects, 0, 0, VMALLOC + 0x40010, 0xfebc0010 | MT_PADDR_IO, &object, NULL));
    g_assert_cmpint(object.region, ==, OBJECT_DEVICE);
    g_assert_cmpstr(object.name, ==, "0000:00:01.0 virtio-pci-modern");
    g_assert_cmphex(object.begin, ==, VMALLOC + 0x40000);
    g_assert_cmphex(object.end, ==, VMALLOC + 0x44000);
    g_assert_true(kernels_find(objects, 0, 0, VMALLOC + 0x50020, 0xfee00020 | MT_PADDR_IO, &object, NULL));
    g_assert_cmpstr(object.name, ==, "Local APIC");
    g_assert_cmphex(object.begin, ==, VMALLOC + 0x50000);
    g_assert_cmphex(object.end, ==, VMALLOC + 0x51000);
    g_assert_false(kernels_find(objects, 0, 0, 0x1000, MT_PADDR_UNKNOWN, &object, NULL));
}

/* No address has a name that nobody has told. */
static void test_a_trace_that_tells_nothing_has_unknown_memory(void)
{
    g_autoptr(Kernels) objects = read_once(0);

    assert_object(objects, 5, MAP + 18 * PAGE, OBJECT_UNKNOWN_KERNEL, "unknown-kernel", 0, 0);
    assert_object(objects, 5, VMALLOC, OBJECT_UNKNOWN_KERNEL, "unknown-kernel", 0, 0);
    assert_object(objects, 5, IMAGE + 0x2000, OBJECT_KERNEL_DATA, "jiffies", IMAGE + 0x2000, IMAGE + 0x2008);
}

/* Of each of these traces, the records that are selected. Returns the path. */
static char *derive(const char *const *paths, const char *events)
{
    static unsigned number;
    g_autoptr(GPtrArray) inputs = g_ptr_array_new_with_free_func((GDestroyNotify)input_free);
    g_auto(Selection) selection = SELECTION_INIT;
    char *output = g_strdup_printf("%s.derived-%u", paths[0], number++), *words[] = { "test", NULL };

    selection.events = g_strdup(events);
    for (; *paths; paths++)
        g_ptr_array_add(inputs, input_open(*paths, &selection, MT_COLUMN_ALL | MT_COLUMN_TASK, NULL));
    g_assert_true(derive_file(inputs, VCPUS_KEEP, words, output, NULL));
    return output;
}

/* What was so before the part that is kept still is. */
static void test_a_part_keeps_what_is_told(void)
{
    g_autofree char *path = write_trace(1), *derived = derive((const char *[]){ path, NULL }, "15..");
    g_autoptr(Kernels) part = read_objects(derived);

    assert_object(part, 4, MAP + 18 * PAGE, OBJECT_SLAB, "dentry", 0, 0);
    assert_object(part, 5, MAP + 18 * PAGE, OBJECT_PAGE_TABLE, "page-table", 0, 0);
    assert_object(part, 5, VMALLOC + 16 * PAGE, OBJECT_KERNEL_STACK, "stack of 78", 0, 0);
    g_unlink(path);
    g_unlink(derived);
}

/* `input`: whose kernel it is; `begin`: where its first record is, or would be. */
static void assert_first_kernel(Kernels *kernels, uint32_t input, uint64_t begin)
{
    uint64_t page = MAP + 18 * PAGE;

    assert_object_of(kernels, input, begin + 19, page, OBJECT_SLAB, "dentry", page, page + 192);
    assert_object_of(kernels, input, begin + 20, page, OBJECT_PAGE_TABLE, "page-table", 0, 0);
    assert_object_of(kernels, input, begin + 19, VMALLOC + 16 * PAGE, OBJECT_KERNEL_STACK, "stack of 77", 0, 0);
    assert_object_of(kernels, input, begin + 19, IMAGE + 0x2000, OBJECT_KERNEL_DATA, "jiffies", 0, 0);
    assert_object_of(kernels, input, begin + 19, MODULES, OBJECT_MODULE, "early", 0, 0);
    assert_object_of(kernels, input, begin + 19, OTHER_MAP + 18 * PAGE, OBJECT_UNKNOWN_KERNEL, "unknown-kernel", 0, 0);
}

static void assert_other_kernel(Kernels *kernels, uint32_t input, uint64_t begin)
{
    uint64_t page = OTHER_MAP + 18 * PAGE;

    assert_object_of(kernels, input, begin, page, OBJECT_SLAB, "inode", page, page + 64);
    assert_object_of(kernels, input, begin, OTHER_MAP + 41 * PAGE, OBJECT_KERNEL_STACK, "stack of 99", 0, 0);
    assert_object_of(kernels, input, begin, UINT64_C(0xffffffff82002000), OBJECT_KERNEL_DATA, "other_jiffies", 0, 0);
    assert_object_of(kernels, input, begin, MODULES, OBJECT_MODULE, "tardy", 0, 0);
    assert_object_of(kernels, input, begin, MAP + 18 * PAGE, OBJECT_UNKNOWN_KERNEL, "unknown-kernel", 0, 0);
}

/* The traces have no times: so one follows the other. */
static void test_a_merge_keeps_each_kernel(void)
{
    g_autofree char *path = write_trace(1), *other = write_other_trace();
    g_autofree char *merged = derive((const char *[]){ path, other, NULL }, NULL);
    g_autofree char *again = derive((const char *[]){ other, merged, NULL }, NULL);
    g_autofree char *part = derive((const char *[]){ merged, NULL }, "5..");
    g_autoptr(Kernels) of_merged = read_objects(merged), of_again = read_objects(again), of_part = read_objects(part);

    for (unsigned round = 0; round < 2; round++) {
        assert_first_kernel(of_merged, 0, 0);
        assert_other_kernel(of_merged, 1, 3 * RECORDS);
        assert_other_kernel(of_again, 0, 0);
        assert_first_kernel(of_again, 1, RECORDS);
        assert_other_kernel(of_again, 2, 4 * RECORDS);
        assert_first_kernel(of_part, 0, (uint64_t)-5);
        assert_other_kernel(of_part, 1, 3 * RECORDS - 5);
    }
    g_unlink(path);
    g_unlink(other);
    g_unlink(merged);
    g_unlink(again);
    g_unlink(part);
}

/* What a running guest's changes tell at a time is what the trace tells at its place. */
static void test_a_running_guest(void)
{
    static const struct {
        const TraceChange *changes;
        guint count;
    } parts[] = { { first_look, G_N_ELEMENTS(first_look) },
                  { later, G_N_ELEMENTS(later) },
                  { second_look, G_N_ELEMENTS(second_look) } };
    g_autoptr(Kernels) kernels = read_once(2);
    g_autoptr(KernelNames) names = kernel_names_new(kallsyms, modules, iomem);
    g_autoptr(KernelObjects) live = kernel_objects_new_live(names);

    for (guint i = 0; i < G_N_ELEMENTS(parts); i++) {
        for (guint k = 0; k < parts[i].count; k++) {
            TraceChange change = parts[i].changes[k];

            change.text = change.text ? change.text : "";
            kernel_objects_add(live, &change);
        }
        for (guint page = 0; page < 64; page++) {
            const uint64_t addresses[] = { MAP + page * PAGE + 8, CPU_0 + page * 16, VMALLOC + page * PAGE,
                                           IMAGE + page * 256, MODULES + page * 32 * PAGE };

            for (guint k = 0; k < G_N_ELEMENTS(addresses); k++) {
                AddressObject object, of_trace;

                g_assert_true(
                    kernels_find(kernels, 0, (i + 1) * RECORDS, addresses[k], MT_PADDR_UNKNOWN, &of_trace, NULL));
                g_assert_true(kernel_objects_find(live, i, addresses[k], MT_PADDR_UNKNOWN, &object, NULL));
                g_assert_cmpstr(object.name, ==, of_trace.name);
                g_assert_cmpint(object.region, ==, of_trace.region);
                g_assert_cmphex(object.begin, ==, of_trace.begin);
                g_assert_cmphex(object.end, ==, of_trace.end);
            }
        }
    }
}

int main(int argc, char **argv)
{
    int status;

    traces = g_ptr_array_new_with_free_func((GDestroyNotify)mt_trace_close);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/kernel_objects/slabs", test_objects_of_slabs_begin_where_their_slab_does);
    g_test_add_func("/kernel_objects/changes", test_what_changes_counts_from_its_place_on);
    g_test_add_func("/kernel_objects/extent", test_an_answer_holds_while_its_page_is_used_as_it_is);
    g_test_add_func("/kernel_objects/same", test_what_an_answer_holds_for_has_the_same);
    g_test_add_func("/kernel_objects/second_look", test_looking_again_replaces_what_was_told);
    g_test_add_func("/kernel_objects/areas", test_the_other_areas_have_their_names);
    g_test_add_func("/kernel_objects/unknown", test_a_trace_that_tells_nothing_has_unknown_memory);
    g_test_add_func("/kernel_objects/part", test_a_part_keeps_what_is_told);
    g_test_add_func("/kernel_objects/merge", test_a_merge_keeps_each_kernel);
    g_test_add_func("/kernel_objects/live", test_a_running_guest);
    status = g_test_run();
    g_ptr_array_unref(traces);
    return status;
}
