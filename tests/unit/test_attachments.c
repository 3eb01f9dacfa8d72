/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Attachments are found by their names, and damaged ones are told of. */
#define _GNU_SOURCE /* memmem */
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../include/memory_tracer/record.h"
#include "../../include/memory_tracer/trace.h"
#include "../../src/trace/file.h"
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

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/attachments/each_is_found", test_each_is_found);
    g_test_add_func("/attachments/damage_is_told", test_damage_is_told);
    return g_test_run();
}
