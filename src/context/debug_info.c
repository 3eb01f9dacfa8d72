/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Source lines and inlined functions: see debug_info.h. Each unit with executed code is read once, from outer to inner
 * entries. An inlined function marks the pieces of code in its ranges; the functions that are inlined into it are read
 * later, and mark their own pieces over that. (Looking up each address by itself would read the unit each time.)
 */
#include "debug_info.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <stdlib.h>
#include <string.h>

#include "open_dwarf.h"

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
    guint *units;       /* by piece: the number of its unit, from 1 on; 0: none */
    Inlined *inlined;   /* by piece */
    const char *folder; /* the current unit's, which its relative paths start from; or NULL */
    Dwarf_Files *files; /* the current unit's; or NULL */
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

/* The path, with the unit's folder before it if it is relative. The caller frees it. */
static char *whole_path(const Search *search, const char *path)
{
    g_autofree char *whole =
        path && search->folder && *path != '/' ? g_strconcat(search->folder, "/", path, NULL) : g_strdup(path);

    return whole && *whole && strlen(whole) <= PATH_BYTES_MAX && g_utf8_validate(whole, -1, NULL)
               ? g_steal_pointer(&whole)
               : g_strdup("?");
}

/* The number of the place where an inlined function is called. */
static uint32_t call_site(const Search *search, Dwarf_Die *die, const Inlined *in)
{
    uint32_t file = number_of(die, DW_AT_call_file);
    const char *path =
        search->files && file < search->file_count ? dwarf_filesrc(search->files, file, NULL, NULL) : NULL;
    g_autofree char *whole = whole_path(search, path);
    const LinePlace place = { in->name, whole, number_of(die, DW_AT_call_line), in->caller };

    return line_table_add_place(search->table, &place);
}

/* Marks the pieces of an inlined function's code. Returns whether there are any. */
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

/* One unit, with all its code. */

static void add_boundary(GArray *boundaries, uint64_t address)
{
    g_array_append_val(boundaries, address);
}

static void add_ranges(Dwarf_Die *die, GArray *boundaries)
{
    Dwarf_Addr base, begin, end;
    ptrdiff_t offset = 0;

    while ((offset = dwarf_ranges(die, offset, &base, &begin, &end)) > 0) {
        add_boundary(boundaries, begin);
        add_boundary(boundaries, end);
    }
}

/* Where inlined functions begin and end. */
static void add_inlined(Dwarf_Die *parent, GArray *boundaries, uint64_t *work, unsigned depth)
{
    Dwarf_Die die;

    if (depth > DEPTH_MAX || !dwarf_haschildren(parent) || dwarf_child(parent, &die))
        return;
    do {
        bool is_inlined = dwarf_tag(&die) == DW_TAG_inlined_subroutine;

        if (!*work)
            return;
        --*work;
        if (is_inlined)
            add_ranges(&die, boundaries);
        if (is_inlined || may_have_code(dwarf_tag(&die)))
            add_inlined(&die, boundaries, work, depth + 1);
    } while (!dwarf_siblingof(&die, &die));
}

static int compare_addresses(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

/* CodePiece, by address: within each, the line and the inlined functions are the same. */
static GArray *list_pieces(Dwarf_Die *unit, Dwarf_Die *with_code, uint64_t *work)
{
    g_autoptr(GArray) boundaries = g_array_new(FALSE, FALSE, sizeof(uint64_t));
    GArray *pieces = g_array_new(FALSE, FALSE, sizeof(CodePiece));
    const uint64_t *at = NULL;
    Dwarf_Lines *lines;
    size_t count = 0;

    if (dwarf_getsrclines(unit, &lines, &count))
        count = 0;
    for (size_t i = 0; i < count; i++) {
        Dwarf_Addr address;

        if (!dwarf_lineaddr(dwarf_onesrcline(lines, i), &address))
            add_boundary(boundaries, address);
    }
    add_ranges(unit, boundaries);
    add_inlined(with_code, boundaries, work, 0);
    g_array_sort(boundaries, compare_addresses);
    at = (const uint64_t *)boundaries->data;
    for (guint i = 0; i + 1 < boundaries->len; i++) {
        const CodePiece piece = { at[i], at[i + 1] - at[i] };

        if (piece.bytes && dwarf_haspc(unit, piece.address) > 0)
            g_array_append_val(pieces, piece);
    }
    return pieces;
}

static void add_unit(Dwarf_Die *unit, Dwarf_Die *split, LineTable *table, uint64_t *work)
{
    g_autoptr(GArray) pieces = list_pieces(unit, split ? split : unit, work);
    g_autoptr(GArray) numbers = g_array_new(FALSE, FALSE, sizeof(guint));
    g_autofree guint *units = g_new0(guint, pieces->len + 1);
    g_autofree Inlined *inlined = g_new0(Inlined, pieces->len + 1);
    Search search = { pieces, table, work, units, inlined, NULL, NULL, 0 };

    for (guint i = 0; i < pieces->len; i++) {
        units[i] = 1;
        g_array_append_val(numbers, i);
    }
    look_at_unit(&search, unit, split, 1, numbers);
}

LineTable *debug_info_find_lines(const ElfCode *code, const GArray *pieces, uint64_t *work)
{
    OpenDwarf open = open_dwarf_begin(code, false);
    LineTable *table = open.dwarf ? find_lines(open.dwarf, pieces, work) : NULL;

    open_dwarf_end(&open);
    return table;
}

/* Units one by one. */

typedef struct {
    uint64_t begin, end; /* of code */
    Dwarf_CU *unit;
} UnitRange;

struct DebugUnits {
    const ElfCode *elf;
    OpenDwarf open;
    GArray *ranges;    /* UnitRange; NULL: not opened yet */
    GHashTable *known; /* units that were added, by where they are */
};

DebugUnits *debug_units_new(const ElfCode *elf)
{
    DebugUnits *units = g_new0(DebugUnits, 1);

    units->elf = elf;
    units->known = g_hash_table_new(NULL, NULL);
    return units;
}

void debug_units_free(DebugUnits *units)
{
    if (!units)
        return;
    if (units->ranges) {
        open_dwarf_end(&units->open);
        g_array_unref(units->ranges);
    }
    g_hash_table_unref(units->known);
    g_free(units);
}

static bool has_code(Dwarf_Die *unit)
{
    return dwarf_tag(unit) == DW_TAG_compile_unit || dwarf_tag(unit) == DW_TAG_skeleton_unit;
}

/* There may be more files than this process may have open. */
static void open_units(DebugUnits *units)
{
    Dwarf_CU *unit = NULL;
    Dwarf_Die die;

    units->ranges = g_array_new(FALSE, FALSE, sizeof(UnitRange));
    units->open = open_dwarf_begin(units->elf, true);
    if (units->open.dwarf)
        open_dwarf_close_files(&units->open);
    else
        open_dwarf_clear(&units->open);
    while (units->open.dwarf && !dwarf_get_units(units->open.dwarf, unit, &unit, NULL, NULL, &die, NULL)) {
        Dwarf_Addr base, begin, end;
        ptrdiff_t offset = 0;

        while (has_code(&die) && (offset = dwarf_ranges(&die, offset, &base, &begin, &end)) > 0) {
            const UnitRange range = { begin, end, unit };

            g_array_append_val(units->ranges, range);
        }
    }
}

void debug_units_add_lines(DebugUnits *units, uint64_t address, LineTable *table, uint64_t *work)
{
    Dwarf_Die die, split;
    uint8_t type;

    if (!units->ranges)
        open_units(units);
    for (guint i = 0; i < units->ranges->len; i++) { /* the first one counts, as for debug_info_find_lines() */
        const UnitRange *range = &g_array_index(units->ranges, UnitRange, i);

        if (address < range->begin || address >= range->end)
            continue;
        if (g_hash_table_add(units->known, range->unit) &&
            !dwarf_cu_info(range->unit, NULL, &type, &die, &split, NULL, NULL, NULL))
            add_unit(&die, dwarf_tag(&split) == DW_TAG_compile_unit ? &split : NULL, table, work);
        return;
    }
}
