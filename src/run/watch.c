/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is looked at while a workload runs: see watch.h. */
#include "watch.h"

#include "../vm/qemu.h"

#define WATCH_EVERY_US G_USEC_PER_SEC
/* When the workload's time is up, the agent has this long to end it, as the guest may be slow. */
#define OBEY_S 30

void watch_begin(Watch *watch)
{
    watch->begun_us = g_get_monotonic_time();
}

/* A QEMU that somebody has stopped may be continued, or may not. */
static void watch_stopped(Watch *watch, unsigned timeout_s, gint64 now_us, RunLoop *loop)
{
    if (!watch->stopped_us) {
        watch->stopped_us = now_us;
        run_loop_note(loop, "QEMU has been stopped (SIGSTOP): waiting until it is continued");
    } else if (timeout_s && now_us - watch->stopped_us > timeout_s * G_USEC_PER_SEC) {
        run_loop_fail(loop, g_error_new(MT_ERROR, MT_ERROR_FAILED,
                                        "gave up, as QEMU has been stopped (SIGSTOP) for %u s", timeout_s));
    }
}

void watch_guest(Watch *watch, const SessionOptions *options, Qemu *qemu, RunLoop *loop)
{
    unsigned timeout_s = options->workload.timeout_s;
    gint64 now_us = g_get_monotonic_time();

    if (!qemu || now_us - watch->watched_us < WATCH_EVERY_US)
        return;
    watch->watched_us = now_us;
    if (qemu_is_stopped(qemu)) {
        watch_stopped(watch, options->workload.wait_timeout_s, now_us, loop);
        return;
    }
    if (watch->stopped_us)
        watch->begun_us += now_us - watch->stopped_us;
    watch->stopped_us = 0;
    /* With icount the guest's seconds are longer than ours. */
    if (timeout_s && !options->icount && now_us - watch->begun_us > (timeout_s + OBEY_S) * G_USEC_PER_SEC &&
        !run_loop_stop_reason(loop))
        run_loop_ask_to_stop(loop, g_error_new(MT_ERROR, MT_ERROR_FAILED,
                                               "the guest hasn't ended the workload, whose %u s were over %d s ago",
                                               timeout_s, OBEY_S));
}
