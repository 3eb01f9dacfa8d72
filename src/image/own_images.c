/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The list of the guests that were made here: see own_images.h. A line each, the oldest first. */
#include "own_images.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/error.h"

#define LIST_MAX_BYTES (1u << 20)
#define LIST_MAX_LINES 1000

static char *list_path(void)
{
    return g_build_filename(g_get_user_data_dir(), "memory_tracer", "images", NULL);
}

/* What an image is recognised by, or NULL. */
static char *describe(const char *image)
{
    struct stat status;

    if (stat(image, &status) || !S_ISREG(status.st_mode))
        return NULL;
    return g_strdup_printf("%" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %" G_GINT64_FORMAT
                           ".%09ld",
                           (guint64)status.st_dev, (guint64)status.st_ino, (guint64)status.st_size,
                           (gint64)status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
}

/* The list's text; empty if there is none, or one that others may have written. */
static char *read_list(int fd)
{
    struct stat status;
    g_autofree char *text = NULL;
    ssize_t length;

    if (fd < 0 || fstat(fd, &status) || !S_ISREG(status.st_mode) || status.st_uid != geteuid() ||
        (status.st_mode & (S_IWGRP | S_IWOTH)) || status.st_size > LIST_MAX_BYTES)
        return g_strdup("");
    text = g_malloc0((gsize)status.st_size + 1);
    length = read(fd, text, (size_t)status.st_size);
    return length == status.st_size ? g_steal_pointer(&text) : g_strdup("");
}

static bool has_line(const char *text, const char *line)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

    return g_strv_contains((const char *const *)lines, line);
}

/* The newest lines of `text`, and `line` as the last one. To be freed. */
static char *add_line(const char *text, const char *line)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    guint count = g_strv_length(lines);
    GString *longer = g_string_new(NULL);

    for (guint i = count > LIST_MAX_LINES ? count - LIST_MAX_LINES : 0; i < count; i++)
        if (*lines[i] && strcmp(lines[i], line))
            g_string_append_printf(longer, "%s\n", lines[i]);
    g_string_append_printf(longer, "%s\n", line);
    return g_string_free(longer, FALSE);
}

/* Opens the folder and locks it against others who add to the list. Closing it unlocks it. -1 with an error. */
static int lock_folder(const char *folder, GError **error)
{
    int fd = g_mkdir_with_parents(folder, 0755) ? -1 : open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || flock(fd, LOCK_EX)) {
        int reason = errno;

        if (fd >= 0)
            close(fd);
        mt_fail(error, "%s: %s", folder, g_strerror(reason));
        return -1;
    }
    return fd;
}

static int open_list(const char *path)
{
    return open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
}

bool own_images_add(const char *image, GError **error)
{
    g_autofree char *line = describe(image), *path = list_path(), *folder = g_path_get_dirname(path);
    g_autofree char *before = NULL, *after = NULL;
    int lock, fd;
    bool fine;

    if (!line)
        return mt_fail(error, "%s: %s", image, g_strerror(errno));
    lock = lock_folder(folder, error);
    if (lock < 0)
        return false;
    fd = open_list(path);
    before = read_list(fd);
    if (fd >= 0)
        close(fd);
    after = add_line(before, line);
    fine = g_file_set_contents_full(path, after, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, error);
    close(lock);
    return fine;
}

bool own_images_has(const char *image)
{
    g_autofree char *line = describe(image), *path = list_path();
    int fd = open_list(path);
    g_autofree char *text = read_list(fd);

    if (fd >= 0)
        close(fd);
    return line && has_line(text, line);
}
