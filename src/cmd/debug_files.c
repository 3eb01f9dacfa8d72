/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Embedded debug information: see debug_files.h. The trace is not trusted: an id becomes a path only if it can't be
 * anything else. */
#include "debug_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/error.h"
#include "../base/part_file.h"
#include "../base/printable.h"
#include "../base/regular_file.h"
#include "../context/code_table.h"
#include "../trace/file.h"

#define HASH_PREFIX "xxh3-" /* of an id that is a hash of the file */

static bool is_hexadecimal(const char *text)
{
    return *text && !text[strspn(text, "0123456789abcdef")];
}

static bool is_id(const char *id)
{
    const char *hash = g_str_has_prefix(id, HASH_PREFIX) ? id + strlen(HASH_PREFIX) : id;

    return is_hexadecimal(hash) && strlen(hash) >= 4 && strlen(hash) <= 128;
}

/* Their ids (char *), each once, although a trace could have two files by one name: then the first one counts. To be
 * freed. */
static GStrv list_ids(mt_trace *trace)
{
    const TraceFile *file = trace_file_of(trace);
    g_auto(GStrv) names = file ? trace_file_attachment_names(file) : NULL;
    g_autoptr(GStrvBuilder) ids = g_strv_builder_new();
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal); /* of `names` */

    for (char **name = names; name && *name; name++)
        if (g_str_has_prefix(*name, CODE_TABLE_DEBUG) && is_id(*name + strlen(CODE_TABLE_DEBUG)) &&
            g_hash_table_add(seen, *name))
            g_strv_builder_add(ids, *name + strlen(CODE_TABLE_DEBUG));
    return g_strv_builder_end(ids);
}

/* The path that the file with this id had when it was recorded; or "". */
static const char *path_of(const CodeTable *table, const char *id)
{
    for (guint i = 0; i < table->origins->len; i++) {
        const CodeOrigin *origin = table->origins->pdata[i];
        const char *own =
            g_str_has_prefix(origin->attachment, CODE_TABLE_ELF) ? origin->attachment + strlen(CODE_TABLE_ELF) : "";

        if (g_str_has_prefix(own, id) && (!own[strlen(id)] || own[strlen(id)] == '/'))
            return origin->path;
    }
    return "";
}

void debug_files_describe(mt_trace *trace, Report *report)
{
    static const ReportColumn columns[] = { { "bytes", "bytes in the trace", REPORT_COUNT },
                                            { "id", "build-id", REPORT_TEXT },
                                            { "path", "file", REPORT_TEXT },
                                            { NULL } };
    g_auto(GStrv) ids = list_ids(trace);
    g_autoptr(CodeTable) table = *ids ? code_table_read(trace, false) : NULL;
    ReportTable *list =
        *ids ? report_add_table(report, "debug_files", "files whose debug information it has", columns) : NULL;

    for (char **id = ids; *id; id++) {
        g_autofree char *name = g_strconcat(CODE_TABLE_DEBUG, *id, NULL);
        g_autofree char *path = text_make_printable(path_of(table, *id));

        report_table_add_row(list, trace_file_attachment_bytes(trace_file_of(trace), name), *id, path);
    }
}

/* To be freed. */
static char *make_path(const char *folder, const char *id)
{
    g_autofree char *first = g_strndup(id, 2), *file = g_strdup_printf("%s.debug", id + 2);

    if (g_str_has_prefix(id, HASH_PREFIX))
        return g_strdup_printf("%s/%s.debug", folder, id);
    return g_build_filename(folder, ".build-id", first, file, NULL);
}

/* Whole or not at all: a signal that ends us leaves no part of it. */
static bool write_file(const char *path, const char *contents, size_t bytes, GError **error)
{
    const char *part = part_file_begin(path, error);
    FILE *file = part ? fopen(part, "we") : NULL;
    bool fine;

    if (!part)
        return false;
    fine = file && fwrite(contents, 1, bytes, file) == bytes;
    fine = (!file || !fclose(file)) && fine;
    if (fine)
        return part_file_commit(error);
    mt_fail(error, "can't write %s: %s", path, g_strerror(errno));
    part_file_abandon();
    return false;
}

static bool extract(mt_trace *trace, const char *source, const char *id, const char *folder, GError **error)
{
    g_autofree char *name = g_strconcat(CODE_TABLE_DEBUG, id, NULL), *path = make_path(folder, id);
    g_autofree char *parent = g_path_get_dirname(path);
    struct mt_error problem;
    size_t bytes;
    char *contents = mt_trace_attachment(trace, name, &bytes, &problem);
    bool written;

    if (!contents)
        return mt_fail(error, "%s", problem.message);
    if (g_mkdir_with_parents(parent, 0777))
        written = mt_fail(error, "can't make the folder %s: %s", parent, g_strerror(errno));
    else
        written = regular_file_check_output(path, error) && regular_file_check_apart(path, source, error) &&
                  write_file(path, contents, bytes, error);
    free(contents);
    return written;
}

bool debug_files_extract(mt_trace *trace, const char *path, const char *folder, GError **error)
{
    g_auto(GStrv) ids = list_ids(trace);

    if (!*ids)
        return mt_fail(error, "%s has no debug information in it (record --embed-debug keeps it)", path);
    for (char **id = ids; *id; id++)
        if (!extract(trace, path, *id, folder, error))
            return false;
    return true;
}
