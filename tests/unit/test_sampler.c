/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which accesses sampling traces, compared with the definition, for all kinds of block lengths and ratios. */
#include <glib.h>

#include "../../src/plugin/sampler.h"

/* Takes one access, as the plugin does. Returns whether it is traced. */
static bool take(Sampler *sampler, const SamplerOptions *options)
{
    bool traced = sampler->trace_left > 0;

    g_assert_true(traced != (sampler->skip_left > 0));
    if (traced ? --sampler->trace_left == 0 : --sampler->skip_left == 0)
        sampler_next_stretch(sampler, options);
    return traced;
}

static uint64_t low_bits(unsigned count)
{
    return count < 64 ? (UINT64_C(1) << count) - 1 : UINT64_MAX;
}

static void test_the_definition(void)
{
    for (unsigned length = 0; length <= 64; length++) {
        for (unsigned ratio = 0; length + ratio <= 64; ratio++) {
            const SamplerOptions options = { .log_block_len = length, .log_tracing_ratio = ratio };
            uint64_t skipped = 0;
            Sampler sampler;

            sampler_init(&sampler, &options, 0);
            for (uint64_t i = 0; i < 3000; i++) {
                uint64_t block = length < 64 ? i >> length : 0;
                bool expected = !(block & low_bits(ratio));

                g_assert_cmpint(take(&sampler, &options), ==, expected);
                skipped += !expected;
            }
            g_assert_cmpuint(sampler_skipped(&sampler), ==, skipped);
        }
    }
}

static uint64_t count_traced(unsigned length, unsigned ratio)
{
    const SamplerOptions options = { .log_block_len = length, .log_tracing_ratio = ratio };
    uint64_t traced = 0;
    Sampler sampler;

    sampler_init(&sampler, &options, 0);
    for (int i = 0; i < 100000; i++)
        traced += take(&sampler, &options);
    return traced;
}

static void test_the_extremes(void)
{
    g_assert_cmpuint(count_traced(3, 61), ==, 8);
    g_assert_cmpuint(count_traced(0, 64), ==, 1);
    g_assert_cmpuint(count_traced(64, 0), ==, 100000);
    g_assert_cmpuint(count_traced(61, 3), ==, 100000);
    g_assert_cmpuint(count_traced(0, 0), ==, 100000);
}

/* With a seed each group has exactly one traced block, all places occur, and vCPUs and seeds differ. */
static void test_seeded(void)
{
    const SamplerOptions options = { .log_block_len = 2, .log_tracing_ratio = 3, .seeded = true, .seed = 42 };
    const SamplerOptions other = { .log_block_len = 2, .log_tracing_ratio = 3, .seeded = true, .seed = 43 };
    unsigned places[8] = { 0 }, differing_vcpu = 0, differing_seed = 0;
    Sampler samplers[3];

    sampler_init(&samplers[0], &options, 0);
    sampler_init(&samplers[1], &options, 1);
    sampler_init(&samplers[2], &other, 0);
    for (int group = 0; group < 1000; group++) {
        unsigned traced = 0;

        for (int i = 0; i < 32; i++) {
            bool one = take(&samplers[0], &options);

            traced += one;
            if (one && i % 4 == 0)
                places[i / 4]++;
            differing_vcpu += one != take(&samplers[1], &options);
            differing_seed += one != take(&samplers[2], &other);
        }
        g_assert_cmpuint(traced, ==, 4);
    }
    for (int i = 0; i < 8; i++)
        g_assert_cmpuint(places[i], >, 80); /* of 125 expected; 4 standard deviations are 42 */
    g_assert_cmpuint(differing_vcpu, >, 1000);
    g_assert_cmpuint(differing_seed, >, 1000);
}

static void test_seeded_extremes(void)
{
    for (unsigned length = 0; length <= 64; length++) {
        const SamplerOptions options = { length, 64 - length, .seeded = true, .seed = length };
        Sampler sampler;

        sampler_init(&sampler, &options, 0);
        for (int i = 0; i < 1000; i++)
            take(&sampler, &options);
        g_assert_cmpuint(sampler_skipped(&sampler), <=, 1000);
    }
}

static void test_passing_many_at_once(void)
{
    const SamplerOptions options = { .log_block_len = 4, .log_tracing_ratio = 10 };
    Sampler sampler;

    sampler_init(&sampler, &options, 0);
    for (int i = 0; i < 16; i++)
        g_assert_true(take(&sampler, &options));
    g_assert_cmpuint(sampler.skip_left, ==, 16 * 1023);
    g_assert_cmpuint(sampler_pass(&sampler, &options, 1000), ==, 0);
    g_assert_cmpuint(sampler_skipped(&sampler), ==, 1000);
    g_assert_cmpuint(sampler_pass(&sampler, &options, 15 * 1023 + 23), ==, 0);
    g_assert_cmpuint(sampler_skipped(&sampler), ==, 16 * 1023);
    g_assert_cmpuint(sampler.trace_left, ==, 16);
    g_assert_cmpuint(sampler_pass(&sampler, &options, 16 * 1024 + 5), ==, 21);
    g_assert_cmpuint(sampler.trace_left, ==, 11);
    g_assert_cmpuint(sampler_skipped(&sampler), ==, 2 * 16 * 1023);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sampler/the_definition", test_the_definition);
    g_test_add_func("/sampler/the_extremes", test_the_extremes);
    g_test_add_func("/sampler/seeded", test_seeded);
    g_test_add_func("/sampler/seeded_extremes", test_seeded_extremes);
    g_test_add_func("/sampler/passing_many_at_once", test_passing_many_at_once);
    return g_test_run();
}
