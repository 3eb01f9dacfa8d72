/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opening files that somebody else names: if the name is a FIFO's or a device's, opening it must neither block nor have
 * an effect. */
#ifndef MEMORY_TRACER_BASE_REGULAR_FILE_H
#define MEMORY_TRACER_BASE_REGULAR_FILE_H

#include <glib.h>
#include <stdbool.h>
#include <sys/stat.h>

/* What a file that isn't regular is: "a FIFO", "a folder". */
const char *regular_file_kind(mode_t mode);

/* Opens `path` for reading if it is a regular file. Returns the descriptor, or -1 with an error ("can't read PATH: it
 * is a FIFO"). */
int regular_file_open(const char *path, GError **error);

/* Whether a regular file can be written at `path`, as far as that can be told in advance. False with an error, such as
 * "can't write PATH: it must be a regular file, but is a FIFO". */
bool regular_file_check_output(const char *path, GError **error);

/* Whether `path` names the file that is open as `fd`. If not, that file has been removed or replaced. */
static inline bool regular_file_is_at(int fd, const char *path) /* inline: the library has no more of this room */
{
    struct stat ours, there;

    return !fstat(fd, &ours) && !stat(path, &there) && ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

/* Whether two paths name the same file; if neither exists, whether they would name the same one. */
bool regular_file_is_same(const char *one, const char *other);

/* Fails if `output` is the regular file that is read as `input` ("-": standard input), which would be lost. */
bool regular_file_check_apart(const char *output, const char *input, GError **error);

#endif
