/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libmemory_tracer: reads traces of memory accesses, from a trace file, a stream of GMBEOO or compact records (a file,
 * FIFO or pipe; see record.h), or a ring that a guest is being traced into.
 *
 *     struct mt_error error;
 *     mt_trace *trace = mt_trace_open("a.mtrace", MT_FORMAT_AUTO, &error);
 *     mt_reader *reader = trace ? mt_reader_new(trace, MT_COLUMN_ADDRESS | MT_COLUMN_INFO, &error) : NULL;
 *     const struct mt_batch *batch;
 *
 *     while (reader && (batch = mt_reader_next(reader, &error)))
 *         for (size_t i = 0; i < batch->count; i++)
 *             use(batch->address[i], mt_size(batch->info[i]), mt_is_store(batch->info[i]));
 *     if (*error.message)
 *         fprintf(stderr, "%s\n", error.message);
 *     mt_reader_free(reader);
 *     mt_trace_close(trace);
 *
 * Threads: several threads may use an mt_trace of a file at once, if each has a reader of its own
 * (mt_reader_new_blocks); all of them may ask it for symbols, tasks and objects. Everything else is for one thread at a
 * time. Functions that can fail take an mt_error, which may be NULL, and write one line into it: what is wrong, where
 * (name and offset), and why.
 */
#ifndef MEMORY_TRACER_TRACE_H
#define MEMORY_TRACER_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mt_trace mt_trace;
typedef struct mt_reader mt_reader;

struct mt_error {
    char message[512];
};

/* Opening. */

enum mt_format {
    MT_FORMAT_AUTO,    /* told by the first 16 bytes; a compact stream only if its first record's vCPU is below 128 */
    MT_FORMAT_FILE,    /* a trace file */
    MT_FORMAT_GMBEOO,  /* a stream of 16-byte records: see record.h */
    MT_FORMAT_COMPACT, /* a stream of 8-byte records */
    MT_FORMAT_RING,    /* a live ring, opened by mt_trace_open_ring() */
};

/* What the records of a trace may have beside address and info: mt_trace_fields(). */
enum mt_fields {
    MT_FIELD_INSTRUCTION = 1, /* which instruction made the access */
    MT_FIELD_PADDR = 2,       /* the physical address */
    MT_FIELD_VALUE = 4,       /* what was loaded or stored */
    MT_FIELD_TIME = 8,        /* guest time, for each chunk of records */
    MT_FIELD_TASK = 32,       /* which task the vCPU executes, as events: struct mt_events */
    MT_FIELD_EXECUTED = 64,   /* which translated blocks are executed, as events (no version records them yet) */
    MT_FIELD_PAGE_SIZE = 128, /* the size of the page that has the first byte */
};

/* The guest's architecture: mt_trace_architecture(). Later versions may know more. */
enum mt_architecture {
    MT_ARCHITECTURE_X86_64 = 0,
};

/* Opens `path`; "-" is standard input. Waits for a FIFO's writer. A trace file must be seekable. NULL with an error.
 * The caller closes the trace by mt_trace_close(). */
mt_trace *mt_trace_open(const char *path, enum mt_format format, struct mt_error *error);
/* The same for an open descriptor, which the trace closes, also on failure. `name` is for messages. */
mt_trace *mt_trace_open_fd(int fd, const char *name, enum mt_format format, struct mt_error *error);
/* The same for a live ring, by the descriptor of its memory, which the trace closes. The caller becomes its only
 * consumer. */
mt_trace *mt_trace_open_ring(int fd, struct mt_error *error);
/* Frees all that the trace owns. Its readers must have been freed before. NULL is fine. */
void mt_trace_close(mt_trace *trace);

/* What a trace is. */

enum mt_format mt_trace_format(const mt_trace *trace);
/* Bits of enum mt_fields. Streams have none. */
unsigned mt_trace_fields(const mt_trace *trace);
/* The number of vCPUs; 0 if it isn't known (streams). */
unsigned mt_trace_vcpus(const mt_trace *trace);
/* A value of enum mt_architecture, or a number that this version doesn't know. */
unsigned mt_trace_architecture(const mt_trace *trace);
/* The number of records; UINT64_MAX if it isn't known (streams, rings). */
uint64_t mt_trace_records(const mt_trace *trace);
/* The size of a trace file in bytes; 0 for streams and rings. */
uint64_t mt_trace_bytes(const mt_trace *trace);
/* Whether a trace file was written to its end, and so has its index. True for streams and rings. */
bool mt_trace_is_complete(const mt_trace *trace);
/* If a trace file is not complete: one line that says what was found where the good chunks end. Else NULL. Belongs to
 * the trace. */
const char *mt_trace_damage(const mt_trace *trace);
/* Reads all of a trace file and checks every hash in it. False with an error that says where it is damaged. True for
 * streams and rings. */
bool mt_trace_verify(const mt_trace *trace, struct mt_error *error);
/* A file's metadata: JSON objects, one in a line. If several have a member, the last one counts. "" if there are no
 * metadata. Belongs to the trace. */
const char *mt_trace_metadata(const mt_trace *trace);
/* A file's attachment of this name (such as "kallsyms"), which the caller frees by free(). Sets *bytes to its length; a
 * 0 byte follows. NULL with an error, whose message is empty if there is no such attachment. */
char *mt_trace_attachment(mt_trace *trace, const char *name, size_t *bytes, struct mt_error *error);

/* The mode of the processor in which an instruction was executed, on x86-64. It decides what the bytes mean. */
enum mt_mode {
    MT_MODE_UNKNOWN, /* files of version 0.1 don't tell it; most code is 64-bit code */
    MT_MODE_16,
    MT_MODE_32,
    MT_MODE_64,
};

/* An instruction that was translated while tracing. */
struct mt_instruction {
    uint64_t pc;    /* its address in the process that executed it first: see mt_pc_at() */
    uint8_t cpl;    /* current privilege level: 0 kernel, 3 user */
    uint8_t length; /* in bytes; 0: unknown */
    uint8_t bytes[15];
    uint8_t mode; /* of enum mt_mode */
};

/* How many instructions there are; their numbers run from 1 to this. It grows while a ring is written. */
uint32_t mt_trace_instructions(const mt_trace *trace);
/* An instruction by its number; NULL if it isn't known (number 0, or it was lost with a damaged part of the file).
 * Valid until the trace is closed. */
const struct mt_instruction *mt_trace_instruction(const mt_trace *trace, uint32_t number);

/* A function that an instruction is in, and the source line. In an outer function, it is the line that calls the
 * function of the frame before. */
struct mt_source_frame {
    const char *function; /* NULL: unknown */
    const char *file;     /* NULL: unknown */
    unsigned line;        /* from 1; 0: unknown */
};

/* What an instruction belongs to. All texts are printable UTF-8. Later versions append members. */
struct mt_symbol {
    const char *function;    /* as the programmer named it ("list::add(int)"), or "malloc@plt"; NULL: unknown */
    uint64_t offset;         /* bytes from the function's beginning; the object_address if the function isn't known */
    const char *object;      /* the file's path when the trace was recorded; without a slash: "kernel", or other code */
    const char *build_id;    /* in hexadecimal; NULL: it has none */
    uint64_t object_address; /* the instruction's address in the file */
    const char *file;        /* the source file: frames[0].file */
    unsigned line;           /* frames[0].line */
    size_t frame_count;      /* 0: the source isn't known */
    const struct mt_source_frame *frames; /* from the innermost inlined function to `function`, which is the last one */
};

/* The symbol that an instruction belongs to, from the trace alone. NULL if it isn't known. Valid until the trace is
 * closed. */
const struct mt_symbol *mt_symbol_of(mt_trace *trace, uint32_t number);

/* Reading. */

enum mt_columns {
    MT_COLUMN_ADDRESS = 1,
    MT_COLUMN_INFO = 2,
    MT_COLUMN_INSTRUCTION = 4,
    MT_COLUMN_PADDR = 8,
    MT_COLUMN_VALUE = 16,
    MT_COLUMN_TIME = 32,
    MT_COLUMN_ALL = 63, /* the above: all columns of accesses but the page sizes */
    MT_COLUMN_TASK = 64,
    MT_COLUMN_EXECUTED = 128,
    MT_COLUMN_PAGE_SIZE = 256,
};

struct mt_value {
    uint64_t low, high; /* a 128-bit number; bytes beyond the access are 0 */
};

/* The physical address is not known. */
#define MT_PADDR_UNKNOWN UINT64_MAX
/* In a physical address: it belongs to a device, not to memory. */
#define MT_PADDR_IO (UINT64_C(1) << 63)

/* An event: something that happened on the vCPU between two accesses. */
struct mt_event {
    uint32_t before; /* it stands before the batch's access of this index; `count`: behind the last access */
    uint32_t number; /* the task that is executed from here on (its number << 2 | enum mt_task_context); or the number
                        of the translated block that is executed */
};

/* A batch's events of one kind, in order. */
struct mt_events {
    uint32_t state; /* the number of the last event before the batch's first access; 0: there was none */
    size_t count;
    const struct mt_event *event;
};

/* Some records of one vCPU, in order. The batch and its arrays belong to the reader. The arrays have `count` elements;
 * they are NULL for columns that were not asked for, or that the trace doesn't have. Later versions append members. */
struct mt_batch {
    size_t count;
    uint64_t first; /* index of the first record in the trace; the others follow it */
    unsigned vcpu;
    uint64_t time_ns;            /* with MT_COLUMN_TIME: guest time since tracing began, the same for all records */
    const uint64_t *address;     /* virtual, of the first byte */
    const uint8_t *info;         /* bits 0-7 of a GMBEOO record's info: see mt_size() and so on */
    const uint32_t *instruction; /* number, for mt_trace_instruction(); 0: unknown */
    const uint64_t *paddr;       /* or MT_PADDR_UNKNOWN; MT_PADDR_IO may be set */
    const struct mt_value *value;
    const bool *value_unknown;       /* true: the value isn't known, and is 0 here; NULL: all are known */
    unsigned input;                  /* in a merged file: the input that these come from, counted from 0 */
    struct mt_events task, executed; /* with MT_COLUMN_TASK and MT_COLUMN_EXECUTED: a batch may have events only */
    const uint64_t
        *index; /* each record's index in the trace; NULL: `first` and following, as mt_reader_next() gives */
    /* The size of the page that has the first byte, as the guest's page tables had it when the recorder first needed
     * the page's frame: the base-2 logarithm of its bytes (12, 21, 30); 0: unknown. */
    const uint8_t *page_size;
};

/* Tasks: the threads of the guest's processes, and the kernel's own. With MT_FIELD_TASK. */

/* What a vCPU does while a task is its current one. */
enum mt_task_context {
    MT_TASK_RUNS,
    MT_TASK_IN_INTERRUPT, /* an interrupt's handler, which has interrupted the task */
    MT_TASK_IN_SOFTIRQ,   /* a softirq, which has interrupted the task */
};

/* A thread. Texts are the guest's bytes. Later versions append members. */
struct mt_task {
    uint32_t number;      /* in this trace; no other task has it */
    uint32_t pid;         /* its process's, as getpid() returns it; 0: an idle task */
    uint32_t tid;         /* its own, as gettid() returns it */
    uint32_t parent;      /* the number of the task that created it; 0: unknown */
    uint32_t input;       /* in a merged trace: the input that it comes from, counted from 0 */
    uint64_t start_ns;    /* when it began, since the guest's boot */
    const char *name;     /* its last name (comm) */
    const char *program;  /* the path of the program that it executed last while it was traced, or "" */
    const char *cgroup;   /* its path, or "" */
    bool has_exited;      /* whether it exited while it was traced */
    uint32_t exit_status; /* if it has: as wait(2) returns it */
};

/* The highest number of a task; 0 if the trace has no tasks. */
uint32_t mt_trace_tasks(mt_trace *trace);
/* A task of a trace file, by its number; NULL if there is none. Valid until the trace is closed. */
const struct mt_task *mt_trace_task(mt_trace *trace, uint32_t number);
/* The task that made the batch's record `i` (below its count). Sets *context, which may be NULL, to what the vCPU did.
 * NULL if the task isn't known, or if the batch was read without MT_COLUMN_TASK. Valid until the trace is closed. */
const struct mt_task *mt_task_at(mt_trace *trace, const struct mt_batch *batch, size_t i,
                                 enum mt_task_context *context);

/* What an access goes to. Later versions append members. */
struct mt_object {
    const char *region; /* the kind of memory, one word: "variable", "stack", "heap", "slab" and so on, as
                           memory_tracer-trace(1) lists them; "unknown-user" and "unknown-kernel" */
    const char *name;   /* "counter", "stack of 123" (a thread's id), "heap of 123" (a process's), a file's path, a slab
                           cache's name; printable. Valid until the trace is closed */
    uint64_t begin, end; /* virtual addresses of the whole object (in a slab, of the one object); `end` is behind it */
    uint32_t task;       /* number of the task whose stack it is, else 0 */
};

/* The address of the instruction that made the batch's record `i` (below its count), in the process that executed it.
 * The `pc` of mt_trace_instruction() is the address in the process that executed it first: QEMU translates a page of a
 * file once for all processes that have mapped it, at whichever addresses. The batch must have been read as for
 * mt_symbol_at(). Without MT_COLUMN_TASK, and where the process or its mappings aren't known, the result is the
 * instruction's `pc`. 0 if there is no instruction. */
uint64_t mt_pc_at(mt_trace *trace, const struct mt_batch *batch, size_t i);
/* What the batch's record `i` (below its count) accesses: what was mapped at the address of its first byte at that
 * time, from the trace alone. The batch must have been read with MT_COLUMN_ADDRESS and MT_COLUMN_TASK; with
 * MT_COLUMN_PADDR, devices are found, too. Valid until the calling thread's next call. NULL without addresses. */
const struct mt_object *mt_object_of(mt_trace *trace, const struct mt_batch *batch, size_t i);
/* The symbol of the instruction that made the batch's record `i` (below its count), in the process that executed it.
 * Two programs may have the same instruction at the same address; it has one number then, and mt_symbol_of() may not be
 * able to tell which program it belongs to. The batch must have been read with MT_COLUMN_INSTRUCTION and
 * MT_COLUMN_TASK. Without the latter, and where the process isn't known, the result is mt_symbol_of()'s. NULL if the
 * symbol isn't known. Valid until the trace is closed. */
const struct mt_symbol *mt_symbol_at(mt_trace *trace, const struct mt_batch *batch, size_t i);

/* What a record's info says. The library exports these functions, too, for languages that can't use inline ones. */
#ifndef MT_INLINE
#define MT_INLINE static inline
#endif

/* The size of the access in bytes: 1, 2, 4, 8 or 16. */
MT_INLINE unsigned mt_size(uint8_t info)
{
    return 1u << (info & 7);
}

MT_INLINE bool mt_is_sign_extended(uint8_t info)
{
    return info & 8;
}

MT_INLINE bool mt_is_big_endian(uint8_t info)
{
    return info & 16;
}

/* Whether the access is a store; else it is a load. */
MT_INLINE bool mt_is_store(uint8_t info)
{
    return info & 32;
}

/* The current privilege level: 0 kernel, 3 user. */
MT_INLINE unsigned mt_cpl(uint8_t info)
{
    return info >> 6;
}

/* A reader of all records, in the order of the trace; `columns` are of enum mt_columns. Streams and rings can be read
 * once. NULL with an error. The caller frees the reader before it closes the trace. */
mt_reader *mt_reader_new(mt_trace *trace, unsigned columns, struct mt_error *error);
/* Goes on with the record of this index, or the first one after it. Skips the blocks of a file that lie before it.
 * False with an error. */
bool mt_reader_seek(mt_reader *reader, uint64_t index, struct mt_error *error);
/* The next records, valid until the next call. NULL with an empty error at the end; NULL with an error on failure. A
 * file that was cut ends with its last whole block. */
const struct mt_batch *mt_reader_next(mt_reader *reader, struct mt_error *error);
/* Whether the last mt_reader_next() failed. For callers that pass no mt_error. */
bool mt_reader_has_failed(const mt_reader *reader);
/* NULL is fine. */
void mt_reader_free(mt_reader *reader);

/* In parallel: a file's blocks, each of which can be read without the others. Later versions append members. */
struct mt_block {
    uint64_t offset, bytes; /* in the file */
    unsigned vcpu;
    uint32_t records;
    uint64_t first;             /* index of the first record in the trace */
    uint64_t end;               /* index of the last record, plus 1. There may be records of other vCPUs in between */
    uint64_t first_ns, last_ns; /* with MT_FIELD_TIME */
    uint64_t dropped;           /* records of this vCPU that had been dropped when the block was written */
    uint64_t known;             /* records of all vCPUs that the writer had got then */
    unsigned input;             /* in a merged file: the input that the records come from, counted from 0 */
};

/* How many blocks a trace file has. 0 for streams and rings. */
size_t mt_trace_blocks(const mt_trace *trace);
/* The blocks in the order of the file; `number` is below mt_trace_blocks(). Valid until the trace is closed. */
const struct mt_block *mt_trace_block(const mt_trace *trace, size_t number);
/* A reader of the blocks `begin` to `end` - 1 of a file, one after the other. NULL with an error. */
mt_reader *mt_reader_new_blocks(mt_trace *trace, unsigned columns, size_t begin, size_t end, struct mt_error *error);

/* This library's version, such as "0.2.0". */
const char *mt_version(void);

#ifdef __cplusplus
}
#endif

#endif
