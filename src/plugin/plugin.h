/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the plugin's files share: its arguments and its one state. */
#ifndef MEMORY_TRACER_PLUGIN_PLUGIN_H
#define MEMORY_TRACER_PLUGIN_PLUGIN_H

#include "../ring/ring.h"
#include "qemu_api.h"
#include "sampler.h"
#include "state.h"

typedef struct PluginOptions {
    char *out;     /* path of the FIFO (or file) to write to; NULL with ring_fd */
    char *control; /* path of the control socket, or NULL */
    int ring_fd;   /* the runner's ring; -1 with out */
    char *kernel;  /* path of a file that describes the guest's kernel (kernel_layout.h), or NULL */
    enum { START_AT_MARKER, START_NOW, START_NEVER } start;
    bool user_only;
    bool roi;          /* only inside the regions that the workload marks */
    bool strict_order; /* all vCPUs run in one thread */
    bool icount;       /* the guest's clock goes by instructions, 2^icount_shift ns each */
    unsigned icount_shift;
    SamplerOptions sampler;
    enum ring_policy when_full;
    enum { RECORDS_GMBEOO, RECORDS_COMPACT } record_format; /* of out */
    uint32_t ring_bytes;
} PluginOptions;

typedef enum {
    PHASE_ASLEEP,   /* nothing is instrumented: QEMU makes a store per access for plugins that translate, even idly */
    PHASE_SCANNING, /* markers are */
    PHASE_COUNTING, /* accesses are counted inline; sampling skips them all for a long while */
    PHASE_TRACING,  /* each access calls us */
} Phase;

typedef struct PluginOutput PluginOutput;
typedef struct PluginControl PluginControl;

typedef struct Plugin {
    PluginOptions options;
    unsigned vcpus;
    Ring *ring;
    PluginOutput *output;   /* with out */
    PluginControl *control; /* with control */
    Phase phase;
    bool one_thread; /* QEMU runs all vCPUs in one thread, and there are several */
    bool active;     /* between start and stop. What is wanted: `phase` follows, when all vCPUs have stopped for it */
} Plugin;

extern Plugin plugin;

/* arguments.c: reads "name=value" words. Returns false with a one-line message in *error. */
bool plugin_options_parse(PluginOptions *options, int argc, char **argv, GError **error);

/* instructions.c: the number of an instruction that is being translated, for ROW_INSTRUCTION_SHIFT. */
uint32_t instruction_number(const struct qemu_plugin_insn *insn, unsigned cpl);

/* turns.c: which vCPU it is, where QEMU runs all of them in one thread. */
/* Whether it does, and there are several. */
bool turns_are_taken(void);
/* Instruments a marker that tells a vCPU's number, if `magic` is one's. */
void turns_look_for_marker(struct qemu_plugin_insn *insn, uint32_t magic);
/* A callback that calls this one with the number of the vCPU that makes the access (or 0, if that isn't known). There
 * is one at a time, one more that is told the state, and one more for corrected accesses. */
qemu_plugin_vcpu_mem_cb_t turns_wrap(qemu_plugin_vcpu_mem_cb_t callback);
qemu_plugin_vcpu_mem_cb_t turns_wrap_value(AccessWithState callback);
qemu_plugin_vcpu_mem_cb_t turns_wrap_corrected(qemu_plugin_vcpu_mem_cb_t callback);
/* The same for a callback of instructions, of which there is one, too. */
qemu_plugin_vcpu_udata_cb_t turns_wrap_function(qemu_plugin_vcpu_udata_cb_t callback);
/* For a marker's callback. */
qemu_plugin_vcpu_udata_cb_t turns_wrap_marker(qemu_plugin_vcpu_udata_cb_t callback);

/* clock.c: the guest's clock, for MT_FIELD_TIME. */
void clock_init(void);
/* Makes a block count its instructions, if that is what the clock needs. While tracing. */
void clock_instrument_block(struct qemu_plugin_tb *tb);

/* capture.c: what is done at each access. */
void capture_init(void);
/* Makes an instruction's accesses call us, or be counted. `info`: the bits of the record that are known now. */
void capture_instrument(struct qemu_plugin_insn *insn, uint64_t info);
/* The same for a block as a whole. */
void capture_instrument_block(struct qemu_plugin_tb *tb);
/* One access with all that may be recorded of it. */
typedef struct CaptureAccess {
    uint64_t info; /* of the record */
    uint64_t vaddr;
    uint64_t value[2];
    qemu_plugin_meminfo_t meminfo;
} CaptureAccess;

/* An access that takes place now, as QEMU tells it. `known`: the bits of the record's info that don't depend on it. Its
 * value is 0 if it isn't asked for. */
CaptureAccess capture_told(uint64_t known, qemu_plugin_meminfo_t info, uint64_t vaddr, bool with_value);
/* Counts, skips or records an access, in any phase and with any fields. For what is rare. */
void capture_put(unsigned vcpu, const CaptureAccess *access);
/* Puts a row that is no access among a vCPU's records, whatever of these is recorded. By that vCPU, or while all stand
 * still. */
void capture_put_event(unsigned vcpu, enum row_event event, uint64_t number);
/* The producer that a vCPU uses. */
RingProducer *capture_producer_of(unsigned vcpu);
/* Publishes what a vCPU has recorded. By that vCPU, or while all stand still. */
void capture_publish(unsigned vcpu);
/* Tells how many of its accesses sampling has left out. The same. */
void capture_tell_skipped(unsigned vcpu);
/* While all vCPUs stand still: */
void capture_restart_sampling(void);
/* Regions of interest: by any vCPU. Outside of them nothing is recorded. */
void capture_set_inside(bool inside);

/* control.c: the socket through which somebody else switches tracing. */
PluginControl *control_new(const char *path, GError **error);
void control_free(PluginControl *control);
/* Makes a block notice requests. */
void control_instrument_block(PluginControl *control, struct qemu_plugin_tb *tb);
/* A vCPU wakes up. */
void control_notice(PluginControl *control);
/* While all vCPUs stand still: what was requested becomes what is wanted. */
void control_apply(PluginControl *control);

/* output.c: the thread that writes records to `out` when no runner takes them. */
PluginOutput *output_new(Ring *ring, const PluginOptions *options, GError **error);
/* Whether records can't be written any more. */
bool output_is_lost(const PluginOutput *output);
/* Waits until everything was written (the ring's state must be RING_STOPPED) and closes the output. */
void output_finish(PluginOutput *output);

/* cpl.c: the privilege level of the code that is being translated. */
/* To be called once, by a vCPU that is starting. */
bool cpl_init(void);
/* To be called by the translation callback. Returns 0 to 3, or -1 if the registers can't be read. */
int cpl_of_translation(void);
/* After it: the mode of that code. */
enum mt_mode mode_of_translation(void);

#endif
