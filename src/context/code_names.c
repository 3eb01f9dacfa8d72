/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of code: see code_names.h. */
#include "code_names.h"

#include <string.h>

#include "../base/printable.h"
#include "demangle.h"

/* A trace that isn't honest could tell of very many. */
#define FRAMES_MAX 256
#define ALL_FRAMES_MAX (1u << 23)

struct Frames {
    struct mt_source_frame *frame;
    const char **linker_names; /* of inlined functions; NULL: the one whose code it is */
    size_t count;              /* not 0 */
};

typedef struct {
    uint32_t place;
    const char *function; /* of the outermost frame; NULL, or a unique pointer */
} FrameKey;

/* What is known of a file. */
typedef struct {
    Symbols *symbols;
    LineTable *lines;     /* or NULL */
    GHashTable *frames;   /* Frames by FrameKey */
    const char *build_id; /* or NULL */
} NamedFile;

struct CodeNames {
    CodeNamesSource source;
    size_t frames_left;  /* how many may still be made */
    GHashTable *files;   /* NamedFile by the name of the attachment of symbols: those that were needed so far */
    GHashTable *shown;   /* texts by the linker's name or a path (pointers to where they lie) */
    GStringChunk *texts; /* of `shown`, and others */
};

static guint hash_key(gconstpointer data)
{
    const FrameKey *key = data;

    return key->place * 2654435761u ^ g_direct_hash(key->function);
}

static gboolean equal_keys(gconstpointer a, gconstpointer b)
{
    const FrameKey *x = a, *y = b;

    return x->place == y->place && x->function == y->function;
}

static void free_frames(void *data)
{
    g_free(((Frames *)data)->frame);
    g_free(((Frames *)data)->linker_names);
    g_free(data);
}

static void free_file(void *data)
{
    NamedFile *file = data;

    symbols_free(file->symbols);
    line_table_free(file->lines);
    g_hash_table_unref(file->frames);
    g_free(file);
}

CodeNames *code_names_new(const CodeNamesSource *source)
{
    CodeNames *names = g_new0(CodeNames, 1);

    names->source = *source;
    names->frames_left = ALL_FRAMES_MAX;
    names->shown = g_hash_table_new(NULL, NULL);
    names->files = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, free_file);
    names->texts = g_string_chunk_new(4096);
    return names;
}

void code_names_free(CodeNames *names)
{
    if (!names)
        return;
    g_hash_table_unref(names->files);
    g_hash_table_unref(names->shown);
    g_string_chunk_free(names->texts);
    g_free(names);
}

/* Files. */

static bool is_kernel(const CodeOrigin *origin)
{
    return g_str_has_prefix(origin->attachment, CODE_TABLE_KALLSYMS);
}

/* The build-id in what follows CODE_TABLE_ELF: "ID", or "ID/2" in a merged trace. */
static const char *build_id_of(CodeNames *names, const char *id)
{
    size_t length = strspn(id, "0123456789abcdef");

    if (!length || (id[length] && id[length] != '/'))
        return NULL;
    return g_string_chunk_insert_len(names->texts, id, (gssize)length);
}

static const NamedFile *file_of(CodeNames *names, const CodeOrigin *origin)
{
    NamedFile *file = g_hash_table_lookup(names->files, origin->attachment);

    if (file)
        return file;
    file = g_new0(NamedFile, 1);
    file->symbols = symbols_new();
    names->source.add_symbols(names->source.data, origin, file->symbols);
    file->frames = g_hash_table_new_full(hash_key, equal_keys, g_free, free_frames);
    if (g_str_has_prefix(origin->attachment, CODE_TABLE_ELF)) {
        file->lines = names->source.read_lines(names->source.data, origin);
        file->build_id = build_id_of(names, origin->attachment + strlen(CODE_TABLE_ELF));
    }
    g_hash_table_insert(names->files, origin->attachment, file);
    return file;
}

/* Texts. */

/* As people read it; `text` must stay where it is. NULL stays NULL. */
static const char *shown_text(CodeNames *names, const char *text)
{
    const char *shown = text ? g_hash_table_lookup(names->shown, text) : NULL;

    if (text && !shown) {
        g_autofree char *demangled = demangle(text, true);
        g_autofree char *printable = text_make_printable(demangled ? demangled : text);

        shown = g_string_chunk_insert_const(names->texts, printable);
        g_hash_table_insert(names->shown, (gpointer)text, (gpointer)shown);
    }
    return shown;
}

/* What is no file of the guest's is told as modules are. */
static const char *make_text(CodeNames *names, const CodeOrigin *origin, const char *function)
{
    g_autofree char *file = NULL, *text = NULL;

    if (is_kernel(origin) || (function && strchr(origin->path, '/')))
        return function;
    file = g_path_get_basename(origin->path);
    text = function ? g_strdup_printf("%s [%s]", function, file) : text_make_printable(file);
    return g_string_chunk_insert_const(names->texts, text);
}

/* Instructions. */

/* The place's frames, from the innermost on. Instructions of one place and function have the same. */
static const Frames *make_frames(CodeNames *names, const LineTable *lines, uint32_t first, const char *function)
{
    Frames *frames = g_new0(Frames, 1);
    const LinePlace *place = line_table_place(lines, first);

    frames->frame = g_new(struct mt_source_frame, FRAMES_MAX);
    frames->linker_names = g_new(const char *, FRAMES_MAX);
    while (place && frames->count < FRAMES_MAX) {
        frames->linker_names[frames->count] = place->function;
        frames->frame[frames->count++] =
            (struct mt_source_frame){ .function = place->function ? shown_text(names, place->function) : function,
                                      .file = shown_text(names, place->file),
                                      .line = place->line };
        place = line_table_place(lines, place->caller);
    }
    frames->frame = g_renew(struct mt_source_frame, frames->frame, frames->count);
    frames->linker_names = g_renew(const char *, frames->linker_names, frames->count);
    return frames;
}

static void set_frames(CodeNames *names, NamedInstruction *named, const NamedFile *file, uint32_t place)
{
    struct mt_symbol *symbol = &named->symbol;
    const FrameKey key = { place, symbol->function };
    const Frames *frames = g_hash_table_lookup(file->frames, &key);

    if (!frames && names->frames_left) {
        frames = make_frames(names, file->lines, place, symbol->function);
        names->frames_left -= MIN(frames->count, names->frames_left);
        g_hash_table_insert(file->frames, g_memdup2(&key, sizeof key), (gpointer)frames);
    }
    if (!frames)
        return;
    named->frames = frames;
    symbol->frames = frames->frame;
    symbol->frame_count = frames->count;
    symbol->file = frames->frame[0].file;
    symbol->line = frames->frame[0].line;
}

NamedInstruction *code_names_find(CodeNames *names, const CodeOrigin *origin, uint64_t pc)
{
    const NamedFile *file = file_of(names, origin);
    NamedInstruction *named = g_new0(NamedInstruction, 1);
    struct mt_symbol *symbol = &named->symbol;
    uint64_t address = pc - origin->bias;
    uint32_t place;

    if (file->lines && names->source.add_lines)
        names->source.add_lines(names->source.data, origin, address, file->lines);
    place = file->lines ? line_table_find(file->lines, address) : 0;
    symbol->offset = address;
    symbol->object = shown_text(names, origin->path);
    symbol->object_address = address;
    symbol->build_id = file->build_id;
    named->linker_name = symbols_find(file->symbols, address, &symbol->offset);
    symbol->function = shown_text(names, named->linker_name);
    named->text = make_text(names, origin, symbol->function);
    if (place)
        set_frames(names, named, file, place);
    return named;
}

void code_names_list_functions(const NamedInstruction *named, GPtrArray *to)
{
    const Frames *frames = named ? named->frames : NULL;

    if (named && named->linker_name)
        g_ptr_array_add(to, (gpointer)named->linker_name);
    for (size_t i = 0; frames && i < frames->count; i++)
        if (frames->linker_names[i])
            g_ptr_array_add(to, (gpointer)frames->linker_names[i]);
}
