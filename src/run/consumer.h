/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The thread that takes records out of the ring and hands them to a sink. */
#ifndef MEMORY_TRACER_RUN_CONSUMER_H
#define MEMORY_TRACER_RUN_CONSUMER_H

#include "../ring/ring.h"

typedef struct Consumer Consumer;

/* Starts the thread. The ring and the sink's data must stay until the consumer is freed. */
Consumer *consumer_start(Ring *ring, RingSink sink, void *sink_data);
/* Makes it stop at once (closing the ring) if it hasn't finished, and frees. */
void consumer_free(Consumer *consumer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Consumer, consumer_free)

/* Whether it takes no more: either everything was taken (consumer_is_complete), or the sink wanted no more. */
bool consumer_has_finished(const Consumer *consumer);
bool consumer_is_complete(const Consumer *consumer);

#endif
