/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The consuming thread: see consumer.h. */
#include "consumer.h"

#include "loop.h"

struct Consumer {
    Ring *ring;
    RingSink sink;
    void *sink_data;
    GThread *thread;
    _Atomic bool finished;
    bool complete;
};

static gpointer consume(gpointer data)
{
    Consumer *consumer = data;

    consumer->complete = ring_consume(consumer->ring, consumer->sink, consumer->sink_data);
    atomic_store(&consumer->finished, true);
    run_loop_wake();
    return NULL;
}

Consumer *consumer_start(Ring *ring, RingSink sink, void *sink_data)
{
    Consumer *consumer = g_new0(Consumer, 1);

    consumer->ring = ring;
    consumer->sink = sink;
    consumer->sink_data = sink_data;
    consumer->thread = g_thread_new("consumer", consume, consumer);
    return consumer;
}

void consumer_free(Consumer *consumer)
{
    if (!consumer)
        return;
    if (!consumer_has_finished(consumer)) {
        ring_close(consumer->ring);
        ring_wake(consumer->ring);
    }
    g_thread_join(consumer->thread);
    g_free(consumer);
}

bool consumer_has_finished(const Consumer *consumer)
{
    return atomic_load(&consumer->finished);
}

bool consumer_is_complete(const Consumer *consumer)
{
    return consumer_has_finished(consumer) && consumer->complete;
}
