/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A report as comma-separated values (RFC 4180, but for its CR LF). */
#include <string.h>

#include "../base/json_numbers.h"
#include "report_private.h"

static void append_field(GString *text, const char *field)
{
    if (!strpbrk(field, ",\"\r\n")) {
        g_string_append(text, field);
        return;
    }
    g_string_append_c(text, '"');
    for (; *field; field++)
        g_string_append_printf(text, *field == '"' ? "\"\"" : "%c", *field);
    g_string_append_c(text, '"');
}

static void append_line(GString *text, const char *path, JsonNode *node)
{
    append_field(text, path);
    g_string_append_c(text, ',');
    if (JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_STRING &&
        !json_node_get_u64(node, &(uint64_t){ 0 })) {
        g_autofree char *printable = report_format_cell(node, REPORT_TEXT, false);

        append_field(text, printable);
    } else {
        g_autofree char *json = json_make_text(node, false);

        append_field(text, json);
    }
    g_string_append_c(text, '\n');
}

static void append_values(GString *text, const Report *report, const char *prefix)
{
    for (guint i = 0; i < report->items->len; i++) {
        const ReportItem *item = report->items->pdata[i];
        g_autofree char *path = item->name ? g_strconcat(prefix, item->name, NULL) : NULL;

        if (path && item->value) {
            append_line(text, path, item->value);
        } else if (path && item->section) {
            g_autofree char *inner = g_strconcat(path, ".", NULL);

            append_values(text, item->section, inner);
        } else if (path && item->list) {
            for (guint k = 0; k < item->list->len; k++) {
                g_autofree char *inner = g_strdup_printf("%s.%u.", path, k);

                append_values(text, item->list->pdata[k], inner);
            }
        }
    }
}

static void append_table(GString *text, const ReportTable *table)
{
    for (guint i = 0; i < table->count; i++)
        g_string_append_printf(text, "%s%c", table->columns[i].name, i + 1 == table->count ? '\n' : ',');
    for (guint row = 0; row < table->rows->len; row++)
        for (guint i = 0; i < table->count; i++) {
            const GPtrArray *nodes = table->rows->pdata[row];
            g_autofree char *cell = report_format_cell(nodes->pdata[i], table->columns[i].kind, false);

            append_field(text, cell);
            g_string_append_c(text, i + 1 == table->count ? '\n' : ',');
        }
}

static void append_tables(GString *text, const Report *report)
{
    for (guint i = 0; i < report->items->len; i++) {
        const ReportItem *item = report->items->pdata[i];

        if (item->section)
            append_tables(text, item->section);
        if (!item->table || !item->name)
            continue;
        g_string_append_c(text, '\n');
        append_table(text, item->table);
    }
}

char *report_as_csv(const Report *report)
{
    GString *text = g_string_new("name,value\n");

    append_values(text, report, "");
    append_tables(text, report);
    return g_string_free(text, FALSE);
}
