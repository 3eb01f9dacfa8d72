/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory_tracer dump FILE: records as text, with symbols and disassembly. */
#include <capstone/capstone.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../context/symbols.h"
#include "../source/input.h"
#include "cmd.h"

typedef struct {
    Input *input;
    Symbols *symbols;
    csh disassembler;
    GPtrArray *texts; /* what is printed of an instruction, by its number; NULL: not made yet */
} Dump;

static void load_symbols(Dump *dump)
{
    char *kallsyms, *libraries;
    size_t bytes;

    dump->symbols = symbols_new();
    kallsyms = input_attachment(dump->input->trace, "kallsyms", &bytes);
    if (kallsyms)
        symbols_add_kallsyms(dump->symbols, kallsyms);
    free(kallsyms);
    libraries = input_attachment(dump->input->trace, "libraries", &bytes);
    if (libraries) {
        g_auto(GStrv) lines = g_strsplit(libraries, "\n", -1);

        for (char **line = lines; *line; line++) {
            char *path;
            uint64_t bias = g_ascii_strtoull(*line, &path, 16);

            if (path > *line && *path == ' ')
                symbols_add_elf(dump->symbols, path + 1, bias);
        }
    }
    free(libraries);
}

/* "PC  symbol+0x12  mov rax, qword ptr [rdi]" */
static char *describe_instruction(Dump *dump, const struct mt_instruction *instruction)
{
    GString *text = g_string_new(NULL);
    uint64_t offset = 0;
    const char *name = symbols_find(dump->symbols, instruction->pc, &offset);
    cs_insn *decoded;
    size_t count;

    g_string_append_printf(text, "  %016" G_GINT64_MODIFIER "x ", instruction->pc);
    if (name) {
        g_autofree char *place = g_strdup_printf("%s+0x%" G_GINT64_MODIFIER "x", name, offset);

        g_string_append_printf(text, " %-32s", place);
    }
    count = cs_disasm(dump->disassembler, instruction->bytes, instruction->length, instruction->pc, 1, &decoded);
    if (count) {
        g_string_append_printf(text, "  %s %s", decoded->mnemonic, decoded->op_str);
        cs_free(decoded, count);
    } else {
        g_string_append(text, "  .byte");
        for (unsigned i = 0; i < instruction->length; i++)
            g_string_append_printf(text, " %02x", instruction->bytes[i]);
    }
    return g_string_free(text, FALSE);
}

static const char *instruction_text(Dump *dump, uint32_t number)
{
    const struct mt_instruction *instruction = mt_trace_instruction(dump->input->trace, number);
    char *text;

    if (!instruction)
        return "  (unknown instruction)";
    if (number >= dump->texts->len)
        g_ptr_array_set_size(dump->texts, (gint)MAX(mt_trace_instructions(dump->input->trace), number) + 1);
    text = dump->texts->pdata[number];
    if (!text)
        dump->texts->pdata[number] = text = describe_instruction(dump, instruction);
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
    if (batch->value)
        print_value(&batch->value[i], mt_size(info));
    if (mt_trace_fields(dump->input->trace) & MT_FIELD_TIME)
        printf("  %14" G_GUINT64_FORMAT, batch->time_ns);
    if (mt_trace_fields(dump->input->trace) & MT_FIELD_INSTRUCTION)
        fputs(instruction_text(dump, batch->instruction[i]), stdout);
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

int cmd_dump(int argc, char **argv, GError **error)
{
    g_auto(Selection) selection = SELECTION_INIT;
    const GOptionEntry own[] = { { NULL, 0, 0, 0, NULL, NULL, NULL } };
    g_autofree GOptionEntry *entries = selection_entries(&selection, own);
    Dump dump = { 0 };
    int status;

    if (!options_parse(&argc, &argv, entries, "FILE",
                       "Prints the records of a trace as text, a line each: a trace file, or a stream of GMBEOO or "
                       "compact records; \"-\" is standard input.",
                       NULL, false, error))
        return -1;
    if (argc != 2) {
        mt_fail_usage(error, "dump: one FILE is needed (see --help)");
        return -1;
    }
    dump.input = input_open(argv[1], &selection, MT_COLUMN_ALL, error);
    if (!dump.input)
        return -1;
    input_set_to_stdout(dump.input);
    if (cs_open(CS_ARCH_X86, CS_MODE_64, &dump.disassembler) != CS_ERR_OK) {
        mt_fail(error, "capstone can't be used");
        input_free(dump.input);
        return -1;
    }
    load_symbols(&dump);
    dump.texts = g_ptr_array_new_with_free_func(g_free);
    status = dump_all(&dump, error);
    g_ptr_array_unref(dump.texts);
    symbols_free(dump.symbols);
    cs_close(&dump.disassembler);
    input_free(dump.input);
    return status;
}
