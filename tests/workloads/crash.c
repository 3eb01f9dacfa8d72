/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Dies of a segmentation fault; with an argument, after it has said that it is ready. */
#include <signal.h>

#include "speak.h"

int main(int argc, char **argv)
{
    (void)argv;
    if (argc > 1)
        say_ready(NULL, 1, 1);
    raise(SIGSEGV);
    return 0;
}
