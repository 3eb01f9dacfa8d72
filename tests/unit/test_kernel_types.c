/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a guest's kernel says about its functions. */
#include <glib.h>

#include "../../src/vm/kernel_types.h"

static void assert_range(KernelRange range, uint64_t begin, uint64_t end)
{
    g_assert_cmphex(range.begin, ==, begin);
    g_assert_cmphex(range.end, ==, end);
}

/* Lines in no order, of symbols with the same address, and of modules, which have functions of the same names. */
static void test_functions(void)
{
    KernelLayout layout;

    kernel_types_find_layout(&layout,
                             "ffffffffc0000000 t do_exit\t[a_module]\n"
                             "ffffffff81002000 T wake_up_new_task.isra.0\r\n"
                             "ffffffff81001000 T __switch_to\n"
                             "ffffffff81001000 T alias_of_it\n"
                             "ffffffff81001080 t in_the_middle\t[built_in]\n"
                             "ffffffff81001100 T __switch_to_asm\n"
                             "ffffffff81003000 t __switch_to.cold\n"
                             "no line at all\n"
                             "ffffffff81003010 t perf_event_comm_output\n"
                             "ffffffff81004000 T perf_event_mmap",
                             NULL);
    assert_range(layout.function[KERNEL_SWITCH_TO], 0xffffffff81001000, 0xffffffff81001100);
    assert_range(layout.cold[KERNEL_SWITCH_TO], 0xffffffff81003000, 0xffffffff81003010);
    assert_range(layout.function[KERNEL_WAKE_UP_NEW_TASK], 0xffffffff81002000, 0xffffffff81003000);
    assert_range(layout.function[KERNEL_PERF_EVENT_COMM], KERNEL_UNKNOWN, KERNEL_UNKNOWN);
    assert_range(layout.function[KERNEL_PERF_EVENT_MMAP], 0xffffffff81004000, 0xffffffff81004000); /* nothing ends it */
    assert_range(layout.function[KERNEL_DO_EXIT], KERNEL_UNKNOWN, KERNEL_UNKNOWN);
}

static void test_nothing_is_told(void)
{
    KernelLayout layout;

    for (const char *const *text = (const char *const[]){ "", "\n\n", "0", "0 ", "\t", "fffff T", NULL }; *text;
         text++) {
        kernel_types_find_layout(&layout, *text, NULL);
        assert_range(layout.function[KERNEL_SWITCH_TO], KERNEL_UNKNOWN, KERNEL_UNKNOWN);
    }
    kernel_types_find_layout(&layout, NULL, NULL);
    assert_range(layout.function[KERNEL_SWITCH_TO], KERNEL_UNKNOWN, KERNEL_UNKNOWN);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/kernel_types/functions", test_functions);
    g_test_add_func("/kernel_types/nothing_is_told", test_nothing_is_told);
    return g_test_run();
}
