/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A reader that does nothing else: reads a FIFO with a buffer of 1 MiB and prints the number of bytes. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    static char buffer[1 << 20];
    unsigned long long bytes = 0;
    int fifo = open(argc > 1 ? argv[1] : "/dev/null", O_RDONLY);

    for (ssize_t n; (n = read(fifo, buffer, sizeof buffer)) > 0;)
        bytes += (unsigned long long)n;
    printf("%llu\n", bytes);
    return 0;
}
