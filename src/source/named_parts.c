/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What names select: see named_parts.h. */
#include "named_parts.h"

#include <string.h>

#include "../base/error.h"
#include "../context/name_match.h"
#include "../context/names.h"
#include "../context/objects.h"

bool named_parts_is_name(const char *text)
{
    return text && *text && !g_ascii_isdigit(*text) && !strstr(text, "..") &&
           strspn(text, "0123456789abcdefABCDEF") < strlen(text);
}

/* A name that was given. */
typedef struct {
    const char *text;
    NameMatch *match;
    GHashTable *answers; /* by the linker's name (a pointer): 1 it is meant, 2 it isn't */
    bool found;
} GivenName;

static void given_name_init(GivenName *name, const char *text, bool is_glob)
{
    *name = (GivenName){ text, name_match_new(text, is_glob), g_hash_table_new(NULL, NULL), false };
}

static void clear_name(void *data)
{
    GivenName *name = data;

    name_match_free(name->match);
    g_hash_table_unref(name->answers);
}

static bool is_meant(GivenName *name, const char *linker_name)
{
    guint answer = GPOINTER_TO_UINT(g_hash_table_lookup(name->answers, linker_name));

    if (!answer) {
        answer = name_match_test(name->match, linker_name) ? 1 : 2;
        g_hash_table_insert(name->answers, (gpointer)linker_name, GUINT_TO_POINTER(answer));
    }
    return answer == 1;
}

/* Whether any of these functions is meant by any of the names. */
static bool are_meant(GArray *given, const GPtrArray *functions)
{
    bool meant = false;

    for (guint i = 0; i < given->len; i++) {
        GivenName *name = &g_array_index(given, GivenName, i);

        for (guint k = 0; k < functions->len; k++)
            if (is_meant(name, functions->pdata[k]))
                name->found = meant = true;
    }
    return meant;
}

/* Keeps what is of a function that any of the names means. */
static bool keep_named(mt_trace *trace, const char *path, GArray *given, bool *wanted, GError **error)
{
    g_autoptr(Names) names = names_new(trace, true);
    g_autoptr(GPtrArray) functions = g_ptr_array_new();

    wanted[0] = false;
    for (uint32_t i = 1; i <= mt_trace_instructions(trace); i++) {
        g_ptr_array_set_size(functions, 0);
        names_list_functions(names, i, functions);
        wanted[i] &= are_meant(given, functions);
    }
    for (guint i = 0; i < given->len; i++)
        if (!g_array_index(given, GivenName, i).found)
            return mt_fail(error, "%s has no code of a function '%s'", path, g_array_index(given, GivenName, i).text);
    return true;
}

bool *named_parts_find_code(mt_trace *trace, const char *path, Range pc, const char *pc_name, char **globs,
                            GError **error)
{
    uint32_t count = mt_trace_instructions(trace);
    g_autofree bool *wanted = g_new0(bool, (gsize)count + 1);
    g_autoptr(GArray) named = g_array_new(FALSE, FALSE, sizeof(GivenName));
    g_autoptr(GArray) any = g_array_new(FALSE, FALSE, sizeof(GivenName));
    GivenName name;

    g_array_set_clear_func(named, clear_name);
    g_array_set_clear_func(any, clear_name);
    for (uint32_t i = 1; i <= count; i++) {
        const struct mt_instruction *instruction = mt_trace_instruction(trace, i);

        wanted[i] = instruction && instruction->pc >= pc.begin && instruction->pc < pc.end;
    }
    if (pc_name) {
        given_name_init(&name, pc_name, false);
        g_array_append_val(named, name);
    }
    for (; globs && *globs; globs++) {
        given_name_init(&name, *globs, true);
        g_array_append_val(any, name);
    }
    if ((named->len && !keep_named(trace, path, named, wanted, error)) ||
        (any->len && !keep_named(trace, path, any, wanted, error)))
        return NULL;
    return g_steal_pointer(&wanted);
}

GArray *named_parts_find_variable(mt_trace *trace, const char *path, const char *name, GError **error)
{
    g_autoptr(GArray) objects = objects_find(trace, name);
    GArray *ranges;

    if (!objects->len) {
        mt_fail(error, "%s tells of no variable '%s'", path, name);
        return NULL;
    }
    ranges = g_array_new(FALSE, FALSE, sizeof(Range));
    for (guint i = 0; i < objects->len; i++) {
        const ObjectRange *object = &g_array_index(objects, ObjectRange, i);
        Range range = { object->begin, object->end };

        g_array_append_val(ranges, range);
    }
    return ranges;
}
