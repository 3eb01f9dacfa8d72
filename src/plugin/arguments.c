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

static const char *const starts[] = {
    [START_AT_MARKER] = "marker", [START_NOW] = "now", [START_NEVER] = "never", NULL
};
static const char *const switches[] = { "off", "on", NULL };
static const char *const formats[] = { [RECORDS_GMBEOO] = "gmbeoo", [RECORDS_COMPACT] = "compact", NULL };
static const char *const policies[] = { [RING_BLOCK] = "block", [RING_DROP] = "drop", NULL };

/* An argument: what its values may be, and which member of PluginOptions takes one. */
typedef struct {
    const char *name;
    enum { TEXT, WORD, NUMBER } kind;
    const char *const *words; /* of a WORD, whose value is the index */
    uint64_t min, max;        /* of a NUMBER */
    size_t offset, bytes;     /* of the member */
    size_t given;             /* of a bool that is true if the argument was given; 0: there is none */
} Argument;

#define MEMBER(name) offsetof(PluginOptions, name), sizeof(((PluginOptions *)0)->name)

static const Argument arguments[] = {
    { "out", TEXT, NULL, 0, 0, MEMBER(out), 0 },
    { "control", TEXT, NULL, 0, 0, MEMBER(control), 0 },
    { "kernel", TEXT, NULL, 0, 0, MEMBER(kernel), 0 },
    { "ring_fd", NUMBER, NULL, 0, G_MAXINT, MEMBER(ring_fd), 0 },
    { "start", WORD, starts, 0, 0, MEMBER(start), 0 },
    { "user_only", WORD, switches, 0, 0, MEMBER(user_only), 0 },
    { "roi", WORD, switches, 0, 0, MEMBER(roi), 0 },
    { "strict_order", WORD, switches, 0, 0, MEMBER(strict_order), 0 },
    { "icount_shift", NUMBER, NULL, 0, 10, MEMBER(icount_shift), offsetof(PluginOptions, icount) },
    { "log_block_len", NUMBER, NULL, 0, 64, MEMBER(sampler.log_block_len), 0 },
    { "log_tracing_ratio", NUMBER, NULL, 0, 64, MEMBER(sampler.log_tracing_ratio), 0 },
    { "sample_seed", NUMBER, NULL, 0, G_MAXUINT64, MEMBER(sampler.seed), offsetof(PluginOptions, sampler.seeded) },
    { "record_format", WORD, formats, 0, 0, MEMBER(record_format), 0 },
    { "when_full", WORD, policies, 0, 0, MEMBER(when_full), 0 },
    { "ring_kib", NUMBER, NULL, 2 * RING_CHUNK_BYTES / 1024, 1024 * 1024, MEMBER(ring_bytes), 0 },
};

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "a member takes the lowest bytes of a number");

/* Finds `value` among the NULL-terminated `choices` and gives its index. */
static bool one_of(const char *name, const char *value, const char *const *choices, uint64_t *index, GError **error)
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

static bool take(PluginOptions *options, const Argument *argument, const char *value, GError **error)
{
    void *member = (char *)options + argument->offset;
    uint64_t n = 0;

    switch (argument->kind) {
    case TEXT:
        g_free(*(char **)member);
        *(char **)member = g_strdup(value);
        break;
    case WORD:
        if (!one_of(argument->name, value, argument->words, &n, error))
            return false;
        memcpy(member, &n, argument->bytes);
        break;
    case NUMBER:
        if (!number(argument->name, value, argument->min, argument->max, &n, error))
            return false;
        memcpy(member, &n, argument->bytes);
        break;
    }
    if (argument->given)
        *(bool *)((char *)options + argument->given) = true;
    return true;
}

/* Reads one word, "name=value". */
static bool parse_word(PluginOptions *options, const char *word, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(word, "=", 2);

    for (guint i = 0; i < G_N_ELEMENTS(arguments); i++)
        if (!g_strcmp0(parts[0], arguments[i].name))
            return take(options, &arguments[i], parts[1] ? parts[1] : "", error);
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "unknown argument '%s'; " USAGE, word);
    return false;
}

/* Whether the arguments go together. */
static bool check(const PluginOptions *options, GError **error)
{
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

bool plugin_options_parse(PluginOptions *options, int argc, char **argv, GError **error)
{
    *options = (PluginOptions){ .ring_fd = -1, .ring_bytes = RING_DEFAULT_BYTES / 1024 }; /* in KiB up to the end */
    for (int i = 0; i < argc; i++)
        if (!parse_word(options, argv[i], error))
            return false;
    options->ring_bytes = options->ring_bytes * 1024 & ~(RING_CHUNK_BYTES - 1);
    return check(options, error);
}
