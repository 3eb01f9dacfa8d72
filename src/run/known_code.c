/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a trace says of its code's files: see known_code.h. */
#include "known_code.h"

#include <stdlib.h>
#include <string.h>

#include "../base/paths.h"
#include "../context/code_map.h"
#include "../context/code_table.h"
#include "../context/debug_info.h"
#include "../context/explanation.h"
#include "../context/missing_code.h"
#include "../record/x86.h"
#include "../vm/guest_files.h"
#include "../vm/known_programs.h"
#include "known_code_private.h"
#include "mapped_code.h"

/* So many entries of debug information are looked at: some seconds' worth. */
#define DEBUG_ENTRIES_MAX (UINT64_C(20) << 20)

static void free_file(void *data)
{
    KnownFile *file = data;

    g_free(file->path);
    g_free(file);
}

static void add_file(KnownCode *known, const char *path, const char *shown, const uint64_t *bias)
{
    KnownFile *file = g_new0(KnownFile, 1);
    char *real = realpath(path, NULL);

    file->path = g_strdup(real ? real : path);
    file->shown = shown ? shown : file->path;
    file->is_told = bias;
    file->bias = bias ? *bias : 0;
    file->is_there = !stat(file->path, &file->status);
    free(real);
    g_ptr_array_add(known->files, file);
}

static void add_told(KnownCode *known, const char *libraries)
{
    g_auto(GStrv) lines = g_strsplit(libraries ? libraries : "", "\n", -1);

    for (char **line = lines; *line; line++) {
        char *path;
        uint64_t bias = g_ascii_strtoull(*line, &path, 16);

        if (path > *line && path[0] == ' ' && path[1])
            add_file(known, path + 1, NULL, &bias);
    }
}

KnownCode *known_code_new(const WorkloadOptions *workload, const char *libraries)
{
    KnownCode *known = g_new0(KnownCode, 1);
    g_autofree char *agent = paths_find_resource(MAPPED_CODE_AGENT, NULL);
    g_autoptr(GPtrArray) programs = known_programs_find(workload);
    const uint64_t at_its_place = 0;

    known->files = g_ptr_array_new_with_free_func(free_file);
    known->missing = missing_code_new();
    known->left_out = g_ptr_array_new_with_free_func(g_free);
    known->sees_host = workload->sees_host;
    clock_gettime(CLOCK_REALTIME, &known->from);
    if (agent)
        add_file(known, agent, MAPPED_CODE_AGENT, &at_its_place);
    add_told(known, workload->is_on_host ? libraries : NULL);
    for (guint i = 0; i < programs->len; i++) {
        uint64_t bias;
        bool told = guest_files_load_bias(programs->pdata[i], &bias);

        add_file(known, programs->pdata[i], NULL, told ? &bias : NULL);
    }
    return known;
}

void known_code_free(KnownCode *known)
{
    if (!known)
        return;
    g_ptr_array_unref(known->files);
    g_ptr_array_unref(known->missing);
    g_ptr_array_unref(known->left_out);
    guest_code_free(known->guest);
    g_free(known);
}

void known_code_set_guest(KnownCode *known, GuestCode *guest)
{
    guest_code_free(known->guest);
    known->guest = guest;
}

void known_code_embed_debug(KnownCode *known)
{
    known->embeds_debug = true;
}

uint64_t known_code_debug_bytes(const KnownCode *known)
{
    return known->debug_bytes;
}

const GPtrArray *known_code_left_out(const KnownCode *known)
{
    return known->left_out;
}

const GPtrArray *known_code_missing(const KnownCode *known)
{
    return known->missing;
}

/* At the end. */

static void names_init(Names *names, bool is_large)
{
    *names = (Names){ 0 };
    names->symbol_bytes_max = is_large ? TABLES_BYTES_MAX : SYMBOLS_BYTES_MAX;
    names->line_bytes_max = is_large ? TABLES_BYTES_MAX : LINES_BYTES_MAX;
    names->instructions = g_array_new(FALSE, FALSE, sizeof(struct mt_instruction));
    names->elves = g_ptr_array_new_with_free_func((GDestroyNotify)elf_code_free);
    names->shown = g_ptr_array_new();
    names->loaded = g_array_new(FALSE, FALSE, sizeof(LoadedFile));
    names->mapped = g_array_new(FALSE, FALSE, sizeof(LoadedFile));
    names->same = g_array_new(FALSE, FALSE, sizeof(SameCode));
    names->table = code_table_new();
    names->map = code_map_new();
    names->debug_entries = is_large ? UINT64_MAX : DEBUG_ENTRIES_MAX;
}

static void names_clear(Names *names)
{
    g_array_unref(names->instructions);
    g_ptr_array_unref(names->elves);
    g_ptr_array_unref(names->shown);
    g_array_unref(names->loaded);
    g_free(names->owners);
    g_array_unref(names->mapped);
    g_array_unref(names->same);
    code_map_free(names->map);
    code_table_free(names->table);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Names, names_clear)

static void copy_instructions(const Ring *ring, Names *names)
{
    uint32_t count = ring_instructions(ring);

    if (count > 1)
        g_array_append_vals(names->instructions, ring_get_instruction(ring, 1), count - 1);
}

/* The number in `loaded`, plus 1; or 0. */
static guint number_of(const Names *names, const LoadedFile *file)
{
    for (guint i = 0; i < names->loaded->len; i++) {
        const LoadedFile *other = &g_array_index(names->loaded, LoadedFile, i);

        if (other->elf == file->elf && other->bias == file->bias)
            return i + 1;
    }
    return 0;
}

/* What two programs have at the same address is one instruction: whose it is depends on the process, and these are the
 * candidates. A file that explains nothing which others don't explain, too, is no longer in `loaded` then. */
static void find_same_code(Names *names)
{
    g_autoptr(GArray) numbers = g_array_new(FALSE, FALSE, sizeof(guint));
    g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);

    for (guint i = 0; i < names->mapped->len; i++) {
        const LoadedFile *file = &g_array_index(names->mapped, LoadedFile, i);
        guint number;

        if (file->elf && !number_of(names, file))
            g_array_append_vals(names->loaded, file, 1);
        number = file->elf ? number_of(names, file) : 0;
        if (number && g_hash_table_add(seen, GUINT_TO_POINTER(number)))
            g_array_append_val(numbers, number);
    }
    for (guint i = 0; i < names->instructions->len && names->same->len < CODE_MAP_SAME_MAX; i++)
        for (guint k = 0; k < numbers->len; k++) {
            const SameCode same = { i + 1, g_array_index(numbers, guint, k) };

            if (same.origin != names->owners[i] &&
                explanation_matches(&g_array_index(names->loaded, LoadedFile, same.origin - 1),
                                    &g_array_index(names->instructions, struct mt_instruction, i)))
                g_array_append_val(names->same, same);
        }
}

/* After all functions: these are needed more. `attached`: names of the latter, by ElfCode. */
static bool attach_all_objects(Names *names, GHashTable *attached, TraceWriter *writer, GError **error)
{
    for (guint i = 0; i < names->elves->len; i++) {
        const ElfCode *elf = names->elves->pdata[i];
        const char *symbols = g_hash_table_lookup(attached, elf);

        if (symbols && !known_code_attach_objects(names, elf, symbols, writer, error))
            return false;
    }
    return true;
}

/* Once for each id. Behind all that every reader needs, as it is large. `origins` as add_origins() has set them. */
static bool attach_debug(KnownCode *known, Names *names, const uint32_t *origins, TraceWriter *writer, GError **error)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    uint64_t before = trace_writer_bytes(writer);

    for (guint i = 0; known->embeds_debug && i < names->loaded->len; i++) {
        const ElfCode *elf = g_array_index(names->loaded, LoadedFile, i).elf;

        if (origins[i + 1] && g_hash_table_add(seen, elf->id) &&
            !known_code_attach_debug(names, elf, known->left_out, writer, error))
            return false;
    }
    known->debug_bytes = trace_writer_bytes(writer) - before;
    return true;
}

static const char *shown_name(const Names *names, const ElfCode *elf)
{
    guint number;

    return g_ptr_array_find(names->elves, elf, &number) ? names->shown->pdata[number] : elf->path;
}

/* Adds the files that have executed something. Sets `origins`, by number in `loaded`. */
static bool add_origins(Names *names, uint32_t *origins, TraceWriter *writer, GError **error)
{
    g_autoptr(GHashTable) attached = g_hash_table_new_full(NULL, NULL, NULL, g_free); /* names by ElfCode */
    g_autoptr(GHashTable) used = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autofree bool *executed = g_new0(bool, names->loaded->len + 1);

    for (guint i = 0; i < names->instructions->len; i++)
        executed[names->owners[i]] = true;
    for (guint i = 0; i < names->same->len; i++)
        executed[g_array_index(names->same, SameCode, i).origin] = true;
    for (guint i = 0; i < names->loaded->len; i++) {
        const LoadedFile *file = &g_array_index(names->loaded, LoadedFile, i);
        GError *problem = NULL;
        char *name;

        if (!executed[i + 1])
            continue;
        name = g_hash_table_lookup(attached, file->elf);
        if (!name) {
            name = known_code_attach_symbols(names, file->elf, used, writer, &problem);
            if (problem || (name && !known_code_attach_lines(names, file->elf, name, writer, &problem))) {
                g_free(name);
                g_propagate_error(error, problem);
                return false;
            }
            if (name)
                g_hash_table_insert(attached, (gpointer)file->elf, name);
        }
        if (name)
            origins[i + 1] = code_table_add_origin(names->table, file->bias, name, shown_name(names, file->elf));
    }
    return attach_all_objects(names, attached, writer, error);
}

static void set_owners(Names *names, const uint32_t *origins, uint32_t kernel)
{
    for (guint i = 0; i < names->instructions->len; i++) {
        const struct mt_instruction *instruction = &g_array_index(names->instructions, struct mt_instruction, i);
        uint32_t owner = x86_is_kernel_code(instruction) ? kernel : origins[names->owners[i]];

        g_array_append_val(names->table->owners, owner);
    }
}

/* Whether code was executed there, as far as is known. The guest's files may be known by other paths. */
static bool has_unnamed_code(const KnownCode *known, const Names *names, const MappedCode *code)
{
    for (guint i = 0; i < names->instructions->len; i++) {
        const struct mt_instruction *instruction = &g_array_index(names->instructions, struct mt_instruction, i);

        if ((known->sees_host || !names->owners[i]) && instruction->pc >= code->address &&
            instruction->pc < code->end && x86_is_user(instruction->cpl))
            return true;
    }
    return false;
}

static bool attach_missing(KnownCode *known, const Names *names, const GPtrArray *mapped, TraceWriter *writer,
                           GError **error)
{
    g_autofree char *text = NULL;

    g_ptr_array_set_size(known->missing, 0);
    for (guint i = 0; i < mapped->len; i++)
        if (!g_array_index(names->mapped, LoadedFile, i).elf && has_unnamed_code(known, names, mapped->pdata[i]))
            missing_code_add(known->missing, ((const MappedCode *)mapped->pdata[i])->path,
                             known_code_why_missing(known, mapped->pdata[i]));
    text = missing_code_write(known->missing);
    return !*text || trace_writer_add_attachment(writer, MISSING_CODE, text, strlen(text), error);
}

/* What depends on the process. `origins`: by number in `loaded`, plus 1. */
static void fill_map(const KnownCode *known, Names *names, const GPtrArray *mapped, const uint32_t *origins)
{
    for (guint i = 0; i < names->mapped->len; i++) {
        const MappedCode *code = mapped->pdata[i];
        const MappedPart part = { .begin = code->address,
                                  .offset = code->offset,
                                  .device = code->device,
                                  .inode = code->inode,
                                  .path = code->path };
        const LoadedFile *file = &g_array_index(names->mapped, LoadedFile, i);

        /* Of the guest's files, some may be known by other paths. */
        if (!file->elf && !known->sees_host)
            continue;
        code_map_add_mapped(names->map, &part, file->elf ? origins[number_of(names, file)] : 0);
    }
    for (guint i = 0; i < names->same->len; i++) {
        const SameCode *same = &g_array_index(names->same, SameCode, i);

        if (origins[same->origin])
            code_map_add_same(names->map, same->number, origins[same->origin]);
    }
    code_map_sort(names->map);
}

bool known_code_attach(KnownCode *known, const Ring *ring, bool has_kernel, TraceWriter *writer, GError **error)
{
    g_auto(Names) names;
    g_autofree uint32_t *origins = NULL;
    g_autofree char *loaded = NULL;
    g_autoptr(GByteArray) code = NULL;
    g_autoptr(GPtrArray) mapped = NULL;
    g_autoptr(GHashTable) read = NULL; /* ElfCode by path */
    const struct mt_instruction *instructions;

    names_init(&names, known->embeds_debug);
    copy_instructions(ring, &names);
    mapped = mapped_code_list(ring);
    read = g_hash_table_new(g_str_hash, g_str_equal);
    known_code_read_files(known, &names, read);
    known_code_read_mapped(known, mapped, &names, read);
    instructions = (const struct mt_instruction *)names.instructions->data;
    explanation_find_loaded(instructions, names.instructions->len, names.elves, names.loaded);
    names.owners = explanation_find_files(instructions, names.instructions->len, names.loaded);
    find_same_code(&names);
    origins = g_new0(uint32_t, names.loaded->len + 1);
    if (!add_origins(&names, origins, writer, error) || !attach_missing(known, &names, mapped, writer, error) ||
        !known_code_attach_generated(&names, known->guest, writer, error))
        return false;
    set_owners(&names, origins, has_kernel ? code_table_add_origin(names.table, 0, CODE_TABLE_KALLSYMS, "kernel") : 0);
    fill_map(known, &names, mapped, origins);
    loaded = code_table_loaded(names.table);
    code = code_table_code(names.table);
    return trace_writer_add_attachment(writer, CODE_TABLE_LOADED, loaded, strlen(loaded), error) &&
           trace_writer_add_attachment(writer, CODE_TABLE_CODE, code->data, code->len, error) &&
           code_map_attach(names.map, writer, error) && attach_debug(known, &names, origins, writer, error);
}
