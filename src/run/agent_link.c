/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The runner's end of the agent's protocol: see agent_link.h. */
#include "agent_link.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"

#define READ_BYTES (256 * 1024)
#define LOOK_AGAIN_MS 10

/* What waits to be sent: bytes, then a file of which `remaining` bytes are still to be read, or a pipe up to its end.
 */
typedef struct {
    GByteArray *bytes;
    int fd;
    bool is_pipe;
    uint64_t remaining;
} Outgoing;

struct AgentLink {
    int fd;
    guint readable, writable;
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

/* Hands over the whole frames among the bytes received, skipping what is none. */
static void take_frames(AgentLink *link)
{
    size_t used = 0;

    while (link->in->len - used >= sizeof(struct mt_frame)) {
        uint8_t *at = link->in->data + used;
        struct mt_frame frame;
        uint8_t after;

        memcpy(&frame, at, sizeof frame);
        if (frame.magic != MT_FRAME_MAGIC || frame.check != mt_frame_check(&frame) || frame.length > MT_MAX_PAYLOAD) {
            used++;
            continue;
        }
        if (link->in->len - used < sizeof frame + frame.length)
            break;
        used += sizeof frame + frame.length;
        /* Strings in the payload end, whatever the guest sends: there is always room for one more byte. */
        after = at[sizeof frame + frame.length];
        at[sizeof frame + frame.length] = 0;
        link->on_frame(link->data, frame.type, at + sizeof frame, frame.length);
        at[sizeof frame + frame.length] = after;
    }
    g_byte_array_remove_range(link->in, 0, (guint)used);
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
    g_queue_init(&link->out);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    link->readable = g_unix_fd_add(fd, G_IO_IN | G_IO_HUP, on_readable, link);
    return link;
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
