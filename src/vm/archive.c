/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A folder as the contents of the transfer drive: see archive.h. */
#define _GNU_SOURCE
#include "archive.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/error.h"
#include "../base/regular_file.h"
#include "../protocol/archive_format.h"
#include "../protocol/frames.h"

#define COPY_BYTES (1024 * 1024)

/* Filled by a thread, so that the main loop can show progress and react to Ctrl-C. */
typedef struct {
    const char *folder, *path;
    int fd;
    uint64_t position;
    GHashTable *links; /* of files with several names: "device:inode" to the first name */
    GError *error;
    _Atomic uint64_t written; /* position, for the progress */
    _Atomic bool cancelled, finished;
} Archive;

static bool put_at(Archive *archive, const void *bytes, size_t length)
{
    while (length) {
        ssize_t n = pwrite(archive->fd, bytes, length, (off_t)archive->position);

        if (n < 0)
            return mt_fail(&archive->error, "can't write %s: %s", archive->path, g_strerror(errno));
        bytes = (const char *)bytes + n;
        length -= (size_t)n;
        archive->position += (uint64_t)n;
    }
    archive->written = archive->position;
    return true;
}

static void align(Archive *archive, uint64_t alignment)
{
    archive->position = archive_align(archive->position, alignment);
}

static bool put_entry(Archive *archive, enum archive_type type, const struct stat *status, const char *name,
                      const char *target)
{
    struct archive_entry entry = { .magic = ARCHIVE_MAGIC,
                                   .type = type,
                                   .name_length = (uint32_t)strlen(name),
                                   .target_length = target ? (uint32_t)strlen(target) : 0 };

    if (status) {
        entry.mode = status->st_mode;
        entry.mtime_ns = status->st_mtim.tv_sec * G_GINT64_CONSTANT(1000000000) + status->st_mtim.tv_nsec;
        entry.size = (uint64_t)status->st_size;
        entry.device = status->st_rdev;
    }
    align(archive, ARCHIVE_ALIGNMENT);
    return put_at(archive, &entry, sizeof entry) && put_at(archive, name, entry.name_length) &&
           put_at(archive, target, entry.target_length);
}

static bool put_extent(Archive *archive, uint64_t offset, uint64_t length)
{
    const struct archive_extent extent = { offset, length };

    align(archive, ARCHIVE_ALIGNMENT);
    return put_at(archive, &extent, sizeof extent);
}

/* Copies `length` bytes from `offset` of a file. If it has become shorter, zeros take the place of what is missing. */
static bool put_data(Archive *archive, int file, uint64_t offset, uint64_t length)
{
    static char buffer[COPY_BYTES];
    uint64_t alignment = length >= ARCHIVE_DIRECT_BYTES ? ARCHIVE_BLOCK : ARCHIVE_ALIGNMENT;

    align(archive, alignment);
    while (length) {
        size_t piece = MIN(length, sizeof buffer);
        ssize_t n = pread(file, buffer, piece, (off_t)offset);

        if (n <= 0)
            memset(buffer, 0, (size_t)(n = (ssize_t)piece));
        if (archive->cancelled || !put_at(archive, buffer, (size_t)n))
            return false;
        offset += (uint64_t)n;
        length -= (uint64_t)n;
    }
    align(archive, alignment);
    return true;
}

static bool put_extents(Archive *archive, int file, uint64_t size)
{
    uint64_t offset = 0;

    while (offset < size) {
        off_t data = lseek(file, (off_t)offset, SEEK_DATA), hole;

        if (data < 0 && errno == ENXIO)
            break; /* nothing but a hole is left */
        if (data < 0)
            data = (off_t)offset;
        hole = lseek(file, data, SEEK_HOLE);
        if (hole < 0 || (uint64_t)hole > size)
            hole = (off_t)size;
        if (data >= hole)
            break;
        if (!put_extent(archive, (uint64_t)data, (uint64_t)(hole - data)) ||
            !put_data(archive, file, (uint64_t)data, (uint64_t)(hole - data)))
            return false;
        offset = (uint64_t)hole;
    }
    return put_extent(archive, 0, 0);
}

static bool put_file(Archive *archive, const char *path, const char *name, const struct stat *status)
{
    g_autofree char *identity =
        g_strdup_printf("%" G_GUINT64_FORMAT ":%" G_GUINT64_FORMAT, (guint64)status->st_dev, (guint64)status->st_ino);
    const char *first = status->st_nlink > 1 ? g_hash_table_lookup(archive->links, identity) : NULL;
    bool fine;
    int file;

    if (first)
        return put_entry(archive, ARCHIVE_HARD_LINK, status, name, first);
    file = regular_file_open(path, &archive->error); /* it may have been replaced by now */
    if (file < 0)
        return false;
    if (status->st_nlink > 1)
        g_hash_table_insert(archive->links, g_steal_pointer(&identity), g_strdup(name));
    fine =
        put_entry(archive, ARCHIVE_FILE, status, name, NULL) && put_extents(archive, file, (uint64_t)status->st_size);
    close(file);
    return fine;
}

static bool put_symlink(Archive *archive, const char *path, const char *name, const struct stat *status)
{
    char target[PATH_MAX];
    ssize_t length = readlink(path, target, sizeof target - 1);

    if (length < 0)
        return mt_fail(&archive->error, "can't read %s: %s", path, g_strerror(errno));
    target[length] = 0;
    return put_entry(archive, ARCHIVE_SYMLINK, status, name, target);
}

static bool put_one(Archive *archive, const FTSENT *found)
{
    /* What comes after the folder's own path; the folder itself has an empty name. */
    const char *name = found->fts_path + strlen(archive->folder);
    const struct stat *status = found->fts_statp;

    while (*name == '/')
        name++;
    switch (found->fts_info) {
    case FTS_D:
        return put_entry(archive, ARCHIVE_FOLDER, status, name, NULL);
    case FTS_DP:
        return put_entry(archive, ARCHIVE_ATTRIBUTES, status, name, NULL);
    case FTS_F:
        return put_file(archive, found->fts_accpath, name, status);
    case FTS_SL:
    case FTS_SLNONE:
        return put_symlink(archive, found->fts_accpath, name, status);
    case FTS_DEFAULT:
        return S_ISSOCK(status->st_mode) || put_entry(archive, ARCHIVE_NODE, status, name, NULL);
    default:
        return mt_fail(&archive->error, "can't read %s: %s", found->fts_path, g_strerror(found->fts_errno));
    }
}

static gpointer pack(gpointer data)
{
    Archive *archive = data;
    char *const paths[] = { (char *)archive->folder, NULL };
    FTS *walk = fts_open(paths, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, NULL);
    FTSENT *found;
    bool fine = walk;

    while (fine && (found = fts_read(walk)))
        fine = !archive->cancelled && put_one(archive, found);
    if (fine)
        fine = put_entry(archive, ARCHIVE_END, NULL, "", NULL);
    if (walk)
        fts_close(walk);
    if (fine && archive->position > MT_DRIVE_AGENT_OFFSET)
        mt_fail(&archive->error, "%s is too large for a guest", archive->folder);
    else if (fine && ftruncate(archive->fd, MT_DRIVE_BYTES))
        mt_fail(&archive->error, "can't write %s: %s", archive->path, g_strerror(errno));
    archive->finished = true;
    run_loop_wake();
    return NULL;
}

static char *status_text(void *data)
{
    return g_strdup_printf("%.0f MB", (double)((Archive *)data)->written / 1e6);
}

static bool is_finished(void *data)
{
    return ((Archive *)data)->finished;
}

bool archive_create(const char *folder, const char *path, uint64_t *bytes, RunLoop *loop, GError **error)
{
    Archive archive = { .folder = folder, .path = path };
    const WaitFor wait = { .done = is_finished, .data = &archive, .what = "the folder to be packed", .poll_ms = 100 };
    GThread *thread;
    bool fine;

    archive.fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (archive.fd < 0)
        return mt_fail(error, "can't create %s: %s", path, g_strerror(errno));
    archive.links = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    thread = g_thread_new("archive", pack, &archive);
    run_loop_set_status(loop, status_text, &archive);
    fine = run_loop_wait(loop, &wait, error);
    run_loop_set_status(loop, NULL, NULL);
    archive.cancelled = true;
    g_thread_join(thread);
    close(archive.fd);
    g_hash_table_unref(archive.links);
    *bytes = archive.position;
    if (fine && archive.error) {
        g_propagate_error(error, archive.error);
        return false;
    }
    g_clear_error(&archive.error);
    return fine;
}
