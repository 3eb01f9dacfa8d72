/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The place where QEMU keeps values is found by QEMU's answers, and told apart from memory that looks alike; it is
 * compared again later. This test plays QEMU: answer() stores a value in the place, and qemu_plugin_mem_get_value()
 * returns it. */
#include <string.h>
#include <sys/mman.h>

#include "../../src/plugin/values.h"

#define WORDS 512
#define KEPT (WORDS - 7) /* our QEMU keeps values here: so many words before the state */

Plugin plugin = { .vcpus = 2 };
static uint64_t memory[WORDS];
static qemu_plugin_mem_value told;
static GRand *numbers;

#define STATE ((const void *)(memory + WORDS))

qemu_plugin_mem_value qemu_plugin_mem_get_value(qemu_plugin_meminfo_t info)
{
    (void)info;
    return told;
}

static uint64_t number(void)
{
    return (uint64_t)g_rand_int(numbers) << 32 | g_rand_int(numbers);
}

/* An access takes place, and we are called with `state`. */
static void answer(unsigned vcpu, unsigned size_shift, const void *state, uint64_t low, uint64_t high)
{
    uint64_t value[2], mask = size_shift < 3 ? (UINT64_C(1) << (8u << size_shift)) - 1 : UINT64_MAX;

    memcpy(&memory[KEPT], &low, size_shift < 3 ? 4 : 8); /* as for code that has 32-bit values */
    if (size_shift == 4)
        memory[KEPT + 1] = high;
    told.data.u128.low = memory[KEPT];
    told.data.u128.high = memory[KEPT + 1];
    values_ask_and_learn(vcpu, 0, size_shift, state, value);
    g_assert_cmphex(value[0], ==, low & mask);
    g_assert_cmphex(value[1], ==, size_shift == 4 ? high : 0);
}

static void answer_any(unsigned vcpu, const void *state, unsigned times)
{
    for (unsigned i = 0; i < times; i++)
        answer(vcpu, i % 4, state, number(), 0);
}

static void begin(const char *way)
{
    if (way)
        g_setenv("MEMORY_TRACER_VALUES", way, TRUE);
    else
        g_unsetenv("MEMORY_TRACER_VALUES");
    memset(memory, 0, sizeof memory);
    numbers = numbers ? numbers : g_rand_new_with_seed(1);
    values_init();
}

static bool is_found(unsigned vcpu)
{
    return values_are_at(&values_places[vcpu], 3, STATE);
}

static void test_it_is_found_and_read(void)
{
    uint64_t value[2];

    begin(NULL);
    answer_any(0, STATE, 100);
    g_assert_false(is_found(0)); /* not after a few */
    answer_any(0, STATE, 300);
    g_assert_true(is_found(0));
    g_assert_false(is_found(1)); /* each vCPU has its own */
    g_assert_false(values_are_at(&values_places[0], 3, memory));
    g_assert_false(values_are_at(&values_places[0], 3, NULL));
    for (unsigned size_shift = 0; size_shift < 4; size_shift++) {
        memory[KEPT] = UINT64_C(0x8877665544332211);
        memory[KEPT + 1] = UINT64_MAX;
        values_read(&values_places[0], size_shift, value);
        g_assert_cmphex(value[0], ==, UINT64_C(0x8877665544332211) & (UINT64_MAX >> (64 - (8u << size_shift))));
        g_assert_cmphex(value[1], ==, 0);
    }
}

static void test_the_upper_half_is_proven_by_itself(void)
{
    uint64_t value[2];

    begin(NULL);
    answer_any(0, STATE, 400);
    g_assert_false(values_are_at(&values_places[0], 4, STATE));
    for (unsigned i = 0; i < 1000; i++) /* no proof */
        answer(0, 4, STATE, number(), 0);
    g_assert_false(values_are_at(&values_places[0], 4, STATE));
    for (unsigned i = 0; i < 300; i++)
        answer(0, 4, STATE, number(), number());
    g_assert_true(values_are_at(&values_places[0], 4, STATE));
    values_read(&values_places[0], 4, value);
    g_assert_cmphex(value[0], ==, memory[KEPT]);
    g_assert_cmphex(value[1], ==, memory[KEPT + 1]);
}

static void test_values_that_do_not_change_prove_nothing(void)
{
    begin(NULL);
    for (unsigned i = 0; i < 5000; i++)
        answer(0, i % 5, STATE, 0, 0); /* all of the memory is 0 */
    g_assert_false(is_found(0));
    for (unsigned i = 0; i < 5000; i++)
        answer(0, 3, STATE, 77, 0);
    g_assert_false(is_found(0));
    answer_any(0, STATE, 300);
    g_assert_true(is_found(0));
}

static void test_what_is_alike_for_a_while(void)
{
    begin(NULL);
    for (unsigned i = 0; i < 2000; i++) { /* a second word holds each value */
        uint64_t value = number();

        memory[KEPT - 20] = value;
        answer(0, 3, STATE, value, 0);
    }
    g_assert_false(is_found(0));
    memory[KEPT - 20] = 0;
    answer_any(0, STATE, 300);
    g_assert_true(is_found(0));
    g_assert_true((const void *)values_places[0].word == &memory[KEPT]);
}

/* Helpers have anything there: no memory, odd numbers, memory that holds no values, a frame that holds them. */
static void test_what_is_no_state(void)
{
    uint64_t other[WORDS] = { 0 };
    uint8_t *hole = mmap(NULL, 3 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint64_t *heap = g_new0(uint64_t, WORDS);

    begin(NULL);
    for (unsigned i = 0; i < 3000; i++) {
        uint64_t value = number();

        other[KEPT] = value;
        answer(0, 3, other + WORDS, value, 0);
    }
    g_assert_false(values_are_at(&values_places[0], 3, other + WORDS));
    answer_any(0, hole + 4096, 10);
    answer_any(0, (const void *)8, 10);
    answer_any(0, (const char *)STATE - 3, 10);
    answer_any(0, heap + WORDS, 10);
    g_assert_false(is_found(0));
    for (unsigned i = 0; i < 400; i++) { /* among the others */
        answer_any(0, hole + 4096, 1);
        answer_any(0, STATE, 1);
    }
    g_assert_true(is_found(0));
    munmap(hole, 3 * 4096);
    g_free(heap);
}

static void test_it_is_asked_where_that_is_wanted_or_nothing_fits(void)
{
    begin("ask");
    answer_any(0, STATE, 5000);
    g_assert_false(is_found(0));
    begin(NULL);
    answer_any(0, NULL, 5000); /* another host */
    g_assert_false(is_found(0));
    answer_any(0, memory + WORDS / 4, 5000); /* before this state there are no values */
    g_assert_false(is_found(0));
}

static void fail_comparison(const char *way)
{
    uint64_t value[2];

    begin(way);
    answer_any(0, STATE, 1000);
    memory[KEPT] = 5;
    told.data.u128.low = 7;
    values_ask_and_learn(0, 0, 3, STATE, value);
}

static void test_a_difference_ends_qemu(void)
{
    for (unsigned i = 0; i < 2; i++) {
        if (g_test_subprocess())
            fail_comparison(g_getenv("MEMORY_TRACER_VALUES"));
        g_setenv("MEMORY_TRACER_VALUES", i ? "compare" : "read", TRUE);
        g_test_trap_subprocess(NULL, 0, 0);
        g_test_trap_assert_failed();
        g_test_trap_assert_stderr("libgmbe: vCPU 0: QEMU tells the value 0000000000000000"
                                  "0000000000000007,*");
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/values/it_is_found_and_read", test_it_is_found_and_read);
    g_test_add_func("/values/the_upper_half_is_proven_by_itself", test_the_upper_half_is_proven_by_itself);
    g_test_add_func("/values/values_that_do_not_change_prove_nothing", test_values_that_do_not_change_prove_nothing);
    g_test_add_func("/values/what_is_alike_for_a_while", test_what_is_alike_for_a_while);
    g_test_add_func("/values/what_is_no_state", test_what_is_no_state);
    g_test_add_func("/values/it_is_asked_where_that_is_wanted_or_nothing_fits",
                    test_it_is_asked_where_that_is_wanted_or_nothing_fits);
    g_test_add_func("/values/a_difference_ends_qemu", test_a_difference_ends_qemu);
    return g_test_run();
}
