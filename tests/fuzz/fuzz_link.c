/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libFuzzer's entry: the guest's end of the agent's port. The input is a sequence of pieces, each written at once: a
 * byte that says what it is, and its bytes. Headers are made here, because random ones would never pass their check.
 */
#include <glib.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../src/base/printable.h"
#include "../../src/vm/agent_link.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_frame(void *data, enum mt_frame_type type, const uint8_t *payload, uint32_t length)
{
    struct mt_exit end;
    g_autofree char *text = text_make_printable((const char *)payload);

    (void)data;
    if (length > MT_MAX_PAYLOAD || payload[length] || !text_is_printable(text, SIZE_MAX - 1))
        abort();
    if (type == MT_FRAME_EXIT)
        memcpy(&end, payload, sizeof end);
}

static void send_header(int guest, uint8_t type, uint32_t length)
{
    struct mt_frame frame = { .magic = MT_FRAME_MAGIC, .type = type, .length = length };

    frame.check = mt_frame_check(&frame);
    (void)!send(guest, &frame, sizeof frame, MSG_DONTWAIT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AgentLink *link;
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
        abort();
    link = agent_link_new(pair[0], on_frame, NULL);
    agent_link_set_stale_ms(link, 0);
    while (size >= 4) {
        uint8_t what = data[0], type = data[1];
        uint32_t length = data[2] | (uint32_t)data[3] << 8 << what % 5; /* too long ones, too */
        size_t bytes;

        data += 4;
        size -= 4;
        bytes = MIN(length, size);
        if (what & 1)
            send_header(pair[1], type, what & 2 ? (uint32_t)bytes : length);
        (void)!send(pair[1], data, what & 4 ? bytes / 2 : bytes, MSG_DONTWAIT);
        data += bytes;
        size -= bytes;
        for (int i = 0; i < 4 && !(what & 8); i++)
            g_main_context_iteration(NULL, FALSE);
    }
    close(pair[1]);
    for (int i = 0; i < 4; i++)
        g_main_context_iteration(NULL, FALSE);
    agent_link_free(link);
    return 0;
}
