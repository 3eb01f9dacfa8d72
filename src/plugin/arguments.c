/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The plugin's arguments: -plugin libgmbe.so,name=value,... */
#include <gio/gio.h>
#include <string.h>

#include "plugin.h"

#define USAGE                                                                                                          \
    "arguments: out=PATH or ring_fd=N, start=now|marker|never (marker), user_only=on|off (off), roi=on|off (off), "    \
    "log_block_len=N (0), log_tracing_ratio=N (0), sample_seed=N, record_format=gmbeoo|compact (gmbeoo), "             \
    "when_full=block|drop (block), strict_order=on|off (off), icount_shift=N, ring_kib=N (8192), control=PATH, "       \
    "kernel=PATH"

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
    static const char *const formats[] = { [RECORDS_GMBEOO] = "gmbeoo", [RECORDS_COMPACT] = "compact", NULL };
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
        } else if (!g_strcmp0(name, "control")) {
            g_free(options->control);
            options->control = g_strdup(value);
        } else if (!g_strcmp0(name, "kernel")) {
            g_free(options->kernel);
            options->kernel = g_strdup(value);
        } else if (!g_strcmp0(name, "ring_fd")) {
            fine = number(name, value, 0, G_MAXINT, &n, error);
            options->ring_fd = (int)n;
        } else if (!g_strcmp0(name, "start")) {
            fine = one_of(name, value, starts, &choice, error);
            options->start = choice;
        } else if (!g_strcmp0(name, "user_only")) {
            fine = one_of(name, value, switches, &choice, error);
            options->user_only = choice;
        } else if (!g_strcmp0(name, "roi")) {
            fine = one_of(name, value, switches, &choice, error);
            options->roi = choice;
        } else if (!g_strcmp0(name, "strict_order")) {
            fine = one_of(name, value, switches, &choice, error);
            options->strict_order = choice;
        } else if (!g_strcmp0(name, "icount_shift")) {
            fine = number(name, value, 0, 10, &n, error);
            options->icount = true;
            options->icount_shift = (unsigned)n;
        } else if (!g_strcmp0(name, "log_block_len")) {
            fine = number(name, value, 0, 64, &n, error);
            options->sampler.log_block_len = (unsigned)n;
        } else if (!g_strcmp0(name, "log_tracing_ratio")) {
            fine = number(name, value, 0, 64, &n, error);
            options->sampler.log_tracing_ratio = (unsigned)n;
        } else if (!g_strcmp0(name, "sample_seed")) {
            fine = number(name, value, 0, G_MAXUINT64, &options->sampler.seed, error);
            options->sampler.seeded = true;
        } else if (!g_strcmp0(name, "record_format")) {
            fine = one_of(name, value, formats, &choice, error);
            options->record_format = choice;
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
    if (options->sampler.log_block_len + options->sampler.log_tracing_ratio > 64) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                    "log_block_len + log_tracing_ratio must be in range [0, 64], but %u + %u isn't",
                    options->sampler.log_block_len, options->sampler.log_tracing_ratio);
        return false;
    }
    if (options->control && !options->out) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "control needs out; " USAGE);
        return false;
    }
    if ((options->out && *options->out) == (options->ring_fd >= 0)) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "one of out and ring_fd is needed; " USAGE);
        return false;
    }
    return true;
}
