/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The workload's view of the host's files. In a mount namespace of its own, the agent mounts the folders that the
 * runner shares, by 9p: the host's root folder, read-only, and the folders that are shared for writing. Each workload
 * lays an overlay over the host's root folder, with its upper layer on the guest's disk. Into this it mounts the
 * guest's own /proc, /sys, /dev and /run, and the folders that are shared for writing; then it makes this its root. So
 * no workload sees what another one has changed, and what all of them read stays in the guest's page cache.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent.h"

#define VIEW_FOLDER "/.memory_tracer" /* on the guest's disk */
#define SHARE_FOLDER VIEW_FOLDER "/share"
#define LAYERS_FOLDER VIEW_FOLDER "/layers"
#define SHARE_OPTIONS "trans=virtio,version=9p2000.L,msize=512000,access=any,"
/* The host's files are cached as they are when first read; folders that are shared for writing are written through. */
#define READ_OPTIONS SHARE_OPTIONS "cache=loose"
#define WRITE_OPTIONS SHARE_OPTIONS "cache=mmap"
#define FULL_BYTES (4u << 20) /* with less room than that the disk counts as full */
#define OPEN_FILES 32         /* while a folder's entries are counted */

static const char *const own_folders[] = { "proc", "sys", "dev", "run" };

static struct {
    bool made;
    unsigned layer;                       /* the number of the last workload's */
    char *strings;                        /* the memory of `folders` */
    const char *folders[MT_VIEW_FOLDERS]; /* of the host, shared for writing */
    int writable[MT_VIEW_FOLDERS]; /* opened when they were mounted: syncfs() tells of failed writes since then */
    uint32_t folder_count;
} view;

static bool kernel_has(const char *file_system)
{
    FILE *file = fopen("/proc/filesystems", "re");
    char line[128];
    bool found = false;

    while (file && !found && fgets(line, sizeof line, file)) {
        char *name = strrchr(line, '\t');

        line[strcspn(line, "\n")] = 0;
        found = name && !strcmp(name + 1, file_system);
    }
    if (file)
        fclose(file);
    return found;
}

static bool has_file_systems(void)
{
    return kernel_has("9p") && kernel_has("overlay");
}

/* A guest that wasn't built by us may have them as modules. */
static void load_modules(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        static char *const argv[] = { "modprobe", "-a", "-q", "9pnet_virtio", "9p", "overlay", NULL };
        static char *const environment[] = { NULL };

        execve("/sbin/modprobe", argv, environment);
        execve("/usr/sbin/modprobe", argv, environment);
        _exit(127);
    }
    if (pid > 0)
        waitpid(pid, NULL, 0);
}

static bool parse(const struct mt_view *request, const char **host_name)
{
    size_t length;
    const char *at, *end;

    free(view.strings);
    view.strings = strings_take(&length);
    at = view.strings;
    end = at + length;
    *host_name = strings_next(&at, end);
    view.folder_count = request->folder_count;
    if (!*host_name || request->folder_count > MT_VIEW_FOLDERS)
        return false;
    for (uint32_t i = 0; i < request->folder_count; i++) {
        view.folders[i] = strings_next(&at, end);
        if (!view.folders[i] || view.folders[i][0] != '/')
            return false;
    }
    return true;
}

/* Mounts share `number`. Returns false with errno set. */
static bool mount_share(uint32_t number, const char *options)
{
    char tag[32], path[64];

    snprintf(tag, sizeof tag, MT_SHARE_TAG "%u", number);
    snprintf(path, sizeof path, SHARE_FOLDER "/%u", number);
    mkdir(path, 0755);
    return !mount(tag, path, "9p", number ? 0 : MS_RDONLY, options);
}

/* Returns what couldn't be done, with errno set, or NULL. */
static const char *mount_shares(void)
{
    char path[64];

    if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
        return "have mounts of our own";
    mkdir(VIEW_FOLDER, 0700);
    mkdir(SHARE_FOLDER, 0755);
    mkdir(LAYERS_FOLDER, 0755);
    if (!mount_share(0, READ_OPTIONS))
        return "mount the host's files";
    for (uint32_t i = 0; i < view.folder_count; i++) {
        if (!mount_share(i + 1, WRITE_OPTIONS))
            return view.folders[i];
        snprintf(path, sizeof path, SHARE_FOLDER "/%u", i + 1);
        view.writable[i] = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (view.writable[i] < 0)
            return view.folders[i];
    }
    return NULL;
}

void view_make(const struct mt_view *request)
{
    const char *host_name, *failed;
    struct utsname names;

    if (view.made || !parse(request, &host_name)) {
        channel_send_error("a malformed request to see the host's files");
        return;
    }
    if (!has_file_systems())
        load_modules();
    if (!has_file_systems()) {
        uname(&names);
        channel_send_error("the guest can't see this machine's files: its kernel, %s, has no 9p or no overlay file "
                           "system (Debian's cloud kernels have no 9p): use --files image, or another kernel in the "
                           "guest",
                           names.release);
        return;
    }
    failed = mount_shares();
    if (failed) {
        channel_send_error("can't %s%s in the guest: %s", *failed == '/' ? "mount " : "", failed, strerror(errno));
        return;
    }
    sethostname(host_name, strlen(host_name));
    view.made = true;
    channel_send(MT_FRAME_OK, NULL, 0);
}

bool view_is_made(void)
{
    return view.made;
}

static bool is_below(const char *path, const char *folder)
{
    size_t length = strlen(folder);

    return !strncmp(path, folder, length) && (!path[length] || path[length] == '/');
}

int view_open(const char *path)
{
    const char *rest = path;
    char there[PATH_MAX];
    uint32_t share = 0;

    if (!view.made)
        return open(path, O_RDONLY | O_NOCTTY | O_CLOEXEC);
    for (uint32_t i = 0; i < view.folder_count; i++)
        if (is_below(path, view.folders[i])) { /* what is written to it is read from there */
            share = i + 1;
            rest = path + strlen(view.folders[i]);
        }
    if (snprintf(there, sizeof there, SHARE_FOLDER "/%u%s", share, rest) >= (int)sizeof there) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return open(there, O_RDONLY | O_NOCTTY | O_CLOEXEC);
}

/* The path of a layer, which holds what the workload changes. */
static void layer_path(char path[64], const char *name)
{
    snprintf(path, 64, LAYERS_FOLDER "/%u-%s", view.layer, name);
}

/* O_NONBLOCK: opening a FIFO must not block. */
int view_open_written(const char *path)
{
    const int flags = O_RDONLY | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC;
    char upper[64], there[PATH_MAX];

    if (!view.made)
        return open(path, flags);
    for (uint32_t i = 0; i < view.folder_count; i++)
        if (is_below(path, view.folders[i]))
            return view_open(path);
    layer_path(upper, "upper");
    if (snprintf(there, sizeof there, "%s%s", upper, path) >= (int)sizeof there) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return open(there, flags);
}

void view_prepare(void)
{
    char path[64];
    struct stat root;

    if (!view.made)
        return;
    view.layer++;
    layer_path(path, "upper");
    mkdir(path, 0755);
    if (!stat(SHARE_FOLDER "/0", &root)) { /* the upper folder decides the owner and mode of the view's root */
        (void)!chown(path, root.st_uid, root.st_gid);
        chmod(path, root.st_mode & 07777);
    }
    layer_path(path, "work");
    mkdir(path, 0755);
}

static bool make_folders(char *path)
{
    for (char *slash = strchr(path + 1, '/');; slash = strchr(slash + 1, '/')) {
        if (slash)
            *slash = 0;
        if (mkdir(path, 0755) && errno != EEXIST)
            return false;
        if (!slash)
            return true;
        *slash = '/';
    }
}

/* Makes sure that programs find "localhost" in the view's /etc/hosts. */
static void know_localhost(const char *root)
{
    char path[PATH_MAX], line[512];
    bool known = false;
    FILE *file;

    snprintf(path, sizeof path, "%s/etc/hosts", root);
    file = fopen(path, "re");
    while (file && !known && fgets(line, sizeof line, file))
        known = line[0] != '#' && strstr(line, "localhost");
    if (file)
        fclose(file);
    if (!known && !access("/etc/hosts", R_OK) && !access(path, F_OK))
        mount("/etc/hosts", path, NULL, MS_BIND, NULL);
}

static const char *mount_overlay(const char *root)
{
    char upper[64], work[64], options[512];

    layer_path(upper, "upper");
    layer_path(work, "work");
    snprintf(options, sizeof options,
             "lowerdir=" SHARE_FOLDER "/0,upperdir=%s,workdir=%s,index=off,xino=off,redirect_dir=on,metacopy=off",
             upper, work);
    return mkdir(root, 0755) && errno != EEXIST            ? "make a folder for the view"
           : mount("overlay", root, "overlay", 0, options) ? "lay an overlay over the host's files"
                                                           : NULL;
}

/* Mounts the guest's own folders, and those that are shared for writing, into the view. */
static const char *mount_inside(const char *root)
{
    char path[PATH_MAX], source[64];

    for (size_t i = 0; i < sizeof own_folders / sizeof *own_folders; i++) {
        snprintf(path, sizeof path, "%s/%s", root, own_folders[i]);
        snprintf(source, sizeof source, "/%s", own_folders[i]);
        if (mount(source, path, NULL, MS_BIND | MS_REC, NULL) && errno != ENOENT)
            return "put the guest's own folders into the view";
    }
    know_localhost(root);
    for (uint32_t i = 0; i < view.folder_count; i++) {
        snprintf(path, sizeof path, "%s%s", root, view.folders[i]);
        snprintf(source, sizeof source, SHARE_FOLDER "/%u", i + 1);
        /* The folder may lie in the guest's own /run or /dev, and not exist there yet. */
        if ((access(path, F_OK) && !make_folders(path)) || mount(source, path, NULL, MS_BIND, NULL))
            return "put a folder that is shared for writing into the view";
    }
    return NULL;
}

const char *view_enter(void)
{
    static const char root[] = VIEW_FOLDER "/root";
    const char *failed;

    if (!view.made)
        return NULL;
    if (unshare(CLONE_NEWNS))
        return "have mounts of its own";
    failed = mount_overlay(root);
    if (!failed)
        failed = mount_inside(root);
    if (failed)
        return failed;
    /* The old root is stacked on the new one, and taken away from there: pivot_root(2). */
    if (chdir(root) || syscall(SYS_pivot_root, ".", ".") || umount2(".", MNT_DETACH) || chdir("/"))
        return "enter the view";
    return NULL;
}

const char *view_join(pid_t workload)
{
    char path[64];
    int mounts;

    if (!view.made)
        return NULL;
    snprintf(path, sizeof path, "/proc/%d/ns/mnt", (int)workload);
    mounts = open(path, O_RDONLY | O_CLOEXEC);
    return mounts < 0 || setns(mounts, CLONE_NEWNS) ? "enter the workload's view" : NULL;
}

/* What has become of the files. */

static uint64_t entries;

static int count_entry(const char *path, const struct stat *status, int type, struct FTW *position)
{
    (void)path;
    (void)status;
    (void)position;
    entries += type != FTW_D && type != FTW_DNR; /* a file that was removed is there as a device */
    return 0;
}

static uint64_t count_files(void)
{
    char path[64];

    layer_path(path, "upper");
    entries = 0;
    nftw(path, count_entry, OPEN_FILES, FTW_PHYS | FTW_MOUNT);
    return entries;
}

static bool disk_is_full(void)
{
    struct statvfs disk;

    return !statvfs(LAYERS_FOLDER, &disk) && (disk.f_bavail * disk.f_frsize < FULL_BYTES || !disk.f_favail);
}

void view_finish(void)
{
    struct mt_finished finished = { 0 };
    char problem[PATH_MAX + 128] = "";

    for (uint32_t i = 0; i < view.folder_count; i++) {
        if (view.made && syncfs(view.writable[i]) && !finished.failed) {
            finished.failed = 1;
            snprintf(problem, sizeof problem, "not all that was written to %s could be written back: %s",
                     view.folders[i], strerror(errno));
        }
    }
    if (view.made) {
        finished.files_dropped = count_files();
        finished.disk_is_full = disk_is_full();
    }
    channel_send2(MT_FRAME_FINISHED, &finished, sizeof finished, problem, strlen(problem) + 1);
}
