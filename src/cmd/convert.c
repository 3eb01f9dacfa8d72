/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory_tracer convert: writes a trace in a format that other tools read. */
#include "../convert/convert.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/part_file.h"
#include "../base/regular_file.h"
#include "../convert/through_cache.h"
#include "cmd.h"

#define OUTPUT_BUFFER (1u << 20)
#define PAGE_BYTES 4096
#define PS_PER_NS 1000

static const ConvertFormat *const formats[] = {
    &convert_gmbeoo, &convert_compact,        &convert_lackey, &convert_din, &convert_ramulator2, &convert_dramsim3,
    &convert_gem5,   &convert_oracle_general, &convert_csv,    &convert_npy, &convert_trace,
};

bool output_fail(const Output *output, GError **error)
{
    return mt_fail(error, "can't write %s: %s", output->path, g_strerror(errno));
}

bool output_write(Output *output, const void *bytes, size_t count, GError **error)
{
    return fwrite(bytes, 1, count, output->file) == count || output_fail(output, error);
}

uint64_t output_clock_ps(Output *output, const Access *access)
{
    uint64_t ps =
        output->clock ? convert_clock_ps(output->clock, access->vcpu, access->index) : access->index * PS_PER_NS;

    if (!output->clock_began)
        output->clock_origin_ps = ps;
    output->clock_began = true;
    if (ps > output->clock_origin_ps)
        output->clock_ps = MAX(output->clock_ps, ps - output->clock_origin_ps);
    return output->clock_ps;
}

/* To be freed. */
static char *format_names(const char *separator)
{
    GString *names = g_string_new(NULL);

    for (guint i = 0; i < G_N_ELEMENTS(formats); i++)
        g_string_append_printf(names, "%s%s", i ? separator : "", formats[i]->name);
    return g_string_free(names, FALSE);
}

static const ConvertFormat *find_format(const char *name, GError **error)
{
    g_autofree char *names = format_names(", ");

    for (guint i = 0; i < G_N_ELEMENTS(formats); i++)
        if (!g_strcmp0(name, formats[i]->name))
            return formats[i];
    if (name)
        mt_fail_usage(error, "--to must be one of %s, but %s isn't.", names, name);
    else
        mt_fail_usage(error, "convert: --to FORMAT is needed, one of %s", names);
    return NULL;
}

/* The list of formats, for --help. To be freed. */
static char *describe_formats(void)
{
    GString *text = g_string_new("Formats, and what they can't carry:\n");

    for (guint i = 0; i < G_N_ELEMENTS(formats); i++) {
        g_string_append_printf(text, "  %-15s %s\n", formats[i]->name, formats[i]->what);
        if (formats[i]->without)
            g_string_append_printf(text, "  %-15s without %s\n", "", formats[i]->without);
    }
    return g_string_free(text, FALSE);
}

/* How much of an access goes into its next part: what is in a line, if that is what the format is made of; an aligned
 * power of two, if the format has no other sizes. */
static unsigned part_bytes(const ConvertFormat *format, const Output *output, uint64_t address, unsigned left)
{
    unsigned power = left;

    if (format->requests && !output->one_request)
        return (unsigned)MIN(left, LINE_BYTES - address % LINE_BYTES);
    if (!format->sizes_are_powers || !(left & (left - 1)))
        return left;
    while (power & (power - 1))
        power &= power - 1;
    while (address & (power - 1))
        power /= 2;
    return power;
}

/* What is written, and how. */
typedef struct {
    const ConvertFormat *format;
    Output *output;
    ThroughCache *through; /* or NULL */
} Conversion;

static bool write_access(const ConvertFormat *format, Output *output, Access access, GError **error)
{
    for (unsigned left = access.size; left; left -= access.size) {
        access.size = part_bytes(format, output, access.address, left);
        if (!format->access(output, &access, error))
            return false;
        access.address += access.size;
        access.virt_addr += access.size;
    }
    return true;
}

static bool write_of_memory(void *data, const Access *access, GError **error)
{
    Conversion *conversion = data;

    return write_access(conversion->format, conversion->output, *access, error);
}

/* Puts the physical address in. The trace has that of the first byte, so of an access that goes on into another page
 * only the part before that page is known: its frame may be anywhere. Returns false if nothing is to be written. */
static bool make_physical(Output *output, Access *access)
{
    uint64_t paddr = access->batch->paddr[access->i];
    unsigned in_page = PAGE_BYTES - access->virt_addr % PAGE_BYTES;

    output->unknown += paddr == MT_PADDR_UNKNOWN;
    output->io += paddr != MT_PADDR_UNKNOWN && (paddr & MT_PADDR_IO);
    if (paddr & MT_PADDR_IO) /* set in MT_PADDR_UNKNOWN, too */
        return false;
    access->address = paddr;
    output->second_pages += access->size > in_page;
    access->size = MIN(access->size, in_page);
    return true;
}

static bool add_access(const Conversion *conversion, Access *access, GError **error)
{
    if (conversion->output->physical && !make_physical(conversion->output, access))
        return true;
    return conversion->through ? through_cache_add(conversion->through, access, error)
                               : write_access(conversion->format, conversion->output, *access, error);
}

static bool convert_all(const Conversion *conversion, Input *input, GError **error)
{
    const ConvertFormat *format = conversion->format;
    Output *output = conversion->output;
    int more;

    if (format->all)
        return format->all(output, input, error);
    if (format->begin && !format->begin(output, error))
        return false;
    while ((more = input_next(input, error)) > 0)
        for (size_t k = 0; k < input->count; k++) {
            const struct mt_batch *batch = input->batch;
            size_t i = input->selected[k];
            Access access = { .index = batch->first + i,
                              .address = batch->address[i],
                              .virt_addr = batch->address[i],
                              .size = mt_size(batch->info[i]),
                              .vcpu = batch->vcpu,
                              .info = batch->info[i],
                              .time_ns = batch->time_ns,
                              .batch = batch,
                              .i = i };

            if (!add_access(conversion, &access, error))
                return false;
        }
    return more == 0 && (!format->end || format->end(output, error));
}

/* Writes into `path`, by way of a file beside it unless it is something special. */
static bool convert(const Conversion *conversion, Input *input, GError **error)
{
    const ConvertFormat *format = conversion->format;
    Output *output = conversion->output;
    struct stat status;
    bool standard_output = !strcmp(output->path, "-") || !strcmp(output->path, "/dev/stdout");
    bool beside = !standard_output && part_file_applies(output->path);
    const char *path = beside ? part_file_begin(output->path, error) : output->path;
    bool fine;

    if (!path)
        return false;
    output->file = standard_output ? stdout : fopen(path, "we");
    fine = output->file || output_fail(output, error);
    if (!fine && beside)
        part_file_abandon();
    if (!fine)
        return false;
    if (standard_output) {
        output->path = "standard output";
        input_set_to_stdout(input);
    }
    setvbuf(output->file, NULL, _IOFBF, OUTPUT_BUFFER);
    output->seekable = !fstat(fileno(output->file), &status) && S_ISREG(status.st_mode);
    fine = convert_all(conversion, input, error);
    if (format->clear)
        format->clear(output);
    if (fine && fflush(output->file))
        fine = output_fail(output, error);
    if (!standard_output && fclose(output->file) && fine)
        fine = output_fail(output, error);
    if (beside && fine)
        return part_file_commit(error);
    if (beside)
        part_file_abandon();
    return fine;
}

static ConvertClock *new_clock(const Input *input)
{
    g_autoptr(JsonObject) metadata = input_metadata(input->trace);

    return convert_clock_new(input->trace, metadata, input->events.begin);
}

static void tell_losses(const Conversion *conversion)
{
    const ConvertFormat *format = conversion->format;
    const Output *output = conversion->output;

    if (conversion->through)
        fprintf(stderr,
                "memory_tracer: note: the caches read %" G_GUINT64_FORMAT " lines and wrote %" G_GUINT64_FORMAT
                "; what they still keep at the end isn't written\n",
                through_cache_reads(conversion->through), through_cache_writes(conversion->through));
    if (format->without)
        fprintf(stderr, "memory_tracer: note: %s is without %s\n", format->name, format->without);
    if (output->io)
        fprintf(stderr,
                "memory_tracer: note: %" G_GUINT64_FORMAT " accesses to devices were left out, as they don't go to "
                "memory\n",
                output->io);
    if (output->unknown)
        fprintf(stderr,
                "memory_tracer: ATTENTION: %" G_GUINT64_FORMAT " records were left out, as their physical address is "
                "not known\n",
                output->unknown);
    if (output->second_pages)
        fprintf(stderr,
                "memory_tracer: ATTENTION: %" G_GUINT64_FORMAT " accesses had a second page, whose physical address "
                "the trace doesn't hold: only their part in the first one was written\n",
                output->second_pages);
}

static bool set_through_cache(Conversion *conversion, const char *settings, GError **error)
{
    /* Not for formats that have everything of a record: memory's requests have no values, and one address. */
    if (conversion->format->all || conversion->format->columns & (MT_COLUMN_PADDR | MT_COLUMN_VALUE))
        return mt_fail_usage(error, "--through-cache is for formats of requests: %s has records",
                             conversion->format->name);
    conversion->through = through_cache_new(settings, write_of_memory, conversion, error);
    return conversion->through;
}

/* The verb's options, as GOption leaves them. */
typedef struct {
    char *to, *path, *settings;
    gboolean physical, one_request;
    Selection selection;
} Command;

static void command_clear(Command *command)
{
    g_free(command->to);
    g_free(command->path);
    g_free(command->settings);
    selection_clear(&command->selection);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Command, command_clear)

static bool parse(Command *command, int *argc, char ***argv, GError **error)
{
    g_autofree char *list = describe_formats(), *names = format_names("|");
    const GOptionEntry own[] = {
        { "to", 't', 0, G_OPTION_ARG_STRING, &command->to, "The format to write",
          options_are_asked_for(*argc, *argv) ? names : "FORMAT" }, /* all of them would make --help too wide */
        { "output", 'o', 0, G_OPTION_ARG_FILENAME, &command->path, "Where to write it (default: standard output)",
          "FILE" },
        { "physical", 0, 0, G_OPTION_ARG_NONE, &command->physical, "Write physical addresses instead of virtual ones",
          NULL },
        { "one-request", 0, 0, G_OPTION_ARG_NONE, &command->one_request,
          "ramulator2, dramsim3, gem5: an access that touches two 64-byte lines is one request (default: one per line)",
          NULL },
        { "through-cache", 0, 0, G_OPTION_ARG_STRING, &command->settings,
          "Write what caches would read from memory and write back to it: settings as of the analysis 'cache', such as "
          "l1d=32K,8,l2=1M,16, or 'default'",
          "SETTINGS" },
        { NULL, 0, 0, 0, NULL, NULL, NULL },
    };
    g_autofree GOptionEntry *entries = selection_entries(&command->selection, own);

    if (!options_parse(
            argc, argv, entries, "[FILE]",
            "Writes a trace in a format that other tools read. FILE is a trace file, or a stream of "
            "16-byte (GMBEOO) or 8-byte (compact) records; without it, or with \"-\", standard input is read.",
            list, false, error))
        return false;
    return *argc <= 2 || mt_fail_usage(error, "convert: at most one FILE can be given (see --help)");
}

/* Sets the format, and the caches if there are any. */
static bool choose_format(Conversion *conversion, const Command *command, GError **error)
{
    conversion->format = find_format(command->to, error);
    if (!conversion->format)
        return false;
    if (command->one_request && !conversion->format->requests)
        return mt_fail_usage(error, "--one-request is for ramulator2, dramsim3 and gem5: %s has no requests",
                             conversion->format->name);
    return !command->settings || set_through_cache(conversion, command->settings, error);
}

static bool check_physical(const Output *output, const ConvertFormat *format, GError **error)
{
    if (!output->physical)
        return true;
    if (format->columns & MT_COLUMN_PADDR)
        return mt_fail_usage(error, "--physical is of no use: %s has the physical addresses beside the virtual ones",
                             format->name);
    return (output->fields & MT_FIELD_PADDR) ||
           mt_fail(error, "the trace has no physical addresses (it must be recorded with --fields paddr)");
}

int cmd_convert(int argc, char **argv, GError **error)
{
    g_auto(Command) command = { .selection = SELECTION_INIT };
    g_auto(GStrv) words = g_strdupv(argv);
    g_autoptr(Input) input = NULL;
    g_autoptr(ConvertClock) clock = NULL;
    g_autoptr(ThroughCache) through = NULL; /* the conversion's */
    g_autoptr(Names) code = NULL;
    Output output = { 0 };
    Conversion conversion = { .output = &output };
    bool chosen = parse(&command, &argc, &argv, error) && choose_format(&conversion, &command, error);
    const ConvertFormat *format = conversion.format;

    through = conversion.through;
    if (!chosen || (command.path && !regular_file_check_apart(command.path, argc == 2 ? argv[1] : "-", error)))
        return -1;
    input = input_open(argc == 2 ? argv[1] : "-", &command.selection,
                       MT_COLUMN_ADDRESS | format->columns | (command.physical ? MT_COLUMN_PADDR : 0) |
                           (through ? MT_COLUMN_INSTRUCTION : 0),
                       error);
    if (!input)
        return -1;
    output.words = words;
    output.path = command.path ? command.path : "-";
    output.physical = command.physical;
    output.one_request = command.one_request;
    output.fields = mt_trace_fields(input->trace);
    output.trace = input->trace;
    if (!format->all && (format->columns & MT_COLUMN_INSTRUCTION))
        output.names = code = names_new(input->trace, true);
    if (!check_physical(&output, format, error))
        return -1;
    if (format->requests && (format->columns & MT_COLUMN_TIME) && (output.fields & MT_FIELD_TIME))
        output.clock = clock = new_clock(input);
    if (!convert(&conversion, input, error))
        return -1;
    tell_losses(&conversion);
    return 0;
}
