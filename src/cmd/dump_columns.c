/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Columns of records, chosen and put into lines: see dump_columns.h. */
#include "dump_columns.h"

#include <string.h>

#include "../base/error.h"

static const DumpColumn *find_column(const char *name)
{
    for (const DumpColumn *column = dump_columns_all; column->name; column++)
        if (!strcmp(column->name, name))
            return column;
    return NULL;
}

static char *all_names(void)
{
    GString *text = g_string_new(NULL);

    for (const DumpColumn *column = dump_columns_all; column->name; column++)
        g_string_append_printf(text, "%s%s", text->len ? ", " : "", column->name);
    return g_string_free(text, FALSE);
}

GPtrArray *dump_columns_parse(const char *list, unsigned fields, GError **error)
{
    g_auto(GStrv) names = g_strsplit(list, ",", -1);
    g_autoptr(GPtrArray) columns = g_ptr_array_new();

    for (char **name = names; *name; name++) {
        const DumpColumn *column = find_column(*name);
        g_autofree char *all = column ? NULL : all_names();

        if (!column) {
            mt_fail_usage(error, "--columns must be some of %s, separated by commas, but '%s' is none of them.", all,
                          *name);
            return NULL;
        }
        if (column->fields & ~fields) {
            mt_fail(error, "--columns: the trace doesn't have what '%s' needs (memory_tracer info tells its fields)",
                    column->name);
            return NULL;
        }
        g_ptr_array_add(columns, (gpointer)column);
    }
    if (columns->len)
        return g_steal_pointer(&columns);
    mt_fail_usage(error, "--columns needs the name of a column (see --help)");
    return NULL;
}

GPtrArray *dump_columns_default(unsigned fields, bool as_json, bool lines)
{
    static const char *const shown[] = { "index",     "vcpu",        "cpl",     "access", "address", "paddr",
                                         "page_size", "value",       "time_ns", "task",   "pc",      "bytes",
                                         "place",     "instruction", "file",    "line",   "source" };
    GPtrArray *columns = g_ptr_array_new();

    for (guint i = 0; i < G_N_ELEMENTS(shown); i++) {
        const DumpColumn *column = find_column(shown[i]);
        bool is_in_json_only = !strcmp(shown[i], "page_size") || !strcmp(shown[i], "bytes") ||
                               !strcmp(shown[i], "file") || !strcmp(shown[i], "line");
        bool is_of_lines = !strcmp(shown[i], "source");

        if (!(column->fields & ~fields) && (as_json || !is_in_json_only) && (lines || !is_of_lines))
            g_ptr_array_add(columns, (gpointer)column);
    }
    return columns;
}

unsigned dump_columns_fields(const GPtrArray *columns)
{
    unsigned fields = 0;

    for (guint i = 0; i < columns->len; i++)
        fields |= ((const DumpColumn *)columns->pdata[i])->fields;
    return fields;
}

bool dump_columns_have_objects(const GPtrArray *columns)
{
    for (guint i = 0; i < columns->len; i++) {
        const char *name = ((const DumpColumn *)columns->pdata[i])->name;

        if (!strcmp(name, "object") || !strcmp(name, "region"))
            return true;
    }
    return false;
}

/* Lines. */

/* The last column isn't padded at its right. Widths are at most 40, the number of blanks. */
static void add_cell(GString *line, const DumpColumn *column, const char *text, bool is_last)
{
    static const char blanks[] = "                                        ";
    gsize length = strlen(text), width = (gsize)ABS(column->width);
    gssize missing = length < width ? (gssize)(width - length) : 0;

    if (column->width > 0)
        g_string_append_len(line, blanks, missing);
    g_string_append_len(line, text, (gssize)length);
    if (column->width < 0 && !is_last)
        g_string_append_len(line, blanks, missing);
}

void dump_columns_add_heading(GString *line, const GPtrArray *columns)
{
    for (guint i = 0; i < columns->len; i++) {
        const DumpColumn *column = columns->pdata[i];
        g_autofree char *name = g_strconcat(i ? "" : "# ", column->name, NULL);

        g_string_append(line, i ? "  " : "");
        add_cell(line, column, name, i + 1 == columns->len);
    }
    g_string_append_c(line, '\n');
}

void dump_columns_add_text(GString *line, const GPtrArray *columns, const DumpRow *row)
{
    g_autoptr(GString) cell = g_string_sized_new(64);

    for (guint i = 0; i < columns->len; i++) {
        const DumpColumn *column = columns->pdata[i];

        g_string_truncate(cell, 0);
        column->add_text(cell, row);
        /* A source line that isn't known leaves nothing at the end of the line. */
        if (!cell->len && strcmp(column->name, "source"))
            g_string_append_c(cell, '?');
        if (i && (cell->len || i + 1 < columns->len))
            g_string_append(line, "  ");
        add_cell(line, column, cell->str, i + 1 == columns->len);
    }
    g_string_append_c(line, '\n');
}

void dump_columns_add_json(GString *line, const GPtrArray *columns, const DumpRow *row)
{
    g_string_append_c(line, '{');
    for (guint i = 0; i < columns->len; i++) {
        if (i)
            g_string_append_c(line, ',');
        ((const DumpColumn *)columns->pdata[i])->add_json(line, row);
    }
    g_string_append(line, "}\n");
}
