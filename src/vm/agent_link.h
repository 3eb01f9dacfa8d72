/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The runner's end of the protocol with the agent in the guest (src/protocol/frames.h). */
#ifndef MEMORY_TRACER_VM_AGENT_LINK_H
#define MEMORY_TRACER_VM_AGENT_LINK_H

#include <glib.h>
#include <stdbool.h>

#include "../protocol/frames.h"

typedef struct AgentLink AgentLink;

/* Called for every frame; `payload` is valid during the call, and a NUL follows it. It is as long as the struct that a
 * frame of this type has (MT_FRAME_HELLO_REPLY: as its `version`), or longer. It comes from the guest: its strings may
 * hold anything (printable.h), and it may never come at all, so that who waits for it needs a time limit. */
typedef void (*AgentFrame)(void *data, enum mt_frame_type type, const uint8_t *payload, uint32_t length);

/* `fd` is the socket that is the port's other end: taken. Everything happens in the main loop. */
AgentLink *agent_link_new(int fd, AgentFrame on_frame, void *data);
/* How long a frame may be incomplete, while another one has begun, until it is taken for garbage. */
void agent_link_set_stale_ms(AgentLink *link, unsigned stale_ms);
void agent_link_free(AgentLink *link);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(AgentLink, agent_link_free)

/* While `may_come` says no, nothing is received: the guest waits. It gets the `data` of the frames. */
void agent_link_set_throttle(AgentLink *link, bool (*may_come)(void *data));

/* Queues a frame. `payload` is copied. */
void agent_link_send(AgentLink *link, enum mt_frame_type type, const void *payload, size_t length);

/* Queues a file: it is read while it is sent. Returns false if it can't be opened. */
bool agent_link_send_file(AgentLink *link, const char *host_path, const char *guest_path, GError **error);

#endif
