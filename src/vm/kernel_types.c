/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest kernel's functions and structures: see kernel_types.h. */
#include "kernel_types.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <string.h>

#include "../base/sort_runs.h"
#include "../record/kallsyms.h"

#define MAX_NESTING 8 /* of unnamed structures in structures */

/* Functions. */

static int compare_symbols(gconstpointer a, gconstpointer b)
{
    uint64_t x = ((const KallsymsLine *)a)->address, y = ((const KallsymsLine *)b)->address;

    return (x > y) - (x < y);
}

/* Those of the kernel itself (KallsymsLine), by address. They lie in the text. */
static GArray *list_symbols(const char *kallsyms)
{
    GArray *symbols = g_array_new(FALSE, FALSE, sizeof(KallsymsLine));
    KallsymsLine line;

    while (kallsyms && kallsyms_take(&kallsyms, &line))
        if (!line.module)
            g_array_append_val(symbols, line);
    sort_runs(symbols, compare_symbols);
    return symbols;
}

/* Whether it is the function `name`, perhaps as the compiler has changed it (.isra.0, .constprop.0), and, if `cold`,
 * its part that was moved away. */
static bool is_function(const KallsymsLine *symbol, const char *name, bool cold)
{
    size_t length = (size_t)(symbol->name_end - symbol->name), own = strlen(name);
    bool is_cold = g_strstr_len(symbol->name, (gssize)length, ".cold");

    return length >= own && !memcmp(symbol->name, name, own) && (length == own || symbol->name[own] == '.') &&
           is_cold == cold;
}

static KernelRange find_function(const GArray *symbols, const char *name, bool cold)
{
    for (guint i = 0; i < symbols->len; i++) {
        const KallsymsLine *symbol = &g_array_index(symbols, KallsymsLine, i);
        guint next = i + 1;

        if (!is_function(symbol, name, cold))
            continue;
        while (next < symbols->len && g_array_index(symbols, KallsymsLine, next).address == symbol->address)
            next++;
        return (KernelRange){ symbol->address, next < symbols->len ? g_array_index(symbols, KallsymsLine, next).address
                                                                   : symbol->address };
    }
    return (KernelRange){ KERNEL_UNKNOWN, KERNEL_UNKNOWN };
}

static void find_functions(KernelLayout *layout, const GArray *symbols)
{
    for (unsigned i = 0; i < KERNEL_FUNCTIONS; i++)
        for (const char *const *name = kernel_layout_function_names(i); *name; name++) {
            layout->function[i] = find_function(symbols, *name, false);
            layout->cold[i] = find_function(symbols, *name, true);
            if (layout->function[i].begin != KERNEL_UNKNOWN)
                break;
        }
}

/* Structures. */

/* Whether `name` is one of those that '|' separates. */
static bool is_one_of(const char *name, const char *names)
{
    g_auto(GStrv) all = g_strsplit(names, "|", -1);

    return g_strv_contains((const char *const *)all, name);
}

/* The offset in bytes of a member, also of one in an unnamed structure. */
static uint64_t find_member(const struct btf *btf, uint32_t id, const char *names, unsigned nesting)
{
    const struct btf_type *type = btf__type_by_id(btf, id);
    const struct btf_member *member;

    if (!type || !btf_is_composite(type) || nesting == MAX_NESTING)
        return KERNEL_UNKNOWN;
    member = btf_members(type);
    for (uint32_t i = 0; i < btf_vlen(type); i++, member++) {
        const char *name = btf__name_by_offset(btf, member->name_off);
        uint64_t offset = btf_member_bit_offset(type, i) / 8, inner;

        if (name && *name) {
            if (is_one_of(name, names))
                return offset;
            continue;
        }
        inner = find_member(btf, member->type, names, nesting + 1);
        if (inner != KERNEL_UNKNOWN)
            return offset + inner;
    }
    return KERNEL_UNKNOWN;
}

/* What a name stands for: a member's offset, a structure's size, or the value of a constant in an enumeration. */
static uint64_t find_number(const struct btf *btf, const char *type_name, const char *name)
{
    int id = btf__find_by_name_kind(btf, type_name, BTF_KIND_STRUCT);
    const struct btf_type *type;
    const struct btf_enum *value;

    if (id > 0 && !name)
        return btf__type_by_id(btf, (uint32_t)id)->size;
    if (id > 0)
        return find_member(btf, (uint32_t)id, name, 0);
    id = name ? btf__find_by_name_kind(btf, type_name, BTF_KIND_ENUM) : 0;
    if (id <= 0)
        return KERNEL_UNKNOWN;
    type = btf__type_by_id(btf, (uint32_t)id);
    value = btf_enum(type);
    for (uint32_t i = 0; i < btf_vlen(type); i++, value++)
        if (!g_strcmp0(btf__name_by_offset(btf, value->name_off), name))
            return (uint32_t)value->val;
    return KERNEL_UNKNOWN;
}

static int say_nothing(enum libbpf_print_level level, const char *format, va_list arguments)
{
    (void)level;
    (void)format;
    (void)arguments;
    return 0;
}

static void find_members(KernelLayout *layout, GBytes *bytes)
{
    struct btf *btf;

    libbpf_set_print(say_nothing);
    btf = btf__new(g_bytes_get_data(bytes, NULL), (uint32_t)g_bytes_get_size(bytes));
    if (libbpf_get_error(btf))
        return;
    for (unsigned i = 0; i < KERNEL_OFFSETS; i++) {
        g_auto(GStrv) words = g_strsplit(kernel_layout_member(i), " ", 2);

        layout->offset[i] = find_number(btf, words[0], words[1]);
    }
    btf__free(btf);
}

/* A per-CPU variable: of its own, or a member of pcpu_hot, whose offset is known by now. */
static void find_per_cpu(uint64_t *offset, const GArray *symbols, const char *name)
{
    KernelRange own = find_function(symbols, name, false), hot = find_function(symbols, "pcpu_hot", false);

    if (own.begin != KERNEL_UNKNOWN)
        *offset = own.begin;
    else if (hot.begin != KERNEL_UNKNOWN && *offset != KERNEL_UNKNOWN)
        *offset += hot.begin;
    else
        *offset = KERNEL_UNKNOWN;
}

static void find_variables(KernelLayout *layout, const GArray *symbols)
{
    for (unsigned i = 0; i < KERNEL_VARIABLES; i++)
        layout->variable[i] = find_function(symbols, kernel_layout_variable_name(i), false).begin;
    find_per_cpu(&layout->offset[KERNEL_CURRENT], symbols, "current_task");
    find_per_cpu(&layout->offset[KERNEL_IRQ_STACK], symbols, "hardirq_stack_ptr");
}

void kernel_types_find_layout(KernelLayout *layout, const char *kallsyms, GBytes *btf)
{
    g_autoptr(GArray) symbols = list_symbols(kallsyms);

    kernel_layout_init(layout);
    find_functions(layout, symbols);
    if (btf)
        find_members(layout, btf);
    find_variables(layout, symbols);
}
