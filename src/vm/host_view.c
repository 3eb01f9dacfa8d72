/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a workload gets of this machine: see host_view.h. */
#define _GNU_SOURCE
#include "host_view.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/error.h"
#include "../base/limits.h"
#include "../base/printable.h"

/* Here guest/view.c mounts the guest's own folders. */
static const char *const own_folders[] = { "/proc", "/sys", "/dev", "/run" };
/* Of /dev, these are everywhere. */
static const char *const usual_devices[] = { "null", "zero",  "full",   "random", "urandom", "tty",
                                             "ptmx", "stdin", "stdout", "stderr", "shm",     "pts" };

static bool is_below(const char *path, const char *folder)
{
    size_t length = strlen(folder);

    return !strncmp(path, folder, length) && (!path[length] || path[length] == '/');
}

bool host_view_is_guests_own(const char *path)
{
    for (guint i = 0; i < G_N_ELEMENTS(own_folders); i++)
        if (is_below(path, own_folders[i]))
            return true;
    return false;
}

static char *canonical(const char *path)
{
    char *resolved = realpath(path, NULL), *copy = g_strdup(resolved);

    free(resolved);
    return copy;
}

static bool check_writable_folder(const char *folder, GPtrArray *before, GError **error)
{
    if (!strcmp(folder, "/") || is_below(folder, "/proc") || is_below(folder, "/sys"))
        return mt_fail_usage(error, "--rw: %s can't be shared for writing", folder);
    for (guint i = 0; i < before->len; i++)
        if (is_below(folder, before->pdata[i]) || is_below(before->pdata[i], folder))
            return mt_fail_usage(error, "--rw: %s and %s lie in one another", (char *)before->pdata[i], folder);
    return before->len < MT_VIEW_FOLDERS ||
           mt_fail_usage(error, "--rw: at most %d folders can be shared for writing", MT_VIEW_FOLDERS);
}

GStrv host_view_writable_folders(char **folders, GError **error)
{
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(g_free);

    for (; folders && *folders; folders++) {
        g_autofree char *folder = canonical(*folders);

        if (!folder || !g_file_test(folder, G_FILE_TEST_IS_DIR)) {
            mt_fail(error, "--rw: %s: %s", *folders, g_strerror(folder ? ENOTDIR : errno));
            return NULL;
        }
        if (!check_writable_folder(folder, list, error))
            return NULL;
        if (access(folder, W_OK | X_OK)) {
            mt_fail(error, "--rw: %s: %s", folder, g_strerror(errno));
            return NULL;
        }
        g_ptr_array_add(list, g_steal_pointer(&folder));
    }
    g_ptr_array_add(list, NULL);
    return (GStrv)g_ptr_array_free(g_steal_pointer(&list), FALSE);
}

static bool is_usual_device(const char *path)
{
    const char *name = path + strlen("/dev/");

    for (guint i = 0; i < G_N_ELEMENTS(usual_devices); i++)
        if (is_below(name, usual_devices[i]))
            return true;
    return false;
}

/* If the path names something that the guest can't have, what that is; else NULL. */
static const char *describe_missing(const char *path, const char *const *writable)
{
    g_autofree char *absolute = g_canonicalize_filename(path, NULL);
    struct stat status;

    /* A shell's <(...) is an open file of ours. The standard streams are the workload's own. */
    if (is_below(absolute, "/dev/fd") || is_below(absolute, "/proc/self/fd")) {
        const char *number = strrchr(absolute, '/') + 1;

        return g_ascii_isdigit(*number) && atoi(number) > STDERR_FILENO ? "a file that is open here" : NULL;
    }
    if (stat(absolute, &status) ||
        (is_below(absolute, "/dev") && is_usual_device(absolute) && !S_ISREG(status.st_mode)))
        return NULL;
    if (S_ISFIFO(status.st_mode))
        return "a FIFO of this machine";
    if (S_ISSOCK(status.st_mode))
        return "a socket of this machine";
    if (S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode))
        return "a device of this machine";
    if (S_ISDIR(status.st_mode) || host_view_has(absolute, writable))
        return NULL;
    return is_below(absolute, "/run")   ? "in this machine's /run"
           : is_below(absolute, "/dev") ? "in this machine's /dev" /* shared memory */
                                        : NULL;
}

GStrv host_view_missing_arguments(const char *const *argv, const char *const *writable)
{
    GPtrArray *lines = g_ptr_array_new();

    for (; *argv; argv++) {
        const char *value = strchr(*argv, '='); /* --file=PATH, if=PATH */
        const char *path = strchr(*argv, '/') && (!value || **argv == '/') ? *argv : value ? value + 1 : *argv;
        const char *what = *path ? describe_missing(path, writable) : NULL;

        if (what) {
            g_autofree char *printable = text_make_printable(path);

            g_ptr_array_add(lines, g_strdup_printf("%s is %s: the guest doesn't have it", printable, what));
        }
    }
    g_ptr_array_add(lines, NULL);
    return (GStrv)g_ptr_array_free(lines, FALSE);
}

bool host_view_has(const char *path, const char *const *writable)
{
    for (; writable && *writable; writable++)
        if (is_below(path, *writable))
            return true;
    return !host_view_is_guests_own(path);
}

bool host_view_shares(const char *path, const char *const *writable)
{
    g_autofree char *parent = g_path_get_dirname(path), *folder = canonical(parent), *file = canonical(path);

    for (; writable && *writable; writable++)
        if ((folder && is_below(folder, *writable)) || (file && is_below(file, *writable)))
            return true;
    return false;
}

bool host_view_check_folder(const char *folder, const char *const *writable, GError **error)
{
    g_autofree char *resolved = canonical(folder);
    struct stat status;

    if (stat(folder, &status))
        return mt_fail(error, "can't enter %s: %s", folder, g_strerror(errno));
    if (!S_ISDIR(status.st_mode))
        return mt_fail(error, "can't enter %s: %s", folder, g_strerror(ENOTDIR));
    return host_view_has(resolved ? resolved : folder, writable) ||
           mt_fail(error, "the workload can't run in %s, as the guest has its own there: --chdir DIR says where else",
                   folder);
}

/* As whom the workload runs. */

static bool take_groups(struct mt_run *run, const gid_t *groups, int count)
{
    run->group_count = (uint32_t)MIN(MAX(count, 0), MT_GROUPS_MAX);
    for (uint32_t i = 0; i < run->group_count; i++)
        run->groups[i] = groups[i];
    return true;
}

static bool describe_user(struct mt_run *run, const char *user, GError **error)
{
    gid_t groups[MT_GROUPS_MAX];
    int count = MT_GROUPS_MAX;
    guint64 number;
    struct passwd *entry;

    errno = 0;
    entry = g_ascii_string_to_unsigned(user, 10, 0, UINT32_MAX - 1, &number, NULL) ? getpwuid((uid_t)number)
                                                                                   : getpwnam(user);
    if (!entry)
        return mt_fail(error, "--user: this machine has no user %s", user);
    run->uid = entry->pw_uid;
    run->gid = entry->pw_gid;
    getgrouplist(entry->pw_name, entry->pw_gid, groups, &count);
    return take_groups(run, groups, count);
}

static bool describe_ourselves(struct mt_run *run)
{
    gid_t groups[NGROUPS_MAX > 65536 ? 65536 : NGROUPS_MAX];
    int count = getgroups(G_N_ELEMENTS(groups), groups);

    run->uid = geteuid();
    run->gid = getegid();
    return take_groups(run, groups, count);
}

static void describe_limits(struct mt_run *run)
{
    static const int passed[] = { RLIMIT_AS,      RLIMIT_CORE,   RLIMIT_DATA, RLIMIT_FSIZE,
                                  RLIMIT_MEMLOCK, RLIMIT_NOFILE, RLIMIT_STACK };

    for (guint i = 0; i < G_N_ELEMENTS(passed); i++) {
        int resource = passed[i];
        struct rlimit limit;

        if (!limits_of_caller(resource, &limit))
            continue;
        run->limited |= 1u << resource;
        run->limits[resource] = (struct mt_limit){ limit.rlim_cur, limit.rlim_max };
    }
}

bool host_view_describe_caller(struct mt_run *run, const char *user, GError **error)
{
    mode_t mask = umask(0);

    umask(mask);
    run->umask = mask;
    run->flags |= MT_RUN_WITH_IDS;
    describe_limits(run);
    return user ? describe_user(run, user, error) : describe_ourselves(run);
}
