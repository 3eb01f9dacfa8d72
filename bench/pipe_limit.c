/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How fast a pipe is on one core: sends 4 GiB in pieces of 1 MiB to a reader with a buffer of 1 MiB, both on the last
 * CPU (the first one being the guest's, on a machine with two). Prints GB/s and M records/s: of write(), and of copying
 * to huge pages that vmsplice() makes part of the pipe, as memory_tracer does. No run with a FIFO can be faster there.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TOTAL (UINT64_C(4) << 30)
#define PIECE (1024 * 1024)
#define HUGE_PAGE (2 * PIECE)
#define RING (8 * PIECE)

static char ring[RING], buffer[PIECE];

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* All of a piece, as a blocking pipe takes all. */
static bool give(int fd, char *page, const char *piece, size_t at)
{
    if (!at)
        madvise(page, HUGE_PAGE, MADV_DONTNEED);
    memcpy(page + at, piece, PIECE);
    for (size_t done = 0; done < PIECE;) {
        ssize_t n = vmsplice(fd, &(struct iovec){ page + at + done, PIECE - done }, 1, 0);

        if (n < 0)
            return false;
        done += (size_t)n;
    }
    return true;
}

static bool send_all(const char *name, char *page)
{
    double began = now_s(), elapsed;
    bool fine = true;
    int ends[2];

    if (pipe(ends))
        return false;
    fcntl(ends[1], F_SETPIPE_SZ, PIECE);
    if (fork() == 0) {
        close(ends[1]);
        while (read(ends[0], buffer, sizeof buffer) > 0)
            ;
        _exit(0);
    }
    close(ends[0]);
    for (uint64_t sent = 0; fine && sent < TOTAL; sent += PIECE)
        fine = page ? give(ends[1], page, ring + sent % RING, sent % HUGE_PAGE)
                    : write(ends[1], ring + sent % RING, PIECE) == PIECE;
    close(ends[1]);
    wait(NULL);
    elapsed = now_s() - began;
    if (fine)
        printf("%s: %.2f GB/s, %.0f M records/s\n", name, (double)TOTAL / 1e9 / elapsed,
               (double)TOTAL / 16e6 / elapsed);
    return fine;
}

int main(void)
{
    char *reserved = mmap(NULL, 2 * HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *page;
    cpu_set_t last;
    bool written, given;

    if (reserved == MAP_FAILED)
        return 1;
    page = reserved + (-(uintptr_t)reserved & (HUGE_PAGE - 1));
    madvise(page, HUGE_PAGE, MADV_HUGEPAGE);
    CPU_ZERO(&last);
    CPU_SET((size_t)sysconf(_SC_NPROCESSORS_ONLN) - 1, &last);
    sched_setaffinity(0, sizeof last, &last);
    for (int i = 0; i < RING; i++)
        ring[i] = (char)i;
    written = send_all("write", NULL);
    given = send_all("vmsplice of huge pages", page);
    return written && given ? 0 : 1;
}
