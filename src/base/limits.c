/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Resource limits: see limits.h. */
#define _GNU_SOURCE
#include "limits.h"

#include <errno.h>
#include <string.h>

#include "error.h"

/* With this many open files, a guest that sees this machine's files and runs one program works; with half as many it
 * doesn't (tried). */
#define LEAST_FILES 64

/* Global, as the limits themselves belong to the process. */
static struct rlimit callers[RLIMIT_NLIMITS];
static bool known[RLIMIT_NLIMITS];

static const int raised[] = { RLIMIT_AS, RLIMIT_DATA, RLIMIT_NOFILE, RLIMIT_NPROC };

void limits_raise(void)
{
    for (int resource = 0; resource < RLIMIT_NLIMITS; resource++)
        known[resource] = !getrlimit((__rlimit_resource_t)resource, &callers[resource]);
    for (guint i = 0; i < G_N_ELEMENTS(raised); i++) {
        struct rlimit limit = callers[raised[i]];

        limit.rlim_cur = limit.rlim_max;
        if (known[raised[i]])
            setrlimit((__rlimit_resource_t)raised[i], &limit);
    }
}

bool limits_of_caller(int resource, struct rlimit *limit)
{
    *limit = callers[resource];
    return known[resource];
}

void limits_give_back(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(raised); i++)
        if (known[raised[i]])
            setrlimit((__rlimit_resource_t)raised[i], &callers[raised[i]]);
}

void limits_raise_file_size(struct rlimit *before)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_FSIZE, before))
        *before = (struct rlimit){ RLIM_INFINITY, RLIM_INFINITY };
    limit = *before;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_FSIZE, &limit);
}

void limits_set_file_size(const struct rlimit *limit)
{
    setrlimit(RLIMIT_FSIZE, limit);
}

bool limits_check_files(GError **error)
{
    struct rlimit files;

    return getrlimit(RLIMIT_NOFILE, &files) || files.rlim_cur >= LEAST_FILES ||
           mt_fail(error, "at most %" G_GUINT64_FORMAT " files may be open (ulimit -n), but a guest needs %d or more",
                   (guint64)files.rlim_cur, LEAST_FILES);
}

char *limits_explain(const char *message)
{
    static const struct {
        int code, resource;
        char option;       /* of ulimit */
        unsigned in_bytes; /* what it counts in */
    } causes[] = { { EMFILE, RLIMIT_NOFILE, 'n', 1 },
                   { EFBIG, RLIMIT_FSIZE, 'f', 1024 },
                   { ENOMEM, RLIMIT_AS, 'v', 1024 },
                   { ENOMEM, RLIMIT_DATA, 'd', 1024 },
                   /* pthread_create() says EAGAIN for a stack that it has no memory for, too. */
                   { EAGAIN, RLIMIT_AS, 'v', 1024 },
                   { EAGAIN, RLIMIT_DATA, 'd', 1024 },
                   { EAGAIN, RLIMIT_NPROC, 'u', 1 } };
    g_autoptr(GString) text = g_string_new(NULL);

    for (guint i = 0; i < G_N_ELEMENTS(causes); i++) {
        struct rlimit limit;

        if (strstr(message, g_strerror(causes[i].code)) &&
            !getrlimit((__rlimit_resource_t)causes[i].resource, &limit) && limit.rlim_cur != RLIM_INFINITY)
            g_string_append_printf(text, "%sulimit -%c is %" G_GUINT64_FORMAT, text->len ? ", " : " (",
                                   causes[i].option, (guint64)limit.rlim_cur / causes[i].in_bytes);
    }
    if (text->len)
        g_string_append_c(text, ')');
    return g_string_free(g_steal_pointer(&text), FALSE);
}
