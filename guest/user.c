/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Users of the guest. The files are read directly: a static program can't load the C library's name services. */
#define _DEFAULT_SOURCE
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"

#define MAX_GROUPS 64

bool user_find(const char *name, struct user *user)
{
    FILE *file;

    memset(user, 0, sizeof *user);
    if (!*name)
        return true;
    file = fopen("/etc/passwd", "re");
    for (struct passwd *entry; file && (entry = fgetpwent(file));) {
        if (strcmp(entry->pw_name, name))
            continue;
        user->known = true;
        user->uid = entry->pw_uid;
        user->gid = entry->pw_gid;
        snprintf(user->name, sizeof user->name, "%s", name);
        snprintf(user->home, sizeof user->home, "%s", entry->pw_dir);
        snprintf(user->shell, sizeof user->shell, "%s", *entry->pw_shell ? entry->pw_shell : "/bin/sh");
        break;
    }
    if (file)
        fclose(file);
    return user->known;
}

bool user_become(const struct user *user)
{
    gid_t groups[MAX_GROUPS];
    size_t count = 0;
    FILE *file;

    if (!user->known || user->uid == geteuid())
        return true;
    groups[count++] = user->gid;
    file = fopen("/etc/group", "re");
    for (struct group *entry; file && (entry = fgetgrent(file));)
        for (char **member = entry->gr_mem; *member; member++)
            if (!strcmp(*member, user->name) && count < MAX_GROUPS)
                groups[count++] = entry->gr_gid;
    if (file)
        fclose(file);
    return !setgroups(count, groups) && !setgid(user->gid) && !setuid(user->uid);
}

bool user_become_ids(const struct mt_run *run)
{
    gid_t groups[MT_GROUPS_MAX];

    for (uint32_t i = 0; i < run->group_count; i++)
        groups[i] = run->groups[i];
    return !setgroups(run->group_count, groups) && !setgid(run->gid) && !setuid(run->uid);
}
