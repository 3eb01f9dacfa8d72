/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sampling: which of a vCPU's accesses are traced.
 *
 * Each vCPU numbers its accesses from 0. Access i lies in block i >> log_block_len. Of each group of
 * 1 << log_tracing_ratio blocks one is traced: the first one, or, with a seed, a pseudo-random one. So a vCPU's
 * accesses are a sequence of stretches, traced and skipped in turn.
 */
#ifndef MEMORY_TRACER_PLUGIN_SAMPLER_H
#define MEMORY_TRACER_PLUGIN_SAMPLER_H

#include <stdbool.h>
#include <stdint.h>

typedef struct SamplerOptions {
    unsigned log_block_len, log_tracing_ratio; /* 0 to 64, and so is their sum */
    bool seeded;
    uint64_t seed;
} SamplerOptions;

/* The parts of a group of blocks. The first and the last may be empty. */
typedef enum { STRETCH_BEFORE, STRETCH_TRACED, STRETCH_AFTER } SamplerStretch;

typedef struct Sampler {
    /* The accesses left in the current stretch: one of the two is 0, the other is not. The hot path counts it down. */
    uint64_t skip_left, trace_left;
    uint64_t skip_length; /* of the current stretch, if it is skipped */
    uint64_t skipped;     /* accesses that were skipped in the stretches before */
    uint64_t group;       /* number of the current group of blocks */
    uint64_t after;       /* accesses of the current group that follow its traced block */
    unsigned vcpu;
    SamplerStretch stretch;
} __attribute__((aligned(64))) Sampler;

/* Starts a vCPU's sampler at access 0. */
void sampler_init(Sampler *sampler, const SamplerOptions *options, unsigned vcpu);

/* The current stretch has been used up: goes on to the next one. */
void sampler_next_stretch(Sampler *sampler, const SamplerOptions *options);

/* Passes `count` accesses at once, none of which was traced. Returns how many of them should have been traced. */
uint64_t sampler_pass(Sampler *sampler, const SamplerOptions *options, uint64_t count);

/* How many accesses have been skipped so far. */
uint64_t sampler_skipped(const Sampler *sampler);

/* Whether every access is traced. */
static inline bool sampler_is_trivial(const SamplerOptions *options)
{
    return options->log_tracing_ratio == 0;
}

#endif
