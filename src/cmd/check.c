/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory_tracer check FILE: whether a trace is what a good trace is. */
#include <stdio.h>
#include <string.h>

#include "../analysis/memory_image.h"
#include "../run/json_numbers.h"
#include "cmd.h"
#include "input.h"

/* x86-64 with five levels of page tables: bits 56 to 63 are all alike. */
#define ADDRESS_BITS 57
#define PHYSICAL_BITS 52
#define PAGE_BYTES 4096

/* What is counted while the records are read. A problem makes the trace a bad one, an exception is worth a look. */
typedef enum {
    PROBLEM_SIZE,
    PROBLEM_ADDRESS,
    PROBLEM_ORDER,
    PROBLEM_MISSING,
    PROBLEM_PADDR,
    PROBLEM_KERNEL,
    PROBLEM_CPL,
    PROBLEM_INSTRUCTION,
    PROBLEM_TIME,
    PROBLEM_DROPS,
    PROBLEM_TOTALS,
    PROBLEM_UNFINISHED,
    EXCEPTION_USER_IN_KERNEL,
    EXCEPTION_DERIVED,
    EXCEPTION_NO_PADDR,
    EXCEPTION_NO_INSTRUCTION,
    EXCEPTION_VALUE,
    FINDINGS,
} Finding;

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
    [EXCEPTION_VALUE] = "loads by user code of something else than was stored last (DMA, for one)",
};

typedef struct {
    mt_trace *trace;
    JsonObject *metadata;
    uint64_t found[FINDINGS];
    uint64_t records, next_index, compared;
    uint64_t last_ns[256];
    bool user_only;
    MemoryImage *image; /* if loads can be compared with stores */
    const char *damage;
} Check;

static bool metadata_bool(JsonObject *metadata, const char *name)
{
    return json_object_has_member(metadata, name) && json_object_get_boolean_member(metadata, name);
}

/* Whether the records of all vCPUs are in the order in which the accesses took place: they ran in one thread. */
static bool order_is_exact(const Check *check)
{
    return mt_trace_vcpus(check->trace) == 1 || metadata_bool(check->metadata, "strict_order") ||
           *json_object_get_string_member_with_default(check->metadata, "icount", "");
}

/* Only if all stores are there, in their order. */
static bool values_can_be_compared(const Check *check)
{
    unsigned fields = mt_trace_fields(check->trace);

    return (fields & MT_FIELD_PADDR) && (fields & MT_FIELD_VALUE) && order_is_exact(check) && !check->user_only &&
           mt_trace_is_complete(check->trace) && !json_object_has_member(check->metadata, "derived_by") &&
           !metadata_bool(check->metadata, "roi") && !input_metadata_number(check->metadata, "log_tracing_ratio", 0) &&
           !input_metadata_number(check->metadata, "dropped", 0);
}

static void check_value(Check *check, const struct mt_batch *batch, size_t i)
{
    uint8_t info = batch->info[i], bytes[16];
    unsigned size = mt_size(info);
    uint64_t paddr = batch->paddr[i];

    if (paddr == MT_PADDR_UNKNOWN || (paddr & MT_PADDR_IO) || size > sizeof bytes ||
        paddr % PAGE_BYTES + size > PAGE_BYTES)
        return;
    memcpy(bytes, &batch->value[i], sizeof bytes);
    if (mt_is_big_endian(info))
        for (unsigned k = 0; k < size; k++)
            bytes[k] = ((const uint8_t *)&batch->value[i])[size - 1 - k];
    if (mt_is_store(info)) {
        memory_image_store(check->image, paddr, bytes, size);
        return;
    }
    /* What the processor itself stores (an exception's frame, bits in page tables) is the kernel's memory. */
    switch (memory_image_load(check->image, paddr, bytes, size)) {
    case MEMORY_IMAGE_OTHER:
        check->found[EXCEPTION_VALUE] += mt_cpl(info) == 3;
        check->compared += mt_cpl(info) == 3;
        break;
    case MEMORY_IMAGE_SAME:
        check->compared += mt_cpl(info) == 3;
        break;
    case MEMORY_IMAGE_UNKNOWN:
        break;
    }
}

static void check_instruction(Check *check, const struct mt_batch *batch, size_t i)
{
    uint32_t number = batch->instruction[i];
    const struct mt_instruction *instruction = mt_trace_instruction(check->trace, number);

    if (!number)
        check->found[EXCEPTION_NO_INSTRUCTION]++;
    else if (!instruction)
        check->found[PROBLEM_INSTRUCTION]++;
    else if (instruction->cpl != mt_cpl(batch->info[i]))
        check->found[PROBLEM_CPL]++;
}

static void check_batch(Check *check, const struct mt_batch *batch)
{
    unsigned fields = mt_trace_fields(check->trace);

    check->records += batch->count;
    if (batch->first < check->next_index)
        check->found[PROBLEM_ORDER]++;
    else
        check->found[PROBLEM_MISSING] += batch->first - check->next_index;
    if (batch->first != check->next_index)
        check->image = NULL; /* there may have been stores */
    check->next_index = MAX(check->next_index, batch->first + batch->count);
    if (batch->time_ns < check->last_ns[batch->vcpu & 255])
        check->found[PROBLEM_TIME]++;
    check->last_ns[batch->vcpu & 255] = batch->time_ns;
    for (size_t i = 0; i < batch->count; i++) {
        uint64_t address = batch->address[i], sign = (uint64_t)((int64_t)address >> (ADDRESS_BITS - 1));
        uint8_t info = batch->info[i];

        check->found[PROBLEM_SIZE] += mt_size(info) > 16;
        check->found[PROBLEM_ADDRESS] += sign + 1 > 1;
        check->found[EXCEPTION_USER_IN_KERNEL] += mt_cpl(info) == 3 && (int64_t)address < 0;
        check->found[PROBLEM_KERNEL] += check->user_only && mt_cpl(info) != 3;
        if (batch->paddr && batch->paddr[i] == MT_PADDR_UNKNOWN)
            check->found[EXCEPTION_NO_PADDR]++;
        else if (batch->paddr &&
                 ((batch->paddr[i] ^ address) % PAGE_BYTES || (batch->paddr[i] & ~MT_PADDR_IO) >> PHYSICAL_BITS))
            check->found[PROBLEM_PADDR]++;
        if (fields & MT_FIELD_INSTRUCTION)
            check_instruction(check, batch, i);
        if (check->image)
            check_value(check, batch, i);
    }
}

/* What the blocks and the metadata say of themselves. */
static void check_totals(Check *check)
{
    bool exact;
    uint64_t known = input_known_records(check->trace, check->metadata, &exact);
    uint64_t dropped[256] = { 0 }, all_dropped = 0;
    uint64_t accesses = input_metadata_number(check->metadata, "accesses", UINT64_MAX);
    uint64_t records = input_metadata_number(check->metadata, "records", check->records);
    uint64_t skipped = input_metadata_number(check->metadata, "skipped", 0);
    uint64_t total_dropped = input_metadata_number(check->metadata, "dropped", UINT64_MAX);

    for (size_t i = 0; i < mt_trace_blocks(check->trace); i++) {
        struct mt_block block = mt_trace_block(check->trace, i);
        uint64_t *before = &dropped[block.vcpu & 255];

        check->found[PROBLEM_DROPS] += block.dropped < *before;
        *before = MAX(*before, block.dropped);
    }
    for (unsigned i = 0; i < 256; i++)
        all_dropped += dropped[i];
    check->found[PROBLEM_DROPS] += all_dropped > total_dropped;
    if (!check->damage && known > check->next_index)
        check->found[PROBLEM_MISSING] += known - check->next_index;
    check->found[PROBLEM_UNFINISHED] += !exact && !check->damage;
    check->found[EXCEPTION_DERIVED] += json_object_has_member(check->metadata, "source_damage");
    check->found[PROBLEM_TOTALS] += records < check->records;
    if (accesses != UINT64_MAX)
        check->found[PROBLEM_TOTALS] +=
            accesses != records + skipped + (total_dropped == UINT64_MAX ? 0 : total_dropped);
}

/* Prints what was found. Returns whether it is a good trace. */
static bool report(const Check *check, const char *path, bool json)
{
    bool good = !check->damage;

    for (int i = 0; i < FINDINGS; i++)
        good = good && (i >= EXCEPTION_USER_IN_KERNEL || !check->found[i]);
    if (json) {
        g_autoptr(JsonNode) node = json_node_new(JSON_NODE_OBJECT);
        JsonObject *object = json_object_new(), *findings = json_object_new();

        for (int i = 0; i < FINDINGS; i++)
            if (check->found[i])
                json_object_set_u64_member(findings, finding_texts[i], check->found[i]);
        json_object_set_boolean_member(object, "good", good);
        json_object_set_u64_member(object, "records", check->records);
        json_object_set_u64_member(object, "loads_compared", check->compared);
        if (check->damage)
            json_object_set_string_member(object, "damage", check->damage);
        json_object_set_object_member(object, "findings", findings);
        json_node_take_object(node, object);
        g_autofree char *text = json_make_text(node, true);
        puts(text);
        return good;
    }
    if (check->damage)
        printf("problem: %s\n", check->damage);
    for (int i = 0; i < FINDINGS; i++)
        if (check->found[i])
            printf("%s: %" G_GUINT64_FORMAT " %s\n", i < EXCEPTION_USER_IN_KERNEL ? "problem" : "exception",
                   check->found[i], finding_texts[i]);
    if (check->compared)
        printf("%" G_GUINT64_FORMAT " loads by user code were compared with the stores before them\n", check->compared);
    printf("%s: %s, %" G_GUINT64_FORMAT " records%s\n", path, good ? "good" : "NOT good", check->records,
           mt_trace_format(check->trace) == MT_FORMAT_FILE     ? ""
           : mt_trace_format(check->trace) == MT_FORMAT_GMBEOO ? " (a stream of GMBEOO records)"
                                                               : " (a stream of compact records)");
    return good;
}

int cmd_check(int argc, char **argv, GError **error)
{
    gboolean json = FALSE;
    const GOptionEntry entries[] = {
        { "json", 0, 0, G_OPTION_ARG_NONE, &json, "Print the findings as JSON", NULL },
        { NULL, 0, 0, 0, NULL, NULL, NULL },
    };
    const Selection everything = SELECTION_INIT;
    g_autoptr(Input) input = NULL;
    g_autoptr(JsonObject) metadata = NULL;
    g_autoptr(GError) damage = NULL;
    g_autoptr(MemoryImage) image = NULL;
    Check check = { 0 };
    struct mt_error problem;
    int more;

    if (!cmd_parse_options(&argc, &argv, entries, "FILE",
                           "Reads all of a trace file (or of a stream of records, which tells less) and says whether "
                           "it has what every good trace has: nothing missing, counters that add up, legal addresses "
                           "and sizes, and so on. Exit status: 0 it is good, 1 it is not.",
                           NULL, false, error))
        return -1;
    if (argc != 2) {
        mt_fail_usage(error, "check: one FILE is needed (see --help)");
        return -1;
    }
    input = input_open(argv[1], &everything, MT_COLUMN_ALL, error);
    if (!input)
        return -1;
    check.trace = input->trace;
    check.metadata = metadata = input_metadata(input->trace);
    check.user_only = metadata_bool(metadata, "user_only");
    if (values_can_be_compared(&check))
        check.image = image = memory_image_new();
    while ((more = input_next(input, &damage)) > 0)
        check_batch(&check, &input->batch);
    check.damage = damage ? damage->message : mt_trace_damage(input->trace);
    if (!check.damage && !mt_trace_verify(input->trace, &problem))
        check.damage = problem.message;
    check_totals(&check);
    return report(&check, argv[1], json) ? 0 : 1;
}
