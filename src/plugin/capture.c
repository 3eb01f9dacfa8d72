/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is done at each access: it is recorded, or skipped by sampling, or it lies outside the regions of interest.
 *
 * Each vCPU touches only what is its own: its producer, its sampler, its counter. Where sampling skips very many
 * accesses, they don't call us, but are counted inline (counting.h).
 */
#include <string.h>

#include "corrections.h"
#include "counting.h"
#include "pages.h"
#include "phase.h"
#include "plugin.h"
#include "tasks.h"
#include "values.h"

/* What QEMU encodes in a meminfo handle fits into so many bits; larger ones are looked up the slow way. */
#define MEMINFO_TABLE_BITS 18
/* After so many accesses outside all regions, they needn't call us any more. */
#define LONG_OUTSIDE (UINT64_C(1) << 24)
/* Records shall not wait in an unfinished chunk while so many accesses are skipped. */
#define LONG_SKIP (UINT64_C(1) << 18)

/* The rest of what belongs to one vCPU. */
typedef struct {
    uint64_t skipped_before; /* by samplers before the last restart */
    uint64_t outside;        /* accesses outside all regions */
} __attribute__((aligned(64))) CaptureVcpu;

static RingProducer producers[RING_MAX_VCPUS];
static Sampler samplers[RING_MAX_VCPUS];
static CaptureVcpu vcpus[RING_MAX_VCPUS];
static _Atomic bool outside;
static unsigned producer_mask; /* 0: all vCPUs use the first one's producer */

/* The low 6 bits of a record's info, by meminfo handle: asking QEMU for each access would double the cost of one. */
static uint8_t meminfo_table[1u << MEMINFO_TABLE_BITS];

static inline RingProducer *producer_of(unsigned vcpu)
{
    return &producers[vcpu & producer_mask];
}

static uint8_t ask_meminfo(qemu_plugin_meminfo_t info)
{
    return (uint8_t)((qemu_plugin_mem_size_shift(info) & 7) |
                     (qemu_plugin_mem_is_sign_extended(info) ? GMBEOO_SIGN_EXTEND : 0) |
                     (qemu_plugin_mem_is_big_endian(info) ? GMBEOO_BIG_ENDIAN : 0) |
                     (qemu_plugin_mem_is_store(info) ? GMBEOO_STORE : 0));
}

static __attribute__((noinline, cold)) void record_odd_meminfo(RingProducer *producer, uint64_t known,
                                                               qemu_plugin_meminfo_t info, uint64_t vaddr)
{
    ring_producer_put(producer, known | ask_meminfo(info), vaddr);
}

/*
 * The hot path. `known` holds the bits of the record's info that don't depend on the access. What is rare is called
 * last, so that the compiler needs no stack frame.
 */
static inline __attribute__((always_inline)) void record(RingProducer *producer, uint64_t known,
                                                         qemu_plugin_meminfo_t info, uint64_t vaddr)
{
    if (G_UNLIKELY(info >= 1u << MEMINFO_TABLE_BITS))
        record_odd_meminfo(producer, known, info, vaddr);
    else
        ring_producer_put(producer, known | meminfo_table[info], vaddr);
}

/* Where a chunk begins, QEMU is asked for the value: it is compared with what is read. */
static inline bool begins_chunk(const WideRow *wide)
{
    return !((uintptr_t)wide & (RING_CHUNK_BYTES - 1));
}

static inline __attribute__((always_inline)) void read_value(unsigned vcpu, qemu_plugin_meminfo_t info,
                                                             unsigned size_shift, const void *state, WideRow *wide)
{
    if (G_LIKELY(values_are_at(&values_places[vcpu], size_shift, state)) && !begins_chunk(wide))
        values_read(&values_places[vcpu], size_shift, wide->value);
    else
        values_ask_and_learn(vcpu, info, size_shift, state, wide->value);
}

/* With values, physical addresses, or both. They are slow enough for what record() avoids to make no difference.
 * `state`: see state.h; for values only. */
static inline __attribute__((always_inline)) void record_wide(unsigned vcpu, uint64_t known, qemu_plugin_meminfo_t info,
                                                              uint64_t vaddr, unsigned fields, const void *state)
{
    RingProducer *producer = producer_of(vcpu);
    WideRow *wide;
    uint8_t told;

    if (fields & MT_FIELD_PADDR)
        pages_tell(vcpu, info, vaddr);
    if (!(fields & MT_FIELD_VALUE)) {
        record(producer, known, info, vaddr);
        return;
    }
    told = G_LIKELY(info < 1u << MEMINFO_TABLE_BITS) ? meminfo_table[info] : ask_meminfo(info);
    wide = ring_producer_slot(producer);
    wide->record.info = known | told;
    wide->record.virt_addr = vaddr;
    read_value(vcpu, info, told & 7, state, wide);
    ring_producer_advance(producer, sizeof *wide);
}

static void access_cb(unsigned int vcpu, qemu_plugin_meminfo_t info, uint64_t vaddr, void *userdata)
{
    record(&producers[vcpu], (uintptr_t)userdata | (uint64_t)vcpu << GMBEOO_VCPU_SHIFT, info, vaddr);
}

/* The same where there is one vCPU; the producer is at a fixed address: a quarter fewer instructions. */
static void access_cb_one_vcpu(unsigned int vcpu, qemu_plugin_meminfo_t info, uint64_t vaddr, void *userdata)
{
    (void)vcpu;
    record(&producers[0], (uintptr_t)userdata, info, vaddr);
}

static __attribute__((noinline, cold)) void end_of_stretch(unsigned vcpu)
{
    Sampler *sampler = &samplers[vcpu];

    sampler_next_stretch(sampler, &plugin.options.sampler);
    if (sampler->skip_left >= LONG_SKIP)
        capture_publish(vcpu);
    if (counting_is_worth_it(vcpu))
        phase_reconsider();
}

static __attribute__((noinline, cold)) void record_last_of_stretch(unsigned vcpu, uint64_t known,
                                                                   qemu_plugin_meminfo_t info, uint64_t vaddr)
{
    record(producer_of(vcpu), known, info, vaddr);
    end_of_stretch(vcpu);
}

/* With sampling: most accesses take the first branch. */
static inline __attribute__((always_inline)) void sample(unsigned vcpu, uint64_t known, qemu_plugin_meminfo_t info,
                                                         uint64_t vaddr)
{
    Sampler *sampler = &samplers[vcpu];

    if (sampler->skip_left) {
        if (G_UNLIKELY(--sampler->skip_left == 0))
            end_of_stretch(vcpu);
    } else if (G_UNLIKELY(--sampler->trace_left == 0)) {
        record_last_of_stretch(vcpu, known, info, vaddr);
    } else {
        record(producer_of(vcpu), known, info, vaddr);
    }
}

static void access_cb_sampled(unsigned int vcpu, qemu_plugin_meminfo_t info, uint64_t vaddr, void *userdata)
{
    sample(vcpu, (uintptr_t)userdata | (uint64_t)vcpu << GMBEOO_VCPU_SHIFT, info, vaddr);
}

static void access_cb_sampled_one_vcpu(unsigned int vcpu, qemu_plugin_meminfo_t info, uint64_t vaddr, void *userdata)
{
    (void)vcpu;
    sample(0, (uintptr_t)userdata, info, vaddr);
}

/* With regions of interest, and perhaps sampling inside them. */
static void access_cb_roi(unsigned int vcpu, qemu_plugin_meminfo_t info, uint64_t vaddr, void *userdata)
{
    if (!atomic_load_explicit(&outside, memory_order_relaxed))
        sample(vcpu, (uintptr_t)userdata | (uint64_t)vcpu << GMBEOO_VCPU_SHIFT, info, vaddr);
    else if (G_UNLIKELY(++vcpus[vcpu].outside % LONG_OUTSIDE == 0))
        phase_reconsider();
}

/* With other fields than those of a plain record, and perhaps regions and sampling. */
static inline __attribute__((always_inline)) void access_wide(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t vaddr,
                                                              void *userdata, unsigned fields, const void *state)
{
    uint64_t known = (uintptr_t)userdata | (uint64_t)vcpu << GMBEOO_VCPU_SHIFT;
    Sampler *sampler = &samplers[vcpu];

    if (atomic_load_explicit(&outside, memory_order_relaxed)) {
        if (++vcpus[vcpu].outside % LONG_OUTSIDE == 0)
            phase_reconsider();
    } else if (sampler->skip_left) {
        if (--sampler->skip_left == 0)
            end_of_stretch(vcpu);
    } else {
        record_wide(vcpu, known, info, vaddr, fields, state);
        if (--sampler->trace_left == 0)
            end_of_stretch(vcpu);
    }
}

static __attribute__((noinline)) void access_cb_paddr(unsigned int vcpu, qemu_plugin_meminfo_t info, uint64_t vaddr,
                                                      void *userdata)
{
    access_wide(vcpu, info, vaddr, userdata, MT_FIELD_PADDR, NULL);
}

/* Neither regions nor sampling, the page is known: as in record(), what is rare is called last. */
static inline __attribute__((always_inline)) void
record_paddr(unsigned vcpu, uint64_t known, qemu_plugin_meminfo_t info, uint64_t vaddr, void *userdata)
{
    if (G_UNLIKELY(info >= 1u << MEMINFO_TABLE_BITS || !pages_is_told(vcpu, vaddr)))
        access_cb_paddr(vcpu, info, vaddr, userdata);
    else
        ring_producer_put(&producers[vcpu], known | meminfo_table[info], vaddr);
}

static void access_cb_known_paddr(unsigned int vcpu, qemu_plugin_meminfo_t info, uint64_t vaddr, void *userdata)
{
    record_paddr(vcpu, (uintptr_t)userdata | (uint64_t)vcpu << GMBEOO_VCPU_SHIFT, info, vaddr, userdata);
}

static void access_cb_known_paddr_one_vcpu(unsigned int vcpu, qemu_plugin_meminfo_t info, uint64_t vaddr,
                                           void *userdata)
{
    (void)vcpu;
    record_paddr(0, (uintptr_t)userdata, info, vaddr, userdata);
}

CALLED_BY_NAME __attribute__((noinline)) void access_value(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t vaddr,
                                                           void *userdata, const void *state)
{
    access_wide(vcpu, info, vaddr, userdata, MT_FIELD_VALUE, state);
}

CALLED_BY_NAME __attribute__((noinline)) void access_paddr_value(unsigned vcpu, qemu_plugin_meminfo_t info,
                                                                 uint64_t vaddr, void *userdata, const void *state)
{
    access_wide(vcpu, info, vaddr, userdata, MT_FIELD_PADDR | MT_FIELD_VALUE, state);
}

/* The same where there are neither regions nor sampling. What is rare is called last, again; so are 16 bytes. */
static inline __attribute__((always_inline)) void record_value(unsigned vcpu, uint64_t known,
                                                               qemu_plugin_meminfo_t info, uint64_t vaddr,
                                                               void *userdata, unsigned fields, const void *state)
{
    WideRow *wide = ring_producer_slot(&producers[vcpu]);
    const ValuesPlace *place = &values_places[vcpu];
    uint8_t told = meminfo_table[info % (1u << MEMINFO_TABLE_BITS)];

    if (G_UNLIKELY(info >= 1u << MEMINFO_TABLE_BITS || ((fields & MT_FIELD_PADDR) && !pages_is_told(vcpu, vaddr)) ||
                   state != place->state || (told & 7) > 3 || begins_chunk(wide))) {
        if (fields & MT_FIELD_PADDR)
            access_paddr_value(vcpu, info, vaddr, userdata, state);
        else
            access_value(vcpu, info, vaddr, userdata, state);
    } else {
        wide->record.info = known | told;
        wide->record.virt_addr = vaddr;
        wide->value[0] = values_read_low(place, told & 7); /* of value[1], nothing counts */
        ring_producer_advance(&producers[vcpu], sizeof *wide);
    }
}

CALLED_BY_NAME void access_plain_value(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t vaddr, void *userdata,
                                       const void *state)
{
    record_value(vcpu, (uintptr_t)userdata | (uint64_t)vcpu << GMBEOO_VCPU_SHIFT, info, vaddr, userdata, 0, state);
}

CALLED_BY_NAME void access_plain_value_one_vcpu(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t vaddr,
                                                void *userdata, const void *state)
{
    (void)vcpu;
    record_value(0, (uintptr_t)userdata, info, vaddr, userdata, 0, state);
}

CALLED_BY_NAME void access_known_paddr_value(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t vaddr, void *userdata,
                                             const void *state)
{
    record_value(vcpu, (uintptr_t)userdata | (uint64_t)vcpu << GMBEOO_VCPU_SHIFT, info, vaddr, userdata, MT_FIELD_PADDR,
                 state);
}

ACCESS_WITH_STATE(enter_value, access_value);
ACCESS_WITH_STATE(enter_paddr_value, access_paddr_value);
ACCESS_WITH_STATE(enter_plain_value, access_plain_value);
ACCESS_WITH_STATE(enter_plain_value_one_vcpu, access_plain_value_one_vcpu);
ACCESS_WITH_STATE(enter_known_paddr_value, access_known_paddr_value);

CaptureAccess capture_told(uint64_t known, qemu_plugin_meminfo_t info, uint64_t vaddr, bool with_value)
{
    uint8_t told = G_LIKELY(info < 1u << MEMINFO_TABLE_BITS) ? meminfo_table[info] : ask_meminfo(info);
    CaptureAccess access = { .info = known | told, .vaddr = vaddr, .meminfo = info };

    if (with_value)
        values_ask(info, told & 7, access.value);
    return access;
}

/* Whatever the fields are. */
static void record_corrected(unsigned vcpu, const CaptureAccess *access)
{
    unsigned fields = ring_fields(plugin.ring) & (MT_FIELD_PADDR | MT_FIELD_VALUE);
    RingProducer *producer = producer_of(vcpu);
    WideRow *wide;

    if (fields & MT_FIELD_PADDR)
        pages_tell(vcpu, access->meminfo, access->vaddr);
    wide = ring_producer_slot(producer);
    wide->record.info = access->info;
    wide->record.virt_addr = access->vaddr;
    if (fields & MT_FIELD_VALUE)
        memcpy(wide->value, access->value, sizeof wide->value);
    ring_producer_advance(producer, ring_record_bytes_for(fields));
}

void capture_put(unsigned vcpu, const CaptureAccess *access)
{
    Sampler *sampler = &samplers[vcpu];

    if (plugin.phase == PHASE_COUNTING) {
        counting_add(vcpu);
    } else if (atomic_load_explicit(&outside, memory_order_relaxed)) {
        if (++vcpus[vcpu].outside % LONG_OUTSIDE == 0)
            phase_reconsider();
    } else if (sampler->skip_left) {
        if (--sampler->skip_left == 0)
            end_of_stretch(vcpu);
    } else {
        record_corrected(vcpu, access);
        if (--sampler->trace_left == 0)
            end_of_stretch(vcpu);
    }
}

void capture_tell_skipped(unsigned vcpu)
{
    ring_set_skipped(plugin.ring, vcpu, vcpus[vcpu].skipped_before + sampler_skipped(&samplers[vcpu]));
}

/* Records were dropped, and events with them. */
static void tell_again(RingProducer *producer)
{
    for (unsigned i = 0; i < plugin.vcpus; i++)
        if (producer_of(i) == producer) {
            if (ring_fields(plugin.ring) & MT_FIELD_PADDR)
                pages_tell_again(i);
            tasks_tell_again(i);
        }
}

void capture_init(void)
{
    producer_mask = turns_are_taken() ? 0 : RING_MAX_VCPUS - 1;
    for (unsigned i = 0; i < plugin.vcpus; i++) {
        ring_producer_init(&producers[i], plugin.ring, i, plugin.options.when_full);
        producers[i].resumes = tell_again;
    }
    for (uint32_t i = 0; i < 1u << MEMINFO_TABLE_BITS; i++)
        meminfo_table[i] = ask_meminfo(i);
    pages_init();
    values_init();
    counting_init(samplers);
}

static qemu_plugin_vcpu_mem_cb_t choose_value_callback(bool with_paddr, bool plain)
{
    if (turns_are_taken())
        return turns_wrap_value(with_paddr ? access_paddr_value : access_value);
    if (with_paddr)
        return plain ? enter_known_paddr_value : enter_paddr_value;
    if (!plain)
        return enter_value;
    return plugin.vcpus == 1 ? enter_plain_value_one_vcpu : enter_plain_value;
}

/* Of accesses without values. */
static qemu_plugin_vcpu_mem_cb_t choose_plain_callback(bool with_paddr, bool plain)
{
    bool one = plugin.vcpus == 1;

    if (with_paddr && !plain)
        return access_cb_paddr;
    if (with_paddr)
        return one ? access_cb_known_paddr_one_vcpu : access_cb_known_paddr;
    if (turns_are_taken() || plugin.options.roi)
        return access_cb_roi;
    if (plain)
        return one ? access_cb_one_vcpu : access_cb;
    return one ? access_cb_sampled_one_vcpu : access_cb_sampled;
}

static qemu_plugin_vcpu_mem_cb_t choose_callback(void)
{
    unsigned fields = ring_fields(plugin.ring);
    bool plain = !turns_are_taken() && !plugin.options.roi && sampler_is_trivial(&plugin.options.sampler);
    qemu_plugin_vcpu_mem_cb_t callback;

    if (fields & MT_FIELD_VALUE)
        return choose_value_callback(fields & MT_FIELD_PADDR, plain);
    callback = choose_plain_callback(fields & MT_FIELD_PADDR, plain);
    return turns_are_taken() ? turns_wrap(callback) : callback;
}

void capture_instrument(struct qemu_plugin_insn *insn, uint64_t info)
{
    if (corrections_instrument(insn, info))
        return;
    if (plugin.phase == PHASE_COUNTING)
        counting_instrument(insn);
    else
        qemu_plugin_register_vcpu_mem_cb(insn, choose_callback(), pages_callback_flags(), QEMU_PLUGIN_MEM_RW,
                                         (void *)(uintptr_t)info);
}

void capture_instrument_block(struct qemu_plugin_tb *tb)
{
    if (plugin.phase == PHASE_COUNTING)
        counting_instrument_block(tb);
}

void capture_put_event(unsigned vcpu, enum row_event event, uint64_t number)
{
    ring_producer_put_event(producer_of(vcpu), event, vcpu, number);
}

void capture_publish(unsigned vcpu)
{
    if (plugin.phase == PHASE_COUNTING && (int)vcpu < qemu_plugin_num_vcpus())
        counting_take(vcpu);
    capture_tell_skipped(vcpu);
    ring_producer_publish(producer_of(vcpu));
}

void capture_restart_sampling(void)
{
    for (unsigned i = 0; i < plugin.vcpus; i++) {
        vcpus[i].skipped_before += sampler_skipped(&samplers[i]);
        sampler_init(&samplers[i], &plugin.options.sampler, i);
    }
}

void capture_set_inside(bool inside)
{
    atomic_store(&outside, !inside);
}
