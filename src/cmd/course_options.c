/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a run goes: see course_options.h. */
#include "course_options.h"

#include <string.h>

#include "cmd.h"

#define WARM_UPS_MAX 1000

GOptionEntry *course_options_entries(CourseOptions *options)
{
    const GOptionEntry entries[] = {
        { "until", 0, 0, G_OPTION_ARG_FILENAME, &options->until,
          "Run this shell command in the guest, again and again, until it succeeds; then end the workload", "COMMAND" },
        { "warm-up", 0, 0, G_OPTION_ARG_INT, &options->warm_ups,
          "Run the workload N times before, untraced, so that its files are in the guest's memory (default: 0)", "N" },
        { NULL, 0, 0, 0, NULL, NULL, NULL },
    };

    return g_memdup2(entries, sizeof entries);
}

bool course_options_apply(const CourseOptions *options, SessionOptions *session, GError **error)
{
    if (options->until && !options->until[strspn(options->until, " \t\r\n")])
        return mt_fail_usage(error, "--until needs a command, but it is empty");
    if (options->warm_ups < 0 || options->warm_ups > WARM_UPS_MAX)
        return mt_fail_usage(error, "--warm-up must be in range [0, %d], but %d isn't.", WARM_UPS_MAX,
                             options->warm_ups);
    session->workload.until = options->until;
    session->workload.warm_ups = (unsigned)options->warm_ups;
    return true;
}

void course_options_clear(CourseOptions *options)
{
    g_free(options->until);
}
