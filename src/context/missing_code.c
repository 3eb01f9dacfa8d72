/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files without names: see missing_code.h. */
#include "missing_code.h"

#include <stdlib.h>
#include <string.h>

#include "attachment.h"

#define FILES_MAX 4096

static const struct {
    const char *word, *text;
} reasons[MISSING_REASONS] = {
    [MISSING_GONE] = { "gone", "it was no longer on this machine" },
    [MISSING_CHANGED] = { "changed", "it was changed on this machine after the run had begun" },
    [MISSING_UNREADABLE] = { "unreadable", "it can't be read as an x86-64 program or library" },
    [MISSING_IN_GUEST] = { "guest", "only the guest had it, and it could no longer be read there" },
};

static void free_missing(void *data)
{
    g_free(((MissingCode *)data)->path);
    g_free(data);
}

GPtrArray *missing_code_new(void)
{
    return g_ptr_array_new_with_free_func(free_missing);
}

void missing_code_add(GPtrArray *list, const char *path, MissingReason reason)
{
    MissingCode *missing;

    for (guint i = 0; i < list->len; i++)
        if (!strcmp(((const MissingCode *)list->pdata[i])->path, path))
            return;
    if (list->len >= FILES_MAX)
        return;
    missing = g_new(MissingCode, 1);
    *missing = (MissingCode){ g_strdup(path), reason };
    g_ptr_array_add(list, missing);
}

const char *missing_code_explain(MissingReason reason)
{
    return reason < MISSING_REASONS ? reasons[reason].text : "";
}

char *missing_code_write(const GPtrArray *list)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < list->len; i++) {
        const MissingCode *missing = list->pdata[i];
        g_autofree char *path = g_strdelimit(g_strdup(missing->path), "\n", '?');

        g_string_append_printf(text, "%s %s\n", reasons[missing->reason].word, path);
    }
    return g_string_free(text, FALSE);
}

static void add_line(GPtrArray *list, const char *line)
{
    for (unsigned i = 0; i < MISSING_REASONS; i++) {
        size_t length = strlen(reasons[i].word);

        if (!strncmp(line, reasons[i].word, length) && line[length] == ' ' && line[length + 1])
            missing_code_add(list, line + length + 1, (MissingReason)i);
    }
}

GPtrArray *missing_code_read(mt_trace *trace)
{
    GPtrArray *list = missing_code_new();
    size_t bytes;
    char *text = attachment_read(trace, MISSING_CODE, &bytes, true);
    g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", FILES_MAX + 1);

    for (char **line = lines; *line; line++)
        add_line(list, *line);
    free(text);
    return list;
}
