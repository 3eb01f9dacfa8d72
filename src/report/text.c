/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A report as text for people. */
#include <string.h>

#include "../base/json_numbers.h"
#include "../base/printable.h"
#include "report_private.h"

#define INDENT 2
#define LABEL_COLUMNS 24
#define NUMBER_COLUMNS 18

static void append_json(GString *text, JsonNode *node, const char *label, int indent);

/* `columns` are columns of a terminal, not bytes. */
static void append_padded(GString *text, const char *word, int columns, bool to_the_right)
{
    int length = (int)g_utf8_strlen(word, -1), padding = MAX(columns - length, 0);

    g_string_append_printf(text, "%*s%s%*s", to_the_right ? padding : 0, "", word, to_the_right ? 0 : padding, "");
}

static void append_label(GString *text, const char *label, int indent)
{
    g_string_append_printf(text, "%*s", indent, "");
    append_padded(text, label, LABEL_COLUMNS, false);
    g_string_append_c(text, ' ');
}

static void append_object(GString *text, JsonObject *object, const char *label, int indent)
{
    g_autoptr(GList) names = json_object_get_members(object);
    g_autofree char *heading = text_make_printable(label);

    g_string_append_printf(text, "%*s%s\n", indent, "", heading);
    for (GList *name = names; name; name = name->next)
        append_json(text, json_object_get_member(object, name->data), name->data, indent + INDENT);
}

/* A value of foreign JSON, such as a trace's metadata: a string as text, a list and the like as JSON. */
static void append_json(GString *text, JsonNode *node, const char *label, int indent)
{
    g_autofree char *name = text_make_printable(label), *value = NULL;
    uint64_t number;

    if (JSON_NODE_HOLDS_OBJECT(node)) {
        append_object(text, json_node_get_object(node), label, indent);
        return;
    }
    append_label(text, name, indent);
    if (json_node_get_u64(node, &number)) {
        g_string_append_printf(text, "%'*" G_GUINT64_FORMAT "\n", NUMBER_COLUMNS, number);
        return;
    }
    if (JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_STRING) {
        value = text_make_printable(json_node_get_string(node));
    } else {
        g_autofree char *json = json_make_text(node, false);

        value = text_make_printable(json);
    }
    g_string_append_printf(text, "%s\n", value);
}

static void append_list(GString *text, JsonArray *array)
{
    for (guint i = 0; i < json_array_get_length(array); i++) {
        g_autofree char *word = text_make_printable(json_array_get_string_element(array, i));

        g_string_append_printf(text, "%s%s", i ? ", " : "", word);
    }
    g_string_append_c(text, '\n');
}

static void append_value(GString *text, const ReportItem *item, int indent)
{
    JsonNode *node = item->value;
    uint64_t number;

    if (item->sentence) {
        g_autofree char *sentence = text_make_printable(item->label);

        g_string_append_printf(text, "%*s%s\n", indent, "", sentence);
        return;
    }
    if (JSON_NODE_HOLDS_OBJECT(node)) {
        append_object(text, json_node_get_object(node), item->label, indent);
        return;
    }
    append_label(text, item->label, indent);
    if (json_node_get_u64(node, &number)) {
        g_string_append_printf(text, "%'*" G_GUINT64_FORMAT, NUMBER_COLUMNS, number);
        if (item->total)
            g_string_append_printf(text, "  %5.1f %%", 100.0 * (double)number / (double)item->total);
        g_string_append_c(text, '\n');
    } else if (JSON_NODE_HOLDS_ARRAY(node)) {
        append_list(text, json_node_get_array(node));
    } else if (json_node_get_value_type(node) == G_TYPE_DOUBLE) {
        g_string_append_printf(text, "%*.*f\n", NUMBER_COLUMNS, item->digits, json_node_get_double(node));
    } else if (json_node_get_value_type(node) == G_TYPE_BOOLEAN) {
        g_string_append(text, json_node_get_boolean(node) ? "yes\n" : "no\n");
    } else {
        g_autofree char *word = text_make_printable(json_node_get_string(node));

        g_string_append_printf(text, "%s\n", word);
    }
}

static void append_row(GString *text, char *const *cells, const int *widths, const ReportTable *table, int indent)
{
    g_string_append_printf(text, "%*s", indent, "");
    for (guint i = 0; i < table->count; i++) {
        bool last = i + 1 == table->count, is_text = table->columns[i].kind == REPORT_TEXT;

        append_padded(text, cells[i], last && is_text ? 0 : widths[i], !is_text);
        g_string_append(text, last ? "\n" : "  ");
    }
}

static void append_table(GString *text, const ReportTable *table, const char *label, int indent)
{
    g_autofree int *widths = g_new0(int, table->count);
    g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);

    if (!table->rows->len)
        return;
    for (guint row = 0; row <= table->rows->len; row++) { /* the first one is the headings */
        GStrv cells = g_new0(char *, table->count + 1);

        for (guint i = 0; i < table->count; i++) {
            const GPtrArray *nodes = row ? table->rows->pdata[row - 1] : NULL;

            cells[i] = nodes ? report_format_cell(nodes->pdata[i], table->columns[i].kind, true)
                             : g_strdup(table->columns[i].label);
            widths[i] = MAX(widths[i], (int)g_utf8_strlen(cells[i], -1));
        }
        g_ptr_array_add(lines, cells);
    }
    g_string_append_printf(text, "%*s%s\n", indent, "", label);
    for (guint row = 0; row < lines->len; row++)
        append_row(text, lines->pdata[row], widths, table, indent + INDENT);
}

static void append_report(GString *text, const Report *report, int indent)
{
    if (report->title) {
        g_string_append_printf(text, "%s\n", report->title);
        indent += INDENT;
    }
    for (guint i = 0; i < report->items->len; i++) {
        const ReportItem *item = report->items->pdata[i];

        if (!item->label)
            continue;
        if (item->table) {
            append_table(text, item->table, item->label, indent);
        } else if (item->value) {
            append_value(text, item, indent);
        } else if (item->list) {
            for (guint k = 0; k < item->list->len; k++)
                append_report(text, item->list->pdata[k], indent);
        } else {
            if (*item->label)
                g_string_append_printf(text, "%*s%s\n", indent, "", item->label);
            append_report(text, item->section, *item->label ? indent + INDENT : indent);
        }
    }
}

char *report_as_text(const Report *report)
{
    GString *text = g_string_new(NULL);

    append_report(text, report, 0);
    return g_string_free(text, FALSE);
}
