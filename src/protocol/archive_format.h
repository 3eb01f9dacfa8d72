/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A folder of the host's as the contents of the transfer drive.
 *
 * Not a tar archive: under TCG the guest's page cache is slow (some 30 MB/s with tar), so both sides use direct I/O,
 * for which data must be aligned.
 *
 * An archive is a sequence of entries. Each is a struct archive_entry, its name and, for links, its target (neither
 * ends in NUL), padded to ARCHIVE_ALIGNMENT. A file's data follows in extents: a struct archive_extent, and, if its
 * length isn't 0, `length` bytes of data. The extent with length 0 is the last one. Data of ARCHIVE_DIRECT_BYTES or
 * more begins at the next multiple of ARCHIVE_BLOCK, and so does what follows it; everything else is padded to
 * ARCHIVE_ALIGNMENT. What lies between the extents is a hole.
 */
#ifndef MEMORY_TRACER_PROTOCOL_ARCHIVE_FORMAT_H
#define MEMORY_TRACER_PROTOCOL_ARCHIVE_FORMAT_H

#include <stdint.h>

#define ARCHIVE_MAGIC 0x31464154u /* "TAF1" */
#define ARCHIVE_ALIGNMENT 8u
#define ARCHIVE_BLOCK 4096u
#define ARCHIVE_DIRECT_BYTES (64u * 1024)

enum archive_type {
    ARCHIVE_FILE = 1,
    ARCHIVE_FOLDER,     /* made now, so that things can be put into it; its mode and time come later */
    ARCHIVE_ATTRIBUTES, /* of a folder, when all that is in it has been made */
    ARCHIVE_SYMLINK,
    ARCHIVE_HARD_LINK, /* target: the name of an earlier entry */
    ARCHIVE_NODE,      /* FIFO or device, by `mode` and `device` */
    ARCHIVE_END,
};

struct archive_entry {
    uint32_t magic;
    uint32_t type; /* enum archive_type */
    uint32_t mode; /* st_mode */
    uint32_t name_length, target_length;
    uint32_t reserved;
    int64_t mtime_ns;
    uint64_t size; /* of a file */
    uint64_t device;
};

struct archive_extent {
    uint64_t offset, length;
};

static inline uint64_t archive_align(uint64_t position, uint64_t alignment)
{
    return (position + alignment - 1) / alignment * alignment;
}

#endif
