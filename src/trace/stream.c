/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads streams of records: see stream.h. */
#include "stream.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "../../include/memory_tracer/record.h"
#include "file.h"

#define BATCH 4096
#define BUFFER_BYTES (1u << 20)
#define PROBE_BYTES 16
#define PLAUSIBLE_WORDS 4096 /* how many words may_be_compact() looks at */
/* Bits of a GMBEOO record's info that must be 0. */
#define GMBEOO_ZERO UINT64_C(0x7fffffffff000000)

struct Stream {
    int fd;
    char *name;
    bool compact, ended;
    uint64_t offset, records; /* bytes and records of the stream before `next` */
    uint8_t *next, *end;
    _Alignas(16) uint8_t buffer[BUFFER_BYTES];
    uint64_t address[BATCH];
    uint8_t info[BATCH];
    uint32_t instruction[BATCH];
};

/* Reads until the buffer has `bytes` bytes, or the stream has ended. */
static bool fill(Stream *stream, size_t bytes, GError **error)
{
    size_t have = (size_t)(stream->end - stream->next);

    if (have >= bytes || stream->ended)
        return true;
    memmove(stream->buffer, stream->next, have);
    stream->next = stream->buffer;
    stream->end = stream->buffer + have;
    while ((size_t)(stream->end - stream->next) < bytes) {
        ssize_t n = read(stream->fd, stream->end, (size_t)(stream->buffer + BUFFER_BYTES - stream->end));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            int code = errno;

            g_set_error(error, G_IO_ERROR, g_io_error_from_errno(code), "%s: can't read: %s", stream->name,
                        g_strerror(code));
            return false;
        }
        if (n == 0) {
            stream->ended = true;
            break;
        }
        stream->end += n;
    }
    return true;
}

/*
 * Whether `bytes` may be compact records. They have no magic number, but text must not be taken for them. In text,
 * letters would be records of CPL 1 or 2, at which no program runs; some digits would be stores that extend a sign,
 * which don't exist. Zeros alone are not records either.
 */
static bool may_be_compact(const uint8_t *bytes, size_t length)
{
    size_t words = MIN(length / sizeof(uint64_t), PLAUSIBLE_WORDS);
    uint64_t seen = 0;

    for (size_t i = 0; i < words; i++) {
        struct gmbeoo_record record;
        uint64_t word[2] = { 0 };
        unsigned cpl;

        memcpy(word, bytes + i * sizeof *word, MIN(sizeof word, length - i * sizeof *word));
        seen |= word[0];
        if (gmbeoo_from_compact(&record, word, 2) == 2)
            i++;
        cpl = gmbeoo_cpl(&record);
        if (cpl == 1 || cpl == 2 || (gmbeoo_is_store(&record) && gmbeoo_is_sign_extended(&record)))
            return false;
    }
    return !words || seen;
}

Stream *stream_open(int fd, const char *name, enum mt_format format, bool *is_file, GError **error)
{
    g_autoptr(Stream) stream = g_new(Stream, 1);

    stream->fd = fd;
    stream->name = g_strdup(name);
    stream->compact = format == MT_FORMAT_COMPACT;
    stream->ended = *is_file = false;
    stream->offset = stream->records = 0;
    stream->next = stream->end = stream->buffer;
    if (format == MT_FORMAT_AUTO) {
        uint64_t word;

        if (!fill(stream, PROBE_BYTES, error))
            return NULL;
        if (trace_file_is_one(stream->next, (size_t)(stream->end - stream->next))) {
            *is_file = true;
            stream->fd = -1;
            return NULL;
        }
        if (stream->end - stream->next >= (ptrdiff_t)sizeof word) {
            memcpy(&word, stream->next, sizeof word);
            stream->compact = !(word & GMBEOO_VALID) || (word & GMBEOO_ZERO);
            if (stream->compact && !may_be_compact(stream->next, (size_t)(stream->end - stream->next))) {
                g_set_error(
                    error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                    "%s: neither a trace file nor a stream of records (if it is one of compact records, say so)", name);
                return NULL;
            }
        }
    }
    return g_steal_pointer(&stream);
}

void stream_free(Stream *stream)
{
    if (!stream)
        return;
    if (stream->fd >= 0)
        close(stream->fd);
    g_free(stream->name);
    g_free(stream);
}

enum mt_format stream_format(const Stream *stream)
{
    return stream->compact ? MT_FORMAT_COMPACT : MT_FORMAT_GMBEOO;
}

/* Reads the record at stream->next. Returns its bytes; 0 if no whole record is left; -1 if it isn't a record. */
static int peek_record(Stream *stream, struct gmbeoo_record *record)
{
    size_t have = (size_t)(stream->end - stream->next);

    if (stream->compact) {
        uint64_t words[2] = { 0 };

        memcpy(words, stream->next, MIN(have, sizeof words));
        return (int)sizeof *words * (int)gmbeoo_from_compact(record, words, have / sizeof *words);
    }
    if (have < sizeof *record)
        return 0;
    memcpy(record, stream->next, sizeof *record);
    return gmbeoo_is_valid(record) && !(record->info & GMBEOO_ZERO) ? (int)sizeof *record : -1;
}

static int fail(const Stream *stream, const char *what, GError **error)
{
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "%s: offset %" G_GUINT64_FORMAT ": %s", stream->name,
                stream->offset, what);
    return -1;
}

int stream_next(Stream *stream, unsigned columns, struct mt_batch *batch, GError **error)
{
    size_t count = 0;
    int bytes = 0;

    *batch = (struct mt_batch){ .first = stream->records };
    if (!fill(stream, sizeof(struct gmbeoo_record), error))
        return -1;
    while (count < BATCH) {
        struct gmbeoo_record record;

        bytes = peek_record(stream, &record);
        if (bytes <= 0 || (count && gmbeoo_vcpu(&record) != batch->vcpu))
            break;
        batch->vcpu = gmbeoo_vcpu(&record);
        stream->address[count] = record.virt_addr;
        stream->info[count++] = (uint8_t)record.info;
        stream->next += bytes;
        stream->offset += (uint64_t)bytes;
    }
    if (!count && bytes < 0)
        return fail(stream, "this is not a GMBEOO record", error);
    if (!count && stream->next < stream->end)
        return fail(stream, "the stream ends within a record", error);
    stream->records += count;
    batch->count = count;
    if (columns & MT_COLUMN_ADDRESS)
        batch->address = stream->address;
    if (columns & MT_COLUMN_INFO)
        batch->info = stream->info;
    if (columns & MT_COLUMN_INSTRUCTION) {
        memset(stream->instruction, 0, count * sizeof *stream->instruction);
        batch->instruction = stream->instruction;
    }
    return count > 0;
}
