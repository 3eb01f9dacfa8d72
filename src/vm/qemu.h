/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The QEMU process: its command line, its monitor (QMP), and what its failures mean. */
#ifndef MEMORY_TRACER_VM_QEMU_H
#define MEMORY_TRACER_VM_QEMU_H

#include <json-glib/json-glib.h>

#include "../base/loop.h"
#include "../ring/ring.h"
#include "image.h"

/* Which of the guest's accesses are captured: the plugin's arguments. */
typedef struct CaptureOptions {
    bool user_only;
    bool roi;          /* only inside the regions that the workload marks */
    bool strict_order; /* all vCPUs in one thread, so that the order across them is exact */
    bool drop_when_full;
    bool stay_idle;                            /* the plugin ignores all markers */
    unsigned log_block_len, log_tracing_ratio; /* sampling */
    bool seeded;
    uint64_t sample_seed;
} CaptureOptions;

typedef struct QemuOptions {
    const char *binary;
    const ImageMachine *machine;
    const char *image;         /* as the user calls it, for messages */
    const char *disk;          /* the file to open */
    bool disk_is_layer;        /* `disk` is a layer over the image file (image_create_layer) */
    const char *transfer;      /* the read-only transfer drive's contents (archive.h), or NULL: zeros */
    const char *const *shares; /* folders of this machine that the guest can mount: the first one for reading only; or
                                  NULL */
    const char *snapshot;      /* to load; NULL: boots `kernel` and `initramfs`, or if there is none, the disk */
    const char *kernel, *initramfs, *kernel_arguments;
    const char *console; /* file for the serial console, or NULL */
    bool use_console;    /* there will be somebody to use the serial console (qemu_take_console_fd) */
    Ring *ring;          /* NULL: without the plugin */
    const char *plugin;  /* path of libgmbe.so */
    const char *layout;  /* path of a file that tells the plugin of the guest's kernel (kernel_layout.h), or NULL */
    const CaptureOptions *capture;
    bool monitor; /* there will be somebody to use its monitor (qemu_take_monitor_fd) */
    bool display; /* its usual display instead of none; the serial console is there, too */
} QemuOptions;

typedef struct Qemu Qemu;

/* Starts QEMU. If it ends without having been asked to, `loop` fails with the reason. NULL with an error. */
Qemu *qemu_start(const QemuOptions *options, RunLoop *loop, GError **error);
/* Kills it if it still runs. NULL is fine. */
void qemu_free(Qemu *qemu);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Qemu, qemu_free)

/* The socket that is the other end of the agent's port. The caller takes it, once. */
int qemu_take_agent_fd(Qemu *qemu);

/* The socket that is the other end of the monitor for people. The caller takes it, once; -1 without `monitor`. */
int qemu_take_monitor_fd(Qemu *qemu);
/* Likewise for the serial console. */
int qemu_take_console_fd(Qemu *qemu);

/* Waits until the monitor answers: the snapshot is loaded then and the guest runs. */
bool qemu_wait_running(Qemu *qemu, GError **error);
/* Runs a monitor command with `arguments` (JSON, or NULL). Returns its result, to be unreferenced; NULL with an error.
 */
JsonNode *qemu_execute(Qemu *qemu, const char *command, const char *arguments, GError **error);
/* "10.0.2"; known once qemu_wait_running() has returned true. */
const char *qemu_version(const Qemu *qemu);
/* Asks it to quit and waits for its end. False with an error. */
bool qemu_quit(Qemu *qemu, GError **error);
/* From now on, if the agent in the guest ends, the loop fails. */
void qemu_watch_agent(Qemu *qemu);
/* Whether somebody has stopped its process (SIGSTOP). */
bool qemu_is_stopped(const Qemu *qemu);
/* Stops the guest's vCPUs: what they have recorded is published then. False if that takes too long. */
bool qemu_halt(Qemu *qemu, unsigned patience_ms);
/* Waits at most this long for its end, and then kills it. */
void qemu_end(Qemu *qemu, unsigned patience_s);
/* From now on QEMU may end without that being a failure: somebody else tells it to. */
void qemu_let_end(Qemu *qemu);
bool qemu_has_ended(const Qemu *qemu);

#endif
