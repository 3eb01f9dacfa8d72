/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What each column has of a record: see dump_columns.h. They are documented in memory_tracer-trace(1). In one file,
 * though a long one: two short functions for each column, in the order of the columns. */
#include "dump_columns.h"

#define HEX "%" G_GINT64_MODIFIER "x"
#define UNKNOWN_INSTRUCTION "(unknown instruction)"

/* Numbers are most of what is printed, and printf() took most of the time. */

static void append_number(GString *text, uint64_t value, unsigned base, unsigned least_digits)
{
    char digits[24];
    unsigned at = sizeof digits;

    while (value || least_digits > sizeof digits - at) {
        digits[--at] = "0123456789abcdef"[value % base];
        value /= base;
    }
    g_string_append_len(text, digits + at, sizeof digits - at);
}

static void append_decimal(GString *text, uint64_t value)
{
    append_number(text, value, 10, 1);
}

static void append_hex(GString *text, uint64_t value, unsigned least_digits)
{
    append_number(text, value, 16, least_digits);
}

/* What a row has. */

static uint8_t info_of(const DumpRow *row)
{
    return row->batch->info[row->i];
}

/* Whether it is known; it may be a device's. */
static bool has_paddr(const DumpRow *row)
{
    return row->batch->paddr && row->batch->paddr[row->i] != MT_PADDR_UNKNOWN;
}

static bool is_io(const DumpRow *row)
{
    return row->batch->paddr[row->i] & MT_PADDR_IO;
}

static bool has_value(const DumpRow *row)
{
    return row->batch->value && !(row->batch->value_unknown && row->batch->value_unknown[row->i]);
}

static const struct mt_symbol *symbol_of(const DumpRow *row)
{
    return row->code ? row->code->symbol : NULL;
}

static const char *context_name(const DumpRow *row)
{
    static const char *const names[] = { "task", "interrupt", "softirq" };

    return row->context < G_N_ELEMENTS(names) ? names[row->context] : "?";
}

/* JSON. */

static void add_name(GString *text, const char *name)
{
    g_string_append_c(text, '"');
    g_string_append(text, name);
    g_string_append(text, "\":");
}

/* Texts are UTF-8 (printable.h). NULL is null. */
static void add_string(GString *text, const char *name, const char *value)
{
    add_name(text, name);
    g_string_append(text, value ? "\"" : "null");
    for (; value && *value; value++) {
        if (*value == '"' || *value == '\\')
            g_string_append_c(text, '\\');
        g_string_append_c(text, *value);
    }
    if (value)
        g_string_append_c(text, '"');
}

static void add_number(GString *text, const char *name, bool is_known, uint64_t value)
{
    add_name(text, name);
    if (is_known)
        append_decimal(text, value);
    else
        g_string_append(text, "null");
}

static void add_hex(GString *text, const char *name, bool is_known, uint64_t value)
{
    add_name(text, name);
    if (!is_known) {
        g_string_append(text, "null");
        return;
    }
    g_string_append(text, "\"0x");
    append_hex(text, value, 1);
    g_string_append_c(text, '"');
}

/* The columns. */

static void index_text(GString *text, const DumpRow *row)
{
    append_decimal(text, row->batch->first + row->i);
}

static void index_json(GString *text, const DumpRow *row)
{
    add_number(text, "index", true, row->batch->first + row->i);
}

static void vcpu_text(GString *text, const DumpRow *row)
{
    append_decimal(text, row->batch->vcpu);
}

static void vcpu_json(GString *text, const DumpRow *row)
{
    add_number(text, "vcpu", true, row->batch->vcpu);
}

static void cpl_text(GString *text, const DumpRow *row)
{
    append_decimal(text, mt_cpl(info_of(row)));
}

static void cpl_json(GString *text, const DumpRow *row)
{
    add_number(text, "cpl", true, mt_cpl(info_of(row)));
}

static void type_text(GString *text, const DumpRow *row)
{
    g_string_append(text, mt_is_store(info_of(row)) ? "store" : "load");
}

static void type_json(GString *text, const DumpRow *row)
{
    add_string(text, "type", mt_is_store(info_of(row)) ? "store" : "load");
}

static void size_text(GString *text, const DumpRow *row)
{
    append_decimal(text, mt_size(info_of(row)));
}

static void size_json(GString *text, const DumpRow *row)
{
    add_number(text, "size", true, mt_size(info_of(row)));
}

static void access_text(GString *text, const DumpRow *row)
{
    g_string_append_c(text, mt_is_store(info_of(row)) ? 'S' : 'L');
    append_decimal(text, mt_size(info_of(row)));
}

static void access_json(GString *text, const DumpRow *row)
{
    type_json(text, row);
    g_string_append_c(text, ',');
    size_json(text, row);
}

static void address_text(GString *text, const DumpRow *row)
{
    append_hex(text, row->batch->address[row->i], 16);
}

static void address_json(GString *text, const DumpRow *row)
{
    add_hex(text, "address", true, row->batch->address[row->i]);
}

static void paddr_text(GString *text, const DumpRow *row)
{
    if (!has_paddr(row))
        return;
    append_hex(text, row->batch->paddr[row->i] & ~MT_PADDR_IO, 1);
    g_string_append(text, is_io(row) ? "io" : "  ");
}

static void paddr_json(GString *text, const DumpRow *row)
{
    add_hex(text, "paddr", has_paddr(row), has_paddr(row) ? row->batch->paddr[row->i] & ~MT_PADDR_IO : 0);
    g_string_append_printf(text, ",\"io\":%s", !has_paddr(row) ? "null" : is_io(row) ? "true" : "false");
}

static unsigned page_shift_of(const DumpRow *row)
{
    return row->batch->page_size ? row->batch->page_size[row->i] : 0;
}

static void page_size_text(GString *text, const DumpRow *row)
{
    unsigned shift = page_shift_of(row);

    if (shift)
        g_string_append_printf(text, "%u", 1u << shift);
}

static void page_size_json(GString *text, const DumpRow *row)
{
    unsigned shift = page_shift_of(row);

    add_number(text, "page_size", shift, 1u << shift);
}

static void value_text(GString *text, const DumpRow *row)
{
    unsigned bytes = MIN(mt_size(info_of(row)), 16);

    if (!has_value(row))
        return;
    if (bytes > 8)
        append_hex(text, row->batch->value[row->i].high, 2 * bytes - 16);
    append_hex(text, row->batch->value[row->i].low, 2 * MIN(bytes, 8));
}

static void value_json(GString *text, const DumpRow *row)
{
    const struct mt_value *value = has_value(row) ? &row->batch->value[row->i] : NULL;

    if (value && value->high)
        g_string_append_printf(text, "\"value\":\"0x" HEX "%016" G_GINT64_MODIFIER "x\"", value->high, value->low);
    else
        add_hex(text, "value", value, value ? value->low : 0);
}

static void time_text(GString *text, const DumpRow *row)
{
    append_decimal(text, row->batch->time_ns);
}

static void time_json(GString *text, const DumpRow *row)
{
    add_number(text, "time_ns", true, row->batch->time_ns);
}

static void pid_text(GString *text, const DumpRow *row)
{
    if (row->task)
        append_decimal(text, row->task->pid);
}

static void pid_json(GString *text, const DumpRow *row)
{
    add_number(text, "pid", row->task, row->task ? row->task->pid : 0);
}

static void tid_text(GString *text, const DumpRow *row)
{
    if (row->task)
        append_decimal(text, row->task->tid);
}

static void tid_json(GString *text, const DumpRow *row)
{
    add_number(text, "tid", row->task, row->task ? row->task->tid : 0);
}

static void command_text(GString *text, const DumpRow *row)
{
    g_string_append(text, row->command ? row->command : "");
}

static void command_json(GString *text, const DumpRow *row)
{
    add_string(text, "command", row->command);
}

static void context_text(GString *text, const DumpRow *row)
{
    g_string_append(text, row->task ? context_name(row) : "");
}

static void context_json(GString *text, const DumpRow *row)
{
    add_string(text, "context", row->task ? context_name(row) : NULL);
}

/* "123 name", "123/125 name" of another thread than the first, and what has interrupted it. */
static void task_text(GString *text, const DumpRow *row)
{
    append_decimal(text, row->task ? row->task->pid : 0);
    if (row->task && row->task->tid != row->task->pid) {
        g_string_append_c(text, '/');
        append_decimal(text, row->task->tid);
    }
    g_string_append_c(text, ' ');
    g_string_append(text, row->command ? row->command : "?");
    if (row->context != MT_TASK_RUNS)
        g_string_append_printf(text, " (%s)", context_name(row));
}

static void task_json(GString *text, const DumpRow *row)
{
    pid_json(text, row);
    g_string_append_c(text, ',');
    tid_json(text, row);
    g_string_append_c(text, ',');
    command_json(text, row);
    g_string_append_c(text, ',');
    context_json(text, row);
}

static void region_text(GString *text, const DumpRow *row)
{
    g_string_append(text, row->object ? row->object->region : "");
}

static void region_json(GString *text, const DumpRow *row)
{
    add_string(text, "region", row->object ? row->object->region : NULL);
}

static void object_text(GString *text, const DumpRow *row)
{
    g_string_append(text, row->object ? row->object->name : "");
}

static void object_json(GString *text, const DumpRow *row)
{
    add_string(text, "object", row->object ? row->object->name : NULL);
}

static void pc_text(GString *text, const DumpRow *row)
{
    if (row->code)
        append_hex(text, row->code->pc, 16);
}

static void pc_json(GString *text, const DumpRow *row)
{
    add_hex(text, "pc", row->code, row->code ? row->code->pc : 0);
}

static void bytes_text(GString *text, const DumpRow *row)
{
    for (unsigned i = 0; row->code && i < MIN(row->code->instruction->length, 15); i++)
        g_string_append_printf(text, "%02x", row->code->instruction->bytes[i]);
}

static void bytes_json(GString *text, const DumpRow *row)
{
    g_autoptr(GString) bytes = g_string_new(NULL);

    bytes_text(bytes, row);
    add_string(text, "bytes", row->code ? bytes->str : NULL);
}

static void instruction_text(GString *text, const DumpRow *row)
{
    g_string_append(text, row->code ? row->code->disassembly : UNKNOWN_INSTRUCTION);
}

static void instruction_json(GString *text, const DumpRow *row)
{
    add_string(text, "instruction", row->code ? row->code->disassembly : NULL);
}

static void function_text(GString *text, const DumpRow *row)
{
    const struct mt_symbol *symbol = symbol_of(row);

    g_string_append(text, symbol && symbol->function ? symbol->function : "");
}

static void function_json(GString *text, const DumpRow *row)
{
    add_string(text, "function", symbol_of(row) ? symbol_of(row)->function : NULL);
}

static void offset_text(GString *text, const DumpRow *row)
{
    if (symbol_of(row))
        g_string_append_printf(text, "0x" HEX, symbol_of(row)->offset);
}

static void offset_json(GString *text, const DumpRow *row)
{
    add_number(text, "offset", symbol_of(row), symbol_of(row) ? symbol_of(row)->offset : 0);
}

static void binary_text(GString *text, const DumpRow *row)
{
    const struct mt_symbol *symbol = symbol_of(row);

    g_string_append(text, symbol && symbol->object ? symbol->object : "");
}

static void binary_json(GString *text, const DumpRow *row)
{
    add_string(text, "binary", symbol_of(row) ? symbol_of(row)->object : NULL);
}

static void place_text(GString *text, const DumpRow *row)
{
    g_string_append(text, row->code && row->code->place ? row->code->place : "");
}

static void place_json(GString *text, const DumpRow *row)
{
    function_json(text, row);
    g_string_append_c(text, ',');
    offset_json(text, row);
    g_string_append_c(text, ',');
    binary_json(text, row);
}

static void file_text(GString *text, const DumpRow *row)
{
    const struct mt_symbol *symbol = symbol_of(row);

    g_string_append(text, symbol && symbol->file ? symbol->file : "");
}

static void file_json(GString *text, const DumpRow *row)
{
    add_string(text, "file", symbol_of(row) ? symbol_of(row)->file : NULL);
}

static void line_text(GString *text, const DumpRow *row)
{
    if (symbol_of(row) && symbol_of(row)->line)
        append_decimal(text, symbol_of(row)->line);
}

static void line_json(GString *text, const DumpRow *row)
{
    bool is_known = symbol_of(row) && symbol_of(row)->line;

    add_number(text, "line", is_known, is_known ? symbol_of(row)->line : 0);
}

/* "; /a.h:3 in add(int), called at /a.c:10" */
static void source_text(GString *text, const DumpRow *row)
{
    const struct mt_symbol *symbol = symbol_of(row);

    for (size_t i = 0; symbol && i < symbol->frame_count; i++) {
        const struct mt_source_frame *frame = &symbol->frames[i];

        g_string_append_printf(text, "%s%s:%u", i ? ", called at " : "; ", frame->file ? frame->file : "?",
                               frame->line);
        if (i + 1 < symbol->frame_count)
            g_string_append_printf(text, " in %s", frame->function ? frame->function : "?");
    }
}

static void source_json(GString *text, const DumpRow *row)
{
    const struct mt_symbol *symbol = symbol_of(row);

    g_string_append(text, "\"source\":[");
    for (size_t i = 0; symbol && i < symbol->frame_count; i++) {
        const struct mt_source_frame *frame = &symbol->frames[i];

        g_string_append(text, i ? ",{" : "{");
        add_string(text, "function", frame->function);
        g_string_append_c(text, ',');
        add_string(text, "file", frame->file);
        g_string_append_c(text, ',');
        add_number(text, "line", frame->line, frame->line);
        g_string_append_c(text, '}');
    }
    g_string_append_c(text, ']');
}

#define COLUMN(name, width, fields)                                                                                    \
    {                                                                                                                  \
#name, width, fields, name##_text, name##_json                                                                 \
    }

const DumpColumn dump_columns_all[] = {
    COLUMN(index, 12, 0),
    COLUMN(vcpu, 4, 0),
    COLUMN(cpl, 3, 0),
    COLUMN(access, -6, 0),
    COLUMN(type, -5, 0),
    COLUMN(size, 4, 0),
    COLUMN(address, 16, 0),
    COLUMN(paddr, 15, MT_FIELD_PADDR),
    COLUMN(page_size, 10, MT_FIELD_PAGE_SIZE),
    COLUMN(value, 32, MT_FIELD_VALUE),
    { "time_ns", 14, MT_FIELD_TIME, time_text, time_json },
    COLUMN(task, -39, MT_FIELD_TASK),
    COLUMN(pid, 7, MT_FIELD_TASK),
    COLUMN(tid, 7, MT_FIELD_TASK),
    COLUMN(command, -15, MT_FIELD_TASK),
    COLUMN(context, -9, MT_FIELD_TASK),
    COLUMN(region, -14, MT_FIELD_TASK),
    COLUMN(object, -24, MT_FIELD_TASK),
    COLUMN(pc, 16, MT_FIELD_INSTRUCTION),
    COLUMN(bytes, -30, MT_FIELD_INSTRUCTION),
    COLUMN(place, -32, MT_FIELD_INSTRUCTION),
    COLUMN(function, -24, MT_FIELD_INSTRUCTION),
    COLUMN(offset, 8, MT_FIELD_INSTRUCTION),
    COLUMN(binary, -24, MT_FIELD_INSTRUCTION),
    COLUMN(instruction, -32, MT_FIELD_INSTRUCTION),
    COLUMN(file, -32, MT_FIELD_INSTRUCTION),
    COLUMN(line, 5, MT_FIELD_INSTRUCTION),
    COLUMN(source, -32, MT_FIELD_INSTRUCTION),
    { 0 },
};
