/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a trace's code was loaded from: see code_table.h. */
#include "code_table.h"

#include <stdlib.h>
#include <string.h>

#include "../record/x86.h"
#include "../trace/format.h"
#include "attachment.h"

static void free_origin(void *data)
{
    CodeOrigin *origin = data;

    g_free(origin->attachment);
    g_free(origin->path);
    g_free(origin);
}

CodeTable *code_table_new(void)
{
    CodeTable *table = g_new0(CodeTable, 1);

    table->origins = g_ptr_array_new_with_free_func(free_origin);
    table->owners = g_array_new(FALSE, TRUE, sizeof(uint32_t));
    return table;
}

void code_table_free(CodeTable *table)
{
    if (!table)
        return;
    g_ptr_array_unref(table->origins);
    g_array_unref(table->owners);
    g_free(table);
}

uint32_t code_table_add_origin(CodeTable *table, uint64_t bias, const char *attachment, const char *path)
{
    CodeOrigin *origin;

    if (table->origins->len >= CODE_TABLE_ORIGINS_MAX)
        return 0;
    origin = g_new0(CodeOrigin, 1);
    *origin = (CodeOrigin){ .bias = bias, .attachment = g_strdup(attachment), .path = g_strdup(path) };
    g_ptr_array_add(table->origins, origin);
    return table->origins->len;
}

uint32_t code_table_owner(const CodeTable *table, uint32_t number)
{
    uint32_t owner = number && number <= table->owners->len ? g_array_index(table->owners, uint32_t, number - 1) : 0;

    return owner <= table->origins->len ? owner : 0;
}

const CodeOrigin *code_table_origin(const CodeTable *table, uint32_t number)
{
    uint32_t owner = code_table_owner(table, number);

    return owner ? table->origins->pdata[owner - 1] : NULL;
}

/* Reading. The trace is not trusted. */

/* Returns false at a line that makes no sense: the lines that follow it would get wrong numbers. */
static bool read_origin(CodeTable *table, char *line)
{
    char *attachment, *path;
    uint64_t bias = g_ascii_strtoull(line, &attachment, 16);

    if (attachment == line || *attachment++ != ' ' || !(path = strchr(attachment, ' ')))
        return false;
    *path++ = 0;
    return *attachment && *path && code_table_add_origin(table, bias, attachment, path);
}

static void read_origins(CodeTable *table, const char *text)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", CODE_TABLE_ORIGINS_MAX + 1);

    for (char **line = lines; *line && read_origin(table, *line); line++)
        ;
}

static void read_owners(CodeTable *table, const uint8_t *from, size_t bytes, uint32_t count)
{
    const uint8_t *end = from + bytes;
    uint64_t run, owner;

    g_array_set_size(table->owners, count);
    for (uint32_t done = 0; from && from < end && done < count; done += (uint32_t)run) {
        from = varint_get(from, end, &run);
        from = from ? varint_get(from, end, &owner) : NULL;
        if (!from || !run || run > count - done)
            return;
        for (uint32_t i = 0; i < run && owner <= table->origins->len; i++)
            g_array_index(table->owners, uint32_t, done + i) = (uint32_t)owner;
    }
}

/* A trace without these attachments (it was cut short, or is older) still has its kernel's symbols. */
static void read_kernel(CodeTable *table, mt_trace *trace)
{
    uint32_t count = mt_trace_instructions(trace), owner = 0;

    g_array_set_size(table->owners, count);
    for (uint32_t i = 1; i <= count; i++) {
        const struct mt_instruction *instruction = mt_trace_instruction(trace, i);

        if (!instruction || !x86_is_kernel_code(instruction))
            continue;
        if (!owner)
            owner = code_table_add_origin(table, 0, CODE_TABLE_KALLSYMS, "kernel");
        g_array_index(table->owners, uint32_t, i - 1) = owner;
    }
}

CodeTable *code_table_read(mt_trace *trace, bool warns)
{
    CodeTable *table = code_table_new();
    size_t bytes, code_bytes;
    char *loaded = attachment_read(trace, CODE_TABLE_LOADED, &bytes, warns);
    char *code = attachment_read(trace, CODE_TABLE_CODE, &code_bytes, warns);

    table->is_told = loaded && code;
    if (table->is_told) {
        read_origins(table, loaded);
        read_owners(table, (const uint8_t *)code, code_bytes, mt_trace_instructions(trace));
    } else {
        read_kernel(table, trace);
    }
    free(loaded);
    free(code);
    return table;
}

/* Writing. */

char *code_table_loaded(const CodeTable *table)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < table->origins->len; i++) {
        const CodeOrigin *origin = table->origins->pdata[i];
        g_autofree char *path = g_strdelimit(g_strdup(origin->path), "\n", '?');

        g_string_append_printf(text, "%" G_GINT64_MODIFIER "x %s %s\n", origin->bias, origin->attachment, path);
    }
    return g_string_free(text, FALSE);
}

GByteArray *code_table_code(const CodeTable *table)
{
    GByteArray *code = g_byte_array_new();

    for (guint i = 0, next; i < table->owners->len; i = next) {
        uint32_t owner = g_array_index(table->owners, uint32_t, i);
        uint8_t pair[2 * VARINT_MAX_BYTES], *to;

        for (next = i + 1; next < table->owners->len && g_array_index(table->owners, uint32_t, next) == owner; next++)
            ;
        to = varint_put(varint_put(pair, next - i), owner);
        g_byte_array_append(code, pair, (guint)(to - pair));
    }
    return code;
}
