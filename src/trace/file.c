/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opens trace files: see file.h. Files are not trusted: every size is checked against the file's own size. */
#include "file.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>
#include <zstd.h>

#include "../ring/ring.h"
#include "attachments.h"
#include "decoder.h"
#include "file_private.h"

/* The bytes to which a chunk that isn't a block may decompress. */
#define MAX_DECOMPRESSED (UINT64_C(1) << 28)
/* So many are taken at once if a chunk says that it needs them. */
#define LIKELY_DECOMPRESSED (UINT64_C(1) << 24)
#define SCAN_BYTES (1u << 16)

G_GNUC_PRINTF(4, 5)
static bool fail_at(const TraceFile *file, uint64_t offset, GError **error, const char *format, ...)
{
    va_list arguments;
    g_autofree char *what = NULL;

    va_start(arguments, format);
    what = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "%s: offset %" G_GUINT64_FORMAT ": %s", file->name, offset,
                what);
    return false;
}

bool trace_file_read_at(const TraceFile *file, uint64_t offset, void *to, size_t bytes, GError **error)
{
    size_t done = 0;

    while (done < bytes) {
        ssize_t n = pread(file->fd, (uint8_t *)to + done, bytes - done, (off_t)(offset + done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_at(file, offset + done, error, "can't read: %s", g_strerror(errno));
        if (n == 0)
            return fail_at(file, offset + done, error, "the file ends too early");
        done += (size_t)n;
    }
    return true;
}

/* Fuzzers can't make hashes that fit their inputs, so there all hashes fit. */
static bool hash_fits(const void *bytes, size_t count, uint64_t hash)
{
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
    (void)bytes, (void)count, (void)hash;
    return true;
#else
    return XXH3_64bits(bytes, count) == hash;
#endif
}

static bool is_chunk(const struct format_chunk *chunk)
{
    return chunk->magic == FORMAT_CHUNK_MAGIC && hash_fits(chunk, offsetof(struct format_chunk, hash), chunk->hash) &&
           chunk->bytes <= FORMAT_MAX_PAYLOAD;
}

/* Reads the header of the chunk at `offset`. False with an error if it is damaged, or if the chunk isn't complete. */
static bool read_chunk_header(const TraceFile *file, uint64_t offset, struct format_chunk *chunk, GError **error)
{
    if (offset % FORMAT_ALIGNMENT || offset > file->bytes || file->bytes - offset < sizeof *chunk)
        return fail_at(file, offset, error, "there is no whole chunk");
    if (!trace_file_read_at(file, offset, chunk, sizeof *chunk, error))
        return false;
    if (!is_chunk(chunk))
        return fail_at(file, offset, error, "this is not a chunk");
    if (chunk->bytes > file->bytes - offset - sizeof *chunk)
        return fail_at(file, offset, error, "the file ends within a chunk");
    return true;
}

bool trace_file_read(const TraceFile *file, const struct format_index_entry *entry, GByteArray *payload, GError **error)
{
    struct format_chunk chunk;

    if (!read_chunk_header(file, entry->offset, &chunk, error))
        return false;
    if (chunk.bytes != entry->bytes || chunk.type != entry->type)
        return fail_at(file, entry->offset, error, "the index says something else of this chunk");
    g_byte_array_set_size(payload, (guint)chunk.bytes);
    if (!trace_file_read_at(file, entry->offset + sizeof chunk, payload->data, chunk.bytes, error))
        return false;
    if (!hash_fits(payload->data, chunk.bytes, chunk.payload_hash))
        return fail_at(file, entry->offset, error, "a chunk's contents don't fit its hash");
    return true;
}

static bool verify(const TraceFile *file, bool blocks, GError **error)
{
    g_autoptr(GByteArray) payload = g_byte_array_new();

    for (guint i = 0; i < file->chunks->len; i++) {
        const struct format_index_entry *chunk = &g_array_index(file->chunks, struct format_index_entry, i);

        if ((blocks || chunk->type != FORMAT_BLOCK) && !trace_file_read(file, chunk, payload, error))
            return false;
    }
    return true;
}

bool trace_file_verify(const TraceFile *file, GError **error)
{
    return verify(file, true, error);
}

bool trace_file_verify_others(const TraceFile *file, GError **error)
{
    return verify(file, false, error);
}

/* The index. */

static bool lies_between(const struct format_index_entry *entry, uint64_t after, uint64_t before)
{
    return entry->offset >= after && entry->offset <= before && entry->bytes <= before - entry->offset;
}

/* Reads the index. False if there is none, or a damaged one. */
static bool load_index(TraceFile *file)
{
    struct format_footer footer;
    struct format_index_entry self = { .type = FORMAT_INDEX };
    struct format_index head;
    struct format_chunk chunk;
    g_autoptr(GByteArray) payload = g_byte_array_new();
    uint64_t after = sizeof file->header;

    if (file->bytes < sizeof file->header + sizeof footer ||
        !trace_file_read_at(file, file->bytes - sizeof footer, &footer, sizeof footer, NULL) ||
        memcmp(footer.magic, FORMAT_END_MAGIC, sizeof footer.magic) || footer.file_bytes != file->bytes ||
        !hash_fits(&footer, offsetof(struct format_footer, hash), footer.hash) ||
        !read_chunk_header(file, footer.index_offset, &chunk, NULL))
        return false;
    self.offset = footer.index_offset;
    self.bytes = chunk.bytes;
    if (chunk.bytes < sizeof head || !trace_file_read(file, &self, payload, NULL))
        return false;
    memcpy(&head, payload->data, sizeof head);
    if ((chunk.bytes - sizeof head) / sizeof(struct format_index_entry) < head.entries)
        return false;
    g_array_append_vals(file->chunks, payload->data + sizeof head, head.entries);
    for (guint i = 0; i < head.entries; i++) {
        const struct format_index_entry *entry = &g_array_index(file->chunks, struct format_index_entry, i);

        if (!lies_between(entry, after, footer.index_offset) ||
            (entry->type == FORMAT_BLOCK && (entry->vcpu >= file->header.vcpus || entry->end < entry->first ||
                                             !entry->records || entry->records > FORMAT_MAX_RECORDS))) {
            g_array_set_size(file->chunks, 0);
            return false;
        }
        after = entry->offset + sizeof chunk + entry->bytes;
    }
    file->good_bytes = footer.index_offset;
    return true;
}

/* Reading without an index, chunk by chunk. */

static bool describe_block(const TraceFile *file, struct format_index_entry *entry, GError **error)
{
    struct format_block block;
    const char *problem;

    if (entry->bytes < sizeof block)
        return fail_at(file, entry->offset, error, "a block is too short");
    if (!trace_file_read_at(file, entry->offset + sizeof(struct format_chunk), &block, sizeof block, error))
        return false;
    problem = decoder_check_header(&block, file->header.vcpus);
    if (problem)
        return fail_at(file, entry->offset, error, "%s", problem);
    format_describe_block(entry, &block);
    return true;
}

/* Checks the chunk at `offset`, and appends it to file->chunks if it is good. Sets *next to where the next one would
 * begin. */
static bool look_at_chunk(TraceFile *file, uint64_t offset, GByteArray *payload, uint64_t *next, GError **error)
{
    struct format_chunk chunk;
    struct format_index_entry entry;

    if (!read_chunk_header(file, offset, &chunk, error))
        return false;
    *next = offset + sizeof chunk + format_padded(chunk.bytes);
    entry = (struct format_index_entry){ .offset = offset, .bytes = chunk.bytes, .type = chunk.type };
    if (file->salvaging && !trace_file_read(file, &entry, payload, error)) {
        file->lost_others |= chunk.type != FORMAT_BLOCK && chunk.type != FORMAT_INDEX;
        return false;
    }
    if (chunk.type == FORMAT_BLOCK && !describe_block(file, &entry, error))
        return false;
    if (chunk.type == FORMAT_INDEX) {
        *next = file->bytes; /* the last one: the footer follows */
        return true;
    }
    g_array_append_val(file->chunks, entry);
    file->good_bytes = *next;
    return true;
}

/* The offset of the first chunk header from `offset` on, or the end of the file. */
static uint64_t find_chunk(const TraceFile *file, uint64_t offset)
{
    g_autofree uint8_t *bytes = g_malloc(SCAN_BYTES + sizeof(struct format_chunk));

    offset = format_padded(offset);
    while (offset < file->bytes && file->bytes - offset >= sizeof(struct format_chunk)) {
        size_t count = MIN(SCAN_BYTES + sizeof(struct format_chunk), file->bytes - offset);

        if (!trace_file_read_at(file, offset, bytes, count, NULL))
            break;
        for (size_t i = 0; i + sizeof(struct format_chunk) <= count && i < SCAN_BYTES; i += FORMAT_ALIGNMENT) {
            struct format_chunk chunk;

            memcpy(&chunk, bytes + i, sizeof chunk);
            if (is_chunk(&chunk))
                return offset + i;
        }
        offset += SCAN_BYTES;
    }
    return file->bytes;
}

static void scan(TraceFile *file)
{
    g_autoptr(GByteArray) payload = g_byte_array_new();
    uint64_t offset = sizeof file->header, next = 0;

    file->good_bytes = offset;
    while (offset < file->bytes) {
        GError *problem = NULL;

        if (look_at_chunk(file, offset, payload, &next, &problem)) {
            offset = next;
            continue;
        }
        if (!file->damage)
            file->damage = g_strdup(problem->message);
        g_error_free(problem);
        if (!file->salvaging)
            break;
        offset = find_chunk(file, offset + FORMAT_ALIGNMENT);
    }
    file->good_bytes = MIN(file->good_bytes, file->bytes);
    if (!file->damage)
        file->damage = g_strdup_printf("%s: offset %" G_GUINT64_FORMAT ": the file ends without an index", file->name,
                                       file->bytes);
}

/* The contents of chunks. */

GByteArray *trace_file_decompress(const TraceFile *file, const struct format_index_entry *chunk, const uint8_t *data,
                                  size_t bytes, GError **error)
{
    ZSTD_DCtx *zstd = ZSTD_createDCtx();
    unsigned long long said = ZSTD_getFrameContentSize(data, bytes); /* a damaged chunk says anything */
    size_t room = said > LIKELY_DECOMPRESSED ? ZSTD_DStreamOutSize() : MAX((size_t)said, 1);
    g_autoptr(GByteArray) result = g_byte_array_new();
    ZSTD_inBuffer in = { data, bytes, 0 };
    size_t left = 1;

    while (left && !ZSTD_isError(left)) {
        guint begin = result->len;
        size_t before = in.pos;
        ZSTD_outBuffer out = { 0 };

        g_byte_array_set_size(result, begin + (guint)room);
        out = (ZSTD_outBuffer){ result->data + begin, room, 0 };
        left = ZSTD_decompressStream(zstd, &out, &in);
        g_byte_array_set_size(result, begin + (guint)out.pos);
        if (result->len > MAX_DECOMPRESSED || (!out.pos && in.pos == before && left))
            break;
    }
    ZSTD_freeDCtx(zstd);
    if (left) {
        fail_at(file, chunk->offset, error, "a chunk can't be decompressed");
        return NULL;
    }
    return g_steal_pointer(&result);
}

static bool add_instructions(TraceFile *file, const struct format_index_entry *chunk, const GByteArray *payload,
                             GError **error)
{
    struct format_instructions head;
    g_autoptr(GByteArray) entries = NULL;
    const uint8_t *next, *end;
    uint64_t expected = 0, lost;

    if (payload->len < sizeof head)
        return fail_at(file, chunk->offset, error, "a chunk of instructions is too short");
    memcpy(&head, payload->data, sizeof head);
    /* Instructions may have been lost with a damaged chunk, but no more than the file had room for. */
    lost = head.first - 1 - (uint64_t)file->instructions->len;
    if (head.first < 1 || head.count > RING_MAX_INSTRUCTIONS || head.first > RING_MAX_INSTRUCTIONS - head.count ||
        lost > file->bytes)
        return fail_at(file, chunk->offset, error, "the numbers of the instructions are not in order");
    entries = trace_file_decompress(file, chunk, payload->data + sizeof head, payload->len - sizeof head, error);
    if (!entries)
        return false;
    g_array_set_size(file->instructions, head.first - 1); /* the lost ones are unknown */
    next = entries->data;
    end = next + entries->len;
    for (uint32_t i = 0; i < head.count; i++) {
        struct mt_instruction instruction = { 0 };
        uint64_t distance;

        next = next ? varint_get(next, end, &distance) : NULL;
        if (!next || next == end || end - next < 1 + (*next & 15))
            return fail_at(file, chunk->offset, error, "instruction %u is damaged", head.first + i);
        instruction.pc = expected + unzigzag(distance);
        instruction.length = *next & 15;
        instruction.cpl = *next >> 4 & 3;
        instruction.mode = *next++ >> 6;
        memcpy(instruction.bytes, next, instruction.length);
        next += instruction.length;
        expected = instruction.pc + instruction.length;
        g_array_append_val(file->instructions, instruction);
    }
    return true;
}

static bool add_changes(TraceFile *file, const struct format_index_entry *chunk, const GByteArray *payload,
                        GError **error)
{
    g_autoptr(GByteArray) contents = trace_file_decompress(file, chunk, payload->data, payload->len, error);
    const char *problem = contents ? trace_changes_read(file->changes, contents->data, contents->len) : NULL;

    return contents && (!problem || fail_at(file, chunk->offset, error, "%s", problem));
}

static bool take_chunk(TraceFile *file, guint number, GByteArray *payload, GError **error)
{
    const struct format_index_entry *chunk = &g_array_index(file->chunks, struct format_index_entry, number);
    uint32_t index = number;

    switch (chunk->type) {
    case FORMAT_BLOCK:
        g_array_append_val(file->blocks, index);
        return true;
    case FORMAT_METADATA:
        if (!trace_file_read(file, chunk, payload, error))
            return false;
        if (payload->len && !g_utf8_validate((const char *)payload->data, payload->len, NULL))
            return fail_at(file, chunk->offset, error, "the metadata is not text");
        /* Puts each object into one line: in JSON, a line feed means the same as a space. */
        for (guint i = 0; i < payload->len; i++)
            g_string_append_c(file->metadata, payload->data[i] == '\n' ? ' ' : (char)payload->data[i]);
        g_string_append_c(file->metadata, '\n');
        return true;
    case FORMAT_INSTRUCTIONS:
        return trace_file_read(file, chunk, payload, error) && add_instructions(file, chunk, payload, error);
    case FORMAT_CHANGES:
        return trace_file_read(file, chunk, payload, error) && add_changes(file, chunk, payload, error);
    case FORMAT_ATTACHMENT:
        attachments_add(file, number);
        return true;
    default:
        return true;
    }
}

/* Reads the contents of all chunks. If a chunk is bad, a file that is read without its index ends there. */
static bool take_chunks(TraceFile *file, GError **error)
{
    g_autoptr(GByteArray) payload = g_byte_array_new();

    for (guint i = 0; i < file->chunks->len; i++) {
        g_autoptr(GError) problem = NULL;

        if (take_chunk(file, i, payload, &problem))
            continue;
        if (file->complete) {
            g_propagate_error(error, g_steal_pointer(&problem));
            return false;
        }
        g_free(file->damage);
        file->damage = g_strdup(problem->message);
        if (file->salvaging) {
            file->lost_others = true;
            g_array_remove_index(file->chunks, i--);
        } else {
            file->good_bytes = g_array_index(file->chunks, struct format_index_entry, i).offset;
            g_array_set_size(file->chunks, i);
        }
    }
    return true;
}

/* Reads the last chunk of counts, which has the highest number. If it can't be read, the number isn't known. */
static void load_counts(TraceFile *file)
{
    g_autoptr(GByteArray) payload = g_byte_array_new();
    struct format_counts counts;

    for (guint i = file->chunks->len; i > 0; i--) {
        const struct format_index_entry *chunk = &g_array_index(file->chunks, struct format_index_entry, i - 1);

        if (chunk->type != FORMAT_COUNTS || chunk->bytes < sizeof counts)
            continue;
        if (trace_file_read(file, chunk, payload, NULL)) {
            memcpy(&counts, payload->data, sizeof counts);
            file->known = counts.known;
        }
        return;
    }
}

bool trace_file_is_one(const void *first_bytes, size_t count)
{
    return count >= strlen(FORMAT_MAGIC) && !memcmp(first_bytes, FORMAT_MAGIC, strlen(FORMAT_MAGIC));
}

static bool load_header(TraceFile *file, GError **error)
{
    struct format_header *header = &file->header;

    if (file->bytes < sizeof *header)
        return fail_at(file, 0, error, "this is not a trace file: it is too short");
    if (!trace_file_read_at(file, 0, header, sizeof *header, error))
        return false;
    if (!trace_file_is_one(header, sizeof *header))
        return fail_at(file, 0, error, "this is not a trace file");
    if (header->version != FORMAT_VERSION)
        return fail_at(file, 8, error, "the file has version %u of the format, but only version %d is known here",
                       header->version, FORMAT_VERSION);
    if (!hash_fits(header, offsetof(struct format_header, hash), header->hash))
        return fail_at(file, 0, error, "the header is damaged");
    if (header->vcpus < 1 || header->vcpus > FORMAT_MAX_VCPUS)
        return fail_at(file, 16, error, "the number of vCPUs is out of range");
    return true;
}

TraceFile *trace_file_open(int fd, const char *name, TraceFileMode mode, GError **error)
{
    g_autoptr(TraceFile) file = g_new0(TraceFile, 1);
    struct stat status;

    file->fd = fd;
    file->salvaging = mode == TRACE_FILE_SALVAGE;
    file->name = g_strdup(name);
    file->chunks = g_array_new(FALSE, FALSE, sizeof(struct format_index_entry));
    file->blocks = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    file->instructions = g_array_new(FALSE, TRUE, sizeof(struct mt_instruction));
    file->changes = trace_changes_new();
    file->attachments = attachments_new();
    file->metadata = g_string_new(NULL);
    if (fstat(fd, &status) || !S_ISREG(status.st_mode)) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_REGULAR_FILE, "%s: a trace file can only be read from a file",
                    name);
        return NULL;
    }
    file->bytes = (uint64_t)status.st_size;
    if (!load_header(file, error))
        return NULL;
    file->complete = !file->salvaging && load_index(file);
    if (!file->complete)
        scan(file);
    if (!take_chunks(file, error))
        return NULL;
    load_counts(file);
    return g_steal_pointer(&file);
}

void trace_file_free(TraceFile *file)
{
    if (!file)
        return;
    close(file->fd);
    g_array_unref(file->chunks);
    g_array_unref(file->blocks);
    g_array_unref(file->instructions);
    trace_changes_free(file->changes);
    attachments_free(file->attachments);
    g_string_free(file->metadata, TRUE);
    g_free(file->damage);
    g_free(file->name);
    g_free(file);
}
