/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The protocol between the runner (host) and the agent (guest), over one virtio-serial port.
 *
 * Both sides send frames: a header, then `length` bytes of payload. Integers are little-endian; strings end in NUL.
 * A header is recognised by its magic and its check; whoever receives anything else skips bytes until a header fits, so
 * that garbage on the port costs nothing but the garbage. The runner speaks first (MT_FRAME_HELLO), and again whenever
 * it wants to know that the agent is there.
 */
#ifndef MEMORY_TRACER_PROTOCOL_FRAMES_H
#define MEMORY_TRACER_PROTOCOL_FRAMES_H

#include <stdint.h>

#define MT_PORT_NAME "memory_tracer.agent"
/*
 * The transfer drive: a read-only drive of this serial number and size, whose contents differ from run to run. At its
 * beginning there may be a folder (archive_format.h). At MT_DRIVE_AGENT_OFFSET lies the current agent: a block with a
 * struct mt_drive_agent, then the program.
 */
#define MT_TRANSFER_SERIAL "memory_tracer"
#define MT_DRIVE_BYTES (UINT64_C(256) << 30)
#define MT_DRIVE_BLOCK 4096
#define MT_DRIVE_AGENT_MAX (UINT64_C(60) << 20)
#define MT_DRIVE_AGENT_OFFSET (MT_DRIVE_BYTES - (UINT64_C(64) << 20))
#define MT_DRIVE_AGENT_MAGIC UINT64_C(0x31746e656761544d) /* "MTagent1" */

struct mt_drive_agent {
    uint64_t magic;
    uint64_t bytes; /* of the program */
};

/* Folders of the host that the guest can mount: MT_SHARES virtio-9p devices, whose tags are MT_SHARE_TAG and a number
 * from 0 on. */
#define MT_SHARE_TAG "memory_tracer"
#define MT_SHARES 9
#define MT_PROTOCOL_VERSION 5
/* From this version on, an agent can be replaced by the current one. What that takes must never change: the frames'
 * header, MT_FRAME_HELLO, _HELLO_REPLY, _OK, _ERROR, _SETTLE and _RENEW, and the agent's place on the transfer drive.
 */
#define MT_PROTOCOL_BASE 3
#define MT_FRAME_MAGIC 0x3146544du /* "MTF1" */
#define MT_MAX_PAYLOAD (256u * 1024)

struct mt_frame {
    uint32_t magic;
    uint32_t type;   /* enum mt_frame_type */
    uint32_t length; /* bytes of payload that follow, at most MT_MAX_PAYLOAD */
    uint32_t check;  /* mt_frame_check() of the above */
};

enum mt_frame_type {
    /* Runner to agent. */
    MT_FRAME_HELLO = 1, /* struct mt_hello: answered by MT_FRAME_HELLO_REPLY, at any time */
    MT_FRAME_STAT,      /* path: answered by MT_FRAME_STAT_REPLY */
    MT_FRAME_FILE,      /* struct mt_file, path: creates its folders; the contents follow in MT_FRAME_DATA frames */
    MT_FRAME_DATA, /* the next bytes of the file; the last one is answered by MT_FRAME_OK, trouble by MT_FRAME_ERROR */
    MT_FRAME_UNPACK,  /* user, name: that user unpacks the archive on the transfer drive (archive_format.h) into a new
                         folder of that name in their home; answered like a file, with MT_FRAME_PROGRESS before */
    MT_FRAME_RUN,     /* struct mt_run; its strings are those of the MT_FRAME_STRINGS before it */
    MT_FRAME_ENTER,   /* executes the start marker and lets the workload go */
    MT_FRAME_STOP,    /* kills the workload and what it started; MT_FRAME_EXIT follows */
    MT_FRAME_SETTLE,  /* before a snapshot: drops caches, clears free memory; answered by MT_FRAME_OK */
    MT_FRAME_RENEW,   /* the agent on the transfer drive takes this one's place; answered by its MT_FRAME_HELLO_REPLY */
    MT_FRAME_STRINGS, /* the next bytes of the strings that a MT_FRAME_RUN or MT_FRAME_VIEW will need: they may be more
                         than one frame holds */
    MT_FRAME_VIEW,   /* struct mt_view; strings: the host's name, then the folders that are shared for writing. From now
                        on workloads see the host's files. Answered by MT_FRAME_OK or MT_FRAME_ERROR */
    MT_FRAME_STDIN,  /* the next bytes of the workload's standard input, as asked for; no bytes: its end */
    MT_FRAME_WINDOW, /* struct mt_window: the terminal's size has changed */
    MT_FRAME_FINISH, /* ends what the workload left behind, and writes back what is shared for writing; answered by
                        MT_FRAME_FINISHED */
    MT_FRAME_FETCH, /* struct mt_fetch, path as the workload saw it: answered by MT_FRAME_FETCHED frames. For files that
                       the workload has written, and for the guest's own: the host's files are read on the host */

    /* Agent to runner. */
    MT_FRAME_HELLO_REPLY = 64, /* struct mt_hello_reply, kernel release */
    MT_FRAME_OK,
    MT_FRAME_PROGRESS,   /* struct mt_progress */
    MT_FRAME_ERROR,      /* one line: what failed and why; a workload that was asked for doesn't run */
    MT_FRAME_STAT_REPLY, /* struct mt_stat_reply */
    MT_FRAME_INFO,       /* the next bytes of the workload's info */
    MT_FRAME_READY,      /* the workload waits for MT_FRAME_ENTER; all its info has been sent */
    MT_FRAME_STDOUT,     /* what the workload printed */
    MT_FRAME_STDERR,
    MT_FRAME_TRACED,       /* struct mt_traced: the stop marker has been executed */
    MT_FRAME_EXIT,         /* struct mt_exit: the workload has ended, and all its output was sent before */
    MT_FRAME_STDIN_WANTED, /* struct mt_stdin_wanted: the runner may send this many more bytes; 0: nobody reads them any
                              more */
    MT_FRAME_FINISHED,     /* struct mt_finished, and a line that says what failed, if anything has */
    MT_FRAME_FETCHED,      /* struct mt_fetched, and the next bytes of the file */
};

struct mt_hello {
    uint32_t version; /* MT_PROTOCOL_VERSION */
    uint32_t reserved;
    int64_t wall_clock_ns; /* the host's CLOCK_REALTIME, which the agent sets; 0: leave the clock */
};

struct mt_hello_reply {
    uint32_t version;
    uint32_t reserved;
    uint64_t running_us; /* CPU time that the guest has spent so far, all CPUs: tells whether it is quiet */
};

struct mt_file {
    uint32_t mode; /* permission bits */
    uint32_t reserved;
    int64_t mtime_ns;
    uint64_t size;
};

struct mt_fetch {
    uint64_t inode;     /* the file's inode number must be this; 0: any */
    uint64_t max_bytes; /* a longer file isn't sent */
};

struct mt_fetched {
    uint32_t is_last;
    uint32_t failed; /* 1: the file isn't there, isn't the one that is meant, or can't be read; is_last is 1 then */
};

struct mt_stat_reply {
    uint32_t mode; /* st_mode after following links; 0: it isn't there */
    uint32_t reserved;
    int64_t mtime_ns;
    uint64_t size;
};

struct mt_progress {
    uint64_t bytes; /* of the archive, so far */
};

/* The workload itself says when it is ready and when to stop (the workload protocol of doc/protocols.md). */
#define MT_RUN_WORKLOAD_SPEAKS 1u
/* The program was put into the guest at its path on the host: the user may go there, whatever the folders on the way
 * say. */
#define MT_RUN_FROM_HOST 2u
/* The vCPUs run in one thread: the agent executes the markers below before the workload starts. */
#define MT_RUN_TELL_VCPUS 4u
/* The workload runs as `uid`, `gid` and `groups`, with `umask`, and its environment is not changed. Without this flag
 * it runs as the user that the strings name, and HOME, USER, LOGNAME and SHELL are set accordingly; if the name is
 * empty, it runs as the agent's own user. */
#define MT_RUN_WITH_IDS 8u
/* The workload has a terminal (`window`) as its standard input, output and error. */
#define MT_RUN_TERMINAL 16u
/* Its standard input comes in MT_FRAME_STDIN frames; with a terminal, what is typed. */
#define MT_RUN_STDIN 32u
/* Its standard input is a file that both sides have (strings), at `stdin_offset`. */
#define MT_RUN_STDIN_FILE 64u
/* Its standard output and error are one pipe, as both are one file on the host. So everything that it prints comes in
 * the order in which it was printed, as MT_FRAME_STDOUT. */
#define MT_RUN_ONE_OUTPUT 128u

#define MT_GROUPS_MAX 64
#define MT_LIMITS 16 /* RLIM_NLIMITS */

struct mt_window {
    uint16_t rows, columns;
};

struct mt_limit {
    uint64_t soft, hard; /* as in struct rlimit */
};

/*
 * Strings, in this order: the program (looked up in the environment's PATH if it has no slash), `argc` arguments,
 * argv[0] first, `envc` variables, the working folder, the user, the file that is standard input, the command that
 * `until` runs. The last four may be empty.
 */
struct mt_run {
    uint32_t flags;
    uint32_t timeout_ms; /* of guest time, from MT_FRAME_ENTER; 0: none */
    uint32_t argc, envc;
    uint32_t uid, gid, group_count;
    uint32_t groups[MT_GROUPS_MAX];
    uint32_t umask;
    uint32_t limited; /* bit N: limits[N] is to be set, for the resource that Linux numbers N (RLIMIT_...) */
    struct mt_limit limits[MT_LIMITS];
    int64_t stdin_offset;
    struct mt_window window;
    uint32_t warm_ups; /* how often the workload runs, untraced and its output dropped, before it is ready */
};

#define MT_VIEW_FOLDERS (MT_SHARES - 1)

/* Share 0 is the host's root folder; share N, from 1 on, the Nth folder that is shared for writing. */
struct mt_view {
    uint32_t folder_count;
};

struct mt_stdin_wanted {
    uint64_t bytes;
};

struct mt_finished {
    uint64_t files_dropped; /* files outside of the shared folders that were changed, made or removed */
    uint32_t disk_is_full;  /* 1: the guest's disk, to which these changes went, is full */
    uint32_t failed;        /* 1: not everything was written back; a line follows */
};

struct mt_traced {
    uint64_t elapsed_ns;    /* guest time between the markers */
    uint32_t never_stopped; /* 1: a workload that speaks has ended before it said "Stop tracing" */
    uint32_t reserved;
};

struct mt_exit {
    uint32_t timed_out;       /* 1: the agent stopped the workload, because of timeout_ms */
    uint32_t signal;          /* the signal that ended it, or 0 */
    uint32_t status;          /* its exit status, if signal is 0 */
    uint32_t out_of_memory;   /* how many processes the guest's kernel has killed meanwhile because memory was short */
    uint32_t until_succeeded; /* 1: the workload was asked to end, because the command `until` has succeeded */
    uint32_t reserved;
    uint64_t stdin_taken; /* bytes of its standard input that it has read; if that is a file, the file's offset */
};

/*
 * Around the workload, the agent executes markers like those of roi.h, with magic numbers of their own, because the
 * workload, or a program beside it, may execute MEMORY_TRACER_START and _STOP.
 */
#define MT_AGENT_START_MAGIC 0x6d746131
#define MT_AGENT_STOP_MAGIC 0x6d746130

/*
 * With MT_RUN_TELL_VCPUS, the agent executes on each vCPU, in two rounds, a marker like those of roi.h: a NOP whose
 * displacement is this plus the vCPU's number.
 */
#define MT_VCPU_MARKER_MAGIC 0x6d746300
#define MT_VCPU_MARKERS 256

/* FNV-1a over the header's first three words. */
static inline uint32_t mt_frame_check(const struct mt_frame *frame)
{
    const uint8_t *bytes = (const uint8_t *)frame;
    uint32_t hash = 2166136261u;

    for (unsigned i = 0; i < 12; i++)
        hash = (hash ^ bytes[i]) * 16777619u;
    return hash;
}

#endif
