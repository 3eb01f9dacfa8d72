/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which attachments have a kernel's names: see kernel_sources.h. The trace is not trusted. */
#include "kernel_sources.h"

#include <stdlib.h>
#include <string.h>

#include "attachment.h"
#include "code_table.h"

/* More lines are not read; a merged trace has far fewer. */
#define LINES_MAX 65536

static const char *const kinds[KERNEL_SOURCE_KINDS] = {
    [KERNEL_SYMBOLS] = CODE_TABLE_KALLSYMS, [KERNEL_MODULES] = "modules", [KERNEL_DEVICES] = "iomem"
};

struct KernelSources {
    bool is_told;      /* the trace tells which input has which; if not, all inputs have the attachments of `kinds` */
    bool is_known;     /* false: the trace has several kernels, and doesn't tell which input has which */
    GHashTable *names; /* names of attachments, by key_of() */
};

static gpointer key_of(uint32_t input, KernelSourceKind kind)
{
    return GSIZE_TO_POINTER((gsize)input * KERNEL_SOURCE_KINDS + kind);
}

/* "kallsyms" or "kallsyms/2". */
static bool is_of_kind(const char *attachment, KernelSourceKind kind)
{
    size_t length = strlen(kinds[kind]);

    return !strncmp(attachment, kinds[kind], length) && (!attachment[length] || attachment[length] == '/');
}

bool kernel_sources_has_name(const char *attachment)
{
    for (int kind = 0; kind < KERNEL_SOURCE_KINDS; kind++)
        if (is_of_kind(attachment, kind))
            return true;
    return false;
}

KernelSources *kernel_sources_new(void)
{
    KernelSources *sources = g_new0(KernelSources, 1);

    sources->is_told = sources->is_known = true;
    sources->names = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    return sources;
}

void kernel_sources_free(KernelSources *sources)
{
    if (!sources)
        return;
    g_hash_table_unref(sources->names);
    g_free(sources);
}

void kernel_sources_add(KernelSources *sources, uint32_t input, KernelSourceKind kind, const char *attachment)
{
    g_hash_table_insert(sources->names, key_of(input, kind), g_strdup(attachment));
}

/* "1 kallsyms/2" */
static void read_line(KernelSources *sources, const char *line)
{
    char *after;
    uint64_t input = g_ascii_strtoull(line, &after, 10);

    if (after == line || *after++ != ' ' || input > UINT32_MAX)
        return;
    for (int kind = 0; kind < KERNEL_SOURCE_KINDS; kind++)
        if (is_of_kind(after, kind))
            kernel_sources_add(sources, (uint32_t)input, kind, after);
}

/* Merged traces of older versions have the symbols of several kernels, but don't tell which input has which. */
static bool has_symbols_of_several(mt_trace *trace)
{
    g_autoptr(CodeTable) table = code_table_read(trace, false);

    for (guint i = 0; i < table->origins->len; i++)
        if (g_str_has_prefix(((const CodeOrigin *)table->origins->pdata[i])->attachment, CODE_TABLE_KALLSYMS "/"))
            return true;
    return false;
}

KernelSources *kernel_sources_read(mt_trace *trace)
{
    KernelSources *sources = kernel_sources_new();
    size_t bytes;
    char *text = attachment_read(trace, KERNEL_SOURCES, &bytes, false);
    g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", LINES_MAX);

    sources->is_told = text;
    sources->is_known = text || !has_symbols_of_several(trace);
    for (char **line = lines; *line; line++)
        read_line(sources, *line);
    free(text);
    return sources;
}

const char *kernel_sources_find(const KernelSources *sources, uint32_t input, KernelSourceKind kind)
{
    if (!sources->is_known)
        return NULL;
    return sources->is_told ? g_hash_table_lookup(sources->names, key_of(input, kind)) : kinds[kind];
}

static gint compare_keys(gconstpointer a, gconstpointer b)
{
    return a < b ? -1 : a > b;
}

char *kernel_sources_text(const KernelSources *sources)
{
    g_autoptr(GList) keys = g_list_sort(g_hash_table_get_keys(sources->names), compare_keys);
    g_autoptr(GString) text = g_string_new(NULL);
    bool has_several = false;

    for (GList *key = keys; key; key = key->next) {
        gsize input = GPOINTER_TO_SIZE(key->data) / KERNEL_SOURCE_KINDS;

        has_several |= input;
        g_string_append_printf(text, "%" G_GSIZE_FORMAT " %s\n", input,
                               (const char *)g_hash_table_lookup(sources->names, key->data));
    }
    return has_several ? g_string_free(g_steal_pointer(&text), FALSE) : NULL;
}
