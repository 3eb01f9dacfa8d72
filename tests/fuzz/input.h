/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A fuzzer's input as a file. */
#ifndef MEMORY_TRACER_FUZZ_INPUT_H
#define MEMORY_TRACER_FUZZ_INPUT_H

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* A descriptor at the beginning of a file with these bytes, which the caller closes. */
static inline int input_fd(const uint8_t *data, size_t size)
{
    int fd = memfd_create("input", MFD_CLOEXEC);

    if (write(fd, data, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET))
        abort();
    return fd;
}

#endif
