/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a trace keeps of a file that code is of: see known_code_private.h. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../context/debug_file.h"
#include "../context/debug_info.h"
#include "../record/x86.h"
#include "known_code_private.h"

static void append_function(GString *text, const ElfFunction *function)
{
    g_string_append_printf(text, "%" G_GINT64_MODIFIER "x %" G_GINT64_MODIFIER "x %s\n", function->address,
                           function->end, function->name);
}

static char *all_functions(const Names *names, const ElfCode *elf)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < elf->functions->len && text->len <= names->symbol_bytes_max; i++)
        append_function(text, &g_array_index(elf->functions, ElfFunction, i));
    return g_string_free(text, FALSE);
}

static int compare_pieces(const void *a, const void *b)
{
    const CodePiece *x = a, *y = b;

    return x->address < y->address ? -1 : x->address > y->address;
}

static void add_piece(const Names *names, guint instruction, guint number, const ElfCode *elf, GArray *pieces)
{
    const struct mt_instruction *of = &g_array_index(names->instructions, struct mt_instruction, instruction);
    const LoadedFile *file = number ? &g_array_index(names->loaded, LoadedFile, number - 1) : NULL;
    CodePiece piece;

    if (!file || file->elf != elf)
        return;
    piece = (CodePiece){ of->pc - file->bias, of->length };
    g_array_append_val(pieces, piece);
}

/* Which of the file's code was executed: CodePiece, by address, each once. */
static GArray *executed_pieces(const Names *names, const ElfCode *elf)
{
    GArray *pieces = g_array_new(FALSE, FALSE, sizeof(CodePiece));
    guint left = 0;

    for (guint i = 0; i < names->instructions->len; i++)
        add_piece(names, i, names->owners[i], elf, pieces);
    for (guint i = 0; i < names->same->len; i++) {
        const SameCode *same = &g_array_index(names->same, SameCode, i);

        add_piece(names, same->number - 1, same->origin, elf, pieces);
    }
    qsort(pieces->data, pieces->len, sizeof(CodePiece), compare_pieces);
    for (guint i = 0; i < pieces->len; i++)
        if (!i || compare_pieces(&g_array_index(pieces, CodePiece, i), &g_array_index(pieces, CodePiece, left - 1)))
            g_array_index(pieces, CodePiece, left++) = g_array_index(pieces, CodePiece, i);
    g_array_set_size(pieces, left);
    return pieces;
}

/* Only those that have executed something. */
static char *executed_functions(const Names *names, const ElfCode *elf)
{
    g_autoptr(GArray) pieces = executed_pieces(names, elf);
    GString *text = g_string_new(NULL);
    guint next = 0; /* of the pieces: the first one that is not below the function */

    for (guint i = 0; i < elf->functions->len; i++) {
        const ElfFunction *function = &g_array_index(elf->functions, ElfFunction, i);

        while (next < pieces->len && g_array_index(pieces, CodePiece, next).address < function->address)
            next++;
        if (next < pieces->len && g_array_index(pieces, CodePiece, next).address < function->end)
            append_function(text, function);
    }
    return g_string_free(text, FALSE);
}

char *known_code_attach_symbols(Names *names, const ElfCode *elf, GHashTable *used, TraceWriter *writer, GError **error)
{
    g_autofree char *text = all_functions(names, elf), *name = g_strconcat(CODE_TABLE_ELF, elf->id, NULL);

    for (unsigned i = 2; g_hash_table_contains(used, name); i++) { /* an id that isn't one */
        g_free(name);
        name = g_strdup_printf(CODE_TABLE_ELF "%s/%u", elf->id, i);
    }
    if (strlen(text) > names->symbol_bytes_max - names->symbol_bytes) {
        g_free(text);
        text = executed_functions(names, elf);
    }
    if (strlen(text) > names->symbol_bytes_max - names->symbol_bytes)
        return NULL;
    names->symbol_bytes += strlen(text);
    if (!trace_writer_add_attachment(writer, name, text, strlen(text), error))
        return NULL;
    g_hash_table_add(used, g_strdup(name));
    return g_steal_pointer(&name);
}

bool known_code_attach_lines(Names *names, const ElfCode *elf, const char *symbols, TraceWriter *writer, GError **error)
{
    g_autoptr(GArray) pieces = executed_pieces(names, elf);
    g_autoptr(LineTable) lines = debug_info_find_lines(elf, pieces, &names->debug_entries);
    g_autoptr(GByteArray) bytes = lines ? line_table_write(lines) : NULL;
    g_autofree char *name = g_strconcat(LINE_TABLE_ATTACHMENT, symbols + strlen(CODE_TABLE_ELF), NULL);

    if (!bytes || bytes->len > names->line_bytes_max - names->line_bytes)
        return true;
    names->line_bytes += bytes->len;
    return trace_writer_add_attachment(writer, name, bytes->data, bytes->len, error);
}

bool known_code_attach_objects(Names *names, const ElfCode *elf, const char *symbols, TraceWriter *writer,
                               GError **error)
{
    g_autofree char *name = g_strconcat(CODE_TABLE_DATA, symbols + strlen(CODE_TABLE_ELF), NULL);
    g_autoptr(GString) text = g_string_new(NULL);

    for (guint i = 0; i < elf->objects->len && text->len <= names->symbol_bytes_max; i++)
        append_function(text, &g_array_index(elf->objects, ElfFunction, i));
    if (!text->len || text->len > names->symbol_bytes_max - names->symbol_bytes)
        return true;
    names->symbol_bytes += text->len;
    return trace_writer_add_attachment(writer, name, text->str, text->len, error);
}

/* NULL if it can't be read, or is too large: *too_large then. To be freed. */
static uint8_t *read_debug_file(const Names *names, const ElfCode *elf, size_t *bytes, bool *too_large)
{
    int fd = debug_file_find(elf->path, DEBUG_FILE_FOLDER);
    off_t end = fd >= 0 ? lseek(fd, 0, SEEK_END) : -1;
    g_autofree uint8_t *contents = NULL;
    ssize_t count = 0;

    *bytes = 0;
    *too_large =
        end > 0 && ((uint64_t)end > DEBUG_FILE_BYTES_MAX || (uint64_t)end > DEBUG_BYTES_MAX - names->debug_bytes);
    if (end > 0 && !*too_large) {
        contents = g_malloc((size_t)end);
        while (*bytes < (size_t)end && (count = pread(fd, contents + *bytes, (size_t)end - *bytes, (off_t)*bytes)) > 0)
            *bytes += (size_t)count;
    }
    if (fd >= 0)
        close(fd);
    return *bytes && *bytes == (size_t)end ? g_steal_pointer(&contents) : NULL;
}

bool known_code_attach_debug(Names *names, const ElfCode *elf, GPtrArray *left_out, TraceWriter *writer, GError **error)
{
    g_autofree char *name = g_strconcat(CODE_TABLE_DEBUG, elf->id, NULL);
    size_t bytes;
    bool too_large;
    g_autofree uint8_t *contents = read_debug_file(names, elf, &bytes, &too_large);

    if (too_large)
        g_ptr_array_add(left_out, g_strdup(elf->path));
    if (!contents)
        return true;
    names->debug_bytes += bytes;
    return trace_writer_add_attachment(writer, name, contents, bytes, error);
}

/* What processes have made themselves. */

/* Those that have executed something. NULL if there are none. To be freed. */
static char *executed_generated(const Names *names, const GeneratedCode *code)
{
    g_autofree bool *executed = g_new0(bool, code->functions->len + 1);
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < names->instructions->len; i++) {
        const struct mt_instruction *instruction = &g_array_index(names->instructions, struct mt_instruction, i);
        guint first = x86_is_user(instruction->cpl) ? generated_code_find(code, instruction->pc) : 0;

        if (first)
            executed[first - 1] = true;
    }
    for (guint i = 0; i < code->functions->len; i++) {
        const GeneratedFunction *function = &g_array_index(code->functions, GeneratedFunction, i);

        if (executed[i])
            g_string_append_printf(text, "%" G_GINT64_MODIFIER "x %" G_GINT64_MODIFIER "x %s\n", function->begin,
                                   function->end, function->name);
    }
    return g_string_free(text, !text->len);
}

bool known_code_attach_generated(Names *names, const GuestCode *guest, TraceWriter *writer, GError **error)
{
    for (guint i = 0; guest && i < guest->generated->len; i++) {
        const GeneratedFile *file = guest->generated->pdata[i];
        g_autofree char *text = executed_generated(names, file->code);
        g_autofree char *name = g_strdup_printf(CODE_TABLE_GENERATED "%u", file->pid);

        if (!text || strlen(text) > names->symbol_bytes_max - names->symbol_bytes)
            continue;
        names->symbol_bytes += strlen(text);
        if (!trace_writer_add_attachment(writer, name, text, strlen(text), error))
            return false;
        code_map_add_generated(names->map, 0, file->pid, code_table_add_origin(names->table, 0, name, file->path));
    }
    return true;
}
