/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The errors of the runner. main() turns their codes into the exit status. */
#ifndef MEMORY_TRACER_BASE_ERROR_H
#define MEMORY_TRACER_BASE_ERROR_H

#include <glib.h>

#define MT_ERROR (mt_error_quark())
GQuark mt_error_quark(void);

typedef enum {
    MT_ERROR_FAILED,         /* the run failed: exit 1 */
    MT_ERROR_USAGE,          /* wrong usage: exit 2 */
    MT_ERROR_INTERRUPTED,    /* Ctrl-C and the like: exit 130 */
    MT_ERROR_OUTPUT_CLOSED,  /* nobody reads our output any more: exit 141, as if SIGPIPE had killed us */
    MT_ERROR_NOT_EXECUTABLE, /* the workload can't be executed: exit 126, as a shell does */
    MT_ERROR_NOT_FOUND,      /* the workload, or what it needs to start, isn't there: exit 127 */
} MtError;

/* Sets an MT_ERROR_FAILED with a formatted message and returns false. */
gboolean mt_fail(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* The same with MT_ERROR_USAGE. */
gboolean mt_fail_usage(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* The same with any code. */
gboolean mt_fail_as(GError **error, MtError code, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* If *problem is an interruption (MT_ERROR_INTERRUPTED), moves it to `error` and returns true. Else changes nothing. */
gboolean mt_propagate_interruption(GError **error, GError **problem);

#endif
