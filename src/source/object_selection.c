/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which objects are wanted: see object_selection.h. */
#include "object_selection.h"

#include <string.h>

#include "../base/error.h"
#include "../context/address_objects.h"
#include "../context/name_match.h"
#include "../trace/file.h"

struct ObjectSelection {
    AddressObjects *objects;
    GPtrArray *names;             /* NameMatch; NULL: any */
    char **globs;                 /* the same as texts */
    bool *found;                  /* which of them have matched anything */
    bool regions[OBJECT_REGIONS]; /* which are wanted */
    bool selects_regions;
    bool found_regions[OBJECT_REGIONS]; /* that anything wanted was of */
    GByteArray *wanted;                 /* by an object's number: 1 it is, 2 it isn't, 0 not asked for yet */
    GArray *numbers;                    /* uint32_t: the batch's */
};

bool object_selection_check(char **regions, GError **error)
{
    ObjectRegion region;

    for (; regions && *regions; regions++)
        if (!object_region_parse(*regions, &region)) {
            g_autofree char *all = object_region_list(", ");

            return mt_fail_usage(error, "--region must be one of %s, but %s isn't.", all, *regions);
        }
    return true;
}

ObjectSelection *object_selection_new(mt_trace *trace, char **objects, char **regions, GError **error)
{
    if (!object_selection_check(regions, error))
        return NULL;
    if (!trace_file_of(trace)) {
        mt_fail(error, "only a trace file tells what an access goes to: --object and --region can't be used");
        return NULL;
    }
    return object_selection_new_of(address_objects_new(trace), objects, regions);
}

ObjectSelection *object_selection_new_of(AddressObjects *taken, char **objects, char **regions)
{
    ObjectSelection *selection = g_new0(ObjectSelection, 1);
    ObjectRegion region;

    selection->objects = taken;
    selection->wanted = g_byte_array_new();
    selection->numbers = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    selection->globs = g_strdupv(objects);
    selection->found = g_new0(bool, objects ? g_strv_length(objects) : 0);
    if (objects)
        selection->names = g_ptr_array_new_with_free_func((GDestroyNotify)name_match_free);
    for (; objects && *objects; objects++)
        g_ptr_array_add(selection->names, name_match_new(*objects, true));
    selection->selects_regions = regions;
    if (!regions)
        memset(selection->regions, true, sizeof selection->regions);
    for (; regions && *regions; regions++)
        if (object_region_parse(*regions, &region))
            selection->regions[region] = true;
    return selection;
}

void object_selection_free(ObjectSelection *selection)
{
    if (!selection)
        return;
    address_objects_free(selection->objects);
    g_clear_pointer(&selection->names, g_ptr_array_unref);
    g_strfreev(selection->globs);
    g_free(selection->found);
    g_byte_array_unref(selection->wanted);
    g_array_unref(selection->numbers);
    g_free(selection);
}

void object_selection_look_at(ObjectSelection *selection, const struct mt_batch *batch)
{
    guint known = selection->wanted->len, count;

    g_array_set_size(selection->numbers, (guint)batch->count);
    address_objects_number(selection->objects, batch, (uint32_t *)selection->numbers->data);
    count = address_objects_count(selection->objects) + 1;
    if (count > known) {
        g_byte_array_set_size(selection->wanted, count);
        memset(selection->wanted->data + known, 0, count - known);
    }
}

static bool has_name(ObjectSelection *selection, uint32_t number)
{
    const char *name = address_objects_name(selection->objects, number), *slash = strrchr(name, '/');
    bool is_variable = address_objects_region(selection->objects, number) == OBJECT_VARIABLE, any = false;

    for (guint i = 0; i < selection->names->len; i++) {
        if (g_pattern_match_simple(selection->globs[i], name) ||
            (slash && g_pattern_match_simple(selection->globs[i], slash + 1)) ||
            (is_variable &&
             name_match_test(selection->names->pdata[i], address_objects_linker_name(selection->objects, number))))
            any = selection->found[i] = true;
    }
    return any;
}

static bool is_wanted(ObjectSelection *selection, uint32_t number)
{
    ObjectRegion region = address_objects_region(selection->objects, number);
    bool wanted = selection->regions[region] && (!selection->names || has_name(selection, number));

    selection->found_regions[region] |= wanted;
    return wanted;
}

bool object_selection_wants(ObjectSelection *selection, size_t i)
{
    uint32_t number = g_array_index(selection->numbers, uint32_t, i);
    uint8_t *answer = &selection->wanted->data[number];

    if (!*answer)
        *answer = is_wanted(selection, number) ? 1 : 2;
    return *answer == 1;
}

static bool is_missing(const GPtrArray *all, guint name)
{
    for (guint i = 0; i < all->len; i++)
        if (((const ObjectSelection *)all->pdata[i])->found[name])
            return false;
    return true;
}

static bool is_missing_region(const GPtrArray *all, ObjectRegion region)
{
    for (guint i = 0; i < all->len; i++)
        if (((const ObjectSelection *)all->pdata[i])->found_regions[region])
            return false;
    return true;
}

char *object_selection_missing(const GPtrArray *all)
{
    const ObjectSelection *first = all->len ? all->pdata[0] : NULL;
    const char *where = first && first->selects_regions ? " of these regions" : "";

    for (guint i = 0; first && first->names && i < first->names->len; i++)
        if (is_missing(all, i))
            return g_strdup_printf("an object '%s'%s", first->globs[i], where);
    for (unsigned i = 0; first && first->selects_regions && i < OBJECT_REGIONS; i++)
        if (first->regions[i] && is_missing_region(all, (ObjectRegion)i))
            return g_strdup_printf("the region %s", object_region_name((ObjectRegion)i));
    return NULL;
}
