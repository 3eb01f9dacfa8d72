/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of generated code: see generated_code.h. */
#include "generated_code.h"

#include <stdlib.h>
#include <string.h>

#include "../record/x86.h"

#define FUNCTIONS_MAX (1u << 20)
#define NAME_BYTES_MAX 1024

/* The format of a jitdump file. */
#define DUMP_MAGIC 0x4a695444u /* as it reads in this machine's byte order */
#define DUMP_HEADER_BYTES 40
#define DUMP_RECORD_BYTES 16
#define DUMP_CODE_LOAD 0
#define DUMP_LOAD_BYTES 40 /* behind the record's header, before the name */

GeneratedCode *generated_code_new(void)
{
    GeneratedCode *code = g_new0(GeneratedCode, 1);

    code->functions = g_array_new(FALSE, FALSE, sizeof(GeneratedFunction));
    code->names = g_string_chunk_new(4096);
    return code;
}

void generated_code_free(GeneratedCode *code)
{
    if (!code)
        return;
    g_array_unref(code->functions);
    g_string_chunk_free(code->names);
    g_free(code);
}

/* Adds a function, unless its name can't stand in a line of a trace's attachment. */
static void add_function(GeneratedCode *code, uint64_t begin, uint64_t bytes, const char *name, size_t length)
{
    GeneratedFunction function = { .begin = begin, .end = begin + bytes };
    g_autofree char *line = NULL;

    if (!bytes || function.end < begin || x86_is_kernel_address(function.end - 1) || !length ||
        code->functions->len >= FUNCTIONS_MAX)
        return;
    line = g_strndup(name, MIN(length, NAME_BYTES_MAX));
    g_strdelimit(line, "\n\r", ' ');
    if (!*line)
        return;
    function.name = g_string_chunk_insert_const(code->names, line);
    g_array_append_val(code->functions, function);
}

/* "7f0012340000 1a0 name of it" */
static void add_line(GeneratedCode *code, const char *line)
{
    char *size_text, *name;
    uint64_t begin = g_ascii_strtoull(line, &size_text, 16), bytes;

    if (size_text == line || *size_text != ' ' || *line == '-')
        return;
    bytes = g_ascii_strtoull(size_text, &name, 16);
    if (name > size_text + 1 && *name == ' ' && size_text[1] != '-')
        add_function(code, begin, bytes, name + 1, strlen(name + 1));
}

void generated_code_add_map(GeneratedCode *code, const uint8_t *bytes, size_t count)
{
    g_autoptr(GString) line = g_string_new(NULL);

    for (size_t i = 0; i < count;) {
        const uint8_t *end = memchr(bytes + i, '\n', count - i);
        size_t length = (end ? (size_t)(end - bytes) : count) - i;

        g_string_truncate(line, 0);
        g_string_append_len(line, (const char *)bytes + i, (gssize)MIN(length, NAME_BYTES_MAX + 64));
        add_line(code, line->str);
        i += length + 1;
    }
}

static uint32_t u32_at(const uint8_t *bytes)
{
    uint32_t value;

    memcpy(&value, bytes, sizeof value);
    return value;
}

static uint64_t u64_at(const uint8_t *bytes)
{
    uint64_t value;

    memcpy(&value, bytes, sizeof value);
    return value;
}

/* A record begins with its kind, its bytes (u32 each) and a time (u64). A load goes on with pid and tid (u32 each); the
 * address that the code is linked for, the address where it lies, its bytes, its number (u64 each); the name, which
 * ends in 0; and the code. */
void generated_code_add_dump(GeneratedCode *code, const uint8_t *bytes, size_t count)
{
    size_t at = count >= DUMP_HEADER_BYTES && u32_at(bytes) == DUMP_MAGIC ? u32_at(bytes + 8) : count;

    while (at < count && count - at >= DUMP_RECORD_BYTES) {
        uint32_t kind = u32_at(bytes + at), size = u32_at(bytes + at + 4);
        const uint8_t *load = bytes + at + DUMP_RECORD_BYTES;

        if (size < DUMP_RECORD_BYTES || size > count - at)
            return;
        if (kind == DUMP_CODE_LOAD && size > DUMP_RECORD_BYTES + DUMP_LOAD_BYTES) {
            const char *name = (const char *)load + DUMP_LOAD_BYTES;
            size_t room = size - DUMP_RECORD_BYTES - DUMP_LOAD_BYTES;

            add_function(code, u64_at(load + 16), u64_at(load + 24), name, strnlen(name, room));
        }
        at += size;
    }
}

static int compare_functions(const void *a, const void *b)
{
    const GeneratedFunction *x = a, *y = b;

    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end)
        return x->end > y->end ? -1 : 1;
    return x->name < y->name ? -1 : x->name > y->name;
}

/* The outermost edge of the functions so far, the name of the function that has it, and the outermost edge of those
 * with other names. */
typedef struct {
    const char *name;
    uint64_t edge, other;
} Edges;

static uint64_t edge_of_others(const Edges *edges, const char *name)
{
    return edges->name == name ? edges->other : edges->edge;
}

/* Marks functions that overlap with one of another name. They are sorted by address; equal names are the same pointer.
 */
static bool *find_overlapped(const GArray *functions)
{
    bool *overlapped = g_new0(bool, functions->len + 1);
    Edges ends = { NULL, 0, 0 }, begins = { NULL, UINT64_MAX, UINT64_MAX };

    for (guint i = 0; i < functions->len; i++) {
        const GeneratedFunction *function = &g_array_index(functions, GeneratedFunction, i);

        overlapped[i] = edge_of_others(&ends, function->name) > function->begin;
        if (ends.name == function->name)
            ends.edge = MAX(ends.edge, function->end);
        else if (function->end > ends.edge)
            ends = (Edges){ function->name, function->end, ends.edge };
        else
            ends.other = MAX(ends.other, function->end);
    }
    for (guint i = functions->len; i > 0; i--) {
        const GeneratedFunction *function = &g_array_index(functions, GeneratedFunction, i - 1);

        overlapped[i - 1] |= edge_of_others(&begins, function->name) < function->end;
        if (begins.name == function->name)
            begins.edge = function->begin;
        else
            begins = (Edges){ function->name, function->begin, begins.edge };
    }
    return overlapped;
}

void generated_code_sort(GeneratedCode *code)
{
    GeneratedFunction *functions = (GeneratedFunction *)code->functions->data;
    g_autofree bool *overlapped = NULL;
    guint left = 0;

    if (!code->functions->len)
        return;
    qsort(functions, code->functions->len, sizeof *functions, compare_functions);
    for (guint i = 0; i < code->functions->len; i++)
        if (!left || compare_functions(&functions[i], &functions[left - 1]))
            functions[left++] = functions[i];
    g_array_set_size(code->functions, left);
    overlapped = find_overlapped(code->functions);
    left = 0;
    for (guint i = 0; i < code->functions->len; i++)
        if (!overlapped[i])
            functions[left++] = functions[i];
    g_array_set_size(code->functions, left);
}

/* Functions that still overlap have the same name, so the last one that begins at or below the address will do. */
guint generated_code_find(const GeneratedCode *code, uint64_t address)
{
    guint first = 0, end = code->functions->len;

    while (first < end) {
        guint middle = first + (end - first) / 2;

        if (g_array_index(code->functions, GeneratedFunction, middle).begin <= address)
            first = middle + 1;
        else
            end = middle;
    }
    return first && address < g_array_index(code->functions, GeneratedFunction, first - 1).end ? first : 0;
}
