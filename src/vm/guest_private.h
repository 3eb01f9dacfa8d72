/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What guest.c (the agent's other end) and guest_programs.c (what runs there) share. */
#ifndef MEMORY_TRACER_VM_GUEST_PRIVATE_H
#define MEMORY_TRACER_VM_GUEST_PRIVATE_H

#include "../base/child.h"
#include "agent_link.h"
#include "guest.h"
#include "standard_input.h"

struct Guest {
    const WorkloadOptions *options;
    RunLoop *loop;
    Qemu *qemu;
    Child *native;      /* the agent on this machine */
    char *user;         /* the workload's; empty: the agent's own */
    char *library_path; /* LD_LIBRARY_PATH=..., if the workload's libraries aren't found without; or NULL */
    AgentLink *agent;
    bool greeted, acknowledged, finished;
    struct mt_hello_reply greeting;
    GuestFinish finish;
    GByteArray *fetched; /* the file that is being fetched; or NULL */
    bool fetch_ended, fetch_failed, fetch_is_late;
    uint64_t fetch_max_bytes;
    GArray *stats; /* of struct mt_stat_reply */
    GuestWorkload workload;
    StandardInput *input;        /* while it is passed on; or NULL */
    GString *info;               /* as it comes */
    bool stopping;               /* guest_stop() was called */
    bool has_one_output;         /* the workload's standard output and error are one */
    GString *last_words;         /* the end of the workload's standard error */
    GString *captured;           /* where a program's output goes instead; or NULL */
    struct mt_progress progress; /* of unpacking */
    uint64_t archive_bytes;
};

/* Appends strings, each with its NUL. */
void guest_append_strings(GByteArray *payload, const char *const *strings);
/* Sends the strings of the next request. */
void guest_send_strings(Guest *guest, const GByteArray *strings);
/* For WaitFor: whether the last request has been acknowledged (MT_FRAME_OK). `guest` is a Guest. */
bool guest_has_acknowledged(void *guest);
/* Begins to pass on our standard input, if the workload gets it. *file becomes the path of the file that is to be the
 * workload's standard input, to be freed, or NULL. */
void guest_begin_input(Guest *guest, struct mt_run *run, char **file);

#endif
