/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The layout of GMBEOO records is an interface: bit for bit. */
#include <glib.h>

#include <memory_tracer/record.h>
#include <memory_tracer/roi.h>

static void test_layout(void)
{
    /* A 4-byte sign-extended big-endian store at CPL 3 on vCPU 5, written out by hand. */
    const uint8_t bytes[16] = { 0xfa, 0x05, 0, 0, 0, 0, 0, 0x80, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11 };
    const struct gmbeoo_record *record = (const struct gmbeoo_record *)bytes;

    g_assert_cmpuint(sizeof *record, ==, 16);
    g_assert_cmpuint(gmbeoo_size_shift(record), ==, 2);
    g_assert_cmpuint(gmbeoo_size(record), ==, 4);
    g_assert_true(gmbeoo_is_sign_extended(record));
    g_assert_true(gmbeoo_is_big_endian(record));
    g_assert_true(gmbeoo_is_store(record));
    g_assert_cmpuint(gmbeoo_cpl(record), ==, 3);
    g_assert_cmpuint(gmbeoo_vcpu(record), ==, 5);
    g_assert_true(gmbeoo_is_valid(record));
    g_assert_cmphex(record->virt_addr, ==, 0x1122334455667788);
}

static void test_bits_are_apart(void)
{
    const struct gmbeoo_record load = { .info = GMBEOO_VALID | 4 };

    g_assert_cmpuint(gmbeoo_size(&load), ==, 16);
    g_assert_false(gmbeoo_is_store(&load));
    g_assert_false(gmbeoo_is_sign_extended(&load));
    g_assert_false(gmbeoo_is_big_endian(&load));
    g_assert_cmpuint(gmbeoo_cpl(&load), ==, 0);
    g_assert_cmpuint(gmbeoo_vcpu(&load), ==, 0);
}

/* They are NOPs: the program goes on, with or without a tracer. */
static void test_markers_do_nothing(void)
{
    MEMORY_TRACER_START();
    MEMORY_TRACER_STOP();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/record/layout", test_layout);
    g_test_add_func("/record/bits_are_apart", test_bits_are_apart);
    g_test_add_func("/roi/markers_do_nothing", test_markers_do_nothing);
    return g_test_run();
}
