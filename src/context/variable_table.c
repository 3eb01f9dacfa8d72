/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Variables of a file: see variable_table.h. */
#include "variable_table.h"

#include <stdlib.h>
#include <string.h>

#include "attachment.h"

struct VariableTable {
    char *text; /* the attachment, which the names point into */
    GArray *variables;
};

bool variable_parse(char *line, Variable *variable)
{
    char *end_text, *name;

    variable->begin = g_ascii_strtoull(line, &end_text, 16);
    variable->end = g_ascii_strtoull(end_text, &name, 16);
    variable->name = name + 1;
    return end_text > line && name > end_text && *name == ' ' && name[1] && variable->begin < variable->end;
}

static unsigned underscores(const char *name)
{
    return (unsigned)strspn(name, "_");
}

/* Outer variables first; of several names of the same bytes, the one with the fewest leading underscores. */
static gint compare(gconstpointer a, gconstpointer b)
{
    const Variable *x = a, *y = b;

    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end)
        return x->end > y->end ? -1 : 1;
    if (underscores(x->name) != underscores(y->name))
        return underscores(x->name) < underscores(y->name) ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* Drops variables that begin inside the one before. */
static void drop_inner(GArray *variables)
{
    guint kept = 0;

    for (guint i = 0; i < variables->len; i++) {
        const Variable variable = g_array_index(variables, Variable, i);

        if (!kept || variable.begin >= g_array_index(variables, Variable, kept - 1).end)
            g_array_index(variables, Variable, kept++) = variable;
    }
    g_array_set_size(variables, kept);
}

VariableTable *variable_table_new(char *text)
{
    VariableTable *table = g_new0(VariableTable, 1);
    Variable variable;
    char *line;

    table->text = text;
    table->variables = g_array_new(FALSE, FALSE, sizeof(Variable));
    while ((line = attachment_take_line(&text)))
        if (variable_parse(line, &variable))
            g_array_append_val(table->variables, variable);
    g_array_sort(table->variables, compare);
    drop_inner(table->variables);
    return table;
}

void variable_table_free(VariableTable *table)
{
    if (!table)
        return;
    g_array_unref(table->variables);
    free(table->text);
    g_free(table);
}

const Variable *variable_table_find(const VariableTable *table, uint64_t address, uint64_t *before, uint64_t *behind)
{
    guint first = 0, end = table->variables->len;
    const Variable *last;

    while (first < end) { /* counts those that begin at the address or below it */
        guint middle = first + (end - first) / 2;

        if (g_array_index(table->variables, Variable, middle).begin <= address)
            first = middle + 1;
        else
            end = middle;
    }
    last = first ? &g_array_index(table->variables, Variable, first - 1) : NULL;
    if (last && address < last->end)
        return last;
    *before = last ? last->end : 0;
    *behind = first < table->variables->len ? g_array_index(table->variables, Variable, first).begin : UINT64_MAX;
    return NULL;
}

const Variable *variable_table_list(const VariableTable *table, guint *count)
{
    *count = table->variables->len;
    return (const Variable *)table->variables->data;
}
