/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Source lines and inlined functions: see debug_info.h. Each unit that has executed code is gone through once, from
 * outer to inner entries: an inlined function's ranges mark its pieces of code, and those inlined into it mark theirs
 * again. (Asking for each address what it lies in would go through the unit each time.)
 */
#include "debug_info.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/regular_file.h"
#include "debug_file.h"

/* It is read into memory. */
#define FILE_BYTES_MAX ((off_t)1 << 30)
#define DEPTH_MAX 256
#define NAME_BYTES_MAX 1024
#define PATH_BYTES_MAX 4095

/* An inlined function, at one place. */
typedef struct {
    const char *name; /* NULL: no function is inlined here */
    uint32_t caller;  /* where it is called: a number in `table` */
} Inlined;

typedef struct {
    const GArray *pieces;
    LineTable *table;
    uint64_t *work;
    guint *units;       /* by piece: which unit it is of, from 1 on; or 0 */
    Inlined *inlined;   /* by piece */
    const char *folder; /* of the unit that is looked at, which relative paths begin in; or NULL */
    Dwarf_Files *files; /* of the unit that is looked at; likewise */
    size_t file_count;
} Search;

static const CodePiece *piece_of(const Search *search, guint number)
{
    return &g_array_index(search->pieces, CodePiece, number);
}

/* The first piece that is not below the address. */
static guint find_piece(const Search *search, uint64_t address)
{
    guint low = 0, high = search->pieces->len;

    while (low < high) {
        guint middle = low + (high - low) / 2;

        if (piece_of(search, middle)->address < address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Units. */

static void mark_unit(Search *search, Dwarf_Die *unit, guint number)
{
    Dwarf_Addr base, begin, end;
    ptrdiff_t offset = 0;

    while ((offset = dwarf_ranges(unit, offset, &base, &begin, &end)) > 0)
        for (guint i = find_piece(search, begin); i < search->pieces->len && piece_of(search, i)->address < end; i++)
            if (!search->units[i])
                search->units[i] = number;
}

/* Inlined functions. */

static const char *function_name(Dwarf_Die *die)
{
    Dwarf_Attribute attribute;
    const char *name = NULL;

    if (dwarf_attr_integrate(die, DW_AT_linkage_name, &attribute) ||
        dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &attribute) ||
        dwarf_attr_integrate(die, DW_AT_name, &attribute))
        name = dwarf_formstring(&attribute);
    return name && *name && strlen(name) <= NAME_BYTES_MAX && g_utf8_validate(name, -1, NULL) ? name : "?";
}

static uint32_t number_of(Dwarf_Die *die, unsigned attribute_name)
{
    Dwarf_Attribute attribute;
    Dwarf_Word value;

    return dwarf_attr(die, attribute_name, &attribute) && !dwarf_formudata(&attribute, &value) && value <= G_MAXUINT32
               ? (uint32_t)value
               : 0;
}

/* The unit's own folder comes before what isn't absolute. To be freed. */
static char *whole_path(const Search *search, const char *path)
{
    g_autofree char *whole =
        path && search->folder && *path != '/' ? g_strconcat(search->folder, "/", path, NULL) : g_strdup(path);

    return whole && *whole && strlen(whole) <= PATH_BYTES_MAX && g_utf8_validate(whole, -1, NULL)
               ? g_steal_pointer(&whole)
               : g_strdup("?");
}

/* Where an inlined function is called. */
static uint32_t call_site(const Search *search, Dwarf_Die *die, const Inlined *in)
{
    uint32_t file = number_of(die, DW_AT_call_file);
    const char *path =
        search->files && file < search->file_count ? dwarf_filesrc(search->files, file, NULL, NULL) : NULL;
    g_autofree char *whole = whole_path(search, path);
    const LinePlace place = { in->name, whole, number_of(die, DW_AT_call_line), in->caller };

    return line_table_add_place(search->table, &place);
}

/* Marks its pieces. Returns whether it has any. */
static bool mark_inlined(Search *search, Dwarf_Die *die, const Inlined *outer, guint unit, Inlined *own)
{
    Dwarf_Addr base, begin, end;
    ptrdiff_t offset = 0;
    bool found = false;

    while ((offset = dwarf_ranges(die, offset, &base, &begin, &end)) > 0)
        for (guint i = find_piece(search, begin); i < search->pieces->len && piece_of(search, i)->address < end; i++) {
            if (search->units[i] != unit)
                continue;
            if (!found)
                *own = (Inlined){ function_name(die), call_site(search, die, outer) };
            found = true;
            search->inlined[i] = *own;
        }
    return found;
}

static bool may_have_code(int tag)
{
    switch (tag) {
    case DW_TAG_subprogram:
    case DW_TAG_lexical_block:
    case DW_TAG_try_block:
    case DW_TAG_catch_block:
    case DW_TAG_namespace:
    case DW_TAG_module:
    case DW_TAG_structure_type: /* with functions in it */
    case DW_TAG_class_type:
    case DW_TAG_union_type:
    case DW_TAG_enumeration_type: /* Rust's */
        return true;
    default:
        return false;
    }
}

static void walk(Search *search, Dwarf_Die *parent, const Inlined *outer, guint unit, unsigned depth)
{
    static const Inlined nothing;
    Dwarf_Die die;

    if (depth > DEPTH_MAX || !dwarf_haschildren(parent) || dwarf_child(parent, &die))
        return;
    do {
        int tag = dwarf_tag(&die);
        Inlined own;

        if (!*search->work)
            return;
        --*search->work;
        if (tag == DW_TAG_inlined_subroutine && mark_inlined(search, &die, outer, unit, &own))
            walk(search, &die, &own, unit, depth + 1);
        else if (may_have_code(tag))
            walk(search, &die, tag == DW_TAG_subprogram ? &nothing : outer, unit, depth + 1);
    } while (!dwarf_siblingof(&die, &die));
}

/* Lines. */

static void add_line(Search *search, Dwarf_Die *unit, guint number)
{
    const CodePiece *piece = piece_of(search, number);
    const Inlined *inlined = &search->inlined[number];
    Dwarf_Line *line = dwarf_getsrc_die(unit, piece->address);
    const char *path = line ? dwarf_linesrc(line, NULL, NULL) : NULL;
    g_autofree char *whole = whole_path(search, path);
    LinePlace place = { inlined->name, whole, 0, inlined->caller };
    int source_line = 0;

    if (!line && !inlined->name)
        return;
    if (line && !dwarf_lineno(line, &source_line) && source_line > 0)
        place.line = (uint32_t)source_line;
    line_table_add_range(search->table, piece->address, piece->address + piece->bytes,
                         line_table_add_place(search->table, &place));
}

static void look_at_unit(Search *search, Dwarf_Die *unit, Dwarf_Die *split, guint number, const GArray *pieces)
{
    static const Inlined nothing;
    Dwarf_Attribute folder;

    search->folder = dwarf_attr(unit, DW_AT_comp_dir, &folder) ? dwarf_formstring(&folder) : NULL;
    if (dwarf_getsrcfiles(unit, &search->files, &search->file_count))
        search->files = NULL;
    walk(search, split ? split : unit, &nothing, number, 0);
    for (guint i = 0; i < pieces->len; i++)
        add_line(search, unit, g_array_index(pieces, guint, i));
}

typedef struct {
    Dwarf_Die die, split; /* split: what a .dwo file has of it */
    bool is_split;
    GArray *pieces; /* guint: their numbers */
} Unit;

static void clear_unit(void *data)
{
    g_array_unref(((Unit *)data)->pieces);
}

static GArray *list_units(Search *search, Dwarf *dwarf)
{
    GArray *units = g_array_new(FALSE, FALSE, sizeof(Unit));
    Dwarf_CU *unit = NULL;
    Dwarf_Die die, split;
    uint8_t type;

    g_array_set_clear_func(units, clear_unit);
    while (!dwarf_get_units(dwarf, unit, &unit, NULL, &type, &die, &split)) {
        Unit entry = { .die = die, .split = split, .is_split = dwarf_tag(&split) == DW_TAG_compile_unit };

        if (dwarf_tag(&die) != DW_TAG_compile_unit && dwarf_tag(&die) != DW_TAG_skeleton_unit)
            continue;
        entry.pieces = g_array_new(FALSE, FALSE, sizeof(guint));
        g_array_append_val(units, entry);
        mark_unit(search, &die, units->len);
    }
    return units;
}

static LineTable *find_lines(Dwarf *dwarf, const GArray *pieces, uint64_t *work)
{
    g_autofree guint *units = g_new0(guint, pieces->len + 1);
    g_autofree Inlined *inlined = g_new0(Inlined, pieces->len + 1);
    Search search = { pieces, line_table_new(), work, units, inlined, NULL, NULL, 0 };
    g_autoptr(GArray) list = list_units(&search, dwarf);

    for (guint i = 0; i < pieces->len; i++)
        if (units[i])
            g_array_append_val(g_array_index(list, Unit, units[i] - 1).pieces, i);
    for (guint i = 0; i < list->len; i++) {
        Unit *unit = &g_array_index(list, Unit, i);

        if (unit->pieces->len)
            look_at_unit(&search, &unit->die, unit->is_split ? &unit->split : NULL, i + 1, unit->pieces);
    }
    return search.table;
}

static Elf *open_elf(int fd)
{
    return fd >= 0 && lseek(fd, 0, SEEK_END) <= FILE_BYTES_MAX ? elf_begin(fd, ELF_C_READ, NULL) : NULL;
}

/* The file's debug information, or that of its separate file; *other is set then. NULL if there is none. */
static Dwarf *open_dwarf(const ElfCode *code, Elf *elf, int *other, Elf **other_elf)
{
    Dwarf *dwarf = dwarf_begin_elf(elf, DWARF_C_READ, NULL);

    *other = -1;
    *other_elf = NULL;
    if (dwarf)
        return dwarf;
    *other = debug_file_open(code->path, elf, DEBUG_FILE_FOLDER);
    *other_elf = open_elf(*other);
    return *other_elf ? dwarf_begin_elf(*other_elf, DWARF_C_READ, NULL) : NULL;
}

LineTable *debug_info_find_lines(const ElfCode *code, const GArray *pieces, uint64_t *work)
{
    int fd = regular_file_open(code->path, NULL), other = -1;
    Elf *elf = open_elf(fd), *other_elf = NULL;
    Dwarf *dwarf = elf ? open_dwarf(code, elf, &other, &other_elf) : NULL;
    LineTable *table = dwarf ? find_lines(dwarf, pieces, work) : NULL;

    dwarf_end(dwarf);
    elf_end(other_elf);
    elf_end(elf);
    if (other >= 0)
        close(other);
    if (fd >= 0)
        close(fd);
    return table;
}
