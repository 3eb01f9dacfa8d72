/* SPDX-License-Identifier: GPL-2.0-or-later */
/* New trace files from parts of others: see derive.h. */
#include "derive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/error.h"
#include "../base/json_numbers.h"
#include "../base/part_file.h"
#include "../context/attachment.h"
#include "../context/code_table.h"
#include "../trace/file.h"
#include "../trace/writer.h"
#include "merged_instructions.h"

/* A record's physical address, with the bits that a row has for the page's size. */
static uint64_t paddr_of(const struct mt_batch *batch, unsigned fields, size_t i)
{
    bool has_size = (fields & MT_FIELD_PAGE_SIZE) && batch->page_size && batch->paddr[i] != MT_PADDR_UNKNOWN;

    return batch->paddr[i] | (has_size ? row_page_size_bits(batch->page_size[i]) : 0);
}

/* A batch's record as a ring's row. `numbers`: of the input's instructions in the new trace. */
static inline WideRow make_row(const Input *input, unsigned fields, unsigned vcpu, const uint32_t *numbers, size_t i)
{
    const struct mt_batch *batch = input->batch;
    WideRow wide = { .record = { .info = GMBEOO_VALID | batch->info[i] | (uint64_t)vcpu << GMBEOO_VCPU_SHIFT,
                                 .virt_addr = batch->address[i] } };

    if ((fields & MT_FIELD_INSTRUCTION) && batch->instruction) {
        uint32_t number = batch->instruction[i];

        if (number && number <= mt_trace_instructions(input->trace))
            wide.record.info |= (uint64_t)numbers[number] << ROW_INSTRUCTION_SHIFT;
    }
    if (fields & MT_FIELD_VALUE) {
        wide.value[0] = batch->value[i].low;
        wide.value[1] = batch->value[i].high;
        if (batch->value_unknown && batch->value_unknown[i])
            wide.record.info |= ROW_VALUE_UNKNOWN;
    }
    return wide;
}

/* Debug information is that of a file's id, whoever has it. */
static bool is_debug(const char *name)
{
    return g_str_has_prefix(name, CODE_TABLE_DEBUG);
}

/* `copied`: names of debug information so far. Of an input but the first one, there is nothing else. */
static bool copy_attachments(TraceWriter *writer, const Input *input, bool is_first, GHashTable *copied, GError **error)
{
    const TraceFile *file = trace_file_of(input->trace);
    g_auto(GStrv) names = file ? trace_file_attachment_names(file) : g_new0(char *, 1);

    for (char **name = names; *name; name++) {
        size_t bytes;
        bool wanted = is_debug(*name) ? !g_hash_table_contains(copied, *name) : is_first && !merged_code_writes(*name);
        char *text = wanted ? attachment_read(input->trace, *name, &bytes, true) : NULL;
        bool fine = !text || trace_writer_add_attachment(writer, *name, text, bytes, error);

        if (text && is_debug(*name))
            g_hash_table_add(copied, g_strdup(*name));
        free(text);
        if (!fine)
            return false;
    }
    return true;
}

static bool copy_all_attachments(TraceWriter *writer, const GPtrArray *inputs, GError **error)
{
    g_autoptr(GHashTable) copied = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (guint i = 0; i < inputs->len; i++)
        if (!copy_attachments(writer, inputs->pdata[i], !i, copied, error))
            return false;
    return true;
}

static bool copy_facts(TraceWriter *writer, const GPtrArray *inputs, MergedCode *code, JsonObject *metadata,
                       GError **error)
{
    g_autoptr(JsonNode) node = json_node_new(JSON_NODE_OBJECT);
    g_autofree char *json = NULL;

    json_node_set_object(node, metadata);
    json = json_make_text(node, false);
    return trace_writer_add_metadata(writer, json, error) && merged_code_attach(code, writer, error) &&
           copy_all_attachments(writer, inputs, error);
}

/* Removes the members that another trace's metadata lack, or have with another value. */
static void keep_common(JsonObject *metadata, const mt_trace *trace)
{
    g_autoptr(JsonObject) other = input_metadata(trace);
    g_autoptr(GList) names = json_object_get_members(metadata);

    for (GList *name = names; name; name = name->next) {
        JsonNode *value = json_object_get_member(other, name->data);

        if (!value || !json_node_equal(value, json_object_get_member(metadata, name->data)))
            json_object_remove_member(metadata, name->data);
    }
}

/* How a trace, or one that it was made from, was damaged; the caller frees it. NULL if it wasn't. */
static char *damage_of(const mt_trace *trace)
{
    g_autoptr(JsonObject) metadata = input_metadata(trace);
    const char *damage = mt_trace_damage(trace);

    return g_strdup(damage ? damage : json_object_get_string_member_with_default(metadata, "source_damage", NULL));
}

/* Whether the new trace has all that was recorded, so that the recording's totals are its totals, too. */
static bool totals_stay(const GPtrArray *inputs, JsonObject *metadata)
{
    const Input *input = inputs->pdata[0];

    return inputs->len == 1 && input_is_whole(input) && mt_trace_is_complete(input->trace) &&
           input_metadata_number(metadata, "records", UINT64_MAX) == mt_trace_records(input->trace);
}

static void remove_totals(JsonObject *metadata)
{
    static const char *const totals[] = { "accesses",    "skipped",     "records",      "dropped",
                                          "traced_ns",   "guest_ns",    "regions",      "timed_out",
                                          "exit_status", "exit_signal", "open_regions", "ended_by" };

    for (guint i = 0; i < G_N_ELEMENTS(totals); i++)
        if (json_object_has_member(metadata, totals[i]))
            json_object_remove_member(metadata, totals[i]);
}

/* The new trace's metadata: what all inputs say, without totals that are no longer true, and `words` as the command
 * that made it. */
static JsonObject *derived_metadata(const GPtrArray *inputs, char **words)
{
    JsonObject *metadata = input_metadata(((const Input *)inputs->pdata[0])->trace);
    JsonArray *command = json_array_new();

    for (guint i = 1; i < inputs->len; i++)
        keep_common(metadata, ((const Input *)inputs->pdata[i])->trace);
    if (!totals_stay(inputs, metadata))
        remove_totals(metadata);
    for (; *words; words++) {
        g_autofree char *word = g_utf8_make_valid(*words, -1);

        json_array_add_string_element(command, word);
    }
    json_object_set_array_member(metadata, "derived_by", command);
    for (guint i = 0; i < inputs->len; i++) {
        g_autofree char *damage = damage_of(((const Input *)inputs->pdata[i])->trace);

        if (damage)
            json_object_set_string_member(metadata, "source_damage", damage);
    }
    return metadata;
}

/* How far the tasks' changes of an input have been written, and what is added to its numbers. */
typedef struct {
    guint next;
    uint64_t tasks, memories;
} InputTasks;

typedef struct {
    GPtrArray *inputs;   /* Input */
    GArray *first_vcpu;  /* unsigned: what is added to the input's vCPU numbers */
    GArray *first_input; /* unsigned: what is added to the numbers of the input's own inputs */
    MergedInstructions instructions;
    Progress progress; /* of all inputs */
    unsigned fields, vcpus, input_count;
    bool vcpus_unknown;
    VcpuPolicy policy;
    GArray *tasks;                     /* InputTasks, for each input */
    uint32_t said[RING_MAX_VCPUS];     /* the last task event that was written, for each vCPU of the new trace */
    RowFrames *frames[RING_MAX_VCPUS]; /* likewise what was written of its frames; or NULL */
    uint8_t *rows;
    size_t room; /* rows */
} Job;

/* How many inputs a trace was merged from; 1 if it wasn't merged. */
static unsigned count_inputs(const mt_trace *trace)
{
    unsigned last = 0;

    for (size_t i = 0; i < mt_trace_blocks(trace); i++)
        last = MAX(last, mt_trace_block(trace, i)->input);
    return last + 1;
}

/* Each input's tasks and memories get numbers above those of the inputs before it. */
static void plan_tasks(Job *job)
{
    InputTasks tasks = { 0 };

    for (guint i = 0; i < job->inputs->len; i++) {
        const TraceFile *file = trace_file_of(((const Input *)job->inputs->pdata[i])->trace);
        uint64_t last_task = 0, last_memory = 0;

        g_array_append_val(job->tasks, tasks);
        if (file)
            trace_changes_find_last(file->changes, &last_task, &last_memory);
        tasks.tasks += last_task;
        tasks.memories += last_memory;
    }
}

/* Writes an input's changes that take place before its record `index`. */
static bool write_changes(Job *job, TraceWriter *writer, guint number, uint64_t index, GError **error)
{
    const TraceFile *file = trace_file_of(((const Input *)job->inputs->pdata[number])->trace);
    InputTasks *tasks = &g_array_index(job->tasks, InputTasks, number);

    if (!file || !(job->fields & MT_FIELD_TASK))
        return true;
    for (; tasks->next < file->changes->list->len; tasks->next++) {
        TraceChange change = g_array_index(file->changes->list, TraceChange, tasks->next);

        if (change.index > index)
            break;
        trace_change_renumber(&change, tasks->tasks, tasks->memories);
        if (change.kind == CHANGE_TASK || trace_change_is_of_one_kernel(&change))
            change.value[CHANGE_INPUT] += g_array_index(job->first_input, unsigned, number);
        if (!trace_writer_add_change(writer, &change, error))
            return false;
    }
    return true;
}

/* Writes which task goes on, unless that is the one that was written last. */
static bool write_task(Job *job, TraceWriter *writer, guint number, unsigned vcpu, uint32_t event, GError **error)
{
    uint64_t first = g_array_index(job->tasks, InputTasks, number).tasks << TASK_CONTEXT_BITS;
    WideRow row = { .record = { .info = ROW_EVENT_TASK | (uint64_t)vcpu << GMBEOO_VCPU_SHIFT } };

    if (event >> TASK_CONTEXT_BITS)
        event += (uint32_t)first;
    if (event == job->said[vcpu])
        return true;
    job->said[vcpu] = event;
    row.record.virt_addr = event;
    return trace_writer_add(writer, vcpu, &row, 1, 0, error);
}

/* Writes a batch's wanted records from `begin` to `end` - 1, as a ring's rows. */
static bool write_rows(Job *job, TraceWriter *writer, guint number, unsigned vcpu, size_t begin, size_t end,
                       GError **error)
{
    const Input *input = job->inputs->pdata[number];
    unsigned bytes = ring_record_bytes_for(job->fields);
    size_t count = 0;

    if ((job->fields & MT_FIELD_PADDR) && !job->frames[vcpu])
        job->frames[vcpu] = g_new0(RowFrames, 1);
    for (size_t k = begin; k < end; k++) {
        size_t i = input->selected[k];
        WideRow row = make_row(input, job->fields, vcpu, job->instructions.maps->pdata[number], i);
        uint64_t paddr = job->fields & MT_FIELD_PADDR ? paddr_of(input->batch, job->fields, i) : 0;

        count += row_put(job->rows + count * bytes, bytes, &row, job->frames[vcpu], paddr);
    }
    return trace_writer_add(writer, vcpu, job->rows, count, input->batch->time_ns, error);
}

/* Writes a batch's wanted records, and among them its tasks' events and the input's changes. */
static bool write_records(Job *job, TraceWriter *writer, guint number, unsigned vcpu, GError **error)
{
    const Input *input = job->inputs->pdata[number];
    const struct mt_batch *batch = input->batch;
    const struct mt_events *events = &batch->task;
    size_t done = 0, event = 0;

    if (!(job->fields & MT_FIELD_TASK))
        return write_rows(job, writer, number, vcpu, 0, input->count, error);
    if (!write_task(job, writer, number, vcpu, events->state, error))
        return false;
    while (done < input->count) {
        const GArray *changes = trace_file_of(input->trace)->changes->list;
        guint next = g_array_index(job->tasks, InputTasks, number).next;
        uint64_t first = batch->first + input->selected[done], stop;
        size_t begin = done;

        for (; event < events->count && events->event[event].before <= input->selected[done]; event++)
            if (!write_task(job, writer, number, vcpu, events->event[event].number, error))
                return false;
        if (!write_changes(job, writer, number, first, error))
            return false;
        next = g_array_index(job->tasks, InputTasks, number).next;
        stop = event < events->count ? batch->first + events->event[event].before : UINT64_MAX;
        if (next < changes->len)
            stop = MIN(stop, g_array_index(changes, TraceChange, next).index);
        do
            done++;
        while (done < input->count && batch->first + input->selected[done] < stop);
        if (!write_rows(job, writer, number, vcpu, begin, done, error))
            return false;
    }
    return true;
}

/* Finds the fields that all inputs have, the number of vCPUs, and all instructions. */
static bool plan(Job *job, GError **error)
{
    unsigned architecture = mt_trace_architecture(((const Input *)job->inputs->pdata[0])->trace), sizes = 0;

    job->fields = MT_FIELD_INSTRUCTION | MT_FIELD_PADDR | MT_FIELD_VALUE | MT_FIELD_TIME | MT_FIELD_TASK;
    plan_tasks(job);
    for (guint i = 0; i < job->inputs->len; i++) {
        const Input *input = job->inputs->pdata[i];
        unsigned vcpus = mt_trace_vcpus(input->trace) ? mt_trace_vcpus(input->trace) : RING_MAX_VCPUS;
        unsigned first = job->policy == VCPUS_RENUMBER ? job->vcpus : 0;

        g_array_append_val(job->first_input, job->input_count);
        job->input_count += count_inputs(input->trace);
        if (mt_trace_architecture(input->trace) != architecture)
            return mt_fail(error, "the traces are of guests of different architectures");
        job->fields &= mt_trace_fields(input->trace);
        sizes |= mt_trace_fields(input->trace) & MT_FIELD_PAGE_SIZE;
        g_array_append_val(job->first_vcpu, first);
        job->vcpus = MAX(job->vcpus, first + vcpus);
        job->vcpus_unknown |= !mt_trace_vcpus(input->trace); /* a stream doesn't say */
    }
    if (job->fields & MT_FIELD_PADDR) /* inputs without page sizes get unknown ones */
        job->fields |= sizes;
    if (job->policy == VCPUS_ONE) {
        job->vcpus = 1;
        job->vcpus_unknown = false;
    }
    if (job->vcpus > RING_MAX_VCPUS)
        return mt_fail(error, "there would be %u vCPUs, but a trace can have %d", job->vcpus, RING_MAX_VCPUS);
    for (guint i = 0; i < job->inputs->len; i++)
        merged_instructions_add(&job->instructions, ((const Input *)job->inputs->pdata[i])->trace,
                                g_array_index(job->first_input, unsigned, i),
                                count_inputs(((const Input *)job->inputs->pdata[i])->trace));
    return true;
}

static bool write_batch(Job *job, TraceWriter *writer, guint number, GError **error)
{
    Input *input = job->inputs->pdata[number];
    unsigned vcpu =
        job->policy == VCPUS_ONE ? 0 : input->batch->vcpu + g_array_index(job->first_vcpu, unsigned, number);

    if (vcpu >= job->vcpus)
        return mt_fail(error, "record %" G_GUINT64_FORMAT " is of vCPU %u, but a trace can have %d",
                       input->batch->first, vcpu, RING_MAX_VCPUS);
    if (2 * input->count > job->room) {
        job->room = 2 * input->count;
        job->rows = g_realloc(job->rows, job->room * sizeof(WideRow));
    }
    trace_writer_set_input(writer, input->batch->input + g_array_index(job->first_input, unsigned, number));
    return write_records(job, writer, number, vcpu, error);
}

/* Shows the progress of all inputs in one line. */
static void share_progress(Job *job)
{
    uint64_t total = 0;

    for (guint i = 0; i < job->inputs->len; i++) {
        Input *input = job->inputs->pdata[i];

        total = input->own_progress.total == PROGRESS_UNKNOWN || total == PROGRESS_UNKNOWN
                    ? PROGRESS_UNKNOWN
                    : total + input->own_progress.total;
        input->progress = &job->progress;
    }
    progress_begin(&job->progress, total, false);
}

/* Writes the inputs' batches: in the order of their times if all inputs have times, else one input after the other. */
static bool write_all(Job *job, TraceWriter *writer, GError **error)
{
    g_autofree int *more = g_new0(int, job->inputs->len);
    guint left = 0;

    share_progress(job);
    for (guint i = 0; i < job->inputs->len; i++) {
        more[i] = input_next(job->inputs->pdata[i], error);
        if (more[i] < 0)
            return false;
        left += (guint)more[i];
    }
    while (left) {
        guint next = job->inputs->len;

        for (guint i = 0; i < job->inputs->len; i++)
            if (more[i] && (next == job->inputs->len ||
                            ((job->fields & MT_FIELD_TIME) && ((Input *)job->inputs->pdata[i])->batch->time_ns <
                                                                  ((Input *)job->inputs->pdata[next])->batch->time_ns)))
                next = i;
        if (!write_batch(job, writer, next, error))
            return false;
        more[next] = input_next(job->inputs->pdata[next], error);
        if (more[next] < 0)
            return false;
        left -= !more[next];
    }
    for (guint i = 0; i < job->inputs->len; i++)
        if (!write_changes(job, writer, i, UINT64_MAX, error))
            return false;
    return true;
}

static bool write_part(Job *job, const char *path, JsonObject *metadata, GError **error)
{
    g_autoptr(TraceWriter) writer =
        trace_writer_new(path, job->fields, job->vcpus_unknown ? 0 : job->vcpus, TRACE_BLOCK_RECORDS, error);

    if (!writer ||
        !trace_writer_set_architecture(writer, mt_trace_architecture(((const Input *)job->inputs->pdata[0])->trace),
                                       error) ||
        !copy_facts(writer, job->inputs, job->instructions.code, metadata, error) ||
        !trace_writer_add_instructions(writer, (const struct mt_instruction *)job->instructions.all->data,
                                       job->fields & MT_FIELD_INSTRUCTION ? job->instructions.all->len : 0, error) ||
        !write_all(job, writer, error) || !trace_writer_add_total(writer, error) || !trace_writer_finish(writer, error))
        return false;
    fprintf(stderr, "memory_tracer: %" G_GUINT64_FORMAT " records, %" G_GUINT64_FORMAT " bytes\n",
            trace_writer_records(writer), trace_writer_bytes(writer));
    return true;
}

static bool write_file(Job *job, const char *path, JsonObject *metadata, GError **error)
{
    const char *part;

    if (!part_file_applies(path))
        return mt_fail(error, "can't write %s: a trace file must be a regular file", path);
    part = part_file_begin(path, error);
    if (!part)
        return false;
    if (write_part(job, part, metadata, error))
        return part_file_commit(error);
    part_file_abandon();
    return false;
}

static void job_init(Job *job, GPtrArray *inputs, VcpuPolicy policy)
{
    *job = (Job){ .inputs = inputs, .policy = policy };
    job->first_vcpu = g_array_new(FALSE, FALSE, sizeof(unsigned));
    job->tasks = g_array_new(FALSE, FALSE, sizeof(InputTasks));
    job->first_input = g_array_new(FALSE, FALSE, sizeof(unsigned));
    merged_instructions_init(&job->instructions);
}

static void job_clear(Job *job)
{
    progress_end(&job->progress);
    g_array_unref(job->first_vcpu);
    g_array_unref(job->first_input);
    g_array_unref(job->tasks);
    merged_instructions_clear(&job->instructions);
    for (unsigned i = 0; i < RING_MAX_VCPUS; i++)
        g_free(job->frames[i]);
    g_free(job->rows);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Job, job_clear)

bool derive_file(GPtrArray *inputs, VcpuPolicy policy, char **words, const char *path, GError **error)
{
    g_autoptr(JsonObject) metadata = derived_metadata(inputs, words);
    g_auto(Job) job;

    job_init(&job, inputs, policy);
    return plan(&job, error) && write_file(&job, path, metadata, error);
}

bool derive_part(Input *input, char **words, const char *path, GError **error)
{
    g_autoptr(GPtrArray) inputs = g_ptr_array_new();
    g_autoptr(JsonObject) metadata = NULL;
    g_auto(Job) job;

    g_ptr_array_add(inputs, input);
    metadata = derived_metadata(inputs, words);
    job_init(&job, inputs, VCPUS_KEEP);
    return plan(&job, error) && write_part(&job, path, metadata, error);
}
