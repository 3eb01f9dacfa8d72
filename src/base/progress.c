/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How far a verb has got: see progress.h. */
#include "progress.h"

#include <stdio.h>
#include <unistd.h>

#define AFTER_US (2 * G_USEC_PER_SEC)
#define EVERY_US (G_USEC_PER_SEC / 4)
#define MILLION 1e6

void progress_begin(Progress *progress, uint64_t total, bool to_stdout)
{
    gint64 now_us = g_get_monotonic_time();

    *progress = (Progress){ .total = total,
                            .enabled = isatty(STDERR_FILENO) && !(to_stdout && isatty(STDOUT_FILENO)),
                            .began_us = now_us,
                            .next_us = now_us + AFTER_US };
}

char *progress_text(uint64_t done, uint64_t total, gint64 elapsed_us)
{
    double left_s;

    if (total == PROGRESS_UNKNOWN)
        return g_strdup_printf("%.0f M records", (double)done / MILLION);
    if (!done || done > total)
        return g_strdup_printf("%.0f of %.0f M records", (double)done / MILLION, (double)total / MILLION);
    left_s = (double)elapsed_us / G_USEC_PER_SEC * (double)(total - done) / (double)done;
    if (left_s < 100)
        return g_strdup_printf("%.0f of %.0f M records, %.0f s left", (double)done / MILLION, (double)total / MILLION,
                               left_s);
    return g_strdup_printf("%.0f of %.0f M records, %.0f min left", (double)done / MILLION, (double)total / MILLION,
                           left_s / 60);
}

void progress_add(Progress *progress, uint64_t count)
{
    g_autofree char *text = NULL;
    gint64 now_us;

    progress->done += count;
    if (!progress->enabled)
        return;
    now_us = g_get_monotonic_time();
    if (now_us < progress->next_us)
        return;
    progress->next_us = now_us + EVERY_US;
    progress->shown = true;
    text = progress_text(progress->done, progress->total, now_us - progress->began_us);
    fprintf(stderr, "\r\033[Kmemory_tracer: %s", text);
    fflush(stderr);
}

void progress_end(Progress *progress)
{
    if (progress->shown)
        fputs("\r\033[K", stderr);
    progress->shown = false;
}
