/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The transfer drive's contents: see transfer_drive.h. */
#include "transfer_drive.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "../base/limits.h"
#include "../base/paths.h"
#include "../protocol/frames.h"
#include "archive.h"

static bool write_at(int fd, const void *bytes, size_t length, uint64_t offset)
{
    while (length) {
        ssize_t n = pwrite(fd, bytes, length, (off_t)offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        bytes = (const char *)bytes + n;
        length -= (size_t)n;
        offset += (uint64_t)n;
    }
    return true;
}

static bool add_agent(const char *path, GError **error)
{
    g_autofree char *agent = paths_find_resource("memory_tracer_agent", error);
    g_autoptr(GMappedFile) program = agent ? g_mapped_file_new(agent, FALSE, error) : NULL;
    struct mt_drive_agent head = { .magic = MT_DRIVE_AGENT_MAGIC };
    bool fine;
    int fd;

    if (!program)
        return false;
    head.bytes = g_mapped_file_get_length(program);
    if (!head.bytes || head.bytes > MT_DRIVE_AGENT_MAX)
        return mt_fail(error, "%s can't be the agent: it is empty or too large", agent);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    fine = fd >= 0 && !ftruncate(fd, (off_t)MT_DRIVE_BYTES) &&
           write_at(fd, &head, sizeof head, MT_DRIVE_AGENT_OFFSET) &&
           write_at(fd, g_mapped_file_get_contents(program), head.bytes, MT_DRIVE_AGENT_OFFSET + MT_DRIVE_BLOCK);
    if (!fine)
        mt_fail(error, "can't write %s: %s", path, g_strerror(errno));
    if (fd >= 0)
        close(fd);
    return fine;
}

bool transfer_drive_create(const char *path, const char *folder, uint64_t *folder_bytes, RunLoop *loop, GError **error)
{
    struct rlimit before;
    bool fine;

    *folder_bytes = 0;
    limits_raise_file_size(&before); /* nobody has asked for this file */
    fine = (!folder || archive_create(folder, path, folder_bytes, loop, error)) && add_agent(path, error);
    limits_set_file_size(&before);
    return fine;
}
