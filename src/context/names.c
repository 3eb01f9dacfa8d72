/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names for a trace's instructions: see names.h. */
#include "names.h"

#include <stdlib.h>
#include <string.h>

#include "../base/printable.h"
#include "../record/x86.h"
#include "../trace/events.h"
#include "../trace/file.h"
#include "attachment.h"
#include "code_map.h"
#include "code_table.h"
#include "demangle.h"
#include "line_table.h"
#include "memory_code.h"
#include "symbols.h"

/* A trace that isn't honest could tell of very many. */
#define FRAMES_MAX 256
#define ALL_FRAMES_MAX (1u << 23)

typedef struct {
    struct mt_source_frame *frame;
    const char **linker_names; /* of inlined functions; NULL: the one whose code it is */
    size_t count;              /* not 0 */
} Frames;

typedef struct {
    uint32_t place;
    const char *function; /* of the outermost frame; NULL, or a unique pointer */
} FrameKey;

/* What the trace tells of a file. */
typedef struct {
    Symbols *symbols;
    LineTable *lines;     /* or NULL */
    GHashTable *frames;   /* Frames by FrameKey */
    const char *build_id; /* or NULL */
} NamedFile;

typedef struct {
    struct mt_symbol symbol;
    const char *linker_name; /* of the function; or NULL */
    const char *text;        /* what is shown; or NULL */
    const Frames *frames;    /* or NULL */
} NamedInstruction;

/* Where an instruction lies in a memory. */
typedef struct {
    uint32_t memory, number; /* number 0: nothing */
    uint64_t pc;
} KnownPc;

struct Names {
    mt_trace *trace;
    bool warns;
    size_t frames_left; /* how many may still be made */
    CodeTable *table;
    CodeMap *map;
    MemoryCode *memories;
    TaskMemory *tasks;
    GHashTable *files;       /* NamedFile by the name of the attachment of symbols: those that were needed so far */
    GHashTable *shown;       /* texts by the linker's name or a path (pointers to where they lie) */
    GStringChunk *texts;     /* of `shown` and `instructions` */
    GPtrArray *instructions; /* NamedInstruction by number, as the table has it; NULL: not looked for yet */
    GHashTable *others;      /* NamedInstruction by OtherKey: those that other origins have, too */
    uint8_t *facts;          /* by number: FACT_ */
    uint32_t facts_room;
    KnownPc *pcs; /* of those that were asked for last: each has one place here; NULL: none was */
};

/* What is known of an instruction. */
enum { FACT_KNOWN = 1, FACT_NAMES_VARY = 2, FACT_PC_VARIES = 4 };

#define PCS_BITS 16

typedef struct {
    uint32_t number, origin;
} OtherKey;

static guint hash_key(gconstpointer data)
{
    const FrameKey *key = data;

    return key->place * 2654435761u ^ g_direct_hash(key->function);
}

static guint hash_other(gconstpointer data)
{
    const OtherKey *key = data;

    return key->number * 2654435761u ^ key->origin;
}

static gboolean equal_others(gconstpointer a, gconstpointer b)
{
    return !memcmp(a, b, sizeof(OtherKey));
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

Names *names_new(mt_trace *trace, bool warns)
{
    Names *names = g_new0(Names, 1);
    const TraceFile *file = trace_file_of(trace);
    const TraceChanges *changes = file ? file->changes : NULL;

    names->trace = trace;
    names->warns = warns;
    names->frames_left = ALL_FRAMES_MAX;
    names->table = code_table_read(trace, warns);
    names->map = code_map_read(trace, warns);
    names->memories = memory_code_new(changes, names->map, names->table);
    names->tasks = task_memory_new(changes);
    names->shown = g_hash_table_new(NULL, NULL);
    names->files = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, free_file);
    names->texts = g_string_chunk_new(4096);
    names->instructions = g_ptr_array_new_with_free_func(g_free);
    names->others = g_hash_table_new_full(hash_other, equal_others, g_free, g_free);
    return names;
}

void names_free(Names *names)
{
    if (!names)
        return;
    memory_code_free(names->memories);
    task_memory_free(names->tasks);
    code_map_free(names->map);
    code_table_free(names->table);
    g_hash_table_unref(names->others);
    g_free(names->facts);
    g_free(names->pcs);
    g_hash_table_unref(names->files);
    g_hash_table_unref(names->shown);
    g_string_chunk_free(names->texts);
    g_ptr_array_unref(names->instructions);
    g_free(names);
}

/* Files. */

static bool is_kernel(const CodeOrigin *origin)
{
    return g_str_has_prefix(origin->attachment, CODE_TABLE_KALLSYMS);
}

static Symbols *read_symbols(Names *names, const CodeOrigin *origin)
{
    Symbols *symbols = symbols_new();
    size_t bytes;
    char *text = attachment_read(names->trace, origin->attachment, &bytes, names->warns);

    if (text && is_kernel(origin))
        symbols_add_kallsyms(symbols, text);
    else if (text)
        symbols_add_functions(symbols, text);
    free(text);
    return symbols;
}

/* `id`: what follows CODE_TABLE_ELF in the name of the file's symbols. */
static LineTable *read_lines(Names *names, const char *id)
{
    g_autofree char *name = g_strconcat(LINE_TABLE_ATTACHMENT, id, NULL);
    size_t bytes;
    char *contents = attachment_read(names->trace, name, &bytes, names->warns);
    LineTable *lines = contents ? line_table_read((const uint8_t *)contents, bytes) : NULL;

    free(contents);
    return lines;
}

/* The build-id in what follows CODE_TABLE_ELF: "ID", or "ID/2" in a merged trace. */
static const char *build_id_of(Names *names, const char *id)
{
    size_t length = strspn(id, "0123456789abcdef");

    if (!length || (id[length] && id[length] != '/'))
        return NULL;
    return g_string_chunk_insert_len(names->texts, id, (gssize)length);
}

static const NamedFile *file_of(Names *names, const CodeOrigin *origin)
{
    NamedFile *file = g_hash_table_lookup(names->files, origin->attachment);

    if (file)
        return file;
    file = g_new0(NamedFile, 1);
    file->symbols = read_symbols(names, origin);
    file->frames = g_hash_table_new_full(hash_key, equal_keys, g_free, free_frames);
    if (g_str_has_prefix(origin->attachment, CODE_TABLE_ELF)) {
        file->lines = read_lines(names, origin->attachment + strlen(CODE_TABLE_ELF));
        file->build_id = build_id_of(names, origin->attachment + strlen(CODE_TABLE_ELF));
    }
    g_hash_table_insert(names->files, origin->attachment, file);
    return file;
}

/* Texts. */

/* As people read it; `text` must stay where it is. NULL stays NULL. */
static const char *shown_text(Names *names, const char *text)
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
static const char *make_text(Names *names, const CodeOrigin *origin, const char *function)
{
    g_autofree char *file = g_path_get_basename(origin->path);
    g_autofree char *text = NULL;

    if (is_kernel(origin) || (function && strchr(origin->path, '/')))
        return function;
    text = function ? g_strdup_printf("%s [%s]", function, file) : text_make_printable(file);
    return g_string_chunk_insert_const(names->texts, text);
}

/* Instructions. */

/* The place's frames, from the innermost on. Instructions of one place and function have the same. */
static const Frames *make_frames(Names *names, const LineTable *lines, uint32_t first, const char *function)
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

static void set_frames(Names *names, NamedInstruction *named, const NamedFile *file, uint32_t place)
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

static void name_instruction(Names *names, NamedInstruction *named, const struct mt_instruction *instruction,
                             const CodeOrigin *origin)
{
    const NamedFile *file = file_of(names, origin);
    struct mt_symbol *symbol = &named->symbol;
    uint64_t address = instruction->pc - origin->bias;
    uint32_t place = file->lines ? line_table_find(file->lines, address) : 0;

    symbol->offset = address;
    symbol->object = shown_text(names, origin->path);
    symbol->object_address = address;
    symbol->build_id = file->build_id;
    named->linker_name = symbols_find(file->symbols, address, &symbol->offset);
    symbol->function = shown_text(names, named->linker_name);
    named->text = make_text(names, origin, symbol->function);
    if (place)
        set_frames(names, named, file, place);
}

/* As the table has it: that is, in whichever memory. */
static const NamedInstruction *find(Names *names, uint32_t number)
{
    const struct mt_instruction *instruction = mt_trace_instruction(names->trace, number);
    const CodeOrigin *origin = instruction ? code_table_origin(names->table, number) : NULL;
    NamedInstruction *named;

    if (!origin)
        return NULL;
    if (number >= names->instructions->len)
        g_ptr_array_set_size(names->instructions, (gint)MAX(mt_trace_instructions(names->trace), number) + 1);
    named = names->instructions->pdata[number];
    if (!named) {
        names->instructions->pdata[number] = named = g_new0(NamedInstruction, 1);
        name_instruction(names, named, instruction, origin);
    }
    return named;
}

/* As one origin has it. */
static const NamedInstruction *find_of_origin(Names *names, uint32_t number, uint32_t origin)
{
    const OtherKey key = { number, origin };
    NamedInstruction *named;

    if (!origin || origin == code_table_owner(names->table, number))
        return origin ? find(names, number) : NULL;
    named = g_hash_table_lookup(names->others, &key);
    if (!named) {
        named = g_new0(NamedInstruction, 1);
        name_instruction(names, named, mt_trace_instruction(names->trace, number),
                         names->table->origins->pdata[origin - 1]);
        g_hash_table_insert(names->others, g_memdup2(&key, sizeof key), named);
    }
    return named;
}

static const NamedInstruction *find_in(Names *names, uint32_t memory, uint32_t number)
{
    if (!memory || !names_vary(names, number))
        return find(names, number);
    return find_of_origin(
        names, number,
        memory_code_origin(names->memories, memory, number, mt_trace_instruction(names->trace, number)->pc));
}

/* Kernel code is the same in all memories. */
static uint8_t find_facts(const Names *names, uint32_t number)
{
    const struct mt_instruction *instruction = mt_trace_instruction(names->trace, number);
    uint8_t facts = FACT_KNOWN;

    if (!instruction || !x86_is_user(instruction->cpl))
        return facts;
    if (memory_code_varies(names->memories, number, instruction->pc))
        facts |= FACT_NAMES_VARY;
    if (memory_code_moves(names->memories, number, instruction->pc))
        facts |= FACT_PC_VARIES;
    return facts;
}

static uint8_t facts_of(Names *names, uint32_t number)
{
    if (number >= names->facts_room) {
        uint32_t room = MAX(mt_trace_instructions(names->trace), number) + 1;

        names->facts = g_renew(uint8_t, names->facts, room);
        memset(names->facts + names->facts_room, 0, room - names->facts_room);
        names->facts_room = room;
    }
    if (!names->facts[number])
        names->facts[number] = find_facts(names, number);
    return names->facts[number];
}

bool names_vary(Names *names, uint32_t number)
{
    return facts_of(names, number) & FACT_NAMES_VARY;
}

bool names_pc_varies(Names *names, uint32_t number)
{
    return facts_of(names, number) & FACT_PC_VARIES;
}

uint64_t names_pc_in(Names *names, uint32_t memory, uint32_t number)
{
    const struct mt_instruction *instruction = mt_trace_instruction(names->trace, number);
    uint64_t key = (uint64_t)memory << 32 | number;
    KnownPc *known;

    if (!instruction || !memory || !names_pc_varies(names, number))
        return instruction ? instruction->pc : 0;
    if (!names->pcs)
        names->pcs = g_new0(KnownPc, 1 << PCS_BITS);
    known = &names->pcs[key * UINT64_C(0x9e3779b97f4a7c15) >> (64 - PCS_BITS)];
    if (known->memory != memory || known->number != number)
        *known = (KnownPc){ memory, number, memory_code_pc(names->memories, memory, number, instruction->pc) };
    return known->pc;
}

uint64_t names_pc_at(Names *names, const struct mt_batch *batch, size_t i)
{
    uint32_t number = batch->instruction[i];

    return names_pc_in(names, names_pc_varies(names, number) ? names_memory_at(names, batch, i) : 0, number);
}

uint32_t names_memory_at(const Names *names, const struct mt_batch *batch, size_t i)
{
    uint64_t from, until;

    return task_memory_at(names->tasks, events_before(&batch->task, i) >> TASK_CONTEXT_BITS, events_index(batch, i),
                          &from, &until);
}

const TaskMemory *names_task_memory(const Names *names)
{
    return names->tasks;
}

const struct mt_symbol *names_symbol_in(Names *names, uint32_t memory, uint32_t number)
{
    const NamedInstruction *named = find_in(names, memory, number);

    return named ? &named->symbol : NULL;
}

const struct mt_symbol *names_symbol(Names *names, uint32_t number)
{
    return names_symbol_in(names, 0, number);
}

const char *names_of_instruction_in(Names *names, uint32_t memory, uint32_t number, uint64_t *offset)
{
    const NamedInstruction *named = find_in(names, memory, number);

    if (!named || !named->text)
        return NULL;
    *offset = named->symbol.offset;
    return named->text;
}

const char *names_of_instruction(Names *names, uint32_t number, uint64_t *offset)
{
    return names_of_instruction_in(names, 0, number, offset);
}

static void list_functions(const NamedInstruction *named, GPtrArray *to)
{
    const Frames *frames = named ? named->frames : NULL;

    if (named && named->linker_name)
        g_ptr_array_add(to, (gpointer)named->linker_name);
    for (size_t i = 0; frames && i < frames->count; i++)
        if (frames->linker_names[i])
            g_ptr_array_add(to, (gpointer)frames->linker_names[i]);
}

void names_list_functions_in(Names *names, uint32_t memory, uint32_t number, GPtrArray *to)
{
    list_functions(find_in(names, memory, number), to);
}

void names_list_functions(Names *names, uint32_t number, GPtrArray *to)
{
    names_list_functions_in(names, 0, number, to);
}

void names_list_all_functions(Names *names, uint32_t number, GPtrArray *to)
{
    g_autoptr(GArray) origins = g_array_new(FALSE, FALSE, sizeof(uint32_t));

    if (!names_vary(names, number)) {
        names_list_functions(names, number, to);
        return;
    }
    memory_code_list_origins(names->memories, number, mt_trace_instruction(names->trace, number)->pc, origins);
    for (guint i = 0; i < origins->len; i++)
        list_functions(find_of_origin(names, number, g_array_index(origins, uint32_t, i)), to);
}
