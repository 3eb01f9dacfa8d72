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
 * Threads: an mt_trace of a file may be used by several threads at once, each with a reader of its own
 * (mt_reader_new_blocks), and asked for symbols by them all. Everything else is for one thread at a time. Functions
 * that can fail take an mt_error, which may be NULL, and write one line into it: what is wrong, where (name and
 * offset), and why.
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
    MT_FORMAT_AUTO,    /* found by the first 16 bytes; a compact stream only if its first vCPU is below 128 */
    MT_FORMAT_FILE,    /* a trace file */
    MT_FORMAT_GMBEOO,  /* a stream of 16-byte records: see record.h */
    MT_FORMAT_COMPACT, /* a stream of 8-byte records */
    MT_FORMAT_RING,    /* a live ring, opened by mt_trace_open_ring() */
};

/* What the records of a trace have beside address and info: mt_trace_fields(). */
enum mt_fields {
    MT_FIELD_INSTRUCTION = 1, /* which instruction made the access */
    MT_FIELD_PADDR = 2,       /* the physical address */
    MT_FIELD_VALUE = 4,       /* what was loaded or stored */
    MT_FIELD_TIME = 8,        /* guest time, for each chunk of records */
    MT_FIELD_TASK = 32,       /* which task the vCPU executes: events, see struct mt_events */
    MT_FIELD_EXECUTED = 64,   /* which translated blocks are executed: events, too */
    MT_FIELD_PAGE_SIZE = 128, /* of the page that has the first byte */
};

/* The guest's architecture: mt_trace_architecture(). Later versions may know more. */
enum mt_architecture {
    MT_ARCHITECTURE_X86_64 = 0,
};

/* Opens `path`; "-" is standard input. Waits for a FIFO's writer. A trace file must be seekable. NULL on failure. */
mt_trace *mt_trace_open(const char *path, enum mt_format format, struct mt_error *error);
/* The same for an open descriptor, which the trace takes, also on failure. `name` is for messages. */
mt_trace *mt_trace_open_fd(int fd, const char *name, enum mt_format format, struct mt_error *error);
/* A live ring, by the descriptor of its memory, which the trace takes. The caller becomes its only consumer. */
mt_trace *mt_trace_open_ring(int fd, struct mt_error *error);
/* NULL is fine. Readers must have been freed. */
void mt_trace_close(mt_trace *trace);

/* What it is. */

enum mt_format mt_trace_format(const mt_trace *trace);
/* Of enum mt_fields. Streams have none. */
unsigned mt_trace_fields(const mt_trace *trace);
/* The number of vCPUs; 0 if it isn't known (streams). */
unsigned mt_trace_vcpus(const mt_trace *trace);
/* Of enum mt_architecture, or a number that this version doesn't know. */
unsigned mt_trace_architecture(const mt_trace *trace);
/* The number of records; UINT64_MAX if it isn't known (streams, rings). */
uint64_t mt_trace_records(const mt_trace *trace);
/* The size of a trace file in bytes; 0 for streams and rings. */
uint64_t mt_trace_bytes(const mt_trace *trace);
/* Whether a trace file has its index, that is, was written to its end. True for streams and rings. */
bool mt_trace_is_complete(const mt_trace *trace);
/* If a trace file is not complete: what was found where the good chunks end, as one line. Else NULL. Belongs to the
 * trace.
 */
const char *mt_trace_damage(const mt_trace *trace);
/* Reads all of a trace file and checks every hash in it. False with an error that says where it is damaged. True for
 * streams and rings. */
bool mt_trace_verify(const mt_trace *trace, struct mt_error *error);
/* A file's metadata: JSON objects, each in a line of its own; of members with the same name, the last one counts. "" if
 * there is none. Belongs to the trace. */
const char *mt_trace_metadata(const mt_trace *trace);
/* What is attached to a file under this name (such as "kallsyms"), to be freed with free(). *bytes becomes its length;
 * a 0 byte follows. NULL with an error, whose message is empty if there is no such attachment. */
char *mt_trace_attachment(mt_trace *trace, const char *name, size_t *bytes, struct mt_error *error);

/* The processor's mode in which an instruction was executed, on x86-64. It decides what the bytes mean. */
enum mt_mode {
    MT_MODE_UNKNOWN, /* older files don't tell: most code is of 64 bits */
    MT_MODE_16,
    MT_MODE_32,
    MT_MODE_64,
};

/* An instruction that was translated while tracing. */
struct mt_instruction {
    uint64_t pc; /* in the process that executed it first: see mt_pc_at() */
    uint8_t cpl;
    uint8_t length; /* in bytes; 0: unknown */
    uint8_t bytes[15];
    uint8_t mode; /* of enum mt_mode */
};

/* How many instructions there are. Their numbers are 1 to this number. In a ring it grows. */
uint32_t mt_trace_instructions(const mt_trace *trace);
/* By its number; NULL if it isn't known (it was lost with a damaged part of the file). Valid until the trace is closed.
 */
const struct mt_instruction *mt_trace_instruction(const mt_trace *trace, uint32_t number);

/* A function that an instruction is in, and the line; for an outer function, the line at which it calls the function of
 * the frame before. */
struct mt_source_frame {
    const char *function; /* NULL: unknown */
    const char *file;     /* NULL: unknown */
    unsigned line;        /* from 1; 0: unknown */
};

/* What an instruction belongs to. All texts are printable UTF-8. Later versions append members. */
struct mt_symbol {
    const char *function; /* as the programmer named it ("list::add(int)"), or "malloc@plt"; NULL: unknown */
    uint64_t offset;      /* from the function's beginning; without one: object_address */
    const char *object;   /* the file's path when the trace was recorded; without a slash: "kernel", or another thing */
    const char *build_id; /* in hexadecimal; NULL: it has none */
    uint64_t object_address;              /* of the instruction, as the file has it */
    const char *file;                     /* the source file: frames[0].file */
    unsigned line;                        /* frames[0].line */
    size_t frame_count;                   /* 0: the source isn't known */
    const struct mt_source_frame *frames; /* from the innermost inlined function to `function`, which is the last one */
};

/* What the instruction of this number belongs to, as the trace itself tells. NULL if it doesn't. Valid until the trace
 * is closed. */
const struct mt_symbol *mt_symbol_of(mt_trace *trace, uint32_t number);

/* Reading. */

enum mt_columns {
    MT_COLUMN_ADDRESS = 1,
    MT_COLUMN_INFO = 2,
    MT_COLUMN_INSTRUCTION = 4,
    MT_COLUMN_PADDR = 8,
    MT_COLUMN_VALUE = 16,
    MT_COLUMN_TIME = 32,
    MT_COLUMN_ALL = 63, /* of accesses */
    MT_COLUMN_TASK = 64,
    MT_COLUMN_EXECUTED = 128,
    MT_COLUMN_PAGE_SIZE = 256,
};

struct mt_value {
    uint64_t low, high; /* as a 128-bit number; what the access doesn't cover is 0 */
};

/* The physical address is not known. */
#define MT_PADDR_UNKNOWN UINT64_MAX
/* In a physical address: it belongs to a device, not to memory. */
#define MT_PADDR_IO (UINT64_C(1) << 63)

/* An event: something that happened on the vCPU between two accesses. */
struct mt_event {
    uint32_t before; /* it stands before the batch's access of this index; if that is `count`, after the last one */
    uint32_t number; /* from here on, this task is executed (its number << 2 | enum mt_task_context); or the translated
                        block that is executed */
};

/* A batch's events of one kind, in order. */
struct mt_events {
    uint32_t state; /* the number of the last event before the batch's first access; 0: there was none */
    size_t count;
    const struct mt_event *event;
};

/* Some records, in order, all of one vCPU. It belongs to the reader, with its arrays, which have `count` elements;
 * those of columns that were not asked for, or that the trace doesn't have, are NULL. Later versions append members. */
struct mt_batch {
    size_t count;
    uint64_t first; /* index of the first record in the trace; the others follow it */
    unsigned vcpu;
    uint64_t time_ns;            /* with MT_COLUMN_TIME, for all of them: guest time since tracing began */
    const uint64_t *address;     /* virtual, of the first byte */
    const uint8_t *info;         /* bits 0-7 of a GMBEOO record's info: see mt_size() and so on */
    const uint32_t *instruction; /* number, for mt_trace_instruction(); 0: unknown */
    const uint64_t *paddr;       /* or MT_PADDR_UNKNOWN; MT_PADDR_IO may be set */
    const struct mt_value *value;
    const bool *value_unknown;       /* true: the value isn't known, and is 0 here; NULL: all are known */
    unsigned input;                  /* of a merged file: from which of its inputs these are, counted from 0 */
    struct mt_events task, executed; /* with MT_COLUMN_TASK and MT_COLUMN_EXECUTED; a batch may have no access then */
    const uint64_t *index; /* of each record in the trace; NULL (always, from mt_reader_next()): see `first` */
    /* Of the page that has the first byte, as the guest's page tables had it when the page's frame was first asked for:
     * the base-2 logarithm of its bytes (12, 21, 30); 0: unknown. */
    const uint8_t *page_size;
};

/* Tasks: the guest's processes and threads, and the kernel's own. With MT_FIELD_TASK. */

/* What a vCPU does while a task is its current one. */
enum mt_task_context {
    MT_TASK_RUNS,
    MT_TASK_IN_INTERRUPT, /* an interrupt's handler, which has interrupted the task */
    MT_TASK_IN_SOFTIRQ,   /* a softirq, which has interrupted the task */
};

/* A thread. Texts are the guest's bytes. Later versions append members. */
struct mt_task {
    uint32_t number;      /* in this trace; never used for another one */
    uint32_t pid;         /* of its process, as getpid() says; 0: an idle task */
    uint32_t tid;         /* its own, as gettid() says */
    uint32_t parent;      /* the number of the task that created it; 0: unknown */
    uint32_t input;       /* of a merged trace: from which of its inputs it is, counted from 0 */
    uint64_t start_ns;    /* when it began, since the guest's boot */
    const char *name;     /* its last name (comm) */
    const char *program;  /* the path of what it has executed last while it was traced, or "" */
    const char *cgroup;   /* its path, or "" */
    bool has_exited;      /* while it was traced; then: */
    uint32_t exit_status; /* as wait(2) tells it */
};

/* The highest number of a task; 0 if the trace has no tasks. */
uint32_t mt_trace_tasks(mt_trace *trace);
/* A task of a trace file, by its number; NULL if there is none. Valid until the trace is closed. */
const struct mt_task *mt_trace_task(mt_trace *trace, uint32_t number);
/* Which task made the batch's record `i` (below its count); *context (may be NULL) becomes what the vCPU did. NULL if
 * the task isn't known, or the batch was read without MT_COLUMN_TASK. Valid until the trace is closed. */
const struct mt_task *mt_task_at(mt_trace *trace, const struct mt_batch *batch, size_t i,
                                 enum mt_task_context *context);

/* What an access goes to. Later versions append members. */
struct mt_object {
    const char *region; /* the kind of memory, one word: "variable", "stack", "heap", "slab" and so on, as
                           memory_tracer-trace(1) lists them; "unknown-user" and "unknown-kernel" */
    const char *name;   /* "counter", "stack of 123" (a thread's id), "heap of 123" (a process's), a file's path, a slab
                           cache's name; printable. Valid until the trace is closed */
    uint64_t begin, end; /* virtual addresses of all of it; in a slab, of the one object */
    uint32_t task;       /* number of the task whose stack it is, else 0 */
};

/* The address of the instruction of the batch's record `i` (below its count), in the process that executed it. The `pc`
 * of mt_trace_instruction() is that of the process that executed it first: QEMU translates a page of a file once for
 * all that have mapped it, at whichever addresses. The batch as for mt_symbol_at(): without MT_COLUMN_TASK, and where
 * the process or its mappings aren't known, it is the `pc` of the instruction. 0 if there is none. */
uint64_t mt_pc_at(mt_trace *trace, const struct mt_batch *batch, size_t i);
/* What the batch's record `i` (below its count) goes to, by the address of its first byte, as the trace itself tells:
 * what was mapped where at that time. The batch must have been read with MT_COLUMN_ADDRESS and MT_COLUMN_TASK; with
 * MT_COLUMN_PADDR, devices are told, too. Valid until the calling thread's next call. NULL without addresses. */
const struct mt_object *mt_object_of(mt_trace *trace, const struct mt_batch *batch, size_t i);
/* What the instruction of the batch's record `i` (below its count) belongs to, in the process that executed it: two
 * programs may have the same instruction at the same address, which then has one number, and mt_symbol_of() may not
 * tell whose it is. The batch must have been read with MT_COLUMN_INSTRUCTION, and with MT_COLUMN_TASK: without, and
 * where the process isn't known, this is mt_symbol_of(). NULL if it isn't known. Valid until the trace is closed. */
const struct mt_symbol *mt_symbol_at(mt_trace *trace, const struct mt_batch *batch, size_t i);

/* What a record's info says. The library has these as functions, too, for languages that can't use them from here. */
#ifndef MT_INLINE
#define MT_INLINE static inline
#endif

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

MT_INLINE bool mt_is_store(uint8_t info)
{
    return info & 32;
}

MT_INLINE unsigned mt_cpl(uint8_t info)
{
    return info >> 6;
}

/* Reads all of a trace, in its order. Streams and rings can be read once. NULL on failure. */
mt_reader *mt_reader_new(mt_trace *trace, unsigned columns, struct mt_error *error);
/* Goes on with the record of this index, or the first one after it. In a file, the blocks before it aren't read. False
 * with an error. */
bool mt_reader_seek(mt_reader *reader, uint64_t index, struct mt_error *error);
/* The next records, valid until the next call; NULL at the end, with an empty error, and on failure. A file that was
 * cut ends where its last whole block ends. */
const struct mt_batch *mt_reader_next(mt_reader *reader, struct mt_error *error);
/* Whether the last mt_reader_next() has failed: for callers that pass no mt_error. */
bool mt_reader_has_failed(const mt_reader *reader);
/* NULL is fine. */
void mt_reader_free(mt_reader *reader);

/* In parallel: a file's blocks, each of which can be read without the others. Later versions append members. */
struct mt_block {
    uint64_t offset, bytes; /* in the file */
    unsigned vcpu;
    uint32_t records;
    uint64_t first;             /* index of the first record in the trace */
    uint64_t end;               /* index of the last record, plus 1. Records of other vCPUs may lie in between */
    uint64_t first_ns, last_ns; /* with MT_FIELD_TIME */
    uint64_t dropped;           /* records of this vCPU that had been dropped when the block was written */
    uint64_t known;             /* records of all vCPUs that the writer had got then */
    unsigned input;             /* of a merged file: of which of its inputs */
};

/* How many blocks a trace file has. 0 for streams and rings. */
size_t mt_trace_blocks(const mt_trace *trace);
/* The blocks in the order of the file; `number` is below mt_trace_blocks(). Valid until the trace is closed. */
const struct mt_block *mt_trace_block(const mt_trace *trace, size_t number);
/* Reads the blocks `begin` to `end` - 1 of a file, one after the other. NULL with an error. */
mt_reader *mt_reader_new_blocks(mt_trace *trace, unsigned columns, size_t begin, size_t end, struct mt_error *error);

/* This library's version, such as "0.2.0". */
const char *mt_version(void);

#ifdef __cplusplus
}
#endif

#endif
