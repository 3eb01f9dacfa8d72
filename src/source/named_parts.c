/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The part of a trace that names select: see named_parts.h. */
#include "named_parts.h"

#include <string.h>

#include "../base/error.h"
#include "../context/name_match.h"
#include "../context/names.h"
#include "../context/objects.h"

bool named_parts_is_name(const char *text)
{
    size_t digits = text ? strspn(text, "0123456789abcdefABCDEF") : 0;

    return text && *text && !g_ascii_isdigit(*text) && !strstr(text, "..") &&
           (text[digits] || digits < NAMED_PARTS_ADDRESS_DIGITS);
}

/* A name, or a pattern, of the command line. */
typedef struct {
    const char *text;
    NameMatch *match;
    GHashTable *answers; /* by linker name (its address): 1 it is meant, 2 it isn't */
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

enum { UNWANTED, WANTED, VARIES }; /* VARIES: it depends on the memory */

struct NamedCode {
    Names *names;
    GArray *named, *any; /* GivenName: wanted code has a function of each of the two lists, unless a list is empty */
    uint8_t *wanted;     /* by instruction's number: UNWANTED, WANTED or VARIES */
    uint32_t count;      /* the highest number of an instruction */
    bool varies;         /* whether any instruction is VARIES */
    GHashTable *decided; /* of these, by `memory << 32 | number`: 1 it is wanted, 2 it isn't */
    Range pc;            /* the addresses of wanted code */
};

void named_code_free(NamedCode *code)
{
    if (!code)
        return;
    names_free(code->names);
    g_array_unref(code->named);
    g_array_unref(code->any);
    g_free(code->wanted);
    g_hash_table_unref(code->decided);
    g_free(code);
}

/* Whether each of the lists means one of the functions, or is empty. */
static bool are_wanted(NamedCode *code, const GPtrArray *functions)
{
    bool named = !code->named->len || are_meant(code->named, functions);

    return (!code->any->len || are_meant(code->any, functions)) && named;
}

/* Decides by names, where that doesn't depend on the memory. Fails if a name has no code. */
static bool decide(NamedCode *code, const char *path, GError **error)
{
    g_autoptr(GPtrArray) functions = g_ptr_array_new();
    const GArray *lists[] = { code->named, code->any };

    for (uint32_t i = 1; i <= code->count; i++) {
        bool meant;

        g_ptr_array_set_size(functions, 0);
        names_list_all_functions(code->names, i, functions);
        meant = are_wanted(code, functions);
        if (!meant)
            code->wanted[i] = UNWANTED;
        else if (code->wanted[i] == WANTED && names_vary(code->names, i))
            code->wanted[i] = VARIES;
    }
    for (guint k = 0; k < G_N_ELEMENTS(lists); k++)
        for (guint i = 0; i < lists[k]->len; i++)
            if (!g_array_index(lists[k], GivenName, i).found)
                return mt_fail(error, "%s has no code of a function '%s'", path,
                               g_array_index(lists[k], GivenName, i).text);
    return true;
}

static bool has_names(const NamedCode *code)
{
    return code->named->len || code->any->len;
}

static bool lies_there(const NamedCode *code, uint64_t pc)
{
    return pc >= code->pc.begin && pc < code->pc.end;
}

bool named_code_wants(NamedCode *code, uint32_t memory, uint32_t number)
{
    uint8_t wanted = number <= code->count ? code->wanted[number] : UNWANTED;
    uint64_t key = (uint64_t)memory << 32 | number;
    guint decided;

    if (wanted != VARIES)
        return wanted == WANTED;
    if (!lies_there(code, names_pc_in(code->names, memory, number)))
        return false;
    if (!has_names(code))
        return true;
    decided = GPOINTER_TO_UINT(g_hash_table_lookup(code->decided, &key));
    if (!decided) {
        g_autoptr(GPtrArray) functions = g_ptr_array_new();

        names_list_functions_in(code->names, memory, number, functions);
        decided = are_wanted(code, functions) ? 1 : 2;
        g_hash_table_insert(code->decided, g_memdup2(&key, sizeof key), GUINT_TO_POINTER(decided));
    }
    return decided == 1;
}

bool named_code_varies(const NamedCode *code)
{
    return code->varies;
}

const TaskMemory *named_code_task_memory(const NamedCode *code)
{
    return names_task_memory(code->names);
}

static NamedCode *named_code_new(mt_trace *trace)
{
    NamedCode *code = g_new0(NamedCode, 1);

    code->names = names_new(trace, true);
    code->named = g_array_new(FALSE, FALSE, sizeof(GivenName));
    code->any = g_array_new(FALSE, FALSE, sizeof(GivenName));
    g_array_set_clear_func(code->named, clear_name);
    g_array_set_clear_func(code->any, clear_name);
    code->count = mt_trace_instructions(trace);
    code->wanted = g_new0(uint8_t, (gsize)code->count + 1);
    code->decided = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    return code;
}

/* Decides by the address, where that doesn't depend on the memory. */
static void select_by_pc(NamedCode *code, mt_trace *trace)
{
    bool is_part = code->pc.begin || code->pc.end < UINT64_MAX;

    for (uint32_t i = 1; i <= code->count; i++) {
        const struct mt_instruction *instruction = mt_trace_instruction(trace, i);

        if (instruction && is_part && names_pc_varies(code->names, i))
            code->wanted[i] = VARIES;
        else
            code->wanted[i] = instruction && lies_there(code, instruction->pc) ? WANTED : UNWANTED;
    }
}

NamedCode *named_parts_find_code(mt_trace *trace, const char *path, Range pc, const char *pc_name, char **globs,
                                 GError **error)
{
    g_autoptr(NamedCode) code = named_code_new(trace);
    GivenName name;

    code->pc = pc;
    select_by_pc(code, trace);
    if (pc_name) {
        given_name_init(&name, pc_name, false);
        g_array_append_val(code->named, name);
    }
    for (; globs && *globs; globs++) {
        given_name_init(&name, *globs, true);
        g_array_append_val(code->any, name);
    }
    if (has_names(code) && !decide(code, path, error))
        return NULL;
    for (uint32_t i = 1; i <= code->count; i++)
        code->varies |= code->wanted[i] == VARIES;
    return g_steal_pointer(&code);
}

/* While a guest runs. */

typedef struct {
    uint32_t memory;
    uint8_t answer; /* 1 it is wanted, 2 it isn't; 0: not asked for yet */
    bool varies;    /* in other memories */
} Answer;

struct NamedFunctions {
    const Context *context;
    GArray *given;       /* GivenName */
    GArray *answers;     /* Answer, by instruction: that of the last memory */
    GHashTable *decided; /* of what varies: by `memory << 32 | number`: answers */
    GPtrArray *names;    /* of one instruction */
};

NamedFunctions *named_functions_new(const Context *context, char **globs)
{
    NamedFunctions *functions = g_new0(NamedFunctions, 1);
    GivenName name;

    functions->context = context;
    functions->given = g_array_new(FALSE, FALSE, sizeof(GivenName));
    g_array_set_clear_func(functions->given, clear_name);
    for (; *globs; globs++) {
        given_name_init(&name, *globs, true);
        g_array_append_val(functions->given, name);
    }
    functions->answers = g_array_new(FALSE, TRUE, sizeof(Answer));
    functions->decided = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    functions->names = g_ptr_array_new();
    return functions;
}

void named_functions_free(NamedFunctions *functions)
{
    if (!functions)
        return;
    g_array_unref(functions->given);
    g_array_unref(functions->answers);
    g_hash_table_unref(functions->decided);
    g_ptr_array_unref(functions->names);
    g_free(functions);
}

static uint8_t ask(NamedFunctions *functions, uint32_t memory, uint32_t number)
{
    uint64_t key = (uint64_t)memory << 32 | number;
    guint answer = GPOINTER_TO_UINT(g_hash_table_lookup(functions->decided, &key));

    if (!answer) {
        g_ptr_array_set_size(functions->names, 0);
        context_list_functions_in(functions->context, memory, number, functions->names);
        answer = are_meant(functions->given, functions->names) ? 1 : 2;
        g_hash_table_insert(functions->decided, g_memdup2(&key, sizeof key), GUINT_TO_POINTER(answer));
    }
    return (uint8_t)answer;
}

static bool wants(NamedFunctions *functions, uint32_t memory, uint32_t number)
{
    Answer *known;

    if (number >= functions->answers->len)
        g_array_set_size(functions->answers, MAX(number + 1, 2 * functions->answers->len));
    known = &g_array_index(functions->answers, Answer, number);
    if (!known->answer || (known->varies && known->memory != memory))
        *known = (Answer){ memory, ask(functions, memory, number), context_names_vary(functions->context, number) };
    return known->answer == 1;
}

void named_functions_look_at(NamedFunctions *functions, const struct mt_batch *batch, bool *wanted)
{
    MemoryRun run = { 0 };

    while (context_next_memory_run(functions->context, batch, &run))
        for (size_t i = run.begin; i < run.end; i++)
            wanted[i] = wants(functions, run.memory, batch->instruction[i]);
}

bool named_functions_has_found(const NamedFunctions *functions, guint number)
{
    return g_array_index(functions->given, GivenName, number).found;
}

/* Variables. */

GArray *named_parts_find_variable(mt_trace *trace, const char *path, const char *name, GError **error)
{
    g_autoptr(GArray) objects = objects_find(trace, name);
    GArray *ranges;

    if (!objects->len) {
        mt_fail(error, "%s has no variable '%s'", path, name);
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
