/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the plugin's files share: its arguments and its state. */
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
    PHASE_ASLEEP,   /* no translation callback: with one, even an idle one, QEMU makes a store for each access */
    PHASE_SCANNING, /* markers are instrumented */
    PHASE_COUNTING, /* accesses are counted inline, because sampling skips all of them for a long time */
    PHASE_TRACING,  /* each access has a callback */
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
    bool active; /* whether tracing is wanted (between start and stop); `phase` follows when all vCPUs have stopped */
} Plugin;

extern Plugin plugin;

/* arguments.c: reads "name=value" words. Returns false with a one-line message in *error. */
bool plugin_options_parse(PluginOptions *options, int argc, char **argv, GError **error);

/* instructions.c: the number of an instruction that is being translated, for ROW_INSTRUCTION_SHIFT. */
uint32_t instruction_number(const struct qemu_plugin_insn *insn, unsigned cpl);

/* turns.c: which vCPU executes, where QEMU runs all of them in one thread. */
/* Whether QEMU does, and there are several vCPUs. */
bool turns_are_taken(void);
/* Instruments a marker that tells a vCPU's number, if `magic` is one's. */
void turns_look_for_marker(struct qemu_plugin_insn *insn, uint32_t magic);
/* A callback that calls this one with the number of the vCPU that makes the access (0 if that isn't known). At a time
 * there can be one, and with the other functions one more that gets the state, and one more for corrected accesses. */
qemu_plugin_vcpu_mem_cb_t turns_wrap(qemu_plugin_vcpu_mem_cb_t callback);
qemu_plugin_vcpu_mem_cb_t turns_wrap_value(AccessWithState callback);
qemu_plugin_vcpu_mem_cb_t turns_wrap_corrected(qemu_plugin_vcpu_mem_cb_t callback);
/* The same for a callback of instructions. There can be one at a time. */
qemu_plugin_vcpu_udata_cb_t turns_wrap_function(qemu_plugin_vcpu_udata_cb_t callback);
/* The same for a marker's callback. */
qemu_plugin_vcpu_udata_cb_t turns_wrap_marker(qemu_plugin_vcpu_udata_cb_t callback);

/* clock.c: the guest's clock, for MT_FIELD_TIME. */
void clock_init(void);
/* Instruments a block to count its instructions, if the clock needs that. To be called while tracing. */
void clock_instrument_block(struct qemu_plugin_tb *tb);

/* capture.c: what is done at each access. */
void capture_init(void);
/* Instruments an instruction so that its accesses are recorded, or counted. `info`: the bits of the records' info that
 * are known now. */
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

/* An access that takes place now, as QEMU reports it. `known`: the bits of the record's info that don't depend on the
 * access. Without `with_value`, its value is 0. */
CaptureAccess capture_told(uint64_t known, qemu_plugin_meminfo_t info, uint64_t vaddr, bool with_value);
/* Counts, skips or records an access, in any phase and with any fields. It is slow, so for rare accesses only. */
void capture_put(unsigned vcpu, const CaptureAccess *access);
/* Puts an event among a vCPU's records, even if sampling skips these. To be called by that vCPU, or while all vCPUs
 * stand still. */
void capture_put_event(unsigned vcpu, enum row_event event, uint64_t number);
/* Publishes what a vCPU has recorded. To be called by that vCPU, or while all vCPUs stand still. */
void capture_publish(unsigned vcpu);
/* Publishes how many of a vCPU's accesses sampling has skipped. To be called likewise. */
void capture_tell_skipped(unsigned vcpu);
/* To be called while all vCPUs stand still. */
void capture_restart_sampling(void);
/* Says whether a region of interest is open: outside of them nothing is recorded. May be called by any vCPU. */
void capture_set_inside(bool inside);

/* control.c: the socket through which a user switches tracing. */
PluginControl *control_new(const char *path, GError **error);
void control_free(PluginControl *control);
/* Instruments a block to notice requests. */
void control_instrument_block(PluginControl *control, struct qemu_plugin_tb *tb);
/* To be called by a vCPU that wakes up: acts on a request, if there is one. */
void control_notice(PluginControl *control);
/* Does what was requested. To be called while all vCPUs stand still. */
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
/* The mode of that code. To be called after cpl_of_translation(). */
enum mt_mode mode_of_translation(void);

#endif
