/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Frames over the virtio-serial port: sending, receiving, and finding the next header after garbage. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "agent.h"

static int port = -1;
static uint8_t buffer[sizeof(struct mt_frame) + MT_MAX_PAYLOAD];
static size_t filled;

void channel_open(int fd)
{
    port = fd;
    filled = 0;
    fcntl(fd, F_SETFL, O_NONBLOCK);
}

int channel_fd(void)
{
    return port;
}

static bool write_all(const uint8_t *bytes, size_t length)
{
    while (length) {
        ssize_t n = write(port, bytes, length);

        if (n < 0 && errno == EAGAIN) {
            poll(&(struct pollfd){ .fd = port, .events = POLLOUT }, 1, 1000);
            continue;
        }
        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0) {
            bytes += n;
            length -= (size_t)n;
        }
    }
    return true;
}

void channel_send2(uint32_t type, const void *head, size_t head_length, const void *tail, size_t tail_length)
{
    static uint8_t out[sizeof(struct mt_frame) + MT_MAX_PAYLOAD];
    struct mt_frame frame = { .magic = MT_FRAME_MAGIC, .type = type };

    if (head_length > MT_MAX_PAYLOAD)
        head_length = MT_MAX_PAYLOAD;
    if (tail_length > MT_MAX_PAYLOAD - head_length)
        tail_length = MT_MAX_PAYLOAD - head_length;
    frame.length = (uint32_t)(head_length + tail_length);
    frame.check = mt_frame_check(&frame);
    memcpy(out, &frame, sizeof frame);
    if (head_length)
        memcpy(out + sizeof frame, head, head_length);
    if (tail_length)
        memcpy(out + sizeof frame + head_length, tail, tail_length);
    write_all(out, sizeof frame + frame.length);
}

void channel_send(uint32_t type, const void *payload, size_t length)
{
    channel_send2(type, payload, length, NULL, 0);
}

void channel_send_error(const char *format, ...)
{
    char line[4096];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    channel_send(MT_FRAME_ERROR, line, strlen(line) + 1);
}

/* Hands over the complete frames among the bytes received. What is left is part of one frame. */
static void take_frames(void (*handle)(const struct mt_frame *frame, const uint8_t *payload))
{
    size_t used = 0;

    while (filled - used >= sizeof(struct mt_frame)) {
        struct mt_frame frame;

        memcpy(&frame, buffer + used, sizeof frame);
        if (frame.magic != MT_FRAME_MAGIC || frame.check != mt_frame_check(&frame) || frame.length > MT_MAX_PAYLOAD) {
            used++;
            continue;
        }
        if (filled - used < sizeof frame + frame.length)
            break;
        handle(&frame, buffer + used + sizeof frame);
        used += sizeof frame + frame.length;
    }
    memmove(buffer, buffer + used, filled - used);
    filled -= used;
}

bool channel_receive(void (*handle)(const struct mt_frame *frame, const uint8_t *payload))
{
    /* Reads until the port is empty: it gives one page at a time, and each time that we are woken costs the guest time.
     */
    for (;;) {
        ssize_t n = read(port, buffer + filled, sizeof buffer - filled);

        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        if (n == 0)
            return false;
        filled += (size_t)n;
        take_frames(handle);
    }
}
