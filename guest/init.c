/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent as the first process of the default guest: from the initramfs into the root file system, with what programs
 * expect of a Linux system mounted, and nothing else running.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent.h"

#define ROOT_DEVICE "/dev/vda"
#define DEVICE_WAIT_MS 20000
/* 127.0.1.1, which /etc/hosts has for the guest's name. To the C library, IPv4 is not configured on a machine that has
 * no address but 127.0.0.1: with AI_ADDRCONFIG, it doesn't look even for "localhost" then. */
#define GUEST_ADDRESS 0x7f000101

static void give_up(const char *what)
{
    fprintf(stderr, "memory_tracer agent: %s: %s\n", what, strerror(errno));
    sync();
    sleep(1);
    reboot(RB_POWER_OFF);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void load_modules(void)
{
    struct dirent **entries;
    int count = scandir("/modules", &entries, NULL, by_name);

    for (int i = 0; i < count; i++) {
        char path[300];
        int fd;

        if (entries[i]->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "/modules/%s", entries[i]->d_name);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST))
            fprintf(stderr, "memory_tracer agent: can't load %s: %s\n", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        unlink(path); /* the initramfs stays in memory otherwise */
    }
}

static void mount_on(const char *source, const char *target, const char *type, const char *options)
{
    mkdir(target, 0755);
    if (mount(source, target, type, 0, options))
        fprintf(stderr, "memory_tracer agent: can't mount %s on %s: %s\n", type, target, strerror(errno));
}

static void bring_loopback_up(void)
{
    struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
    struct ifreq second = { .ifr_name = "lo:1" };
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(GUEST_ADDRESS) };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return;
    ioctl(fd, SIOCSIFFLAGS, &request);
    memcpy(&second.ifr_addr, &address, sizeof address);
    ioctl(fd, SIOCSIFADDR, &second);
    close(fd);
}

void init_become_first_process(void)
{
    int console;

    mount_on("devtmpfs", "/dev", "devtmpfs", NULL);
    console = open("/dev/console", O_RDWR);
    if (console >= 0) {
        for (int fd = 0; fd < 3; fd++)
            dup2(console, fd);
        if (console > 2)
            close(console);
    }
    load_modules();
    for (int waited = 0; access(ROOT_DEVICE, F_OK); waited += 20) {
        if (waited >= DEVICE_WAIT_MS)
            give_up("no root device " ROOT_DEVICE);
        usleep(20000);
    }
    if (mount(ROOT_DEVICE, "/root", "ext4", MS_NOATIME, NULL))
        give_up("can't mount the root file system");
    if (mount("/dev", "/root/dev", NULL, MS_MOVE, NULL))
        give_up("can't move /dev");
    unlink("/init");
    if (chdir("/root") || mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/"))
        give_up("can't enter the root file system");

    mount_on("proc", "/proc", "proc", NULL);
    mount_on("sysfs", "/sys", "sysfs", NULL);
    mount_on("devpts", "/dev/pts", "devpts", "mode=620,ptmxmode=666");
    mount_on("tmpfs", "/dev/shm", "tmpfs", "mode=1777");
    mount_on("tmpfs", "/run", "tmpfs", "mode=755");
    mount_on("tmpfs", "/tmp", "tmpfs", "mode=1777");
    symlink("/proc/self/fd", "/dev/fd");
    symlink("/proc/self/fd/0", "/dev/stdin");
    symlink("/proc/self/fd/1", "/dev/stdout");
    symlink("/proc/self/fd/2", "/dev/stderr");
    sethostname("guest", 5);
    bring_loopback_up();
}
