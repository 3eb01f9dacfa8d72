/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent: what memory_tracer runs inside the guest. It waits on a virtio-serial port for the runner's frames
 * (frames.h), receives files, runs the workload and executes the markers around it.
 *
 * It is static and needs nothing but a kernel. As the first process (in the default guest) it also mounts the root file
 * system. At the start of each run, the agent in the snapshot executes the current one in its place (drive.c).
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "agent.h"

#define PORTS_FOLDER "/sys/class/virtio-ports"
#define RETRY_MS 200

/* Opens the port to the runner, by its name. Returns -1 while it isn't there. */
static int open_port(void)
{
    DIR *folder = opendir(PORTS_FOLDER);
    int fd = -1;

    for (struct dirent *entry; fd < 0 && folder && (entry = readdir(folder));) {
        char path[512], name[64] = "";
        FILE *file;

        snprintf(path, sizeof path, PORTS_FOLDER "/%s/name", entry->d_name);
        file = fopen(path, "re");
        if (!file)
            continue;
        if (fgets(name, sizeof name, file) && !strncmp(name, MT_PORT_NAME "\n", sizeof MT_PORT_NAME)) {
            snprintf(path, sizeof path, "/dev/%s", entry->d_name);
            fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
        }
        fclose(file);
    }
    if (folder)
        closedir(folder);
    return fd;
}

/* What we do while a workload is traced is in the trace, and traces are to repeat. So our addresses must be the same in
 * each run: if they are randomised, executes us once more. */
static void have_fixed_addresses(char **argv)
{
    int now = personality(0xffffffff); /* asks */

    if (!(now & ADDR_NO_RANDOMIZE) && personality((unsigned long)now | ADDR_NO_RANDOMIZE) >= 0)
        execv("/proc/self/exe", argv);
}

int main(int argc, char **argv)
{
    int port;

    if (argc > 1 && !strcmp(argv[1], "--version")) {
        printf("memory_tracer agent, protocol %d\n", MT_PROTOCOL_VERSION);
        return 0;
    }
    if (argc == 3 && !strcmp(argv[1], "--serve")) {
        prctl(PR_SET_PDEATHSIG, 0); /* we notice by ourselves when the runner has gone, and take the workload along */
        agent_serve(atoi(argv[2]), true, false);
        return 0;
    }
    if (argc == 3 && !strcmp(argv[1], "--resume")) {
        have_fixed_addresses(argv);
        port = atoi(argv[2]);
        fcntl(port, F_SETFD, FD_CLOEXEC);
        prctl(PR_SET_NAME, "memory_tracer_a"); /* else it would be the descriptor's number that it was executed by */
        memory_protect();
        agent_serve(port, false, true);
        return 1;
    }
    if (argc > 1 && getpid() != 1) {
        fprintf(stderr,
                "usage: %s [--version | --serve FD]\nThe memory_tracer agent: in a guest it waits on its virtio-serial "
                "port, else on the socket FD.\n",
                argv[0]);
        return 2;
    }
    if (getpid() == 1)
        init_become_first_process();
    while ((port = open_port()) < 0)
        usleep(RETRY_MS * 1000);
    fprintf(stderr, "memory_tracer agent: waiting for the runner\n");
    agent_serve(port, false, false);
    return 1;
}
