/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Included before an analysis tool's source: what the tool reads is also written to the file $COPY_OF_TRACE, so that a
 * test can see for itself what the tool was given.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static ssize_t copying_read(int fd, void *to, size_t bytes)
{
    static int copy = -1;
    const char *path = getenv("COPY_OF_TRACE");
    ssize_t n = read(fd, to, bytes);

    if (copy < 0 && path)
        copy = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (copy >= 0 && n > 0 && write(copy, to, (size_t)n) != n)
        abort();
    return n;
}

#define read copying_read
