/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The runner's end of the protocol with the agent in the guest (src/protocol/frames.h). */
#ifndef MEMORY_TRACER_VM_AGENT_LINK_H
#define MEMORY_TRACER_VM_AGENT_LINK_H

#include <glib.h>
#include <stdbool.h>

#include "../protocol/frames.h"

typedef struct AgentLink AgentLink;

/* Called for every frame; `payload` is valid during the call, and a NUL follows it. It is at least as long as the
 * struct of this type of frame (MT_FRAME_HELLO_REPLY: as its `version`). It comes from the guest: its strings may hold
 * anything (printable.h), and the frame may never come at all, so whoever waits for it needs a time limit. */
typedef void (*AgentFrame)(void *data, enum mt_frame_type type, const uint8_t *payload, uint32_t length);

/* Takes `fd`, the socket that is the port's other end. Everything happens in the main loop. */
AgentLink *agent_link_new(int fd, AgentFrame on_frame, void *data);
/* Sets for how long a frame may be incomplete. After that, if another frame has begun behind it, it is garbage. */
void agent_link_set_stale_ms(AgentLink *link, unsigned stale_ms);
void agent_link_free(AgentLink *link);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(AgentLink, agent_link_free)

/* While `may_come` returns false, nothing is received, and the guest waits. It gets the same `data` as on_frame. */
void agent_link_set_throttle(AgentLink *link, bool (*may_come)(void *data));

/* Queues a frame. `payload` is copied. */
void agent_link_send(AgentLink *link, enum mt_frame_type type, const void *payload, size_t length);

/* Queues a file, which is read while it is sent. False with an error if it can't be opened. */
bool agent_link_send_file(AgentLink *link, const char *host_path, const char *guest_path, GError **error);

#endif
