/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Comma-separated values, a line for each record, with what the trace has. */
#include <string.h>

#include "convert.h"
#include "object_column.h"

static bool write_heading(Output *output, GError **error)
{
    unsigned fields = output->fields;

    output->state = object_column_is_wanted(output) ? object_column_new(output->trace) : NULL;
    return fprintf(output->file, "index,vcpu,cpl,type,size,sign_extended,big_endian,address%s%s%s%s%s%s%s\n",
                   fields & MT_FIELD_INSTRUCTION ? ",pc" : "", fields & MT_FIELD_PADDR ? ",paddr,io" : "",
                   fields & MT_FIELD_PAGE_SIZE ? ",page_size" : "", fields & MT_FIELD_VALUE ? ",value" : "",
                   fields & MT_FIELD_TIME ? ",time_ns" : "", fields & MT_FIELD_TASK ? ",pid,tid,context" : "",
                   output->state ? ",region,object" : "") > 0 ||
           output_fail(output, error);
}

/* An interrupt doesn't belong to the task, but interrupts it: so both are written. */
static void write_task(const Output *output, const Access *access)
{
    static const char *const names[] = { "task", "interrupt", "softirq" };
    enum mt_task_context context;
    const struct mt_task *task = mt_task_at(output->trace, access->batch, access->i, &context);

    if (task)
        fprintf(output->file, ",%u,%u,%s", task->pid, task->tid, context < G_N_ELEMENTS(names) ? names[context] : "");
    else
        fputs(",,,", output->file);
}

/* A name is quoted if it has what would end it. */
static void write_object(const Output *output, const Access *access)
{
    uint32_t number = object_column_number(output->state, access);
    const AddressObjects *objects = object_column_objects(output->state);
    const char *name = address_objects_name(objects, number);
    g_auto(GStrv) parts = strpbrk(name, ",\"") ? g_strsplit(name, "\"", -1) : NULL;
    g_autofree char *doubled = parts ? g_strjoinv("\"\"", parts) : NULL;

    fprintf(output->file, doubled ? ",%s,\"%s\"" : ",%s,%s",
            object_region_name(address_objects_region(objects, number)), doubled ? doubled : name);
}

static bool write_access(Output *output, const Access *access, GError **error)
{
    const struct mt_batch *batch = access->batch;
    size_t i = access->i;
    FILE *file = output->file;

    fprintf(file, "%" G_GUINT64_FORMAT ",%u,%u,%s,%u,%d,%d,0x%" G_GINT64_MODIFIER "x", access->index, access->vcpu,
            mt_cpl(access->info), mt_is_store(access->info) ? "store" : "load", access->size,
            mt_is_sign_extended(access->info), mt_is_big_endian(access->info), access->virt_addr);
    if (output->fields & MT_FIELD_INSTRUCTION) {
        uint64_t pc;

        if (access_pc(output, access, &pc))
            fprintf(file, ",0x%" G_GINT64_MODIFIER "x", pc);
        else
            fputc(',', file);
    }
    if (batch->paddr && batch->paddr[i] == MT_PADDR_UNKNOWN)
        fputs(",,", file);
    else if (batch->paddr)
        fprintf(file, ",0x%" G_GINT64_MODIFIER "x,%d", batch->paddr[i] & ~MT_PADDR_IO,
                !!(batch->paddr[i] & MT_PADDR_IO));
    if (batch->page_size && batch->page_size[i])
        fprintf(file, ",%" G_GUINT64_FORMAT, UINT64_C(1) << batch->page_size[i]);
    else if (batch->page_size)
        fputc(',', file);
    if (batch->value_unknown && batch->value_unknown[i])
        fputc(',', file);
    else if (batch->value && batch->value[i].high)
        fprintf(file, ",0x%" G_GINT64_MODIFIER "x%016" G_GINT64_MODIFIER "x", batch->value[i].high,
                batch->value[i].low);
    else if (batch->value)
        fprintf(file, ",0x%" G_GINT64_MODIFIER "x", batch->value[i].low);
    if (output->fields & MT_FIELD_TIME)
        fprintf(file, ",%" G_GUINT64_FORMAT, access->time_ns);
    if (output->fields & MT_FIELD_TASK)
        write_task(output, access);
    if (output->state)
        write_object(output, access);
    return fputc('\n', file) != EOF || output_fail(output, error);
}

static void clear(Output *output)
{
    object_column_free(output->state);
}

const ConvertFormat convert_csv = {
    .name = "csv",
    .what = "comma-separated values with a heading: all that the trace has of each record",
    .without = "the bytes of the instructions",
    .columns = MT_COLUMN_ALL | MT_COLUMN_TASK | MT_COLUMN_PAGE_SIZE,
    .begin = write_heading,
    .access = write_access,
    .clear = clear,
};
