/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The plugin's arguments: -plugin libgmbe.so,name=value,... */
#include <gio/gio.h>
#include <string.h>

#include "plugin.h"

#define USAGE                                                                                                          \
    "arguments: out=PATH or ring_fd=N, start=now|marker|never (marker), user_only=on|off (off), when_full=block|drop " \
    "(block), "                                                                                                        \
    "ring_kib=N (1024)"

/* Finds `value` among the NULL-terminated `choices` and gives its index. */
static bool one_of(const char *name, const char *value, const char *const *choices, int *index, GError **error)
{
    for (*index = 0; choices[*index]; ++*index)
        if (!strcmp(choices[*index], value))
            return true;
    g_autofree char *all = g_strjoinv(" or ", (char **)choices);
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "%s must be %s, but %s isn't", name, all, value);
    return false;
}

static bool number(const char *name, const char *value, uint64_t min, uint64_t max, uint64_t *result, GError **error)
{
    if (!g_ascii_string_to_unsigned(value, 10, min, max, result, NULL)) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                    "%s must be in range [%" G_GUINT64_FORMAT ", %" G_GUINT64_FORMAT "], but %s isn't", name, min, max,
                    value);
        return false;
    }
    return true;
}

bool plugin_options_parse(PluginOptions *options, int argc, char **argv, GError **error)
{
    static const char *const starts[] = {
        [START_AT_MARKER] = "marker", [START_NOW] = "now", [START_NEVER] = "never", NULL
    };
    static const char *const switches[] = { "off", "on", NULL };
    static const char *const policies[] = { [RING_BLOCK] = "block", [RING_DROP] = "drop", NULL };

    *options = (PluginOptions){ .ring_fd = -1, .ring_bytes = RING_DEFAULT_BYTES };

    for (int i = 0; i < argc; i++) {
        g_auto(GStrv) words = g_strsplit(argv[i], "=", 2);
        const char *name = words[0], *value = words[0] && words[1] ? words[1] : "";
        bool fine = true;
        int choice = 0;
        uint64_t n = 0;

        if (!g_strcmp0(name, "out")) {
            g_free(options->out);
            options->out = g_strdup(value);
        } else if (!g_strcmp0(name, "ring_fd")) {
            fine = number(name, value, 0, G_MAXINT, &n, error);
            options->ring_fd = (int)n;
        } else if (!g_strcmp0(name, "start")) {
            fine = one_of(name, value, starts, &choice, error);
            options->start = choice;
        } else if (!g_strcmp0(name, "user_only")) {
            fine = one_of(name, value, switches, &choice, error);
            options->user_only = choice;
        } else if (!g_strcmp0(name, "when_full")) {
            fine = one_of(name, value, policies, &choice, error);
            options->when_full = choice;
        } else if (!g_strcmp0(name, "ring_kib")) {
            fine = number(name, value, 2 * RING_CHUNK_BYTES / 1024, 1024 * 1024, &n, error);
            options->ring_bytes = (uint32_t)(n * 1024) & ~(RING_CHUNK_BYTES - 1);
        } else {
            g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "unknown argument '%s'; " USAGE, argv[i]);
            fine = false;
        }
        if (!fine)
            return false;
    }
    if ((options->out && *options->out) == (options->ring_fd >= 0)) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "one of out and ring_fd is needed; " USAGE);
        return false;
    }
    return true;
}
