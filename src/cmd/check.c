/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory_tracer check FILE: whether a trace is a good one. */
#include <stdio.h>
#include <string.h>

#include "../base/json_numbers.h"
#include "../source/input.h"
#include "../trace/file.h"
#include "check.h"
#include "cmd.h"
#include "forms.h"

static const char *const finding_texts[FINDINGS] = {
    [PROBLEM_SIZE] = "accesses of more than 16 bytes",
    [PROBLEM_ADDRESS] = "addresses that are not canonical",
    [PROBLEM_ORDER] = "places where the indexes of the records go back",
    [PROBLEM_MISSING] = "records that are missing",
    [PROBLEM_PADDR] = "physical addresses that don't fit the virtual ones, or are too large",
    [PROBLEM_KERNEL] = "accesses by the kernel, in a trace of user code only",
    [PROBLEM_CPL] = "accesses with another privilege level than their instruction",
    [PROBLEM_INSTRUCTION] = "accesses by instructions that the trace doesn't have",
    [PROBLEM_TIME] = "places where time goes back",
    [PROBLEM_DROPS] = "blocks whose count of dropped records is less than before, or more than in all",
    [PROBLEM_TOTALS] = "totals that don't add up (accesses = records + skipped + dropped)",
    [PROBLEM_UNFINISHED] = "recording that has no end: what came after its last record is not known",
    [EXCEPTION_USER_IN_KERNEL] = "accesses by user code to the kernel's half (such as descriptor tables)",
    [EXCEPTION_DERIVED] = "trace that was made from an incomplete one",
    [EXCEPTION_NO_PADDR] = "accesses whose physical address is not known",
    [EXCEPTION_NO_INSTRUCTION] = "accesses by an unknown instruction",
    [EXCEPTION_VALUE] =
        "loads by user code of a value that no store of the trace put there (a device did, by DMA, for example)",
};

typedef struct {
    Input *input;
    JsonObject *metadata;
    CheckFacts facts;
    CheckCounts counts;
    CheckOrder order;
    const char *damage;
} Check;

static bool metadata_bool(JsonObject *metadata, const char *name)
{
    return json_object_has_member(metadata, name) && json_object_get_boolean_member(metadata, name);
}

/* Whether the records of all vCPUs are in the order in which the accesses took place: they ran in one thread. */
static bool order_is_exact(const Check *check)
{
    return mt_trace_vcpus(check->facts.trace) == 1 || metadata_bool(check->metadata, "strict_order") ||
           *json_object_get_string_member_with_default(check->metadata, "icount", "");
}

/* Only if all stores are there, in their order. */
static bool values_can_be_compared(const Check *check)
{
    unsigned fields = mt_trace_fields(check->facts.trace);

    return (fields & MT_FIELD_PADDR) && (fields & MT_FIELD_VALUE) && order_is_exact(check) && !check->facts.user_only &&
           mt_trace_is_complete(check->facts.trace) && !json_object_has_member(check->metadata, "derived_by") &&
           !metadata_bool(check->metadata, "roi") && !input_metadata_number(check->metadata, "log_tracing_ratio", 0) &&
           !input_metadata_number(check->metadata, "dropped", 0);
}

/* One thread's share of the work when records are read from the beginning to the end. If loads are compared with
 * stores, there are several threads: each compares its share of the pages, and checks its share of the batches. */
typedef struct {
    const Check *check;
    unsigned share, shares;
    Input *input;      /* of the first one */
    mt_reader *reader; /* of the others */
    bool compare;
    CheckCounts counts;
    CheckOrder order;
    GError *damage;
} Share;

static const struct mt_batch *next_batch(Share *share)
{
    if (!share->input)
        return mt_reader_next(share->reader, NULL);
    return input_next(share->input, &share->damage) > 0 ? share->input->batch : NULL;
}

static gpointer check_share(gpointer data)
{
    Share *share = data;
    g_autoptr(MemoryImage) image = share->compare ? memory_image_new() : NULL;
    CheckCounts counted_by_first = { 0 };
    const struct mt_batch *batch;

    for (uint64_t number = 0; (batch = next_batch(share)); number++) {
        CheckPlace place = check_place(batch);
        bool follows = check_order(&share->order, &place, share->share ? &counted_by_first : &share->counts);

        if (!follows) /* there may have been stores */
            g_clear_pointer(&image, memory_image_free);
        if (number % share->shares == share->share)
            check_records(&share->check->facts, batch, &share->counts);
        if (image)
            check_values(image, batch, share->share, share->shares, &share->counts);
    }
    return NULL;
}

/* Returns how it ended: NULL, or the damage. */
static GError *check_in_order(Check *check, unsigned threads, bool compare)
{
    g_autofree Share *shares = g_new0(Share, threads);
    g_autofree GThread **workers = g_new0(GThread *, threads);

    for (unsigned i = 0; i < threads; i++) {
        shares[i] = (Share){ .check = check, .share = i, .shares = threads, .compare = compare };
        if (i)
            shares[i].reader = mt_reader_new(check->facts.trace, MT_COLUMN_ALL, NULL);
        else
            shares[i].input = check->input;
    }
    for (unsigned i = 1; i < threads; i++)
        workers[i] = g_thread_new("check", check_share, &shares[i]);
    check_share(&shares[0]);
    for (unsigned i = 1; i < threads; i++)
        g_thread_join(workers[i]);
    for (unsigned i = 0; i < threads; i++) {
        check_counts_add(&check->counts, &shares[i].counts);
        mt_reader_free(shares[i].reader);
    }
    check->order = shares[0].order;
    return shares[0].damage;
}

static GError *check_all_records(Check *check)
{
    bool file = mt_trace_format(check->facts.trace) == MT_FORMAT_FILE, compare = values_can_be_compared(check), fine;
    unsigned threads = file ? g_get_num_processors() : 1;

    if (compare || threads == 1)
        return check_in_order(check, threads, compare);
    fine = check_blocks(&check->facts, threads, &check->counts, &check->order, &check->input->own_progress);
    progress_end(&check->input->own_progress);
    if (fine)
        return NULL;
    progress_begin(&check->input->own_progress, check->input->own_progress.total, false);
    return check_in_order(check, 1, false);
}

/* What the blocks and the metadata say of themselves. */
static void check_totals(Check *check)
{
    bool exact;
    uint64_t known = input_known_records(check->facts.trace, check->metadata, &exact);
    uint64_t dropped[CHECK_MAX_VCPUS] = { 0 }, all_dropped = 0;
    uint64_t accesses = input_metadata_number(check->metadata, "accesses", UINT64_MAX);
    uint64_t records = input_metadata_number(check->metadata, "records", check->counts.records);
    uint64_t skipped = input_metadata_number(check->metadata, "skipped", 0);
    uint64_t total_dropped = input_metadata_number(check->metadata, "dropped", UINT64_MAX);

    for (size_t i = 0; i < mt_trace_blocks(check->facts.trace); i++) {
        const struct mt_block *block = mt_trace_block(check->facts.trace, i);
        uint64_t *before = &dropped[block->vcpu % CHECK_MAX_VCPUS];

        check->counts.found[PROBLEM_DROPS] += block->dropped < *before;
        *before = MAX(*before, block->dropped);
    }
    for (unsigned i = 0; i < CHECK_MAX_VCPUS; i++)
        all_dropped += dropped[i];
    check->counts.found[PROBLEM_DROPS] += all_dropped > total_dropped;
    if (!check->damage && known > check->order.next_index)
        check->counts.found[PROBLEM_MISSING] += known - check->order.next_index;
    check->counts.found[PROBLEM_UNFINISHED] += !exact && !check->damage;
    check->counts.found[EXCEPTION_DERIVED] += json_object_has_member(check->metadata, "source_damage");
    check->counts.found[PROBLEM_TOTALS] += records < check->counts.records;
    if (accesses != UINT64_MAX)
        check->counts.found[PROBLEM_TOTALS] +=
            accesses != records + skipped + (total_dropped == UINT64_MAX ? 0 : total_dropped);
}

static bool is_good(const Check *check)
{
    for (int i = 0; i < EXCEPTION_USER_IN_KERNEL; i++)
        if (check->counts.found[i])
            return false;
    return !check->damage;
}

static const char *verdict_suffix(enum mt_format format)
{
    return format == MT_FORMAT_FILE     ? ""
           : format == MT_FORMAT_GMBEOO ? " (a stream of 16-byte GMBEOO records)"
                                        : " (a stream of compact 8-byte records)";
}

static Report *describe(const Check *check, const char *path)
{
    Report *report = report_new(), *findings;
    uint64_t records = check->counts.records, compared = check->counts.compared;
    g_autofree char *compared_line =
        g_strdup_printf("%" G_GUINT64_FORMAT " loads by user code were compared with the stores before them", compared);
    g_autofree char *verdict =
        g_strdup_printf("%s: %s, %" G_GUINT64_FORMAT " records%s", path, is_good(check) ? "good" : "NOT good", records,
                        verdict_suffix(mt_trace_format(check->facts.trace)));

    report_add_flag(report, "good", NULL, is_good(check));
    if (check->damage) {
        g_autofree char *line = g_strdup_printf("problem: %s", check->damage);

        report_add_text(report, "damage", NULL, check->damage);
        report_add_sentence(report, NULL, line, 0);
    }
    findings = report_add_section(report, "findings", "");
    for (int i = 0; i < FINDINGS; i++) {
        g_autofree char *line =
            g_strdup_printf("%s: %" G_GUINT64_FORMAT " %s", i < EXCEPTION_USER_IN_KERNEL ? "problem" : "exception",
                            check->counts.found[i], finding_texts[i]);

        if (check->counts.found[i])
            report_add_sentence(findings, finding_texts[i], line, check->counts.found[i]);
    }
    report_add_sentence(report, "loads_compared", compared ? compared_line : NULL, compared);
    report_add_sentence(report, "records", verdict, records);
    return report;
}

int cmd_check(int argc, char **argv, GError **error)
{
    const GOptionEntry none[] = { { NULL, 0, 0, 0, NULL, NULL, NULL } };
    Forms forms = { 0 };
    g_autofree GOptionEntry *entries = forms_entries(&forms, none);
    g_autoptr(Report) report = NULL;
    const Selection everything = SELECTION_INIT;
    g_autoptr(Input) input = NULL;
    g_autoptr(JsonObject) metadata = NULL;
    g_autoptr(GError) damage = NULL;
    Check check = { 0 };

    if (!options_parse(&argc, &argv, entries, "FILE",
                       "Reads all of a trace file (or of a stream of records, which tells less) and says whether "
                       "it has what every good trace has: nothing missing, counters that add up, legal addresses "
                       "and sizes, and so on. Exit status: 0 it is good, 1 it is not.",
                       NULL, false, error) ||
        !forms_check(&forms, error))
        return -1;
    if (argc != 2) {
        mt_fail_usage(error, "check: one FILE is needed (see --help)");
        return -1;
    }
    input = input_open(argv[1], &everything, MT_COLUMN_ALL, error);
    if (!input)
        return -1;
    check.input = input;
    check.metadata = metadata = input_metadata(input->trace);
    check_facts_init(&check.facts, input->trace, metadata_bool(metadata, "user_only"));
    damage = check_all_records(&check);
    check.damage = damage ? damage->message : mt_trace_damage(input->trace);
    if (!check.damage && trace_file_of(input->trace) && !trace_file_verify_others(trace_file_of(input->trace), &damage))
        check.damage = damage->message;
    check_totals(&check);
    report = describe(&check, argv[1]);
    check_facts_clear(&check.facts);
    if (!forms_print(&forms, report, error))
        return -1;
    return is_good(&check) ? 0 : 1;
}
