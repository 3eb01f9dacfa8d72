/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a workload has failed: see ending.h. */
#include "ending.h"

#include <string.h>

#include "../base/printable.h"
#include "../vm/last_words.h"

#define STATUS_NOT_FOUND 127
#define SUGGESTED_RAM_MB 8192

static void G_GNUC_PRINTF(2, 3) add(GPtrArray *lines, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    g_ptr_array_add(lines, g_strdup_vprintf(format, arguments));
    va_end(arguments);
}

/* Whether we have ended the workload. */
static bool was_ended(const SessionResult *result)
{
    return result->stopped || result->timed_out || result->until_succeeded;
}

/* The loader exits with 127 if a library is missing. */
static void add_library(GPtrArray *lines, const SessionOptions *options, const SessionResult *result)
{
    g_autofree char *library = NULL, *reason = NULL;

    if (result->status != STATUS_NOT_FOUND || !last_words_name_library(result->last_words, &library, &reason))
        return;
    if (!strstr(reason, "No such file"))
        add(lines, "the workload could not load the library %s: %s", library, reason);
    else if (options->workload.sees_host)
        add(lines,
            "the workload needs the library %s, which its loader doesn't find on this machine: install it, or say "
            "where "
            "it is (LD_LIBRARY_PATH)",
            library);
    else
        add(lines,
            "the workload needs the library %s, which isn't in the guest: with --files host it sees this machine's",
            library);
}

static void add_memory(GPtrArray *lines, const SessionResult *result)
{
    unsigned more_mb = MAX(SUGGESTED_RAM_MB, 2 * result->guest_ram_mb);

    if (result->out_of_memory)
        add(lines,
            "the guest ran out of memory (it has %u MB), and its kernel killed %u process%s: make one with more "
            "(memory_tracer image build --ram %u --output big.qcow2), and use that (--image big.qcow2)",
            result->guest_ram_mb, result->out_of_memory, result->out_of_memory == 1 ? "" : "es", more_mb);
}

/* Most programs that fail because the disk is full remove what they have written, so that it is no longer full. */
static void add_disk(GPtrArray *lines, const SessionOptions *options, const SessionResult *result)
{
    if (options->workload.sees_host && result->status && !result->disk_is_full &&
        strstr(result->last_words, "No space left on device"))
        add(lines,
            "the workload says that a disk was full: what it writes goes to the guest's, but for --rw folders (--rw "
            "DIR, or make a guest with a larger disk: memory_tracer image build --disk)");
}

void ending_add_lines(GPtrArray *lines, const SessionOptions *options, const SessionResult *result)
{
    if (!result->exited)
        return;
    if (options->workload.until && !result->until_succeeded && !result->stopped) {
        g_autofree char *until = text_make_printable(options->workload.until);

        add(lines, "the workload has ended, and '%s' never succeeded", until);
    }
    if (result->signal && !was_ended(result))
        add(lines, "the workload was killed by signal %d (%s)", result->signal, g_strsignal(result->signal));
    if (!was_ended(result))
        add_library(lines, options, result);
    if (!was_ended(result))
        add_disk(lines, options, result);
    add_memory(lines, result);
}

void ending_append(GString *text, const SessionOptions *options, const SessionResult *result)
{
    g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);

    ending_add_lines(lines, options, result);
    for (guint i = 0; i < lines->len; i++)
        g_string_append_printf(text, "memory_tracer: %s\n", (char *)lines->pdata[i]);
}

int ending_status(const SessionResult *result)
{
    if (result->timed_out || result->until_succeeded)
        return 0; /* it was we who ended it */
    return result->signal ? 128 + result->signal : result->status;
}
