/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The result of `sharing`: see sharing_private.h. The figures are defined in memory_tracer-sharing(1). */
#include <string.h>

#include "sharing_private.h"

/* A line that several sharers touch. */
typedef struct {
    const SharedLine *line;
    SharedKind kind;
    uint64_t accesses;
} Shared;

static uint64_t count_accesses(const SharedLine *line)
{
    uint64_t accesses = 0;

    for (const Sharer *sharer = shared_line_next(line, NULL); sharer; sharer = shared_line_next(line, sharer))
        accesses += shared_line_uses(line, sharer, SHARER_LOADS).accesses +
                    shared_line_uses(line, sharer, SHARER_STORES).accesses;
    return accesses;
}

/* All of a size (Shared), in no order. */
static GArray *list_shared(const SharedLines *lines, SharedSize size)
{
    g_autoptr(GPtrArray) list = shared_lines_list(lines, size);
    GArray *all = g_array_sized_new(FALSE, FALSE, sizeof(Shared), list->len);

    for (guint i = 0; i < list->len; i++) {
        Shared shared = { list->pdata[i], shared_line_kind(list->pdata[i]), count_accesses(list->pdata[i]) };

        g_array_append_val(all, shared);
    }
    return all;
}

static void describe_sizes(const Sharing *sharing, GArray *const *shared, Report *report)
{
    static const ReportColumn columns[] = { { "line_bytes", "line", REPORT_COUNT },
                                            { "lines", "lines", REPORT_COUNT },
                                            { "read_shared", "read by several", REPORT_COUNT },
                                            { "true_shared", "truly shared", REPORT_COUNT },
                                            { "false_shared", "falsely shared", REPORT_COUNT },
                                            { "invalidations", "invalidations", REPORT_COUNT },
                                            { "false_invalidations", "of falsely shared", REPORT_COUNT },
                                            { "ping_pongs", "ping-pongs", REPORT_COUNT },
                                            { NULL } };
    ReportTable *table = report_add_table(report, "sizes", "lines by size", columns);

    for (SharedSize size = 0; size < SHARED_SIZES; size++) {
        uint64_t kinds[SHARED_FALSELY + 1] = { 0 }, invalidations[SHARED_FALSELY + 1] = { 0 }, all = 0, ping_pongs = 0;

        for (guint i = 0; i < shared[size]->len; i++) {
            const Shared *one = &g_array_index(shared[size], Shared, i);

            kinds[one->kind]++;
            invalidations[one->kind] += one->line->invalidations;
            all += one->line->invalidations;
            ping_pongs += one->line->ping_pongs;
        }
        report_table_add_row(table, UINT64_C(1) << shared_shift(size), shared_lines_count(sharing->lines, size),
                             kinds[SHARED_FOR_READING], kinds[SHARED_TRULY], kinds[SHARED_FALSELY], all,
                             invalidations[SHARED_FALSELY], ping_pongs);
    }
}

/* A sharer's name, and the number that users know it by: a vCPU's number, a thread id, or a pid. */
static const char *name_sharer(const Sharing *sharing, uint32_t who, uint64_t *number)
{
    const TaskTable *tasks = context_tasks(sharing->context);
    const Task *task;

    *number = who;
    if (sharing->between == BETWEEN_VCPUS)
        return "";
    *number = 0;
    if (who < SHARING_FIRST_TASK)
        return who == MT_TASK_IN_INTERRUPT ? "(interrupts)" : who == MT_TASK_IN_SOFTIRQ ? "(softirqs)" : "(unknown)";
    if (sharing->between == BETWEEN_PROCESSES) {
        *number = task_table_process(tasks, who - SHARING_FIRST_TASK)->tgid;
        return task_table_process_name(tasks, who - SHARING_FIRST_TASK);
    }
    task = task_table_task(tasks, who - SHARING_FIRST_TASK);
    *number = task->pid;
    return task->name;
}

static gint compare_keys(gconstpointer a, gconstpointer b)
{
    const LineCount *one = a, *other = b;

    return one->key < other->key ? -1 : one->key > other->key;
}

static void describe_pairs(const Sharing *sharing, Report *report)
{
    static const ReportColumn of_vcpus[] = { { "line_bytes", "line", REPORT_COUNT },
                                             { "by", "vCPU", REPORT_COUNT },
                                             { "of", "takes from", REPORT_COUNT },
                                             { "invalidations", "copies", REPORT_COUNT },
                                             { NULL } };
    static const ReportColumn of_tasks[] = { { "line_bytes", "line", REPORT_COUNT },
                                             { "by", "id", REPORT_COUNT },
                                             { "by_name", "name", REPORT_TEXT },
                                             { "of", "takes from", REPORT_COUNT },
                                             { "of_name", "name", REPORT_TEXT },
                                             { "invalidations", "copies", REPORT_COUNT },
                                             { NULL } };
    bool vcpus = sharing->between == BETWEEN_VCPUS;
    ReportTable *table = report_add_table(report, "pairs", "who invalidates whose copies", vcpus ? of_vcpus : of_tasks);

    for (SharedSize size = 0; size < SHARED_SIZES; size++) {
        const LineCounts *pairs = shared_lines_pairs(sharing->lines, size);
        g_autoptr(GArray) list = line_counts_top(pairs, 0, (guint)pairs->lines);

        g_array_sort(list, compare_keys);
        for (guint i = 0; i < list->len; i++) {
            const LineCount *pair = &g_array_index(list, LineCount, i);
            uint64_t by, of;
            const char *by_name = name_sharer(sharing, (uint32_t)((pair->key - 1) >> 32), &by);
            const char *of_name = name_sharer(sharing, (uint32_t)(pair->key - 1), &of);

            report_table_begin_row(table);
            report_table_add_count(table, UINT64_C(1) << shared_shift(size));
            report_table_add_count(table, by);
            if (!vcpus)
                report_table_add_text(table, by_name);
            report_table_add_count(table, of);
            if (!vcpus)
                report_table_add_text(table, of_name);
            report_table_add_count(table, pair->counts[0]);
        }
    }
}

static gint compare_lines(gconstpointer a, gconstpointer b)
{
    const Shared *one = a, *other = b;
    const SharedBlock *of_one, *of_other;

    if (one->line->invalidations != other->line->invalidations)
        return one->line->invalidations < other->line->invalidations ? 1 : -1;
    if (one->accesses != other->accesses)
        return one->accesses < other->accesses ? 1 : -1;
    of_one = shared_line_block(one->line);
    of_other = shared_line_block(other->line);
    if (of_one->number != of_other->number)
        return of_one->number < of_other->number ? -1 : 1;
    if (one->line->which != other->line->which)
        return one->line->which < other->line->which ? -1 : 1;
    return of_one->space < of_other->space ? -1 : of_one->space > of_other->space;
}

/* Leaves the lines that are written to, sorted by invalidations, and not more than `top`. */
static void keep_top(GArray *shared, guint top)
{
    for (guint i = shared->len; i-- > 0;)
        if (g_array_index(shared, Shared, i).kind < SHARED_TRULY)
            g_array_remove_index_fast(shared, i);
    g_array_sort(shared, compare_lines);
    g_array_set_size(shared, MIN(shared->len, top));
}

static gint compare_sharers(gconstpointer a, gconstpointer b)
{
    const Sharer *one = *(const Sharer *const *)a, *other = *(const Sharer *const *)b;

    return sharer_number(one) < sharer_number(other) ? -1 : sharer_number(one) > sharer_number(other);
}

static uint64_t pc_of(const Sharing *sharing, const SharerCount *count)
{
    const struct mt_instruction *instruction =
        count->vote.votes ? context_instruction(sharing->context, count->vote.instruction) : NULL;

    return instruction ? instruction->pc : 0;
}

/* The function that most of the accesses are in; the caller frees it. */
static char *function_of(const Sharing *sharing, const SharerCount *count)
{
    uint64_t offset;
    const char *name = count->vote.votes ? context_function(sharing->context, count->vote.instruction, &offset) : NULL;

    return name ? g_strdup_printf("%s+0x%" G_GINT64_MODIFIER "x", name, offset) : g_strdup("");
}

static void add_sides(const Sharing *sharing, ReportTable *table, const SharedLine *line, uint64_t line_bytes)
{
    g_autoptr(GPtrArray) sharers = g_ptr_array_new();

    for (const Sharer *sharer = shared_line_next(line, NULL); sharer; sharer = shared_line_next(line, sharer))
        g_ptr_array_add(sharers, (gpointer)sharer);
    g_ptr_array_sort(sharers, compare_sharers);
    for (guint i = 0; i < sharers->len; i++) {
        const Sharer *sharer = sharers->pdata[i];
        SharerCount loads = shared_line_uses(line, sharer, SHARER_LOADS),
                    stores = shared_line_uses(line, sharer, SHARER_STORES);
        g_autofree char *loader = function_of(sharing, &loads), *storer = function_of(sharing, &stores),
                        *read = g_strdup_printf("%x", shared_line_words(line, sharer, SHARER_LOADS)),
                        *written = g_strdup_printf("%x", shared_line_words(line, sharer, SHARER_STORES));
        uint64_t number;
        const char *name = name_sharer(sharing, sharer_number(sharer), &number);

        report_table_begin_row(table);
        report_table_add_count(table, line_bytes);
        report_table_add_count(table, shared_line_address(line));
        report_table_add_count(table, number);
        if (sharing->between != BETWEEN_VCPUS)
            report_table_add_text(table, name);
        report_table_add_count(table, loads.accesses);
        report_table_add_count(table, stores.accesses);
        report_table_add_text(table, read);
        report_table_add_text(table, written);
        report_table_add_count(table, pc_of(sharing, &loads));
        report_table_add_text(table, loader);
        report_table_add_count(table, pc_of(sharing, &stores));
        report_table_add_text(table, storer);
    }
}

static void add_words(ReportTable *table, const SharedLine *line)
{
    uint32_t words = shared_line_true_words(line);

    for (unsigned word = 0; word < 32; word++) {
        uint64_t sharers = 0, writers = 0;

        if (!(words >> word & 1))
            continue;
        for (const Sharer *sharer = shared_line_next(line, NULL); sharer; sharer = shared_line_next(line, sharer)) {
            uint32_t read = shared_line_words(line, sharer, SHARER_LOADS),
                     written = shared_line_words(line, sharer, SHARER_STORES);

            sharers += (read | written) >> word & 1;
            writers += written >> word & 1;
        }
        report_table_add_row(table, shared_line_address(line) + (word << SHARED_WORD_SHIFT), sharers, writers);
    }
}

static void add_line(const Sharing *sharing, ReportTable *table, const Shared *shared, uint64_t line_bytes)
{
    const SharedLine *line = shared->line;
    uint64_t sharers = 0;

    for (const Sharer *sharer = shared_line_next(line, NULL); sharer; sharer = shared_line_next(line, sharer))
        sharers++;
    report_table_begin_row(table);
    report_table_add_count(table, line_bytes);
    report_table_add_count(table, shared_line_address(line));
    if (sharing->by == BY_PHYSICAL)
        report_table_add_count(table, line->virtual_address);
    report_table_add_count(table, sharers);
    report_table_add_count(table, shared->accesses);
    report_table_add_count(table, line->invalidations);
    report_table_add_count(table, line->ping_pongs);
    report_table_add_text(table, shared->kind == SHARED_TRULY ? "truly" : "falsely");
    if (context_has_objects(sharing->context)) {
        report_table_add_text(table, object_region_name(context_object_region(sharing->context, line->object)));
        report_table_add_text(table, context_object_name(sharing->context, line->object));
    }
}

/* A table of these columns, without those that would say nothing: names of vCPUs, or virtual addresses twice. */
static ReportTable *add_table(const Sharing *sharing, Report *report, const char *name, const char *label,
                              const ReportColumn *from)
{
    ReportColumn columns[16] = { 0 };
    guint count = 0;

    for (; from->name; from++) {
        if ((!strcmp(from->name, "name") && sharing->between == BETWEEN_VCPUS) ||
            (!strcmp(from->name, "virtual_address") && sharing->by != BY_PHYSICAL) ||
            ((!strcmp(from->name, "region") || !strcmp(from->name, "object")) &&
             !context_has_objects(sharing->context)))
            continue;
        columns[count++] = *from;
    }
    return report_add_table(report, name, label, columns);
}

static void describe_lines(const Sharing *sharing, GArray *const *shared, Report *report)
{
    bool vcpus = sharing->between == BETWEEN_VCPUS;
    const char *sharers = vcpus ? "vcpus" : "sharers", *sharers_label = vcpus ? "vCPUs" : "sharers";
    const ReportColumn of_lines[] = { { "line_bytes", "line", REPORT_COUNT },
                                      { "address", "address", REPORT_ADDRESS },
                                      { "virtual_address", "virtual", REPORT_ADDRESS },
                                      { sharers, sharers_label, REPORT_COUNT },
                                      { "accesses", "accesses", REPORT_COUNT },
                                      { "invalidations", "invalidations", REPORT_COUNT },
                                      { "ping_pongs", "ping-pongs", REPORT_COUNT },
                                      { "kind", "shared", REPORT_TEXT },
                                      { "region", "region", REPORT_TEXT },
                                      { "object", "object", REPORT_TEXT },
                                      { NULL } };
    const ReportColumn of_sides[] = { { "line_bytes", "line", REPORT_COUNT },
                                      { "address", "address", REPORT_ADDRESS },
                                      { vcpus ? "vcpu" : "id", vcpus ? "vCPU" : "id", REPORT_COUNT },
                                      { "name", "name", REPORT_TEXT },
                                      { "loads", "loads", REPORT_COUNT },
                                      { "stores", "stores", REPORT_COUNT },
                                      { "words_read", "words read", REPORT_TEXT },
                                      { "words_written", "written", REPORT_TEXT },
                                      { "loader", "loaded at", REPORT_ADDRESS },
                                      { "loading_function", "in", REPORT_TEXT },
                                      { "storer", "stored at", REPORT_ADDRESS },
                                      { "storing_function", "in", REPORT_TEXT },
                                      { NULL } };
    const ReportColumn of_words[] = { { "address", "word", REPORT_ADDRESS },
                                      { sharers, sharers_label, REPORT_COUNT },
                                      { "writers", "of these, writing", REPORT_COUNT },
                                      { NULL } };
    ReportTable *lines = add_table(sharing, report, "top_lines", "lines that are invalidated most", of_lines);
    ReportTable *sides =
        add_table(sharing, report, "sides", vcpus ? "what each vCPU does with them" : "what each sharer does with them",
                  of_sides);
    ReportTable *words = add_table(sharing, report, "words", "truly shared words of the 64-byte lines", of_words);

    for (SharedSize size = 0; size < SHARED_SIZES; size++) {
        uint64_t line_bytes = UINT64_C(1) << shared_shift(size);

        keep_top(shared[size], (guint)sharing->options->top);
        for (guint i = 0; i < shared[size]->len; i++) {
            const Shared *one = &g_array_index(shared[size], Shared, i);

            add_line(sharing, lines, one, line_bytes);
            add_sides(sharing, sides, one->line, line_bytes);
            if (size == SHARED_64)
                add_words(words, one->line);
        }
    }
}

void sharing_describe(void *data, Report *report)
{
    static const char *const by[] = { "virtual addresses", "address spaces and virtual addresses",
                                      "physical addresses" };
    static const char *const between[] = { "vCPUs", "threads", "processes" };
    const Sharing *sharing = data;
    bool exact = !sharing->merged && context_order_is_exact(sharing->context);
    GArray *shared[SHARED_SIZES];

    report_add_count(report, "accesses", "accesses", sharing->accesses);
    report_add_text(report, "between", "between", between[sharing->between]);
    report_add_text(report, "lines_by", "memory told apart by", by[sharing->by]);
    if (sharing->by == BY_PHYSICAL)
        report_add_count(report, "left_out", "left out", sharing->left_out);
    report_add_text(report, "order", "order between vCPUs",
                    exact ? "exact" : "estimate: not recorded with --strict-order or --icount");
    report_add_flag(report, "order_is_exact", NULL, exact);
    for (SharedSize size = 0; size < SHARED_SIZES; size++)
        shared[size] = list_shared(sharing->lines, size);
    describe_sizes(sharing, shared, report);
    describe_pairs(sharing, report);
    describe_lines(sharing, shared, report);
    for (SharedSize size = 0; size < SHARED_SIZES; size++)
        g_array_unref(shared[size]);
}
