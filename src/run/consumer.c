/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The consuming thread: see consumer.h. */
#define _GNU_SOURCE
#include "consumer.h"

#include <sched.h>

#include "../base/loop.h"

struct Consumer {
    Ring *ring;
    RingSink sink;
    void *sink_data;
    GThread *thread;
    _Atomic bool finished;
    bool complete;
};

/*
 * With two CPUs, one is for the vCPU. Left alone, the scheduler wakes this thread on either, and with it the reader of
 * the FIFO: a run was up to a third slower. With more CPUs it finds an idle one.
 */
static void stay_on_one_of_two_cpus(void)
{
    cpu_set_t cpus;

    if (sched_getaffinity(0, sizeof cpus, &cpus) || CPU_COUNT(&cpus) != 2)
        return;
    CPU_ZERO(&cpus);
    CPU_SET((size_t)sched_getcpu(), &cpus);
    sched_setaffinity(0, sizeof cpus, &cpus);
}

static gpointer consume(gpointer data)
{
    Consumer *consumer = data;

    stay_on_one_of_two_cpus();
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
