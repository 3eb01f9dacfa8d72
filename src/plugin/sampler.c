/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which accesses are traced: see sampler.h. */
#include "sampler.h"

/* Longer than any trace: 2^63 accesses take centuries. So logs of 63 and 64 need no wider arithmetic. */
#define FOREVER (UINT64_C(1) << 63)

/* How many accesses `count` blocks have. */
static uint64_t blocks(uint64_t count, unsigned log_block_len)
{
    if (count == 0)
        return 0;
    return log_block_len < 63 && count < FOREVER >> log_block_len ? count << log_block_len : FOREVER;
}

/* SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014), as a hash of `x`. */
static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* The traced block's number within the current group. */
static uint64_t traced_block(const Sampler *sampler, const SamplerOptions *options)
{
    uint64_t number;

    if (!options->seeded)
        return 0;
    number = mix(mix(mix(options->seed) ^ sampler->vcpu) ^ sampler->group);
    return options->log_tracing_ratio < 64 ? number >> (64 - options->log_tracing_ratio) : number;
}

static void enter(Sampler *sampler, SamplerStretch stretch, uint64_t length)
{
    sampler->stretch = stretch;
    sampler->trace_left = stretch == STRETCH_TRACED ? length : 0;
    sampler->skip_left = sampler->skip_length = stretch == STRETCH_TRACED ? 0 : length;
}

static void begin_group(Sampler *sampler, const SamplerOptions *options)
{
    uint64_t length = blocks(1, options->log_block_len + options->log_tracing_ratio);
    uint64_t before = blocks(traced_block(sampler, options), options->log_block_len);
    uint64_t traced = blocks(1, options->log_block_len);

    sampler->after = length > before + traced ? length - before - traced : 0;
    if (before)
        enter(sampler, STRETCH_BEFORE, before);
    else
        enter(sampler, STRETCH_TRACED, traced);
}

void sampler_init(Sampler *sampler, const SamplerOptions *options, unsigned vcpu)
{
    *sampler = (Sampler){ .vcpu = vcpu };
    if (sampler_is_trivial(options))
        enter(sampler, STRETCH_TRACED, FOREVER);
    else
        begin_group(sampler, options);
}

void sampler_next_stretch(Sampler *sampler, const SamplerOptions *options)
{
    sampler->skipped += sampler->skip_length;
    if (sampler->stretch == STRETCH_BEFORE) {
        enter(sampler, STRETCH_TRACED, blocks(1, options->log_block_len));
    } else if (sampler->stretch == STRETCH_TRACED && sampler->after) {
        enter(sampler, STRETCH_AFTER, sampler->after);
    } else {
        sampler->group++;
        begin_group(sampler, options);
    }
}

uint64_t sampler_pass(Sampler *sampler, const SamplerOptions *options, uint64_t count)
{
    uint64_t missed = 0;

    while (count) {
        uint64_t *left = sampler->trace_left ? &sampler->trace_left : &sampler->skip_left;
        uint64_t here = count < *left ? count : *left;

        missed += left == &sampler->trace_left ? here : 0;
        count -= here;
        *left -= here;
        if (!*left)
            sampler_next_stretch(sampler, options);
    }
    return missed;
}

uint64_t sampler_skipped(const Sampler *sampler)
{
    return sampler->skipped + sampler->skip_length - sampler->skip_left;
}
