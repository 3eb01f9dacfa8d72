/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where misses happened: see places.h. */
#include "places.h"

#include <string.h>

typedef struct {
    uint64_t count;
    uint32_t number;  /* of the instruction, or of one in the function */
    const char *name; /* of the function; or NULL */
    uint64_t offset;
} Place;

void places_clear(Places *places)
{
    g_free(places->counts);
}

void places_make_room(Places *places, uint32_t number)
{
    uint32_t room = MAX(2 * places->room, number + 1024);

    places->counts = g_renew(uint64_t, places->counts, room);
    memset(places->counts + places->room, 0, (room - places->room) * sizeof *places->counts);
    places->room = room;
}

void places_merge(Places *places, const Places *other)
{
    if (other->room > places->room)
        places_make_room(places, other->room - 1);
    for (uint32_t number = 0; number < other->room; number++)
        places->counts[number] += other->counts[number];
    places->total += other->total;
}

static gint compare(gconstpointer a, gconstpointer b)
{
    const Place *one = a, *other = b;

    if (one->count != other->count)
        return one->count < other->count ? 1 : -1;
    return one->number < other->number ? -1 : one->number > other->number;
}

static GArray *list_instructions(const Places *places, const Context *context)
{
    GArray *list = g_array_new(FALSE, TRUE, sizeof(Place));

    for (uint32_t number = 1; number < places->room; number++) {
        Place place = { .count = places->counts[number], .number = number };

        if (!place.count)
            continue;
        place.name = context_function(context, number, &place.offset);
        g_array_append_val(list, place);
    }
    g_array_sort(list, compare);
    return list;
}

static GArray *list_functions(const GArray *instructions)
{
    g_autoptr(GHashTable) known = g_hash_table_new(g_str_hash, g_str_equal);
    GArray *list = g_array_new(FALSE, TRUE, sizeof(Place));

    for (guint i = 0; i < instructions->len; i++) {
        const Place *place = &g_array_index(instructions, Place, i);
        guint at = place->name ? GPOINTER_TO_UINT(g_hash_table_lookup(known, place->name)) : 0;

        if (!place->name)
            continue;
        if (at) {
            g_array_index(list, Place, at - 1).count += place->count;
        } else {
            g_array_append_val(list, *place);
            g_hash_table_insert(known, (char *)place->name, GUINT_TO_POINTER(list->len));
        }
    }
    g_array_sort(list, compare);
    return list;
}

static double percent(const Place *place, const Places *places)
{
    return 100.0 * (double)place->count / (double)places->total;
}

static void add_instructions(ReportTable *table, const char *name, const GArray *list, const Places *places, guint top,
                             const Context *context)
{
    for (guint i = 0; i < list->len && i < top; i++) {
        const Place *place = &g_array_index(list, Place, i);
        const struct mt_instruction *instruction = context_instruction(context, place->number);
        g_autofree char *function =
            place->name ? g_strdup_printf("%s+0x%" G_GINT64_MODIFIER "x", place->name, place->offset) : g_strdup("");

        report_table_add_row(table, name, instruction ? instruction->pc : 0, place->count, percent(place, places),
                             function);
    }
}

static void add_functions(ReportTable *table, const char *name, const GArray *list, const Places *places, guint top)
{
    for (guint i = 0; i < list->len && i < top; i++) {
        const Place *place = &g_array_index(list, Place, i);

        report_table_add_row(table, name, place->count, percent(place, places), place->name);
    }
}

void places_describe(const Places *places, const char *const *names, unsigned lists, guint top, const Context *context,
                     Report *report)
{
    static const ReportColumn of_instructions[] = {
        { "level", "level", REPORT_TEXT },    { "pc", "instruction", REPORT_ADDRESS },
        { "misses", "misses", REPORT_COUNT }, { "percent", "%", REPORT_REAL },
        { "function", "in", REPORT_TEXT },    { NULL }
    };
    static const ReportColumn of_functions[] = { { "level", "level", REPORT_TEXT },
                                                 { "misses", "misses", REPORT_COUNT },
                                                 { "percent", "%", REPORT_REAL },
                                                 { "function", "function", REPORT_TEXT },
                                                 { NULL } };
    ReportTable *instructions, *functions;

    if (!context_has_instructions(context))
        return;
    instructions = report_add_table(report, "top_instructions", "instructions that missed most", of_instructions);
    functions = report_add_table(report, "top_functions", "functions that missed most", of_functions);
    for (unsigned i = 0; i < lists; i++) {
        g_autoptr(GArray) by_instruction = list_instructions(&places[i], context);
        g_autoptr(GArray) by_function = list_functions(by_instruction);

        add_instructions(instructions, names[i], by_instruction, &places[i], top, context);
        add_functions(functions, names[i], by_function, &places[i], top);
    }
}

/* Objects with the same count are sorted by name, because their numbers depend on which was looked up first. */

typedef struct {
    uint64_t count;
    ObjectRegion region;
    const char *name;
} MissedObject;

static gint compare_objects(gconstpointer a, gconstpointer b)
{
    const MissedObject *one = a, *other = b;

    if (one->count != other->count)
        return one->count < other->count ? 1 : -1;
    if (one->region != other->region)
        return one->region < other->region ? -1 : 1;
    return strcmp(one->name, other->name);
}

static GArray *list_objects(const Places *places, const Context *context)
{
    GArray *list = g_array_new(FALSE, FALSE, sizeof(MissedObject));

    for (uint32_t number = 1; number < places->room; number++) {
        MissedObject object = { .count = places->counts[number] };

        if (!object.count)
            continue;
        object.region = context_object_region(context, number);
        object.name = context_object_name(context, number);
        g_array_append_val(list, object);
    }
    g_array_sort(list, compare_objects);
    return list;
}

void places_describe_objects(const Places *places, const char *const *names, unsigned lists, guint top,
                             const Context *context, Report *report)
{
    static const ReportColumn columns[] = { { "level", "level", REPORT_TEXT },   { "misses", "misses", REPORT_COUNT },
                                            { "percent", "%", REPORT_REAL },     { "region", "region", REPORT_TEXT },
                                            { "object", "object", REPORT_TEXT }, { NULL } };
    ReportTable *table;

    if (!context_has_objects(context))
        return;
    table = report_add_table(report, "top_objects", "objects whose accesses missed most", columns);
    for (unsigned i = 0; i < lists; i++) {
        g_autoptr(GArray) list = list_objects(&places[i], context);

        for (guint k = 0; k < list->len && k < top; k++) {
            const MissedObject *object = &g_array_index(list, MissedObject, k);

            report_table_add_row(table, names[i], object->count,
                                 100.0 * (double)object->count / (double)places[i].total,
                                 object_region_name(object->region), object->name);
        }
    }
}
