/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libmemory_tracer: traces and their properties. See include/memory_tracer/trace.h. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "trace_private.h"

_Static_assert(FORMAT_HAS_INSTRUCTIONS == (int)MT_FIELD_INSTRUCTION && FORMAT_HAS_PADDRS == (int)MT_FIELD_PADDR &&
                   FORMAT_HAS_ALL_VALUES == (int)MT_FIELD_VALUE && FORMAT_HAS_TIMES == (int)MT_FIELD_TIME &&
                   FORMAT_HAS_TASKS == (int)MT_FIELD_TASK && FORMAT_HAS_EXECUTED == (int)MT_FIELD_EXECUTED &&
                   FORMAT_HAS_PAGE_SIZES == (int)MT_FIELD_PAGE_SIZE,
               "fields are the file's, but for values as exceptions");
_Static_assert(FORMAT_INSTRUCTION_SHIFT == ROW_INSTRUCTION_SHIFT, "and so is a record's info");

#define KNOWN_FIELDS                                                                                                   \
    (MT_FIELD_INSTRUCTION | MT_FIELD_PADDR | MT_FIELD_VALUE | MT_FIELD_TIME | MT_FIELD_TASK | MT_FIELD_EXECUTED |      \
     MT_FIELD_PAGE_SIZE)

/* Opening. */

static struct mt_block *list_blocks(const TraceFile *file)
{
    struct mt_block *blocks = g_new(struct mt_block, MAX(file->blocks->len, 1));

    for (guint i = 0; i < file->blocks->len; i++) {
        const struct format_index_entry *entry = trace_file_block(file, i);

        blocks[i] = (struct mt_block){ .offset = entry->offset,
                                       .bytes = entry->bytes,
                                       .vcpu = entry->vcpu,
                                       .input = entry->input,
                                       .records = entry->records,
                                       .first = entry->first,
                                       .end = entry->end,
                                       .first_ns = entry->first_ns,
                                       .last_ns = entry->last_ns,
                                       .dropped = entry->dropped,
                                       .known = entry->known };
    }
    return blocks;
}

mt_trace *mt_trace_open(const char *path, enum mt_format format, struct mt_error *error)
{
    bool standard_input = !strcmp(path, "-");
    int fd = standard_input ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0) : open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        GError *problem = g_error_new(G_IO_ERROR, G_IO_ERROR_FAILED, "%s: can't open: %s", path, g_strerror(errno));

        return give_error(error, problem);
    }
    return mt_trace_open_fd(fd, standard_input ? "standard input" : path, format, error);
}

mt_trace *mt_trace_open_fd(int fd, const char *name, enum mt_format format, struct mt_error *error)
{
    mt_trace *trace = g_new0(mt_trace, 1);
    GError *problem = NULL;
    bool is_file = format == MT_FORMAT_FILE;

    if (!is_file)
        trace->stream = stream_open(fd, name, format, &is_file, &problem);
    if (is_file)
        trace->file = trace_file_open(fd, name, TRACE_FILE_READ, &problem);
    if (problem) {
        mt_trace_close(trace);
        return give_error(error, problem);
    }
    if (is_file)
        trace->blocks = list_blocks(trace->file);
    trace->format = is_file ? MT_FORMAT_FILE : stream_format(trace->stream);
    return trace;
}

mt_trace *mt_trace_open_ring(int fd, struct mt_error *error)
{
    GError *problem = NULL;
    Ring *ring = ring_attach(fd, &problem);
    mt_trace *trace;

    if (!ring)
        return give_error(error, problem);
    trace = g_new0(mt_trace, 1);
    trace->format = MT_FORMAT_RING;
    trace->ring = ring;
    return trace;
}

void mt_trace_close(mt_trace *trace)
{
    if (!trace)
        return;
    if (trace->names)
        trace->free_names(trace->names);
    if (trace->tasks)
        trace->free_tasks(trace->tasks);
    if (trace->objects)
        trace->free_objects(trace->objects);
    g_mutex_clear(&trace->names_lock);
    trace_file_free(trace->file);
    stream_free(trace->stream);
    if (trace->ring)
        ring_close(trace->ring); /* tells the producers that nobody will make room any more */
    ring_free(trace->ring);
    g_free(trace->blocks);
    g_free(trace);
}

/* What a trace is. */

enum mt_format mt_trace_format(const mt_trace *trace)
{
    return trace->format;
}

unsigned mt_trace_fields(const mt_trace *trace)
{
    if (trace->file) {
        unsigned fields = trace->file->header.fields;

        return (fields & KNOWN_FIELDS) | (fields & FORMAT_HAS_VALUES ? MT_FIELD_VALUE : 0);
    }
    return trace->ring ? ring_fields(trace->ring) & KNOWN_FIELDS : 0;
}

unsigned mt_trace_vcpus(const mt_trace *trace)
{
    if (trace->file)
        return trace->file->header.vcpus;
    return trace->ring ? ring_vcpus(trace->ring) : 0;
}

unsigned mt_trace_architecture(const mt_trace *trace)
{
    return trace->file ? trace->file->header.architecture : MT_ARCHITECTURE_X86_64;
}

uint64_t mt_trace_records(const mt_trace *trace)
{
    uint64_t records = 0;

    if (!trace->file)
        return UINT64_MAX;
    for (size_t i = 0; i < mt_trace_blocks(trace); i++)
        records += trace_file_block(trace->file, i)->records;
    return records;
}

const TraceFile *trace_file_of(const mt_trace *trace)
{
    return trace->file;
}

uint64_t mt_trace_bytes(const mt_trace *trace)
{
    return trace->file ? trace->file->bytes : 0;
}

bool mt_trace_is_complete(const mt_trace *trace)
{
    return !trace->file || trace->file->complete;
}

const char *mt_trace_damage(const mt_trace *trace)
{
    return trace->file ? trace->file->damage : NULL;
}

bool mt_trace_verify(const mt_trace *trace, struct mt_error *error)
{
    GError *problem = NULL;

    if (!trace->file || trace_file_verify(trace->file, &problem))
        return true;
    give_error(error, problem);
    return false;
}

const char *mt_trace_metadata(const mt_trace *trace)
{
    return trace->file ? trace->file->metadata->str : "";
}

char *mt_trace_attachment(mt_trace *trace, const char *name, size_t *bytes, struct mt_error *error)
{
    g_autoptr(GByteArray) contents = NULL;
    GError *problem = NULL;

    if (!trace->file)
        return give_message(error, "");
    contents = trace_file_attachment(trace->file, name, &problem);
    if (!contents)
        return problem ? give_error(error, problem) : give_message(error, "");
    *bytes = contents->len;
    g_byte_array_append(contents, (const guint8 *)"", 1);
    return (char *)g_byte_array_free(g_steal_pointer(&contents), FALSE); /* GLib's memory is malloc()'s */
}

uint32_t mt_trace_instructions(const mt_trace *trace)
{
    if (trace->file)
        return trace->file->instructions->len;
    return trace->ring && (ring_fields(trace->ring) & MT_FIELD_INSTRUCTION) ? ring_instructions(trace->ring) - 1 : 0;
}

const struct mt_instruction *mt_trace_instruction(const mt_trace *trace, uint32_t number)
{
    const struct mt_instruction *instruction;

    if (number < 1 || number > mt_trace_instructions(trace))
        return NULL;
    if (trace->ring)
        return ring_get_instruction(trace->ring, number);
    instruction = &g_array_index(trace->file->instructions, struct mt_instruction, number - 1);
    return instruction->length ? instruction : NULL;
}

size_t mt_trace_blocks(const mt_trace *trace)
{
    return trace->file ? trace->file->blocks->len : 0;
}

const struct mt_block *mt_trace_block(const mt_trace *trace, size_t number)
{
    return &trace->blocks[number];
}

const char *mt_version(void)
{
    return MEMORY_TRACER_VERSION;
}
