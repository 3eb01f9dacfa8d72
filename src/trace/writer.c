/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes trace files: see writer.h. */
#include "writer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>
#include <zstd.h>

#include "../base/regular_file.h"
#include "encoder.h"
#include "format.h"

#define ZSTD_LEVEL 3 /* for all chunks but blocks */

struct TraceWriter {
    char *path;
    int fd;
    struct format_header header;
    unsigned fields, vcpus;
    bool vcpus_unknown;
    uint32_t block_records;
    uint64_t offset, records;
    unsigned input;        /* the input of the records that are being added */
    uint32_t instructions; /* how many were written */
    Ring *ring;
    GArray *index;        /* struct format_index_entry */
    GByteArray *changes;  /* encoded changes that are not written yet */
    uint64_t last_change; /* the index of the last one among them */
    uint8_t *taken;       /* a bit for each of the ring's changes: it was added; NULL: no change came yet */
    Encoder *encoders[FORMAT_MAX_VCPUS];
};

static bool write_all(int fd, struct iovec *parts, int count, uint64_t offset, GError **error)
{
    while (count) {
        ssize_t n = pwritev(fd, parts, count, (off_t)offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            g_set_error_literal(error, G_IO_ERROR, g_io_error_from_errno(errno), g_strerror(errno));
            return false;
        }
        offset += (uint64_t)n;
        while (count && (size_t)n >= parts->iov_len) {
            n -= (ssize_t)parts->iov_len;
            parts++;
            count--;
        }
        if (count) {
            parts->iov_base = (char *)parts->iov_base + n;
            parts->iov_len -= (size_t)n;
        }
    }
    return true;
}

/* Writes a chunk at `offset`. Its payload is in two parts. */
static bool write_chunk(int fd, uint64_t offset, uint32_t type, const void *head, size_t head_bytes, const void *data,
                        size_t data_bytes, GError **error)
{
    static const uint8_t zeros[FORMAT_ALIGNMENT];
    XXH3_state_t *hash = XXH3_createState();
    size_t bytes = head_bytes + data_bytes;
    struct format_chunk chunk = { .magic = FORMAT_CHUNK_MAGIC, .type = type, .bytes = bytes };
    struct iovec parts[] = { { &chunk, sizeof chunk },
                             { (void *)head, head_bytes },
                             { (void *)data, data_bytes },
                             { (void *)zeros, format_padded(bytes) - bytes } };

    XXH3_64bits_reset(hash);
    if (head_bytes)
        XXH3_64bits_update(hash, head, head_bytes);
    if (data_bytes)
        XXH3_64bits_update(hash, data, data_bytes);
    chunk.payload_hash = XXH3_64bits_digest(hash);
    XXH3_freeState(hash);
    chunk.hash = XXH3_64bits(&chunk, offsetof(struct format_chunk, hash));
    return write_all(fd, parts, G_N_ELEMENTS(parts), offset, error);
}

static bool add_chunk(TraceWriter *writer, uint32_t type, const void *head, size_t head_bytes, const void *data,
                      size_t data_bytes, const struct format_block *block, GError **error)
{
    struct format_index_entry entry = { .offset = writer->offset, .bytes = head_bytes + data_bytes, .type = type };

    if (!write_chunk(writer->fd, writer->offset, type, head, head_bytes, data, data_bytes, error)) {
        g_prefix_error(error, "can't write %s: ", writer->path);
        return false;
    }
    if (block)
        format_describe_block(&entry, block);
    g_array_append_val(writer->index, entry);
    writer->offset += sizeof(struct format_chunk) + format_padded(entry.bytes);
    return true;
}

static bool write_header(TraceWriter *writer, GError **error)
{
    struct iovec part = { &writer->header, sizeof writer->header };

    writer->header.vcpus = writer->vcpus;
    writer->header.hash = XXH3_64bits(&writer->header, offsetof(struct format_header, hash));
    if (write_all(writer->fd, &part, 1, 0, error))
        return true;
    g_prefix_error(error, "can't write %s: ", writer->path);
    return false;
}

/* enum mt_fields as enum format_fields. */
static uint32_t fields_of_file(unsigned fields)
{
    return (fields & ~(unsigned)MT_FIELD_VALUE) | (fields & MT_FIELD_VALUE ? FORMAT_HAS_VALUES : 0);
}

/* Opens `path`, and empties it unless another process writes a trace there: of two in one file, neither could be read.
 * The lock ends with the descriptor. Where a file system has no locks, there is none. Returns the descriptor, or -1
 * with an error. */
static int open_file(const char *path, GError **error)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666), code;
    bool is_busy = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK;

    if (fd >= 0 && !is_busy && !ftruncate(fd, 0))
        return fd;
    code = errno;
    if (fd >= 0)
        close(fd);
    g_set_error(error, G_IO_ERROR, g_io_error_from_errno(code), "can't write %s: %s", path,
                is_busy ? "another process is writing it" : g_strerror(code));
    return -1;
}

TraceWriter *trace_writer_new(const char *path, unsigned fields, unsigned vcpus, uint32_t block_records, GError **error)
{
    g_autoptr(TraceWriter) writer = NULL;
    struct stat status;
    int fd;

    g_return_val_if_fail(vcpus <= FORMAT_MAX_VCPUS, NULL);
    if (!stat(path, &status) && !S_ISREG(status.st_mode)) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_REGULAR_FILE,
                    "can't write %s: a trace file must be a regular file", path);
        return NULL;
    }
    fd = open_file(path, error);
    if (fd < 0)
        return NULL;
    writer = g_new0(TraceWriter, 1);
    writer->path = g_strdup(path);
    writer->fd = fd;
    writer->fields = fields;
    writer->vcpus = vcpus ? vcpus : FORMAT_MAX_VCPUS;
    writer->vcpus_unknown = !vcpus;
    writer->header = (struct format_header){ .version = FORMAT_VERSION,
                                             .fields = fields_of_file(fields),
                                             .created_s = (uint64_t)time(NULL) };
    memcpy(writer->header.magic, FORMAT_MAGIC, sizeof writer->header.magic);
    writer->block_records = block_records;
    writer->offset = sizeof writer->header;
    writer->index = g_array_new(FALSE, FALSE, sizeof(struct format_index_entry));
    writer->changes = g_byte_array_new();
    return write_header(writer, error) ? g_steal_pointer(&writer) : NULL;
}

void trace_writer_remove_if_empty(TraceWriter *writer)
{
    for (guint i = 0; i < writer->index->len; i++)
        if (g_array_index(writer->index, struct format_index_entry, i).type == FORMAT_BLOCK)
            return;
    if (writer->fd >= 0 && regular_file_is_at(writer->fd, writer->path))
        unlink(writer->path);
}

void trace_writer_free(TraceWriter *writer)
{
    if (!writer)
        return;
    for (unsigned i = 0; i < writer->vcpus; i++)
        encoder_free(writer->encoders[i]);
    if (writer->fd >= 0)
        close(writer->fd);
    g_array_unref(writer->index);
    g_byte_array_unref(writer->changes);
    g_free(writer->taken);
    g_free(writer->path);
    g_free(writer);
}

bool trace_writer_set_architecture(TraceWriter *writer, unsigned architecture, GError **error)
{
    writer->header.architecture = architecture;
    return write_header(writer, error);
}

void trace_writer_set_input(TraceWriter *writer, unsigned input)
{
    writer->input = input;
}

void trace_writer_set_ring(TraceWriter *writer, Ring *ring)
{
    writer->ring = ring;
}

bool trace_writer_add_metadata(TraceWriter *writer, const char *json, GError **error)
{
    return add_chunk(writer, FORMAT_METADATA, json, strlen(json), NULL, 0, NULL, error);
}

/* Adds a chunk whose data is compressed. */
static bool add_compressed(TraceWriter *writer, uint32_t type, const void *head, size_t head_bytes, const void *data,
                           size_t bytes, GError **error)
{
    size_t room = ZSTD_compressBound(bytes), compressed;
    g_autofree uint8_t *to = g_malloc(room);

    compressed = ZSTD_compress(to, room, data, bytes, ZSTD_LEVEL);
    if (ZSTD_isError(compressed) || compressed + head_bytes > FORMAT_MAX_PAYLOAD) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "can't write %s: can't compress %zu bytes", writer->path,
                    bytes);
        return false;
    }
    return add_chunk(writer, type, head, head_bytes, to, compressed, NULL, error);
}

bool trace_writer_add_attachment(TraceWriter *writer, const char *name, const void *data, size_t bytes, GError **error)
{
    uint32_t length = (uint32_t)strlen(name);
    g_autoptr(GByteArray) head = g_byte_array_new();

    g_byte_array_append(head, (const uint8_t *)&length, sizeof length);
    g_byte_array_append(head, (const uint8_t *)name, length);
    return add_compressed(writer, FORMAT_ATTACHMENT, head->data, head->len, data, bytes, error);
}

bool trace_writer_add_instructions(TraceWriter *writer, const struct mt_instruction *instructions, uint32_t count,
                                   GError **error)
{
    struct format_instructions head = { .first = writer->instructions + 1, .count = count };
    g_autofree uint8_t *entries = g_malloc((VARINT_MAX_BYTES + 1 + sizeof instructions->bytes) * (size_t)count + 1);
    uint8_t *to = entries;
    uint64_t expected = 0;

    if (!count)
        return true;
    for (uint32_t i = 0; i < count; i++) {
        const struct mt_instruction instruction = instructions[i]; /* a copy: the ring's other side could change it */
        uint8_t length = MIN(instruction.length, sizeof instruction.bytes);

        to = varint_put(to, zigzag(instruction.pc - expected));
        *to++ = (uint8_t)(length | (instruction.cpl & 3) << 4 | (instruction.mode & 3) << 6);
        memcpy(to, instruction.bytes, length);
        to += length;
        expected = instruction.pc + length;
    }
    writer->instructions += count;
    return add_compressed(writer, FORMAT_INSTRUCTIONS, &head, sizeof head, entries, (size_t)(to - entries), error);
}

/*
 * Writes the instructions of the ring's table up to number `last`, unless they are written already. The table has all
 * that the taken records refer to. Later ones are left for later, so that the file doesn't depend on how far the guest
 * is ahead of the writer.
 */
static bool add_new_instructions(TraceWriter *writer, uint32_t last, GError **error)
{
    uint32_t have = writer->instructions + 1; /* counting number 0, which isn't written */
    uint32_t there;                           /* read once: the ring's other side can change it */

    if (!writer->ring || !(writer->fields & MT_FIELD_INSTRUCTION))
        return true;
    there = ring_instructions(writer->ring);
    if (last < there)
        there = last + 1;
    return there <= have ||
           trace_writer_add_instructions(writer, ring_get_instruction(writer->ring, have), there - have, error);
}

bool trace_writer_add_change(TraceWriter *writer, const TraceChange *change, GError **error)
{
    TraceChange placed = *change;

    (void)error;
    placed.index = writer->records;
    trace_change_write(writer->changes, &writer->last_change, &placed);
    return true;
}

/* Adds one of the ring's changes, unless it was added before. */
static bool take_change(TraceWriter *writer, unsigned vcpu, uint32_t number, GError **error)
{
    Change change;
    TraceChange taken = { .vcpu = vcpu, .text = change.text };

    if (!writer->taken)
        writer->taken = g_malloc0(RING_MAX_CHANGES / 8 + 1);
    if (number > RING_MAX_CHANGES || (writer->taken[number / 8] & 1u << number % 8) ||
        !ring_get_change(writer->ring, number, &change))
        return true;
    writer->taken[number / 8] |= (uint8_t)(1u << number % 8);
    taken.kind = change.kind;
    memcpy(taken.value, change.value, sizeof taken.value);
    return trace_writer_add_change(writer, &taken, error);
}

/* Adds the ring's changes whose rows were dropped. */
static bool take_other_changes(TraceWriter *writer, GError **error)
{
    uint32_t count = writer->ring && (writer->fields & MT_FIELD_TASK) ? ring_changes(writer->ring) : 0;

    for (uint32_t number = 1; number <= count; number++)
        if (!take_change(writer, 0, number, error))
            return false;
    return true;
}

static bool write_changes(TraceWriter *writer, GError **error)
{
    bool fine = !writer->changes->len ||
                add_compressed(writer, FORMAT_CHANGES, NULL, 0, writer->changes->data, writer->changes->len, error);

    g_byte_array_set_size(writer->changes, 0);
    writer->last_change = 0;
    return fine;
}

/* Adds a chunk of counts. They are not in the block, because they depend on how fast the guest was. */
static bool add_counts(TraceWriter *writer, GError **error)
{
    struct format_counts counts;

    if (!writer->ring)
        return true;
    counts.known = ring_get_counts(writer->ring).written;
    return add_chunk(writer, FORMAT_COUNTS, &counts, sizeof counts, NULL, 0, NULL, error);
}

static bool finish_block(TraceWriter *writer, unsigned vcpu, GError **error)
{
    uint64_t dropped = writer->ring ? ring_get_vcpu_counts(writer->ring, vcpu).dropped : 0;
    Encoder *encoder = writer->encoders[vcpu];
    const uint8_t *payload;
    struct format_block header;
    size_t bytes;

    if (!add_new_instructions(writer, encoder_last_instruction(encoder), error) || !write_changes(writer, error))
        return false;
    payload = encoder_finish(encoder, dropped, writer->records, &bytes);
    if (!payload) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "can't write %s: can't compress a block", writer->path);
        return false;
    }
    memcpy(&header, payload, sizeof header);
    return add_chunk(writer, FORMAT_BLOCK, payload, bytes, NULL, 0, &header, error) && add_counts(writer, error);
}

static bool add_event(TraceWriter *writer, unsigned vcpu, const struct gmbeoo_record *row, GError **error)
{
    Encoder *encoder = writer->encoders[vcpu];
    unsigned kind = row->info & ROW_EVENT_MASK;
    uint32_t number = (uint32_t)row->virt_addr;

    if (kind == ROW_EVENT_CHANGE)
        return !writer->ring || !(writer->fields & MT_FIELD_TASK) || take_change(writer, vcpu, number, error);
    if (kind == ROW_EVENT_FRAME) {
        encoder_set_frame(encoder, row->virt_addr);
        return true;
    }
    /* Kinds that the file doesn't have are left out. */
    if (!(kind == ROW_EVENT_TASK && (writer->fields & MT_FIELD_TASK)) &&
        !(kind == ROW_EVENT_EXECUTED && (writer->fields & MT_FIELD_EXECUTED)))
        return true;
    if (encoder_add_event(encoder, kind, number))
        return true;
    if (encoder_records(encoder))
        return finish_block(writer, vcpu, error) && add_event(writer, vcpu, row, error);
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, "can't write %s: too many events without an access",
                writer->path);
    return false;
}

/* Adds accesses, and the events among them. Rows that are neither are left out. */
static bool add_rows(TraceWriter *writer, unsigned vcpu, const uint8_t *rows, size_t count, uint64_t time_ns,
                     GError **error)
{
    Encoder *encoder = writer->encoders[vcpu];
    const unsigned bytes = ring_record_bytes_for(writer->fields);
    /* With events, a full block ends when the next access comes, because events may follow its last access. */
    bool at_once = !(writer->fields & (MT_FIELD_TASK | MT_FIELD_EXECUTED));

    while (count) {
        size_t taken = encoder_add(encoder, rows, count, writer->records, time_ns);
        const struct gmbeoo_record *row = (const struct gmbeoo_record *)(rows + taken * bytes);
        bool fine = true;

        writer->records += taken;
        count -= taken;
        if (count && !gmbeoo_is_valid(row)) {
            fine = add_event(writer, vcpu, row, error);
            row = (const struct gmbeoo_record *)((const uint8_t *)row + bytes);
            count--;
        } else if (count || (at_once && encoder_records(encoder) == writer->block_records)) {
            fine = finish_block(writer, vcpu, error);
        }
        if (!fine)
            return false;
        rows = (const uint8_t *)row;
    }
    return true;
}

bool trace_writer_add(TraceWriter *writer, unsigned vcpu, const void *records, size_t count, uint64_t time_ns,
                      GError **error)
{
    Encoder **encoder = &writer->encoders[vcpu];

    g_return_val_if_fail(vcpu < writer->vcpus, false);
    if (!*encoder)
        *encoder = encoder_new(vcpu, writer->fields, writer->block_records);
    if (encoder_records(*encoder) && encoder_input(*encoder) != writer->input && !finish_block(writer, vcpu, error))
        return false;
    encoder_set_input(*encoder, writer->input);
    return add_rows(writer, vcpu, records, count, time_ns, error);
}

bool trace_writer_add_total(TraceWriter *writer, GError **error)
{
    g_autofree char *json = g_strdup_printf("{\"records\": %" G_GUINT64_FORMAT "}", writer->records);

    return trace_writer_add_metadata(writer, json, error);
}

uint64_t trace_writer_records(const TraceWriter *writer)
{
    return writer->records;
}

uint64_t trace_writer_bytes(const TraceWriter *writer)
{
    return writer->offset;
}

bool trace_write_index(int fd, uint64_t offset, const GArray *entries, GError **error)
{
    struct format_index head = { .entries = entries->len };
    size_t bytes = entries->len * sizeof(struct format_index_entry);
    size_t payload = sizeof head + bytes;
    uint64_t end = offset + sizeof(struct format_chunk) + format_padded(payload);
    struct format_footer footer = { .index_offset = offset, .file_bytes = end + sizeof footer };
    struct iovec part = { &footer, sizeof footer };

    memcpy(footer.magic, FORMAT_END_MAGIC, sizeof footer.magic);
    footer.hash = XXH3_64bits(&footer, offsetof(struct format_footer, hash));
    return write_chunk(fd, offset, FORMAT_INDEX, &head, sizeof head, entries->data, bytes, error) &&
           write_all(fd, &part, 1, end, error);
}

bool trace_writer_finish(TraceWriter *writer, GError **error)
{
    int fd;

    for (unsigned i = 0; i < writer->vcpus; i++)
        if (writer->encoders[i] && encoder_records(writer->encoders[i]) && !finish_block(writer, i, error))
            return false;
    if (!add_new_instructions(writer, UINT32_MAX, error) || !take_other_changes(writer, error) ||
        !write_changes(writer, error))
        return false;
    while (writer->vcpus_unknown && writer->vcpus > 1 && !writer->encoders[writer->vcpus - 1])
        writer->vcpus--;
    if (writer->vcpus_unknown && !write_header(writer, error))
        return false;
    if (!trace_write_index(writer->fd, writer->offset, writer->index, error)) {
        g_prefix_error(error, "can't write %s: ", writer->path);
        return false;
    }
    writer->offset = (uint64_t)lseek(writer->fd, 0, SEEK_END);
    if (!regular_file_is_at(writer->fd, writer->path)) { /* a workload can replace it in an --rw folder */
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
                    "can't write %s: it was removed, moved or replaced while it was written", writer->path);
        return false;
    }
    fd = writer->fd;
    writer->fd = -1;
    if (close(fd)) { /* some file systems report a failed write only now */
        int code = errno;

        g_set_error(error, G_IO_ERROR, g_io_error_from_errno(code), "can't write %s: %s", writer->path,
                    g_strerror(code));
        return false;
    }
    return true;
}
