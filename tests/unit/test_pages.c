/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Physical pages are remembered for as long as they can't have changed, and QEMU is asked for few of them. QEMU's side
 * is ours here: it maps each page behind `mapped`, and counts how often it is asked. */
#include <string.h>

#include "../../src/plugin/page_sizes.h"
#include "../../src/plugin/pages.h"

#define PAGE (UINT64_C(1) << ROW_PAGE_SHIFT)
#define MIB (UINT64_C(1) << 20)

Plugin plugin = { .vcpus = 2 };
static uint64_t mapped;
static bool is_device, in_turns, vcpus_are_known;
static unsigned asked, told;
static unsigned drops;      /* so many events from now on are dropped; behind them, recording goes on */
static RowFrames frames[2]; /* what the other side of the ring knows */
static qemu_plugin_vcpu_udata_cb_t flush;

struct qemu_plugin_hwaddr {
    uint64_t physical;
};

struct qemu_plugin_hwaddr *qemu_plugin_get_hwaddr(qemu_plugin_meminfo_t info, uint64_t vaddr)
{
    static struct qemu_plugin_hwaddr address;

    (void)info;
    asked++;
    address.physical = (mapped + vaddr) & ~(UINT64_C(0xffff) << 48);
    return &address;
}

bool qemu_plugin_hwaddr_is_io(const struct qemu_plugin_hwaddr *address)
{
    (void)address;
    return is_device;
}

uint64_t qemu_plugin_hwaddr_phys_addr(const struct qemu_plugin_hwaddr *address)
{
    return address->physical;
}

/* The instruction is "mov %rax, %cr3". */
size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *insn, void *dest, size_t len)
{
    static const uint8_t bytes[] = { 0x0f, 0x22, 0xd8 };

    (void)insn;
    memcpy(dest, bytes, MIN(len, sizeof bytes));
    return sizeof bytes;
}

void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, qemu_plugin_vcpu_udata_cb_t cb,
                                            enum qemu_plugin_cb_flags flags, void *userdata)
{
    (void)insn, (void)flags, (void)userdata;
    flush = cb;
}

bool turns_are_taken(void)
{
    return in_turns;
}

bool ring_vcpus_are_known(const Ring *ring)
{
    (void)ring;
    return vcpus_are_known;
}

unsigned ring_fields(const Ring *ring)
{
    (void)ring;
    return MT_FIELD_PADDR;
}

uint64_t page_sizes_ask(unsigned vcpu, uint64_t virt_addr, uint64_t physical)
{
    (void)vcpu, (void)virt_addr, (void)physical;
    g_assert_not_reached(); /* without MT_FIELD_PAGE_SIZE */
}

void capture_put_event(unsigned vcpu, enum row_event event, uint64_t number)
{
    g_assert_cmpuint(event, ==, ROW_EVENT_FRAME);
    if (drops && !--drops) {
        pages_tell_again(vcpu);
    } else if (!drops) {
        told++;
        frames[vcpu].frame[row_event_slot(number)] = row_event_frame(number);
    }
}

static void begin(void)
{
    mapped = 16 * MIB;
    is_device = in_turns = false;
    vcpus_are_known = true;
    memset(pages, 0, sizeof pages); /* what another test has left there */
    pages_init();
    pages_look_for_flush(NULL);
    memset(frames, 0, sizeof frames);
    asked = told = drops = 0;
}

static uint64_t translate(unsigned vcpu, uint64_t vaddr)
{
    pages_tell(vcpu, 0, vaddr);
    return row_frames_paddr(&frames[vcpu], vaddr);
}

static void check(unsigned vcpu, uint64_t vaddr, unsigned times)
{
    g_assert_cmphex(translate(vcpu, vaddr), ==, (vaddr + mapped) & ~(UINT64_C(0xffff) << 48));
    g_assert_cmpuint(asked, ==, times);
}

static void test_a_page_is_asked_for_once(void)
{
    begin();
    for (unsigned i = 0; i < 100; i++)
        check(0, 0xffff888000001000 + i, 1);
    check(0, 0xffff888000002000, 2);
    check(1, 0xffff888000001000, 3); /* each vCPU has its own */
    check(0, 0xffff888000001000, 3);
}

/* As those of a sort, which merges two halves of an array into a third place. */
static void test_pages_one_and_two_mib_apart_are_remembered_at_once(void)
{
    begin();
    for (unsigned i = 0; i < 100; i++)
        for (unsigned place = 0; place < 3; place++)
            check(0, 0x7f0000000000 + place * MIB + i, MIN(3 * i + place + 1, 3));
}

static void test_a_write_to_cr3_makes_all_of_the_vcpu_s_forgotten(void)
{
    begin();
    check(0, 5 * PAGE, 1);
    check(1, 5 * PAGE, 2);
    flush(0, NULL);
    mapped += PAGE; /* what vCPU 1 remembers counts until it is told, too */
    check(0, 5 * PAGE, 3);
    g_assert_cmphex(translate(1, 5 * PAGE), ==, 5 * PAGE + mapped - PAGE);
    in_turns = true; /* who knows which one it is */
    flush(0, NULL);
    check(1, 5 * PAGE, 4);
    check(0, 5 * PAGE, 5);
}

/* So a page of an earlier time doesn't come back, however often they have been forgotten. */
static void test_forgetting_many_times(void)
{
    begin();
    check(0, 7 * PAGE, 1);
    for (unsigned i = 0; i < 1u << (64 - PAGES_GENERATION_SHIFT); i++) {
        flush(0, NULL);
        g_assert_false(pages_is_told(0, 7 * PAGE));
    }
    mapped += PAGE;
    check(0, 7 * PAGE, 2);
}

static void test_what_is_not_remembered(void)
{
    begin();
    is_device = true;
    for (unsigned i = 1; i <= 3; i++) {
        g_assert_cmphex(translate(0, 3 * PAGE + i), ==, (3 * PAGE + i + mapped) | MT_PADDR_IO);
        g_assert_cmpuint(asked, ==, i);
    }
    begin();
    vcpus_are_known = false;
    for (unsigned i = 1; i <= 3; i++)
        check(0, 3 * PAGE, i);
}

/* A frame is told once, however often QEMU is asked. */
static void test_what_is_known_is_not_told(void)
{
    begin();
    for (unsigned i = 0; i < 3; i++) {
        check(0, 9 * PAGE, i + 1);
        g_assert_cmpuint(told, ==, 1);
        flush(0, NULL);
    }
    mapped += PAGE;
    check(0, 9 * PAGE, 4);
    g_assert_cmpuint(told, ==, 2);
    check(0, 9 * PAGE + ROW_FRAME_SLOTS * PAGE, 5); /* the same slot */
    g_assert_cmpuint(told, ==, 3);
    check(0, 9 * PAGE, 6);
    g_assert_cmpuint(told, ==, 4);
}

/* Then QEMU needn't be asked again, as all is known here. */
static void test_what_was_dropped_is_told_again(void)
{
    const uint64_t places[] = { 0, PAGE, 0x7ffff7fff000, 0xffff888000003000, 0xffffffffff5ff000 };

    for (unsigned times = 1; times <= 3; times++) {
        begin();
        for (guint i = 0; i < G_N_ELEMENTS(places); i++)
            check(0, places[i], i + 1);
        check(1, PAGE, G_N_ELEMENTS(places) + 1);
        memset(&frames[0], 0xaa, sizeof frames[0]); /* who knows what the other side has seen */
        for (unsigned i = 0; i < times; i++)
            pages_tell_again(0);
        told = 0;
        for (unsigned round = 0; round < 2; round++)
            for (guint i = 0; i < G_N_ELEMENTS(places); i++)
                check(0, places[i], G_N_ELEMENTS(places) + 1);
        check(1, PAGE, G_N_ELEMENTS(places) + 1);
        g_assert_cmpuint(told, ==, G_N_ELEMENTS(places));
    }
}

/* Recording goes on with the very event, or some events later. */
static void test_an_event_is_dropped(void)
{
    for (unsigned count = 1; count <= 3; count++) {
        begin();
        check(0, 20 * PAGE, 1);
        flush(0, NULL);
        mapped += PAGE;
        drops = count;
        for (unsigned i = 1; i < count; i++)
            pages_tell(0, 0, i * PAGE); /* their rows are dropped, too */
        check(0, 20 * PAGE, 1 + count);
        for (unsigned i = 1; i < count; i++)
            check(0, i * PAGE, 1 + count);
    }
}

static void test_device_memory_in_a_known_slot(void)
{
    begin();
    check(0, 3 * PAGE, 1);
    is_device = true;
    flush(0, NULL);
    g_assert_cmphex(translate(0, 3 * PAGE), ==, (3 * PAGE + mapped) | MT_PADDR_IO);
    is_device = false;
    check(0, 3 * PAGE, 3);
    pages_tell_again(0);
    is_device = true;
    flush(0, NULL);
    pages_tell_again(0);
    g_assert_cmphex(translate(0, 3 * PAGE + 8), ==, (3 * PAGE + 8 + mapped) | MT_PADDR_IO);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pages/a_page_is_asked_for_once", test_a_page_is_asked_for_once);
    g_test_add_func("/pages/pages_one_and_two_mib_apart_are_remembered_at_once",
                    test_pages_one_and_two_mib_apart_are_remembered_at_once);
    g_test_add_func("/pages/a_write_to_cr3_makes_all_of_the_vcpu_s_forgotten",
                    test_a_write_to_cr3_makes_all_of_the_vcpu_s_forgotten);
    g_test_add_func("/pages/forgetting_many_times", test_forgetting_many_times);
    g_test_add_func("/pages/what_is_not_remembered", test_what_is_not_remembered);
    g_test_add_func("/pages/what_is_known_is_not_told", test_what_is_known_is_not_told);
    g_test_add_func("/pages/what_was_dropped_is_told_again", test_what_was_dropped_is_told_again);
    g_test_add_func("/pages/an_event_is_dropped", test_an_event_is_dropped);
    g_test_add_func("/pages/device_memory_in_a_known_slot", test_device_memory_in_a_known_slot);
    return g_test_run();
}
