/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory_tracer dump FILE: records as text, with symbols and disassembly. */
#include <capstone/capstone.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/error.h"
#include "../base/printable.h"
#include "../context/names.h"
#include "../source/input.h"
#include "cmd.h"

#define MODES 3

typedef struct {
    Input *input;
    Names *names;
    gboolean lines;           /* are wanted */
    csh disassemblers[MODES]; /* by mode_number() */
    GPtrArray *texts;         /* what is printed of an instruction, by its number; NULL: not made yet */
    GHashTable *varying;      /* the same by `memory << 32 | number`, of those that depend on the memory */
} Dump;

/* Where its disassembler is: of code of 16, 32 or 64 bits. */
static unsigned mode_number(const struct mt_instruction *instruction)
{
    return instruction->mode == MT_MODE_16 ? 0 : instruction->mode == MT_MODE_32 ? 1 : 2;
}

/* "  ; /a.h:3 in add(int), called at /a.c:10" */
static void append_line(GString *text, const struct mt_symbol *symbol)
{
    for (size_t i = 0; symbol && i < symbol->frame_count; i++) {
        const struct mt_source_frame *frame = &symbol->frames[i];

        g_string_append_printf(text, "%s%s:%u", i ? ", called at " : "  ; ", frame->file ? frame->file : "?",
                               frame->line);
        if (i + 1 < symbol->frame_count)
            g_string_append_printf(text, " in %s", frame->function ? frame->function : "?");
    }
}

/* "PC  symbol+0x12  mov rax, qword ptr [rdi]" */
static char *describe_instruction(Dump *dump, const struct mt_instruction *instruction, uint32_t memory,
                                  uint32_t number)
{
    GString *text = g_string_new(NULL);
    uint64_t offset;
    const char *function = names_of_instruction_in(dump->names, memory, number, &offset);
    csh disassembler = dump->disassemblers[mode_number(instruction)];
    cs_insn *decoded;
    size_t count;

    g_string_append_printf(text, "  %016" G_GINT64_MODIFIER "x ", instruction->pc);
    if (function) {
        g_autofree char *place = g_strdup_printf("%s+0x%" G_GINT64_MODIFIER "x", function, offset);

        g_string_append_printf(text, " %-32s", place);
    }
    count = cs_disasm(disassembler, instruction->bytes, instruction->length, instruction->pc, 1, &decoded);
    if (count) {
        g_string_append_printf(text, "  %s %s", decoded->mnemonic, decoded->op_str);
        cs_free(decoded, count);
    } else {
        g_string_append(text, "  .byte");
        for (unsigned i = 0; i < instruction->length; i++)
            g_string_append_printf(text, " %02x", instruction->bytes[i]);
    }
    if (dump->lines)
        append_line(text, names_symbol_in(dump->names, memory, number));
    return g_string_free(text, FALSE);
}

/* In which memory the batch's record is made. */
static uint32_t memory_of(const Dump *dump, size_t i)
{
    const struct mt_batch *batch = dump->input->batch;
    const struct mt_task *task = mt_task_at(dump->input->trace, batch, i, NULL);

    return task ? task_memory_at(names_task_memory(dump->names), task->number, batch->first + i, NULL) : 0;
}

/* Of an instruction that is of another program in another memory. */
static const char *varying_text(Dump *dump, const struct mt_instruction *instruction, uint32_t memory, uint32_t number)
{
    uint64_t key = (uint64_t)memory << 32 | number;
    char *text = g_hash_table_lookup(dump->varying, &key);

    if (!text) {
        text = describe_instruction(dump, instruction, memory, number);
        g_hash_table_insert(dump->varying, g_memdup2(&key, sizeof key), text);
    }
    return text;
}

static const char *instruction_text(Dump *dump, size_t i)
{
    uint32_t number = dump->input->batch->instruction[i];
    const struct mt_instruction *instruction = mt_trace_instruction(dump->input->trace, number);
    char *text;

    if (!instruction)
        return "  (unknown instruction)";
    if (names_vary(dump->names, number))
        return varying_text(dump, instruction, memory_of(dump, i), number);
    if (number >= dump->texts->len)
        g_ptr_array_set_size(dump->texts, (gint)MAX(mt_trace_instructions(dump->input->trace), number) + 1);
    text = dump->texts->pdata[number];
    if (!text)
        dump->texts->pdata[number] = text = describe_instruction(dump, instruction, 0, number);
    return text;
}

static void print_value(const struct mt_value *value, unsigned bytes)
{
    if (bytes > 8)
        printf("  %0*" G_GINT64_MODIFIER "x%016" G_GINT64_MODIFIER "x", (int)(2 * MIN(bytes, 16) - 16), value->high,
               value->low);
    else
        printf("  %*s%0*" G_GINT64_MODIFIER "x", (int)(16 - 2 * bytes), "", (int)(2 * bytes), value->low);
}

/* "123 name", "123/125 name" of another thread than the first, and what has interrupted it. */
static void print_task(const Dump *dump, size_t i)
{
    static const char *const contexts[] = { "", " (interrupt)", " (softirq)" };
    enum mt_task_context context;
    const struct mt_task *task = mt_task_at(dump->input->trace, dump->input->batch, i, &context);
    g_autofree char *name = task ? text_make_printable(task->name) : g_strdup("?");
    g_autofree char *thread = task && task->tid != task->pid ? g_strdup_printf("/%u", task->tid) : g_strdup("");
    g_autofree char *text = g_strdup_printf("%u%s %s%s", task ? task->pid : 0, thread, name,
                                            context < G_N_ELEMENTS(contexts) ? contexts[context] : "");

    printf("  %-24s", text);
}

static void print_record(Dump *dump, size_t i)
{
    const struct mt_batch *batch = dump->input->batch;
    uint8_t info = batch->info[i];

    printf("%12" G_GUINT64_FORMAT "  %3u  %u  %c%-3u  %016" G_GINT64_MODIFIER "x", batch->first + i, batch->vcpu,
           mt_cpl(info), mt_is_store(info) ? 'S' : 'L', mt_size(info), batch->address[i]);
    if (batch->paddr && batch->paddr[i] == MT_PADDR_UNKNOWN)
        printf("  %15s", "?");
    else if (batch->paddr)
        printf("  %13" G_GINT64_MODIFIER "x%s", batch->paddr[i] & ~MT_PADDR_IO,
               batch->paddr[i] & MT_PADDR_IO ? "io" : "  ");
    if (batch->value_unknown && batch->value_unknown[i])
        printf("  %16s", "?");
    else if (batch->value)
        print_value(&batch->value[i], mt_size(info));
    if (mt_trace_fields(dump->input->trace) & MT_FIELD_TIME)
        printf("  %14" G_GUINT64_FORMAT, batch->time_ns);
    if (mt_trace_fields(dump->input->trace) & MT_FIELD_TASK)
        print_task(dump, i);
    if (mt_trace_fields(dump->input->trace) & MT_FIELD_INSTRUCTION)
        fputs(instruction_text(dump, i), stdout);
    putchar('\n');
}

static void print_heading(const mt_trace *trace)
{
    unsigned fields = mt_trace_fields(trace);

    printf("%12s %4s CPL size  %-16s", "# index", "vCPU", "address");
    if (fields & MT_FIELD_PADDR)
        printf("  %15s", "physical");
    if (fields & MT_FIELD_VALUE)
        printf("  %16s", "value");
    if (fields & MT_FIELD_TIME)
        printf("  %14s", "ns");
    if (fields & MT_FIELD_TASK)
        printf("  %-24s", "task");
    puts(fields & MT_FIELD_INSTRUCTION ? "  instruction" : "");
}

static int dump_all(Dump *dump, GError **error)
{
    int more;

    print_heading(dump->input->trace);
    while ((more = input_next(dump->input, error)) > 0) {
        for (size_t k = 0; k < dump->input->count; k++)
            print_record(dump, dump->input->selected[k]);
        if (ferror(stdout))
            break; /* main() says why */
    }
    return more < 0 ? -1 : 0;
}

static bool open_disassemblers(Dump *dump, GError **error)
{
    static const cs_mode modes[MODES] = { CS_MODE_16, CS_MODE_32, CS_MODE_64 };

    for (unsigned i = 0; i < MODES; i++)
        if (cs_open(CS_ARCH_X86, modes[i], &dump->disassemblers[i]) != CS_ERR_OK)
            return mt_fail(error, "capstone can't be used");
    return true;
}

static void dump_clear(Dump *dump)
{
    for (unsigned i = 0; i < MODES; i++)
        if (dump->disassemblers[i])
            cs_close(&dump->disassemblers[i]);
    g_clear_pointer(&dump->texts, g_ptr_array_unref);
    g_clear_pointer(&dump->varying, g_hash_table_unref);
    names_free(dump->names);
    input_free(dump->input);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Dump, dump_clear)

int cmd_dump(int argc, char **argv, GError **error)
{
    g_auto(Selection) selection = SELECTION_INIT;
    g_auto(Dump) dump = { 0 };
    const GOptionEntry own[] = {
        { "lines", 0, 0, G_OPTION_ARG_NONE, &dump.lines,
          "Also the source line of each instruction, and the inlined functions that it is in, where the trace has them",
          NULL },
        { NULL, 0, 0, 0, NULL, NULL, NULL },
    };
    g_autofree GOptionEntry *entries = selection_entries(&selection, own);

    if (!options_parse(
            &argc, &argv, entries, "FILE",
            "Prints the records of a trace as text, a line each: a trace file, or a stream of 16-byte (GMBEOO) "
            "or 8-byte (compact) records; \"-\" is standard input.",
            NULL, false, error))
        return -1;
    if (argc != 2) {
        mt_fail_usage(error, "dump: one FILE is needed (see --help)");
        return -1;
    }
    dump.input = input_open(argv[1], &selection, MT_COLUMN_ALL | MT_COLUMN_TASK, error);
    if (!dump.input)
        return -1;
    input_set_to_stdout(dump.input);
    if (!open_disassemblers(&dump, error))
        return -1;
    dump.names = names_new(dump.input->trace, true);
    dump.varying = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
    dump.texts = g_ptr_array_new_with_free_func(g_free);
    return dump_all(&dump, error);
}
