/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Code that depends on its process: see code_map.h. */
#include "code_map.h"

#include <stdlib.h>
#include <string.h>

#include "../trace/format.h"
#include "attachment.h"

#define HEX "%" G_GINT64_MODIFIER "x"

static guint hash_line(gconstpointer data)
{
    const MappedPart *part = &((const MappedLine *)data)->part;

    return g_str_hash(part->path) + (guint)(part->begin >> 12) * 31 + (guint)(part->offset >> 12) * 17 +
           (guint)part->inode + part->input;
}

static gboolean same_line(gconstpointer a, gconstpointer b)
{
    const MappedPart *x = &((const MappedLine *)a)->part, *y = &((const MappedLine *)b)->part;

    return x->begin == y->begin && x->offset == y->offset && x->device == y->device && x->inode == y->inode &&
           x->input == y->input && !strcmp(x->path, y->path);
}

CodeMap *code_map_new(void)
{
    CodeMap *map = g_new0(CodeMap, 1);

    map->mapped = g_array_new(FALSE, FALSE, sizeof(MappedLine));
    map->generated = g_array_new(FALSE, FALSE, sizeof(GeneratedLine));
    map->same = g_array_new(FALSE, FALSE, sizeof(SameCode));
    map->texts = g_string_chunk_new(4096);
    map->origins = g_hash_table_new_full(hash_line, same_line, g_free, NULL);
    return map;
}

void code_map_free(CodeMap *map)
{
    if (!map)
        return;
    g_array_unref(map->mapped);
    g_array_unref(map->generated);
    g_array_unref(map->same);
    g_string_chunk_free(map->texts);
    g_hash_table_unref(map->origins);
    g_free(map);
}

void code_map_add_mapped(CodeMap *map, const MappedPart *part, uint32_t origin)
{
    MappedLine line = { .part = *part, .origin = origin };

    if (map->mapped->len >= CODE_MAP_LINES_MAX || g_hash_table_contains(map->origins, &line))
        return;
    line.part.path = g_string_chunk_insert_const(map->texts, part->path);
    g_array_append_val(map->mapped, line);
    g_hash_table_add(map->origins, g_memdup2(&line, sizeof line));
}

void code_map_add_generated(CodeMap *map, uint32_t input, uint32_t pid, uint32_t origin)
{
    GeneratedLine line = { input, pid, origin };

    if (map->generated->len < CODE_MAP_LINES_MAX)
        g_array_append_val(map->generated, line);
}

void code_map_add_same(CodeMap *map, uint32_t number, uint32_t origin)
{
    SameCode same = { number, origin };

    if (map->same->len < CODE_MAP_SAME_MAX)
        g_array_append_val(map->same, same);
}

static int compare_same(const void *a, const void *b)
{
    const SameCode *x = a, *y = b;

    if (x->number != y->number)
        return x->number < y->number ? -1 : 1;
    return x->origin < y->origin ? -1 : x->origin > y->origin;
}

/* Sorts the instructions that several files have, and keeps each once. */
void code_map_sort(CodeMap *map)
{
    SameCode *same = (SameCode *)map->same->data;
    guint left = 0;

    if (!map->same->len)
        return;
    qsort(same, map->same->len, sizeof *same, compare_same);
    for (guint i = 0; i < map->same->len; i++)
        if (!left || compare_same(&same[i], &same[left - 1]))
            same[left++] = same[i];
    g_array_set_size(map->same, left);
}

const MappedLine *code_map_find_mapped(const CodeMap *map, const MappedPart *part)
{
    const MappedLine key = { .part = *part };

    return g_hash_table_lookup(map->origins, &key);
}

uint32_t code_map_find_generated(const CodeMap *map, uint32_t input, uint32_t pid)
{
    for (guint i = 0; i < map->generated->len; i++) {
        const GeneratedLine *line = &g_array_index(map->generated, GeneratedLine, i);

        if (line->input == input && line->pid == pid)
            return line->origin;
    }
    return 0;
}

const SameCode *code_map_find_same(const CodeMap *map, uint32_t number, size_t *count)
{
    const SameCode *same = (const SameCode *)map->same->data;
    size_t first = 0, end = map->same->len;

    while (first < end) {
        size_t middle = first + (end - first) / 2;

        if (same[middle].number < number)
            first = middle + 1;
        else
            end = middle;
    }
    for (*count = 0; first + *count < map->same->len && same[first + *count].number == number; ++*count)
        ;
    return same + first;
}

/* Reading. The trace is not trusted. */

/* Parses a number and the space behind it, and moves *text behind both. */
static bool take_number(char **text, unsigned base, uint64_t *number)
{
    char *end;

    *number = g_ascii_strtoull(*text, &end, base);
    if (end == *text || *end++ != ' ')
        return false;
    *text = end;
    return true;
}

static bool read_mapped(CodeMap *map, char *line)
{
    MappedPart part;
    uint64_t input, origin;

    if (!take_number(&line, 10, &input) || !take_number(&line, 16, &part.begin) ||
        !take_number(&line, 16, &part.offset) || !take_number(&line, 16, &part.device) ||
        !take_number(&line, 10, &part.inode) || !take_number(&line, 10, &origin) || !*line)
        return false;
    part.input = (uint32_t)input;
    part.path = line;
    code_map_add_mapped(map, &part, (uint32_t)origin);
    return true;
}

static bool read_generated(CodeMap *map, char *line)
{
    uint64_t input, pid;

    if (!take_number(&line, 10, &input) || !take_number(&line, 10, &pid) || !g_ascii_isdigit(*line))
        return false;
    code_map_add_generated(map, (uint32_t)input, (uint32_t)pid, (uint32_t)g_ascii_strtoull(line, NULL, 10));
    return true;
}

static void read_lines(CodeMap *map, mt_trace *trace, const char *name, bool (*read)(CodeMap *, char *), bool warns)
{
    size_t bytes;
    char *text = attachment_read(trace, name, &bytes, warns);
    g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", CODE_MAP_LINES_MAX + 1);

    for (char **line = lines; *line && read(map, *line); line++)
        ;
    free(text);
}

static void read_same_code(CodeMap *map, const uint8_t *from, size_t bytes)
{
    const uint8_t *end = from + bytes;
    uint64_t number = 0, more, origin;

    while (from && from < end && map->same->len < CODE_MAP_SAME_MAX) {
        from = varint_get(from, end, &more);
        from = from ? varint_get(from, end, &origin) : NULL;
        number += more;
        if (!from || number > UINT32_MAX || origin > UINT32_MAX)
            return;
        code_map_add_same(map, (uint32_t)number, (uint32_t)origin);
    }
}

CodeMap *code_map_read(mt_trace *trace, bool warns)
{
    CodeMap *map = code_map_new();
    size_t bytes;
    char *same = attachment_read(trace, CODE_MAP_SAME_CODE, &bytes, warns);

    read_lines(map, trace, CODE_MAP_MAPPED, read_mapped, warns);
    read_lines(map, trace, CODE_MAP_GENERATED, read_generated, warns);
    if (same)
        read_same_code(map, (const uint8_t *)same, bytes);
    free(same);
    code_map_sort(map);
    return map;
}

/* Writing. */

static char *mapped_text(const CodeMap *map)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < map->mapped->len; i++) {
        const MappedLine *line = &g_array_index(map->mapped, MappedLine, i);

        /* A path with a line feed would be two lines, so it is left out. */
        if (!strchr(line->part.path, '\n'))
            g_string_append_printf(text, "%u " HEX " " HEX " " HEX " %" G_GUINT64_FORMAT " %u %s\n", line->part.input,
                                   line->part.begin, line->part.offset, line->part.device, line->part.inode,
                                   line->origin, line->part.path);
    }
    return g_string_free(text, FALSE);
}

static char *generated_text(const CodeMap *map)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < map->generated->len; i++) {
        const GeneratedLine *line = &g_array_index(map->generated, GeneratedLine, i);

        g_string_append_printf(text, "%u %u %u\n", line->input, line->pid, line->origin);
    }
    return g_string_free(text, FALSE);
}

static GByteArray *same_code_bytes(const CodeMap *map)
{
    GByteArray *bytes = g_byte_array_new();
    uint32_t last = 0;

    for (guint i = 0; i < map->same->len; i++) {
        const SameCode *same = &g_array_index(map->same, SameCode, i);

        varint_append(bytes, same->number - last);
        varint_append(bytes, same->origin);
        last = same->number;
    }
    return bytes;
}

static bool attach(TraceWriter *writer, const char *name, const void *contents, size_t bytes, GError **error)
{
    return !bytes || trace_writer_add_attachment(writer, name, contents, bytes, error);
}

bool code_map_attach(const CodeMap *map, TraceWriter *writer, GError **error)
{
    g_autofree char *mapped = mapped_text(map), *generated = generated_text(map);
    g_autoptr(GByteArray) same = same_code_bytes(map);

    return attach(writer, CODE_MAP_MAPPED, mapped, strlen(mapped), error) &&
           attach(writer, CODE_MAP_GENERATED, generated, strlen(generated), error) &&
           attach(writer, CODE_MAP_SAME_CODE, same->data, same->len, error);
}
