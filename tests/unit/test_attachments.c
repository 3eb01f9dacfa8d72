/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Attachments are found by their names, and damaged ones are told of. */
#define _GNU_SOURCE /* memmem */
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "../../include/memory_tracer/record.h"
#include "../../include/memory_tracer/trace.h"
#include "../../src/trace/file.h"
#include "../../src/trace/file_private.h"
#include "../../src/trace/writer.h"

#define MANY 300

static char *write_trace(void)
{
    const struct gmbeoo_record record = { GMBEOO_VALID, 0x1000 };
    char *path = NULL;
    int fd = g_file_open_tmp("test_attachments.XXXXXX", &path, NULL);
    g_autoptr(TraceWriter) writer = trace_writer_new(path, 0, 1, TRACE_BLOCK_RECORDS, NULL);

    close(fd);
    for (int i = 0; i < MANY; i++) {
        g_autofree char *name = g_strdup_printf("number/%d", i), *text = g_strdup_printf("This is number %d.", i);

        g_assert_true(trace_writer_add_attachment(writer, name, text, strlen(text), NULL));
    }
    g_assert_true(trace_writer_add_attachment(writer, "number/7", "a second one", 12, NULL));
    g_assert_true(trace_writer_add_attachment(writer, "", "without a name", 14, NULL));
    g_assert_true(trace_writer_add_attachment(writer, "empty", "", 0, NULL));
    g_assert_true(trace_writer_add(writer, 0, &record, 1, 0, NULL));
    g_assert_true(trace_writer_finish(writer, NULL));
    return path;
}

static mt_trace *open_trace(const char *path)
{
    struct mt_error error;
    mt_trace *trace = mt_trace_open(path, MT_FORMAT_FILE, &error);

    g_assert_nonnull(trace);
    return trace;
}

static void assert_attachment(mt_trace *trace, const char *name, const char *expected)
{
    struct mt_error error = { "" };
    size_t bytes;
    char *text = mt_trace_attachment(trace, name, &bytes, &error);

    g_assert_cmpstr(text, ==, expected);
    g_assert_cmpstr(error.message, ==, "");
    if (text)
        g_assert_cmpuint(bytes, ==, strlen(expected));
    free(text);
}

static void test_each_is_found(void)
{
    g_autofree char *path = write_trace();
    mt_trace *trace = open_trace(path);
    g_auto(GStrv) names = trace_file_attachment_names(trace_file_of(trace));

    for (int i = 0; i < MANY; i++) {
        g_autofree char *name = g_strdup_printf("number/%d", i), *text = g_strdup_printf("This is number %d.", i);

        g_assert_cmpstr(names[i], ==, name);
        assert_attachment(trace, name, text); /* of two with one name, the first */
        g_assert_cmpuint(trace_file_attachment_bytes(trace_file_of(trace), name), >, strlen(name));
    }
    g_assert_cmpuint(g_strv_length(names), ==, MANY + 2);
    assert_attachment(trace, "", "without a name");
    assert_attachment(trace, "empty", "");
    assert_attachment(trace, "number", NULL);
    g_assert_cmpuint(trace_file_attachment_bytes(trace_file_of(trace), "number"), ==, 0);
    mt_trace_close(trace);
    g_unlink(path);
}

/* Changes one byte, which is this far behind the first place that has this text. */
static void damage(const char *path, const char *text, size_t behind)
{
    g_autofree char *contents = NULL;
    gsize bytes;
    char *place;

    g_assert_true(g_file_get_contents(path, &contents, &bytes, NULL));
    place = memmem(contents, bytes, text, strlen(text));
    g_assert_nonnull(place);
    place[behind] ^= 1;
    g_assert_true(g_file_set_contents(path, contents, (gssize)bytes, NULL));
}

static void assert_damaged(mt_trace *trace, const char *name)
{
    struct mt_error error = { "" };
    size_t bytes;

    g_assert_null(mt_trace_attachment(trace, name, &bytes, &error));
    g_assert_nonnull(strstr(error.message, "a chunk's contents don't fit its hash"));
}

static void test_damage_is_told(void)
{
    const struct {
        size_t behind;
        bool in_name;
    } cases[] = { { 0, true }, { 9, true }, { 14, false } };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = write_trace();
        mt_trace *trace;

        damage(path, "number/123", cases[i].behind);
        trace = open_trace(path);
        assert_damaged(trace, "number/123"); /* the name may not be there any more, but something may have had it */
        assert_attachment(trace, "number/124", "This is number 124."); /* others can be read */
        if (cases[i].in_name)
            assert_damaged(trace, "nothing");
        mt_trace_close(trace);
        g_unlink(path);
    }
}

/* Decompressing. */

/* As other writers may do it: `says` how many bytes there are, or doesn't. */
static GByteArray *compress(const void *data, size_t bytes, bool says)
{
    ZSTD_CCtx *zstd = ZSTD_createCCtx();
    GByteArray *frame = g_byte_array_new();
    ZSTD_inBuffer in = { data, bytes, 0 };

    ZSTD_CCtx_setParameter(zstd, ZSTD_c_contentSizeFlag, says);
    if (says)
        ZSTD_CCtx_setPledgedSrcSize(zstd, bytes);
    g_byte_array_set_size(frame, (guint)ZSTD_compressBound(bytes));
    ZSTD_outBuffer out = { frame->data, frame->len, 0 };
    g_assert_cmpuint(ZSTD_compressStream2(zstd, &out, &in, ZSTD_e_end), ==, 0);
    g_byte_array_set_size(frame, (guint)out.pos);
    ZSTD_freeCCtx(zstd);
    return frame;
}

static void assert_decompressed(const TraceFile *file, const GByteArray *frame, const uint8_t *expected, size_t bytes)
{
    const struct format_index_entry chunk = { 0 };
    g_autoptr(GError) error = NULL;
    g_autoptr(GByteArray) result = trace_file_decompress(file, &chunk, frame->data, frame->len, &error);

    if (!expected) {
        g_assert_null(result);
        g_assert_nonnull(strstr(error->message, "can't be decompressed"));
        return;
    }
    g_assert_no_error(error);
    g_assert_cmpmem(result->data, result->len, expected, bytes);
}

/* The bytes of a frame's header, of more than 64 KiB, that say how many there are: see RFC 8878, 3.1.1.1. */
static void set_said_size(GByteArray *frame, uint32_t bytes)
{
    g_assert_cmphex(frame->data[4] >> 6, ==, 2); /* of four bytes */
    memcpy(frame->data + 5 + !(frame->data[4] >> 5 & 1), &bytes, sizeof bytes);
}

static void test_sizes_are_said_or_not(void)
{
    static const size_t sizes[] = { 0, 1, 100000, ((size_t)1 << 24) - 1, ((size_t)1 << 24) + 1 };
    g_autofree char *path = write_trace();
    mt_trace *trace = open_trace(path);
    const TraceFile *file = trace_file_of(trace);
    g_autofree uint8_t *data = g_malloc(sizes[G_N_ELEMENTS(sizes) - 1]);

    for (size_t i = 0; i < sizes[G_N_ELEMENTS(sizes) - 1]; i++)
        data[i] = (uint8_t)(i * i >> 7);
    for (guint i = 0; i < 2 * G_N_ELEMENTS(sizes); i++) {
        g_autoptr(GByteArray) frame = compress(data, sizes[i / 2], i % 2);

        assert_decompressed(file, frame, data, sizes[i / 2]);
        g_byte_array_set_size(frame, frame->len - 1);
        assert_decompressed(file, frame, NULL, 0);
    }
    for (unsigned bits = 0; bits < 32; bits += 3) { /* too few, and too many */
        g_autoptr(GByteArray) frame = compress(data, 100000, true);

        set_said_size(frame, 1u << bits);
        assert_decompressed(file, frame, NULL, 0);
    }
    assert_decompressed(file, &(GByteArray){ data, 1000 }, NULL, 0);
    assert_decompressed(file, &(GByteArray){ data, 0 }, NULL, 0);
    mt_trace_close(trace);
    g_unlink(path);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/attachments/each_is_found", test_each_is_found);
    g_test_add_func("/attachments/damage_is_told", test_damage_is_told);
    g_test_add_func("/attachments/sizes_are_said_or_not", test_sizes_are_said_or_not);
    return g_test_run();
}
