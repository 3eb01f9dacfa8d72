/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "error.h"

G_DEFINE_QUARK(memory - tracer - error - quark, mt_error)

static void fail_with(GError **error, MtError code, const char *format, va_list arguments)
{
    g_autofree char *message = g_strdup_vprintf(format, arguments);

    g_set_error_literal(error, MT_ERROR, code, message);
}

gboolean mt_fail(GError **error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fail_with(error, MT_ERROR_FAILED, format, arguments);
    va_end(arguments);
    return FALSE;
}

gboolean mt_fail_usage(GError **error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fail_with(error, MT_ERROR_USAGE, format, arguments);
    va_end(arguments);
    return FALSE;
}

gboolean mt_fail_as(GError **error, MtError code, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fail_with(error, code, format, arguments);
    va_end(arguments);
    return FALSE;
}

gboolean mt_propagate_interruption(GError **error, GError **problem)
{
    if (!g_error_matches(*problem, MT_ERROR, MT_ERROR_INTERRUPTED))
        return FALSE;
    g_propagate_error(error, g_steal_pointer(problem));
    return TRUE;
}
