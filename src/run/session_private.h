/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of one traced run share. */
#ifndef MEMORY_TRACER_RUN_SESSION_PRIVATE_H
#define MEMORY_TRACER_RUN_SESSION_PRIVATE_H

#include "../base/loop.h"
#include "../base/temporary_folder.h"
#include "../vm/kernel_symbols.h"
#include "../vm/terminal.h"
#include "session.h"
#include "setup.h"
#include "watch.h"

struct Session {
    const SessionOptions *options;
    Setup setup;
    TemporaryFolder *folder;
    RunLoop *loop;
    Ring *ring;
    Guest *guest;
    WorkloadOptions workload; /* the options', and what of it is to be found out */
    KernelSymbols kernel;     /* the guest's, where that is needed */
    KnownCode *code;          /* if its names are told */
    Terminal *terminal;
    Destination *destination;
    gint64 status_us; /* when the progress was shown last, and what it was then */
    uint64_t status_events;
    bool stopped_early;   /* stop_early() was called */
    bool guest_is_halted; /* and the agent didn't answer */
    Watch watch;
};

/* session_guest.c: starts the guest, and tells what may be wrong with it. */
bool session_start_guest(Session *session, GError **error);
/* Whether anything is recorded, or counted. */
bool session_is_traced(const Session *session);
/* Whether the run's results name code. */
bool session_names_code(const Session *session);

#endif
