/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The runner's end of the agent's protocol: see agent_link.h. */
#include "agent_link.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/error.h"

#define READ_BYTES (256 * 1024)
#define LOOK_AGAIN_MS 10
#define STALE_MS 5000

/* What waits to be sent: bytes, then a file of which `remaining` bytes are still to be read. */
typedef struct {
    GByteArray *bytes;
    int fd;
    uint64_t remaining;
} Outgoing;

struct AgentLink {
    int fd;
    guint readable, writable, stale; /* sources */
    unsigned stale_ms;
    AgentFrame on_frame;
    bool (*may_come)(void *data); /* or NULL */
    void *data;
    guint look_again; /* whether more may come */
    GByteArray *in;
    GQueue out;     /* of Outgoing */
    size_t written; /* of the first one's bytes */
};

static void outgoing_free(gpointer data)
{
    Outgoing *outgoing = data;

    if (outgoing->bytes)
        g_byte_array_unref(outgoing->bytes);
    if (outgoing->fd >= 0)
        close(outgoing->fd);
    g_free(outgoing);
}

static void append_frame(GByteArray *bytes, enum mt_frame_type type, const void *payload, size_t length)
{
    struct mt_frame frame = { .magic = MT_FRAME_MAGIC, .type = type, .length = (uint32_t)length };

    frame.check = mt_frame_check(&frame);
    g_byte_array_append(bytes, (const guint8 *)&frame, sizeof frame);
    g_byte_array_append(bytes, payload, (guint)length);
}

/* Replaces sent bytes by the file's next ones. Returns false when there are none left. */
static bool refill(Outgoing *outgoing)
{
    static uint8_t buffer[MT_MAX_PAYLOAD];
    ssize_t n;

    if (outgoing->fd < 0 || !outgoing->remaining)
        return false;
    n = read(outgoing->fd, buffer, MIN(sizeof buffer, outgoing->remaining));
    if (n <= 0) { /* it has shrunk or can't be read any more: the guest gets zeros, and the size that it was told */
        n = (ssize_t)MIN(sizeof buffer, outgoing->remaining);
        memset(buffer, 0, (size_t)n);
    }
    outgoing->remaining -= (uint64_t)n;
    g_byte_array_set_size(outgoing->bytes, 0);
    append_frame(outgoing->bytes, MT_FRAME_DATA, buffer, (size_t)n);
    return true;
}

static gboolean on_writable(gint fd, GIOCondition condition, gpointer data)
{
    AgentLink *link = data;
    Outgoing *first;

    (void)condition;
    while ((first = g_queue_peek_head(&link->out))) {
        ssize_t n = write(fd, first->bytes->data + link->written, first->bytes->len - link->written);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return G_SOURCE_CONTINUE;
        if (n < 0)
            break; /* QEMU is gone; its end is noticed elsewhere */
        link->written += (size_t)n;
        if (link->written == first->bytes->len) {
            link->written = 0;
            if (!refill(first))
                outgoing_free(g_queue_pop_head(&link->out));
        }
    }
    link->writable = 0;
    return G_SOURCE_REMOVE;
}

static void queue(AgentLink *link, Outgoing *outgoing)
{
    g_queue_push_tail(&link->out, outgoing);
    if (!link->writable)
        link->writable = g_unix_fd_add(link->fd, G_IO_OUT, on_writable, link);
}

/* The bytes come from the guest: none of them is trusted. */

/* Shorter frames are ignored, so that a struct is complete when it is read. */
static uint32_t least_length(enum mt_frame_type type)
{
    switch (type) {
    case MT_FRAME_HELLO_REPLY:
        return sizeof(uint32_t); /* another version's may be shorter, and says so */
    case MT_FRAME_PROGRESS:
        return sizeof(struct mt_progress);
    case MT_FRAME_STAT_REPLY:
        return sizeof(struct mt_stat_reply);
    case MT_FRAME_TRACED:
        return sizeof(struct mt_traced);
    case MT_FRAME_EXIT:
        return sizeof(struct mt_exit);
    case MT_FRAME_STDIN_WANTED:
        return sizeof(struct mt_stdin_wanted);
    case MT_FRAME_FINISHED:
        return sizeof(struct mt_finished);
    case MT_FRAME_FETCHED:
        return sizeof(struct mt_fetched);
    default:
        return 0;
    }
}

static bool is_header(const uint8_t *at)
{
    struct mt_frame frame;

    memcpy(&frame, at, sizeof frame);
    return frame.magic == MT_FRAME_MAGIC && frame.check == mt_frame_check(&frame) && frame.length <= MT_MAX_PAYLOAD;
}

/* Whether a header follows the one that the bytes begin with. */
static bool has_another_header(const GByteArray *bytes)
{
    for (size_t i = 1; i + sizeof(struct mt_frame) <= bytes->len; i++)
        if (is_header(bytes->data + i))
            return true;
    return false;
}

static void take_frames(AgentLink *link);

/*
 * A frame has been incomplete for some time. If another frame has begun since, the agent that was sending the first one
 * has died, and a new one has started: the incomplete frame is garbage. Else the guest may only be slow; whoever waits
 * for an answer has a time limit.
 */
static gboolean on_stale(gpointer data)
{
    AgentLink *link = data;

    if (!has_another_header(link->in))
        return G_SOURCE_CONTINUE;
    link->stale = 0;
    g_byte_array_remove_range(link->in, 0, 1);
    take_frames(link);
    return G_SOURCE_REMOVE;
}

static void watch_incomplete_frame(AgentLink *link, bool is_same)
{
    if (link->stale && !(is_same && link->in->len)) {
        g_source_remove(link->stale);
        link->stale = 0;
    }
    if (!link->stale && link->in->len)
        link->stale = g_timeout_add(link->stale_ms, on_stale, link);
}

/* Hands over the complete frames among the bytes received, and skips garbage. What is left is part of one frame. */
static void take_frames(AgentLink *link)
{
    size_t used = 0;

    while (link->in->len - used >= sizeof(struct mt_frame)) {
        uint8_t *at = link->in->data + used;
        struct mt_frame frame;
        uint8_t after;

        if (!is_header(at)) {
            used++;
            continue;
        }
        memcpy(&frame, at, sizeof frame);
        if (link->in->len - used < sizeof frame + frame.length)
            break;
        used += sizeof frame + frame.length;
        /* Strings in the payload end, whatever the guest sends: there is always room for one more byte. */
        after = at[sizeof frame + frame.length];
        at[sizeof frame + frame.length] = 0;
        if (frame.length >= least_length(frame.type))
            link->on_frame(link->data, frame.type, at + sizeof frame, frame.length);
        at[sizeof frame + frame.length] = after;
    }
    g_byte_array_remove_range(link->in, 0, (guint)used);
    watch_incomplete_frame(link, !used);
}

static gboolean on_readable(gint fd, GIOCondition condition, gpointer data);

static gboolean on_look_again(gpointer data)
{
    AgentLink *link = data;

    if (!link->may_come(link->data))
        return G_SOURCE_CONTINUE;
    link->look_again = 0;
    link->readable = g_unix_fd_add(link->fd, G_IO_IN | G_IO_HUP, on_readable, link);
    return G_SOURCE_REMOVE;
}

static gboolean on_readable(gint fd, GIOCondition condition, gpointer data)
{
    AgentLink *link = data;
    guint old = link->in->len;
    ssize_t n;

    (void)condition;
    if (link->may_come && !link->may_come(link->data)) {
        link->readable = 0;
        link->look_again = g_timeout_add(LOOK_AGAIN_MS, on_look_again, link);
        return G_SOURCE_REMOVE;
    }
    g_byte_array_set_size(link->in, old + READ_BYTES + 1);
    n = read(fd, link->in->data + old, READ_BYTES);
    if (n <= 0) {
        g_byte_array_set_size(link->in, old);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return G_SOURCE_CONTINUE;
        link->readable = 0;
        return G_SOURCE_REMOVE;
    }
    g_byte_array_set_size(link->in, old + (guint)n); /* the allocation stays one byte larger */
    take_frames(link);
    return G_SOURCE_CONTINUE;
}

AgentLink *agent_link_new(int fd, AgentFrame on_frame, void *data)
{
    AgentLink *link = g_new0(AgentLink, 1);

    link->fd = fd;
    link->on_frame = on_frame;
    link->data = data;
    link->in = g_byte_array_new();
    link->stale_ms = STALE_MS;
    g_queue_init(&link->out);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    link->readable = g_unix_fd_add(fd, G_IO_IN | G_IO_HUP, on_readable, link);
    return link;
}

void agent_link_set_stale_ms(AgentLink *link, unsigned stale_ms)
{
    link->stale_ms = stale_ms;
}

void agent_link_free(AgentLink *link)
{
    if (!link)
        return;
    if (link->readable)
        g_source_remove(link->readable);
    if (link->writable)
        g_source_remove(link->writable);
    if (link->look_again)
        g_source_remove(link->look_again);
    if (link->stale)
        g_source_remove(link->stale);
    g_queue_clear_full(&link->out, outgoing_free);
    g_byte_array_unref(link->in);
    close(link->fd);
    g_free(link);
}

void agent_link_set_throttle(AgentLink *link, bool (*may_come)(void *data))
{
    link->may_come = may_come;
}

void agent_link_send(AgentLink *link, enum mt_frame_type type, const void *payload, size_t length)
{
    Outgoing *outgoing = g_new0(Outgoing, 1);

    outgoing->fd = -1;
    outgoing->bytes = g_byte_array_new();
    append_frame(outgoing->bytes, type, payload, length);
    queue(link, outgoing);
}

bool agent_link_send_file(AgentLink *link, const char *host_path, const char *guest_path, GError **error)
{
    Outgoing *outgoing;
    struct mt_file head = { 0 };
    struct stat status;
    int fd = open(host_path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &status) || !S_ISREG(status.st_mode)) {
        int problem = fd < 0 ? errno : EISDIR;

        if (fd >= 0)
            close(fd);
        return mt_fail(error, "can't read %s: %s", host_path, g_strerror(problem));
    }
    head.mode = status.st_mode & 07777;
    head.size = (uint64_t)status.st_size;
    head.mtime_ns = status.st_mtim.tv_sec * G_GINT64_CONSTANT(1000000000) + status.st_mtim.tv_nsec;

    g_autoptr(GByteArray) payload = g_byte_array_new();
    g_byte_array_append(payload, (const guint8 *)&head, sizeof head);
    g_byte_array_append(payload, (const guint8 *)guest_path, (guint)strlen(guest_path) + 1);
    outgoing = g_new0(Outgoing, 1);
    outgoing->fd = fd;
    outgoing->remaining = head.size;
    outgoing->bytes = g_byte_array_new();
    append_frame(outgoing->bytes, MT_FRAME_FILE, payload->data, payload->len);
    queue(link, outgoing);
    return true;
}
