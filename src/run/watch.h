/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is checked now and then while a workload runs: whether QEMU has been stopped, and whether the guest ends the
 * workload in time. */
#ifndef MEMORY_TRACER_RUN_WATCH_H
#define MEMORY_TRACER_RUN_WATCH_H

#include "session.h"

/* Zero at first. */
typedef struct Watch {
    gint64 begun_us;   /* when the workload was let go */
    gint64 watched_us; /* when QEMU was looked at last */
    gint64 stopped_us; /* since when it has been stopped, or 0 */
} Watch;

void watch_begin(Watch *watch);
/* Makes `loop` fail when QEMU has been stopped for too long. Asks it to stop when the guest hasn't ended a workload
 * whose time is up: a fork bomb may keep the agent from doing so. `qemu` is NULL without a guest. */
void watch_guest(Watch *watch, const SessionOptions *options, Qemu *qemu, RunLoop *loop);

#endif
