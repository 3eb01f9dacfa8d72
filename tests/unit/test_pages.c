/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Physical pages are remembered for as long as they can't have changed, and QEMU is asked for few of them. QEMU's side
 * is ours here: it maps each page behind `mapped`, and counts how often it is asked. */
#include <string.h>

#include "../../src/plugin/page_sizes.h"
#include "../../src/plugin/pages.h"

#define PAGE (UINT64_C(1) << PAGES_SHIFT)
#define MIB (UINT64_C(1) << 20)

Plugin plugin = { .vcpus = 2 };
static uint64_t mapped;
static bool is_device, in_turns, vcpus_are_known;
static unsigned asked;
static qemu_plugin_vcpu_udata_cb_t flush;

struct qemu_plugin_hwaddr {
    uint64_t physical;
};

struct qemu_plugin_hwaddr *qemu_plugin_get_hwaddr(qemu_plugin_meminfo_t info, uint64_t vaddr)
{
    static struct qemu_plugin_hwaddr address;

    (void)info;
    asked++;
    address.physical = mapped + vaddr;
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

static void begin(void)
{
    mapped = 16 * MIB;
    is_device = in_turns = false;
    vcpus_are_known = true;
    memset(pages, 0, sizeof pages); /* what another test has left there */
    pages_init();
    pages_look_for_flush(NULL);
    asked = 0;
}

static void check(unsigned vcpu, uint64_t vaddr, unsigned times)
{
    g_assert_cmphex(pages_translate(vcpu, 0, vaddr), ==, vaddr + mapped);
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
    g_assert_cmphex(pages_translate(1, 0, 5 * PAGE), ==, 5 * PAGE + mapped - PAGE);
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
        g_assert_false(pages_find(0, 7 * PAGE, &(uint64_t){ 0 }));
    }
    mapped += PAGE;
    check(0, 7 * PAGE, 2);
}

static void test_what_is_not_remembered(void)
{
    begin();
    is_device = true;
    for (unsigned i = 1; i <= 3; i++) {
        g_assert_cmphex(pages_translate(0, 0, 3 * PAGE), ==, (3 * PAGE + mapped) | MT_PADDR_IO);
        g_assert_cmpuint(asked, ==, i);
    }
    begin();
    vcpus_are_known = false;
    for (unsigned i = 1; i <= 3; i++)
        check(0, 3 * PAGE, i);
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
    return g_test_run();
}
