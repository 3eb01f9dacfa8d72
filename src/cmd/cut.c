/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory_tracer cut and merge: new trace files from parts of others. */
#include <string.h>

#include "../base/regular_file.h"
#include "../source/derive.h"
#include "cmd.h"

/* Opens the inputs argv[1]... and writes `output`. `words`: the whole command. Returns an exit status, or -1 with an
 * error. */
static int run(VcpuPolicy policy, int argc, char **argv, char **words, const Selection *selection, const char *output,
               GError **error)
{
    g_autoptr(GPtrArray) inputs = g_ptr_array_new_with_free_func((GDestroyNotify)input_free);
    bool standard_input = false;

    if (!options_check_trace_output(output, error))
        return -1;
    for (int i = 1; i < argc; i++) {
        Input *input = regular_file_check_apart(output, argv[i], error)
                           ? input_open(argv[i], selection, MT_COLUMN_ALL | MT_COLUMN_TASK | MT_COLUMN_PAGE_SIZE, error)
                           : NULL;

        if (!input)
            return -1;
        g_ptr_array_add(inputs, input);
        if (!strcmp(argv[i], "-") && standard_input) {
            mt_fail_usage(error, "standard input can be read only once");
            return -1;
        }
        standard_input |= !strcmp(argv[i], "-");
    }
    return derive_file(inputs, policy, words, output, error) ? 0 : -1;
}

int cmd_cut(int argc, char **argv, GError **error)
{
    g_auto(Selection) selection = SELECTION_INIT;
    g_auto(GStrv) words = g_strdupv(argv);
    g_autofree char *output = NULL;
    const GOptionEntry own[] = {
        { "output", 'o', 0, G_OPTION_ARG_FILENAME, &output, "The trace file to write", "NEW" },
        { NULL, 0, 0, 0, NULL, NULL, NULL },
    };
    g_autofree GOptionEntry *entries = selection_entries(&selection, own);

    if (!options_parse(&argc, &argv, entries, "FILE",
                       "Writes some of the records of a trace into a new trace file. The order stays; the records "
                       "are numbered anew.",
                       NULL, false, error))
        return -1;
    if (argc != 2 || !output) {
        mt_fail_usage(error, "cut: one FILE and --output are needed (see --help)");
        return -1;
    }
    return run(VCPUS_KEEP, argc, argv, words, &selection, output, error);
}

static bool parse_policy(const char *name, VcpuPolicy *policy, GError **error)
{
    static const char *const names[] = { [VCPUS_KEEP] = "keep", [VCPUS_RENUMBER] = "renumber", [VCPUS_ONE] = "one" };

    *policy = VCPUS_KEEP;
    for (guint i = 0; i < G_N_ELEMENTS(names); i++)
        if (!name || !strcmp(name, names[i])) {
            *policy = (VcpuPolicy)i;
            return true;
        }
    return mt_fail_usage(error, "--vcpus must be keep, renumber or one, but %s isn't.", name);
}

int cmd_merge(int argc, char **argv, GError **error)
{
    g_auto(Selection) selection = SELECTION_INIT;
    g_auto(GStrv) words = g_strdupv(argv);
    g_autofree char *output = NULL, *vcpus = NULL;
    const GOptionEntry own[] = {
        { "output", 'o', 0, G_OPTION_ARG_FILENAME, &output, "The trace file to write", "NEW" },
        { "vcpus", 0, 0, G_OPTION_ARG_STRING, &vcpus,
          "keep: vCPU i of each file stays vCPU i (the default); renumber: each file's vCPUs are others; one: all "
          "become vCPU 0",
          "keep|renumber|one" },
        { NULL, 0, 0, 0, NULL, NULL, NULL },
    };
    g_autofree GOptionEntry *entries = selection_entries(&selection, own);
    VcpuPolicy policy;

    if (!options_parse(&argc, &argv, entries, "FILE...",
                       "Writes the records of several traces into a new trace file: by their time, if all of them "
                       "tell it, else one file after the other. It has the fields that all of them have.",
                       NULL, false, error))
        return -1;
    if (argc < 2 || !output) {
        mt_fail_usage(error, "merge: FILEs and --output are needed (see --help)");
        return -1;
    }
    return parse_policy(vcpus, &policy, error) ? run(policy, argc, argv, words, &selection, output, error) : -1;
}
