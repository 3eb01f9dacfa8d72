/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory_tracer: dispatches to the verbs, prints what went wrong. */
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv, GError **error);
} verbs[] = {
    { "run", cmd_run },         { "record", cmd_record },   { "info", cmd_info }, { "dump", cmd_dump },
    { "check", cmd_check },     { "recover", cmd_recover }, { "cut", cmd_cut },   { "merge", cmd_merge },
    { "convert", cmd_convert }, { "image", cmd_image },     { "ctl", cmd_ctl },
};

int main(int argc, char **argv)
{
    GError *error = NULL;
    int status = -1;

    cmd_open_standard_streams();
    setlocale(LC_ALL, "");
    if (argc > 1 && !strcmp(argv[1], "--version")) {
        puts("memory_tracer " MEMORY_TRACER_VERSION);
        return 0;
    }
    for (guint i = 0; i < G_N_ELEMENTS(verbs); i++) {
        if (argc > 1 && !strcmp(argv[1], verbs[i].name)) {
            g_autofree char *name = g_strdup_printf("memory_tracer %s", verbs[i].name);

            g_set_prgname(name);
            status = verbs[i].run(argc - 1, argv + 1, &error);
            goto done;
        }
    }
    status = cmd_trace(argc, argv, &error);
done:
    return cmd_exit_status(status, error);
}
