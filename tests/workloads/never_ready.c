/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Never says "Ready to trace". */
#include <unistd.h>

int main(void)
{
    for (;;)
        pause();
}
