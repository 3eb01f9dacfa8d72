/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Formats that `memory_tracer convert` writes: one file and one line of convert.c's table each. */
#ifndef MEMORY_TRACER_CONVERT_CONVERT_H
#define MEMORY_TRACER_CONVERT_CONVERT_H

#include <glib.h>
#include <stdbool.h>
#include <stdio.h>

#include "../../include/memory_tracer/record.h"
#include "../context/names.h"
#include "../source/input.h"
#include "clock.h"

/* The size of a cache line, which is what a memory controller is asked for. */
#define LINE_SHIFT 6
#define LINE_BYTES (1u << LINE_SHIFT)

/* Where the result goes. A failed write may be noticed only at the end, when the file is flushed. */
typedef struct Output {
    FILE *file;
    const char *path; /* for messages */
    bool seekable;
    bool physical;    /* --physical */
    bool one_request; /* --one-request */
    unsigned fields;  /* of the input */
    mt_trace *trace;
    Names *names; /* of the trace; NULL: the format has no use for it */
    char **words; /* the whole command */
    /* For output_clock_ps(). */
    ConvertClock *clock;
    bool clock_began;
    uint64_t clock_origin_ps, clock_ps;
    /* With --physical: accesses that were left out or cut short. */
    uint64_t unknown;      /* their address isn't known */
    uint64_t io;           /* they went to a device, and not to memory */
    uint64_t second_pages; /* only the part in the first page was written */
    void *state;           /* the format's own */
} Output;

/* One access, or a part of it that the format can describe. */
typedef struct Access {
    uint64_t index;   /* in the trace */
    uint64_t address; /* the physical one, with --physical */
    uint64_t virt_addr;
    unsigned size, vcpu;          /* size: in bytes, at least 1; of a part, any number (see ConvertFormat) */
    uint8_t info;                 /* mt_is_store() and so on */
    uint64_t time_ns;             /* of its chunk */
    const struct mt_batch *batch; /* it is the record `i` of this batch */
    size_t i;
} Access;

typedef struct ConvertFormat {
    const char *name;
    const char *what;      /* for --help */
    const char *without;   /* what it can't carry, completing "without ..."; NULL: it carries all */
    unsigned columns;      /* the columns that it needs beside address and info, if the trace has them */
    bool sizes_are_powers; /* it can only express sizes that are powers of two */
    bool requests; /* it has a memory controller's requests: each is of one line, unless --one-request is given */
    bool (*begin)(Output *output, GError **error);                        /* called first; NULL: nothing to do */
    bool (*access)(Output *output, const Access *access, GError **error); /* called for each access, or part of one */
    bool (*all)(Output *output, Input *input, GError **error); /* instead of begin, access, end: writes all */
    bool (*end)(Output *output, GError **error);               /* called last, if all went well; or NULL */
    void (*clear)(Output *output);                             /* frees the state; or NULL */
} ConvertFormat;

/* What several formats want. */

/* The access as a record of a stream. Its size must be a power of two. */
static inline struct gmbeoo_record access_record(const Access *access)
{
    uint64_t info = (access->info & ~UINT64_C(7)) | (uint64_t)__builtin_ctz(access->size);

    return (struct gmbeoo_record){ .info = GMBEOO_VALID | info | (uint64_t)access->vcpu << GMBEOO_VCPU_SHIFT,
                                   .virt_addr = access->address };
}

/* The address of the instruction that made it; false, and 0, if that isn't known. Asked for with ACCESS_PC_COLUMNS. */
#define ACCESS_PC_COLUMNS (MT_COLUMN_INSTRUCTION | MT_COLUMN_TASK)
static inline bool access_pc(const Output *output, const Access *access, uint64_t *pc)
{
    bool known = output->fields & MT_FIELD_INSTRUCTION &&
                 mt_trace_instruction(output->trace, access->batch->instruction[access->i]);

    *pc = known ? names_pc_at(output->names, access->batch, access->i) : 0;
    return known;
}

extern const ConvertFormat convert_compact, convert_csv, convert_din, convert_dramsim3, convert_gem5, convert_gmbeoo,
    convert_lackey, convert_npy, convert_oracle_general, convert_ramulator2, convert_trace;

/* Writes bytes; false with an error if that failed. */
bool output_write(Output *output, const void *bytes, size_t count, GError **error);
/* Sets the error of the last failed write. Returns false. */
bool output_fail(const Output *output, GError **error);

/* When the access is to be simulated, in ps. The first access that is written is at 0, and time never goes back. In a
 * trace without times, records are 1 ns apart. For formats of requests that have MT_COLUMN_TIME. */
uint64_t output_clock_ps(Output *output, const Access *access);

#endif
