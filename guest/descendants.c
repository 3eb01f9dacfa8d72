/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The processes that we have started, directly or not. We are their subreaper: if a process's parent ends, we become
 * its parent. */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"

/* The parent of a process, or 0 if the process is gone or dead already. */
static pid_t parent_of(pid_t pid)
{
    char path[64], text[512], *after_name;
    int parent = 0;
    char state = 'X';
    size_t length;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    file = fopen(path, "re");
    if (!file)
        return 0;
    length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = 0;
    after_name = strrchr(text, ')'); /* the name may hold anything */
    if (!after_name || sscanf(after_name + 1, " %c %d", &state, &parent) != 2 || state == 'Z' || state == 'X')
        return 0;
    return parent;
}

static bool is_descendant(pid_t pid)
{
    while (pid > 1 && pid != getpid()) {
        pid = parent_of(pid);
        if (pid == getpid())
            return true;
    }
    return false;
}

void descendants_kill(void)
{
    bool found = true;

    /* A process that forks while we look may be missed: look again until there is none. */
    for (int round = 0; found && round < 1000; round++) {
        DIR *folder = opendir("/proc");

        found = false;
        for (struct dirent *entry; folder && (entry = readdir(folder));) {
            pid_t pid = atoi(entry->d_name);

            if (pid > 1 && is_descendant(pid)) {
                kill(pid, SIGKILL);
                found = true;
            }
        }
        if (folder)
            closedir(folder);
        if (found)
            usleep(1000);
    }
}
