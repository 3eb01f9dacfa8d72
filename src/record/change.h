/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Changes of the guest's tasks and of their memory while it is traced: a task is seen for the first time, executes a
 * program, maps a file. Changes are rare; each has its place among the accesses.
 */
#ifndef MEMORY_TRACER_RECORD_CHANGE_H
#define MEMORY_TRACER_RECORD_CHANGE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* With the values of each kind, in order, and, after a semicolon, its text. Tasks and memories (address spaces) have
 * numbers from 1 on; 0: unknown, or none. */
enum change_kind {
    CHANGE_TASK = 1, /* task, pid (of the thread), tgid (of its process), when it and its process's first thread
                        began (ns since the guest's boot), parent task, memory, the input that it is from (merged
                        traces); its name. The task is seen for the first time */
    CHANGE_NAME,     /* task; its new name */
    CHANGE_EXEC,     /* task, its new memory; the program's path */
    CHANGE_EXIT,     /* task, exit code as wait(2) has it */
    CHANGE_CGROUP,   /* task; its cgroup's path */
    CHANGE_MAP,      /* memory, begin, end, flags (of enum change_map_flags), offset in the file, device, inode, where
                        in this mapping the heap of brk(2) begins, or 0; the file's path, "[vdso]" or the like, or "" */
    CHANGE_UNMAP,    /* memory, begin, end */
    CHANGE_MOVE,     /* memory, begin, end, new begin, new end; 1: what was there stays there, too */
    CHANGE_COPY,     /* new memory, the memory that it begins as a copy of */
    CHANGE_GONE,     /* memory */

    /* What the kernel's memory is used for. Frames are pages of physical memory of 4096 bytes, by number. The last
     * value is, of a merged trace, the input that it is of. */
    CHANGE_USES = 11,         /* 1: what was told of it before no longer counts, and what follows is how it is now; up
                                 to the next of these, which has 2. And what is told: enum change_uses */
    CHANGE_KERNEL_AREA = 12,  /* of enum change_area, begin, end, number of the vCPU */
    CHANGE_SLAB_CACHE = 13,   /* cache (a number from 1 on), bytes from one object to the next; its name */
    CHANGE_SLAB = 14,         /* cache, or 0: no longer slabs; first frame, frames, frames of each slab. A slab's first
                                 object begins where it does */
    CHANGE_PAGE_TABLE = 15,   /* 1, or 0: no longer page tables; first frame, frames */
    CHANGE_KERNEL_STACK = 16, /* task, begin, end */
    CHANGE_VMALLOC = 17,      /* begin, end, address in the function that has asked for it */
    CHANGE_VFREE = 18,        /* begin of such an area */

    /* The memory of processes, once more. */
    CHANGE_WAS_MAPPED = 20, /* as CHANGE_MAP: this was mapped before the memory was seen for the first time */
    CHANGE_STACK,           /* task, memory, begin (0: where the mapping begins), end, stack pointer: where the task's
                               stack is in user memory, if it isn't the process's main one */
    CHANGE_MEMORY,          /* task, memory: the task is known, but its memory has a new number */
};

enum change_uses { CHANGE_TELLS_SLABS = 1, CHANGE_TELLS_PAGE_TABLES = 2, CHANGE_TELLS_VMALLOC = 4 };

enum change_area {
    CHANGE_AREA_DIRECT_MAP = 1, /* of all frames, from number 0 on */
    CHANGE_AREA_VMALLOC,
    CHANGE_AREA_VMEMMAP,
    CHANGE_AREA_PER_CPU,
    CHANGE_AREA_INTERRUPT_STACK,
};

enum change_map_flags {
    CHANGE_MAP_READ = 1,
    CHANGE_MAP_WRITE = 2,
    CHANGE_MAP_EXECUTE = 4,
    CHANGE_MAP_SHARED = 8,
    CHANGE_MAP_STACK = 16 /* the main one: it grows down */
};

#define CHANGE_VALUES 8
/* Of a merged trace: which value of a task, and of what a kernel uses its memory for, is the input that it is of. */
#define CHANGE_INPUT 7
#define CHANGE_TEXT_BYTES 4096 /* with the 0 at its end */

/* The number of a task's event (ROW_EVENT_TASK): in its low TASK_CONTEXT_BITS bits what the vCPU does meanwhile (enum
 * mt_task_context), above them the task's number. */
#define TASK_CONTEXT_BITS 2

typedef struct Change {
    uint16_t kind;       /* of enum change_kind; readers leave out kinds that they don't know */
    uint16_t values;     /* how many of `value` are used */
    uint16_t text_bytes; /* without the 0 */
    uint64_t value[CHANGE_VALUES];
    char text[CHANGE_TEXT_BYTES];
} Change;

/* Makes a change whose values are 0, and whose text is empty. (An initializer sets all of the text's room to 0, which
 * costs more than all else that is done for a change.) */
static inline void change_begin(Change *change, enum change_kind kind, unsigned values)
{
    memset(change, 0, offsetof(Change, text) + 1);
    change->kind = (uint16_t)kind;
    change->values = (uint16_t)values;
}

#endif
