/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Results as data: see report.h. */
#include "report.h"

#include <stdarg.h>
#include <string.h>

#include "../base/json_numbers.h"
#include "../base/printable.h"
#include "report_private.h"

static void item_free(gpointer data)
{
    ReportItem *item = data;

    g_free(item->name);
    g_free(item->label);
    g_clear_pointer(&item->value, json_node_unref);
    report_free(item->section);
    g_clear_pointer(&item->list, g_ptr_array_unref);
    if (item->table) {
        g_ptr_array_unref(item->table->rows);
        g_free(item->table->columns);
        g_free(item->table);
    }
    g_free(item);
}

Report *report_new(void)
{
    Report *report = g_new0(Report, 1);

    report->items = g_ptr_array_new_with_free_func(item_free);
    return report;
}

void report_free(Report *report)
{
    if (!report)
        return;
    g_ptr_array_unref(report->items);
    g_free(report->title);
    g_free(report);
}

void report_set_title(Report *report, const char *title)
{
    g_free(report->title);
    report->title = g_strdup(title);
}

static ReportItem *add_item(Report *report, const char *name, const char *label)
{
    ReportItem *item = g_new0(ReportItem, 1);

    item->name = g_strdup(name);
    item->label = g_strdup(label);
    g_ptr_array_add(report->items, item);
    return item;
}

void report_add_count(Report *report, const char *name, const char *label, uint64_t value)
{
    report_add_share(report, name, label, value, 0);
}

void report_add_share(Report *report, const char *name, const char *label, uint64_t value, uint64_t total)
{
    ReportItem *item = add_item(report, name, label);

    item->value = json_node_new_u64(value);
    item->total = total;
}

void report_add_real(Report *report, const char *name, const char *label, double value, int digits)
{
    ReportItem *item = add_item(report, name, label);

    item->value = json_node_init_double(json_node_alloc(), value);
    item->digits = digits;
}

/* Names are bytes that a guest or a trace has chosen, and JSON is UTF-8. */
static JsonNode *text_node(const char *text)
{
    g_autofree char *printable = text && !g_utf8_validate(text, -1, NULL) ? text_make_printable(text) : NULL;

    return json_node_init_string(json_node_alloc(), printable ? printable : text);
}

void report_add_text(Report *report, const char *name, const char *label, const char *value)
{
    add_item(report, name, label)->value = text_node(value);
}

void report_add_flag(Report *report, const char *name, const char *label, bool value)
{
    add_item(report, name, label)->value = json_node_init_boolean(json_node_alloc(), value);
}

void report_add_json(Report *report, const char *name, const char *label, JsonNode *value)
{
    add_item(report, name, label)->value = value;
}

void report_add_texts(Report *report, const char *name, const char *label, const char *const *values)
{
    JsonArray *array = json_array_new();
    JsonNode *node = json_node_new(JSON_NODE_ARRAY);

    for (; *values; values++)
        json_array_add_element(array, text_node(*values));
    json_node_take_array(node, array);
    report_add_json(report, name, label, node);
}

void report_add_sentence(Report *report, const char *name, const char *sentence, uint64_t value)
{
    ReportItem *item = add_item(report, name, sentence);

    item->value = json_node_new_u64(value);
    item->sentence = true;
}

Report *report_add_to_list(Report *report, const char *name, const char *title)
{
    ReportItem *item = NULL;
    Report *section = report_new();

    for (guint i = 0; i < report->items->len && !item; i++) {
        ReportItem *known = report->items->pdata[i];

        if (known->list && !strcmp(known->name, name))
            item = known;
    }
    if (!item) {
        item = add_item(report, name, "");
        item->list = g_ptr_array_new_with_free_func((GDestroyNotify)report_free);
    }
    section->title = title ? text_make_printable(title) : NULL;
    g_ptr_array_add(item->list, section);
    return section;
}

Report *report_add_section(Report *report, const char *name, const char *label)
{
    return add_item(report, name, label)->section = report_new();
}

ReportTable *report_add_table(Report *report, const char *name, const char *label, const ReportColumn *columns)
{
    ReportTable *table = g_new0(ReportTable, 1);

    while (columns[table->count].name)
        table->count++;
    table->columns = g_memdup2(columns, table->count * sizeof *columns);
    table->rows = g_ptr_array_new_with_free_func((GDestroyNotify)g_ptr_array_unref);
    add_item(report, name, label)->table = table;
    return table;
}

void report_table_begin_row(ReportTable *table)
{
    g_ptr_array_add(table->rows, g_ptr_array_new_with_free_func((GDestroyNotify)json_node_unref));
}

static void add_cell(ReportTable *table, JsonNode *node)
{
    g_ptr_array_add(table->rows->pdata[table->rows->len - 1], node);
}

void report_table_add_count(ReportTable *table, uint64_t value)
{
    add_cell(table, json_node_new_u64(value));
}

void report_table_add_text(ReportTable *table, const char *value)
{
    add_cell(table, text_node(value));
}

void report_table_add_row(ReportTable *table, ...)
{
    va_list cells;

    va_start(cells, table);
    report_table_begin_row(table);
    for (guint i = 0; i < table->count; i++)
        switch (table->columns[i].kind) {
        case REPORT_COUNT:
        case REPORT_ADDRESS:
            report_table_add_count(table, va_arg(cells, uint64_t));
            break;
        case REPORT_REAL:
            add_cell(table, json_node_init_double(json_node_alloc(), va_arg(cells, double)));
            break;
        case REPORT_TEXT:
            report_table_add_text(table, va_arg(cells, const char *));
            break;
        }
    va_end(cells);
}

char *report_format_cell(const JsonNode *node, ReportKind kind, bool grouped)
{
    uint64_t number;

    if (kind == REPORT_TEXT)
        return text_make_printable(json_node_get_string((JsonNode *)node));
    if (kind == REPORT_REAL)
        return g_strdup_printf("%.3f", json_node_get_double((JsonNode *)node));
    if (!json_node_get_u64((JsonNode *)node, &number))
        number = 0;
    if (kind == REPORT_ADDRESS)
        return g_strdup_printf("0x%" G_GINT64_MODIFIER "x", number);
    return g_strdup_printf(grouped ? "%'" G_GUINT64_FORMAT : "%" G_GUINT64_FORMAT, number);
}

/* JSON. */

static JsonNode *table_node(const ReportTable *table)
{
    JsonArray *array = json_array_new();
    JsonNode *node = json_node_new(JSON_NODE_ARRAY);

    for (guint i = 0; i < table->rows->len; i++) {
        const GPtrArray *row = table->rows->pdata[i];
        JsonObject *object = json_object_new();

        for (guint k = 0; k < table->count; k++) {
            if (table->columns[k].kind == REPORT_ADDRESS) {
                g_autofree char *address = report_format_cell(row->pdata[k], REPORT_ADDRESS, false);

                json_object_set_string_member(object, table->columns[k].name, address);
            } else {
                json_object_set_member(object, table->columns[k].name, json_node_copy(row->pdata[k]));
            }
        }
        json_array_add_object_element(array, object);
    }
    json_node_take_array(node, array);
    return node;
}

static JsonNode *report_node(const Report *report);

static JsonNode *list_node(const GPtrArray *list)
{
    JsonArray *array = json_array_new();
    JsonNode *node = json_node_new(JSON_NODE_ARRAY);

    for (guint i = 0; i < list->len; i++)
        json_array_add_element(array, report_node(list->pdata[i]));
    json_node_take_array(node, array);
    return node;
}

static JsonNode *report_node(const Report *report)
{
    JsonObject *object = json_object_new();
    JsonNode *node = json_node_new(JSON_NODE_OBJECT);

    for (guint i = 0; i < report->items->len; i++) {
        const ReportItem *item = report->items->pdata[i];

        if (!item->name)
            continue;
        json_object_set_member(object, item->name,
                               item->section ? report_node(item->section)
                               : item->list  ? list_node(item->list)
                               : item->table ? table_node(item->table)
                                             : json_node_copy(item->value));
    }
    json_node_take_object(node, object);
    return node;
}

char *report_as_json(const Report *report, bool pretty)
{
    g_autoptr(JsonNode) node = report_node(report);
    g_autofree char *text = json_make_text(node, pretty);

    return g_strconcat(text, "\n", NULL);
}
