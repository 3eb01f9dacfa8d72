/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest of which a snapshot is to be taken: see guest.h. */
#include "guest.h"

#include <string.h>

#include "../base/cores.h"
#include "../base/printable.h"
#include "../vm/agent_link.h"
#include "own_images.h"

#define ANSWER_TIMEOUT_S 180
#define QUIET_TIMEOUT_S 120
#define QUIET_SAMPLE_US (G_USEC_PER_SEC / 2)
#define QUIET_SAMPLES 4        /* in a row */
#define QUIET_RUNNING_US 10000 /* CPU time at most, per sample: one tick */

struct ImageGuest {
    ImageMachine *machine;
    RunLoop *loop;
    Qemu *qemu;
    AgentLink *agent;
    bool greeted, acknowledged;
    uint64_t running_us;
};

static void on_frame(void *data, enum mt_frame_type type, const uint8_t *payload, uint32_t length)
{
    ImageGuest *guest = data;

    if (type == MT_FRAME_HELLO_REPLY && length > sizeof(struct mt_hello_reply)) {
        struct mt_hello_reply reply;

        memcpy(&reply, payload, sizeof reply);
        guest->running_us = reply.running_us;
        guest->machine->agent_protocol = reply.version;
        guest->greeted = reply.version >= MT_PROTOCOL_BASE;
        g_free(guest->machine->kernel);
        guest->machine->kernel = text_make_printable((const char *)payload + sizeof reply);
    } else if (type == MT_FRAME_OK) {
        guest->acknowledged = true;
    }
}

ImageGuest *image_guest_start(const QemuOptions *qemu, ImageMachine *machine, RunLoop *loop, GError **error)
{
    g_autoptr(ImageGuest) guest = g_new0(ImageGuest, 1);

    guest->machine = machine;
    guest->loop = loop;
    guest->qemu = qemu_start(qemu, loop, error);
    if (!guest->qemu || !qemu_wait_running(guest->qemu, error))
        return NULL;
    g_free(machine->qemu_version);
    machine->qemu_version = g_strdup(qemu_version(guest->qemu));
    machine->agent_protocol = MT_PROTOCOL_VERSION;
    guest->agent = agent_link_new(qemu_take_agent_fd(guest->qemu), on_frame, guest);
    return g_steal_pointer(&guest);
}

void image_guest_free(ImageGuest *guest)
{
    if (!guest)
        return;
    g_clear_pointer(&guest->agent, agent_link_free);
    qemu_free(guest->qemu);
    g_free(guest);
}

Qemu *image_guest_qemu(const ImageGuest *guest)
{
    return guest->qemu;
}

void image_guest_hail(ImageGuest *guest)
{
    const struct mt_hello hello = { .version = MT_PROTOCOL_VERSION };

    guest->greeted = false;
    agent_link_send(guest->agent, MT_FRAME_HELLO, &hello, sizeof hello);
}

bool image_guest_has_answered(void *guest)
{
    return ((ImageGuest *)guest)->greeted;
}

bool image_guest_greet(ImageGuest *guest, const char *what, unsigned timeout_s, GError **error)
{
    const WaitFor wait = { .done = image_guest_has_answered, .data = guest, .what = what, .timeout_s = timeout_s };

    image_guest_hail(guest);
    return run_loop_wait(guest->loop, &wait, error);
}

static bool has_acknowledged(void *data)
{
    return ((ImageGuest *)data)->acknowledged;
}

static bool pause_is_over(void *until_us)
{
    return g_get_monotonic_time() >= *(gint64 *)until_us;
}

/* The time limit of a step, in seconds, given the one for a guest that has a core for each vCPU. */
static unsigned scaled(const ImageGuest *guest, unsigned seconds)
{
    return seconds * cores_patience(guest->machine->vcpus, *guest->machine->icount);
}

/* Waits until the guest does nothing: a snapshot that is taken too early makes every run slower. */
static bool wait_until_quiet(ImageGuest *guest, GError **error)
{
    unsigned timeout_s = scaled(guest, QUIET_TIMEOUT_S);
    gint64 give_up_us = g_get_monotonic_time() + timeout_s * G_USEC_PER_SEC;

    for (int quiet = 0; quiet < QUIET_SAMPLES;) {
        uint64_t before_us = guest->running_us;
        gint64 until_us = g_get_monotonic_time() + QUIET_SAMPLE_US;
        const WaitFor wait = { .done = pause_is_over, .data = &until_us, .what = "the guest to become quiet" };

        if (!run_loop_wait(guest->loop, &wait, error) ||
            !image_guest_greet(guest, wait.what, scaled(guest, ANSWER_TIMEOUT_S), error))
            return false;
        quiet = guest->running_us - before_us <= QUIET_RUNNING_US ? quiet + 1 : 0;
        if (g_get_monotonic_time() > give_up_us) {
            run_loop_note(guest->loop, "the guest has not become quiet within %u s: its snapshot is taken all the same",
                          timeout_s);
            return true;
        }
    }
    return true;
}

bool image_guest_save(ImageGuest *guest, const char *snapshot, GError **error)
{
    const WaitFor settled = { .done = has_acknowledged,
                              .data = guest,
                              .what = "the guest to clear its free memory",
                              .timeout_s = scaled(guest, QUIET_TIMEOUT_S),
                              .expected = true };
    g_autofree char *arguments = g_strdup_printf("{\"command-line\":\"savevm %s\"}", snapshot);
    g_autoptr(JsonNode) result = NULL;
    const char *text;

    run_loop_note(guest->loop, "waiting until the guest is quiet");
    agent_link_send(guest->agent, MT_FRAME_SETTLE, NULL, 0);
    if (!run_loop_wait(guest->loop, &settled, error) || !wait_until_quiet(guest, error))
        return false;
    run_loop_note(guest->loop, "saving the snapshot");
    result = qemu_execute(guest->qemu, "human-monitor-command", arguments, error);
    if (!result)
        return false;
    text = JSON_NODE_HOLDS_VALUE(result) ? json_node_get_string(result) : NULL;
    if (text && *text) {
        g_autofree char *line = text_make_printable(text);

        return mt_fail(error, "QEMU can't save the snapshot: %s", line);
    }
    return qemu_quit(guest->qemu, error);
}

void image_guest_is_ours(const char *image, RunLoop *loop)
{
    g_autoptr(GError) problem = NULL;

    if (!own_images_add(image, &problem))
        run_loop_note(loop,
                      "%s can't be added to the list of the guests that were made here (%s): to let workloads in it "
                      "see this machine's files, say --files host",
                      image, problem->message);
}
