/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the guest's kernel does when it is out of memory: it kills processes. */
#include <inttypes.h>
#include <stdio.h>

#include "agent.h"

uint64_t memory_kills(void)
{
    FILE *file = fopen("/proc/vmstat", "re");
    uint64_t count = 0;
    char line[128];

    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "oom_kill %" SCNu64, &count) == 1)
            break;
    if (file)
        fclose(file);
    return count;
}

static bool is_protected;

static void write_oom_score(const char *score)
{
    FILE *file = fopen("/proc/self/oom_score_adj", "we");

    if (file) {
        fputs(score, file);
        fclose(file);
    }
}

void memory_protect(void)
{
    write_oom_score("-1000");
    is_protected = true;
}

void memory_unprotect(void)
{
    if (is_protected)
        write_oom_score("0");
}
