/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a merged trace's code was loaded from: see merged_code.h. */
#include "merged_code.h"

#include <stdlib.h>
#include <string.h>

#include "../context/attachment.h"
#include "../context/code_map.h"
#include "../context/code_table.h"
#include "../context/kernel_sources.h"
#include "../context/line_table.h"
#include "../trace/file.h"

typedef struct {
    mt_trace *trace;
    CodeTable *table;
    CodeMap *map;
    GArray *origins; /* uint32_t: for each origin of its table, the new number, plus 1 */
} MergedInput;

/* An attachment of symbols. */
typedef struct {
    char *name;     /* in the new trace */
    char *checksum; /* of its contents */
    mt_trace *trace;
    char *old_name;
    GPtrArray *sources; /* Source: the inputs that may have lines and variables of the same file */
} Symbols;

typedef struct {
    mt_trace *trace;
    char *symbols; /* the name of its attachment of symbols */
} Source;

struct MergedCode {
    GPtrArray *inputs;  /* of MergedInput */
    GPtrArray *symbols; /* of Symbols */
    CodeTable *table;
    CodeMap *map;
    KernelSources *kernels;
    bool is_told; /* `loaded` and `code` are written: an input has them, or there are several inputs */
};

static void free_input(void *data)
{
    MergedInput *input = data;

    code_table_free(input->table);
    code_map_free(input->map);
    g_array_unref(input->origins);
    g_free(input);
}

static void free_source(void *data)
{
    g_free(((Source *)data)->symbols);
    g_free(data);
}

static void free_symbols(void *data)
{
    Symbols *symbols = data;

    g_ptr_array_unref(symbols->sources);
    g_free(symbols->name);
    g_free(symbols->checksum);
    g_free(symbols->old_name);
    g_free(symbols);
}

MergedCode *merged_code_new(void)
{
    MergedCode *code = g_new0(MergedCode, 1);

    code->inputs = g_ptr_array_new_with_free_func(free_input);
    code->symbols = g_ptr_array_new_with_free_func(free_symbols);
    code->table = code_table_new();
    code->map = code_map_new();
    code->kernels = kernel_sources_new();
    return code;
}

void merged_code_free(MergedCode *code)
{
    if (!code)
        return;
    g_ptr_array_unref(code->inputs);
    g_ptr_array_unref(code->symbols);
    code_table_free(code->table);
    code_map_free(code->map);
    kernel_sources_free(code->kernels);
    g_free(code);
}

static const Symbols *find_by_name(const MergedCode *code, const char *name)
{
    for (guint i = 0; i < code->symbols->len; i++) {
        const Symbols *symbols = code->symbols->pdata[i];

        if (!strcmp(symbols->name, name))
            return symbols;
    }
    return NULL;
}

static Symbols *find_equal(const MergedCode *code, const char *old_name, const char *checksum)
{
    for (guint i = 0; i < code->symbols->len; i++) {
        Symbols *symbols = code->symbols->pdata[i];

        if (!strcmp(symbols->old_name, old_name) && !strcmp(symbols->checksum, checksum))
            return symbols;
    }
    return NULL;
}

static void add_source(Symbols *symbols, mt_trace *trace, const char *name)
{
    Source *source = g_new(Source, 1);

    *source = (Source){ trace, g_strdup(name) };
    g_ptr_array_add(symbols->sources, source);
}

/* Adds an input's attachment, and returns its new name; NULL if the input doesn't have it. */
static const char *add_symbols(MergedCode *code, mt_trace *trace, const char *old_name)
{
    size_t bytes;
    char *contents = attachment_read(trace, old_name, &bytes, true);
    g_autofree char *checksum =
        contents ? g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)contents, bytes) : NULL;
    Symbols *symbols = contents ? find_equal(code, old_name, checksum) : NULL;
    g_autofree char *name = g_strdup(old_name);

    free(contents);
    if (symbols)
        add_source(symbols, trace, old_name);
    if (!checksum || symbols)
        return symbols ? symbols->name : NULL;
    for (unsigned i = 2; find_by_name(code, name); i++) {
        g_free(name);
        name = g_strdup_printf("%s/%u", old_name, i);
    }
    symbols = g_new0(Symbols, 1);
    *symbols = (Symbols){ .name = g_steal_pointer(&name),
                          .checksum = g_steal_pointer(&checksum),
                          .trace = trace,
                          .old_name = g_strdup(old_name),
                          .sources = g_ptr_array_new_with_free_func(free_source) };
    add_source(symbols, trace, old_name);
    g_ptr_array_add(code->symbols, symbols);
    return symbols->name;
}

static uint32_t add_origin(MergedCode *code, uint64_t bias, const char *attachment, const char *path)
{
    for (guint i = 0; i < code->table->origins->len; i++) {
        const CodeOrigin *origin = code->table->origins->pdata[i];

        if (origin->bias == bias && !strcmp(origin->attachment, attachment) && !strcmp(origin->path, path))
            return i + 1;
    }
    return code_table_add_origin(code->table, bias, attachment, path);
}

/* Whether an attachment has names of code, or a kernel's modules or devices. */
static bool has_symbols(const char *attachment)
{
    return kernel_sources_has_name(attachment) || g_str_has_prefix(attachment, CODE_TABLE_ELF) ||
           g_str_has_prefix(attachment, CODE_TABLE_GENERATED);
}

/* The name of another attachment about the file with these symbols: only its prefix differs. The caller frees it. NULL
 * if the symbols are no file's. */
static char *name_beside(const char *prefix, const char *symbols)
{
    return g_str_has_prefix(symbols, CODE_TABLE_ELF) ? g_strconcat(prefix, symbols + strlen(CODE_TABLE_ELF), NULL)
                                                     : NULL;
}

/* The first input's symbols are kept even if no instruction needs them. */
static void add_all_symbols(MergedCode *code, mt_trace *trace)
{
    const TraceFile *file = trace_file_of(trace);
    g_auto(GStrv) names = file ? trace_file_attachment_names(file) : g_new0(char *, 1);

    for (char **name = names; *name; name++)
        if (has_symbols(*name))
            add_symbols(code, trace, *name);
}

/* The new number of an input's origin; both plus 1, 0 is unknown. */
static uint32_t new_origin(const MergedInput *input, uint32_t origin)
{
    return origin && origin <= input->origins->len ? g_array_index(input->origins, uint32_t, origin - 1) : 0;
}

/* Adds what an input tells of its processes' mappings. */
static void add_map(MergedCode *code, const MergedInput *input, uint32_t first_input)
{
    for (guint i = 0; i < input->map->mapped->len; i++) {
        const MappedLine *line = &g_array_index(input->map->mapped, MappedLine, i);
        MappedPart part = line->part;

        part.input += first_input;
        code_map_add_mapped(code->map, &part, new_origin(input, line->origin));
    }
    for (guint i = 0; i < input->map->generated->len; i++) {
        const GeneratedLine *line = &g_array_index(input->map->generated, GeneratedLine, i);

        code_map_add_generated(code->map, line->input + first_input, line->pid, new_origin(input, line->origin));
    }
}

/* Adds the attachments about the kernels of an input's own inputs. */
static void add_kernels(MergedCode *code, mt_trace *trace, uint32_t first_input, uint32_t inputs)
{
    g_autoptr(KernelSources) sources = kernel_sources_read(trace);

    for (uint32_t i = 0; i < inputs; i++)
        for (int kind = 0; kind < KERNEL_SOURCE_KINDS; kind++) {
            const char *old_name = kernel_sources_find(sources, i, kind);
            const char *name = old_name ? add_symbols(code, trace, old_name) : NULL;

            if (name)
                kernel_sources_add(code->kernels, first_input + i, kind, name);
        }
}

void merged_code_add_input(MergedCode *code, mt_trace *trace, uint32_t first_input, uint32_t inputs)
{
    MergedInput *input = g_new0(MergedInput, 1);

    if (!code->inputs->len)
        add_all_symbols(code, trace);
    input->trace = trace;
    input->table = code_table_read(trace, true);
    input->map = code_map_read(trace, true);
    input->origins = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    for (guint i = 0; i < input->table->origins->len; i++) {
        const CodeOrigin *origin = input->table->origins->pdata[i];
        const char *name = add_symbols(code, trace, origin->attachment);
        uint32_t number = name ? add_origin(code, origin->bias, name, origin->path) : 0;

        g_array_append_val(input->origins, number);
    }
    code->is_told |= input->table->is_told || code->inputs->len;
    add_map(code, input, first_input);
    add_kernels(code, trace, first_input, inputs);
    g_ptr_array_add(code->inputs, input);
}

uint32_t merged_code_origin(const MergedCode *code, guint input, uint32_t number)
{
    const MergedInput *of = code->inputs->pdata[input];
    uint32_t owner = code_table_owner(of->table, number); /* at most of->origins->len */

    return owner ? g_array_index(of->origins, uint32_t, owner - 1) : 0;
}

void merged_code_add_instruction(MergedCode *code, uint32_t origin)
{
    g_array_append_val(code->table->owners, origin);
}

void merged_code_add_same(MergedCode *code, guint number, uint32_t instruction, uint32_t new_instruction)
{
    const MergedInput *input = code->inputs->pdata[number];
    size_t count;
    const SameCode *same = code_map_find_same(input->map, instruction, &count);

    for (size_t i = 0; i < count; i++)
        if (new_origin(input, same[i].origin))
            code_map_add_same(code->map, new_instruction, new_origin(input, same[i].origin));
}

bool merged_code_writes(const char *attachment)
{
    return !strcmp(attachment, KERNEL_SOURCES) || !strcmp(attachment, CODE_TABLE_LOADED) ||
           !strcmp(attachment, CODE_TABLE_CODE) || has_symbols(attachment) || !strcmp(attachment, CODE_MAP_MAPPED) ||
           !strcmp(attachment, CODE_MAP_GENERATED) || !strcmp(attachment, CODE_MAP_SAME_CODE) ||
           g_str_has_prefix(attachment, LINE_TABLE_ATTACHMENT) || g_str_has_prefix(attachment, CODE_TABLE_DATA);
}

static bool attach_symbols(const Symbols *symbols, TraceWriter *writer, GError **error)
{
    size_t bytes;
    char *contents = attachment_read(symbols->trace, symbols->old_name, &bytes, true);
    bool fine = !contents || trace_writer_add_attachment(writer, symbols->name, contents, bytes, error);

    free(contents);
    return fine;
}

/* Adds the lines that an input has. Returns whether it has any. */
static bool add_lines(LineTable *all, const Source *source)
{
    g_autofree char *name = name_beside(LINE_TABLE_ATTACHMENT, source->symbols);
    size_t bytes;
    char *contents = name ? attachment_read(source->trace, name, &bytes, true) : NULL;
    g_autoptr(LineTable) lines = contents ? line_table_read((const uint8_t *)contents, bytes) : NULL;

    free(contents);
    if (lines)
        line_table_add_all(all, lines);
    return lines;
}

/* Joins the inputs' lines: each has only those of the code that it has executed. */
static bool attach_lines(const Symbols *symbols, TraceWriter *writer, GError **error)
{
    g_autofree char *name = name_beside(LINE_TABLE_ATTACHMENT, symbols->name);
    g_autoptr(LineTable) all = line_table_new();
    g_autoptr(GByteArray) bytes = NULL;
    bool known = false;

    for (guint i = 0; i < symbols->sources->len; i++)
        known |= add_lines(all, symbols->sources->pdata[i]);
    if (!known)
        return true;
    bytes = line_table_write(all);
    return trace_writer_add_attachment(writer, name, bytes->data, bytes->len, error);
}

/* Copies the variables from the first input that has them: they are the same in all inputs that had room for them. */
static bool attach_objects(const Symbols *symbols, TraceWriter *writer, GError **error)
{
    g_autofree char *name = name_beside(CODE_TABLE_DATA, symbols->name);
    char *contents = NULL;
    bool fine = true;

    for (guint i = 0; i < symbols->sources->len && !contents; i++) {
        const Source *source = symbols->sources->pdata[i];
        g_autofree char *old_name = name_beside(CODE_TABLE_DATA, source->symbols);
        size_t bytes;

        contents = old_name ? attachment_read(source->trace, old_name, &bytes, true) : NULL;
        fine = !contents || trace_writer_add_attachment(writer, name, contents, bytes, error);
    }
    free(contents);
    return fine;
}

bool merged_code_attach(MergedCode *code, TraceWriter *writer, GError **error)
{
    g_autofree char *loaded = code_table_loaded(code->table), *kernels = kernel_sources_text(code->kernels);
    g_autoptr(GByteArray) owners = code_table_code(code->table);

    for (guint i = 0; i < code->symbols->len; i++)
        if (!attach_symbols(code->symbols->pdata[i], writer, error) ||
            !attach_lines(code->symbols->pdata[i], writer, error) ||
            !attach_objects(code->symbols->pdata[i], writer, error))
            return false;
    if (kernels && !trace_writer_add_attachment(writer, KERNEL_SOURCES, kernels, strlen(kernels), error))
        return false;
    code_map_sort(code->map);
    return !code->is_told || (code_map_attach(code->map, writer, error) &&
                              trace_writer_add_attachment(writer, CODE_TABLE_LOADED, loaded, strlen(loaded), error) &&
                              trace_writer_add_attachment(writer, CODE_TABLE_CODE, owners->data, owners->len, error));
}
