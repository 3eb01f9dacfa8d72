/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QEMU's machine protocol (QMP): commands, replies, events. What QEMU says is not trusted: types and lengths are
 * checked here. */
#ifndef MEMORY_TRACER_VM_QMP_H
#define MEMORY_TRACER_VM_QMP_H

#include <json-glib/json-glib.h>
#include <stdbool.h>

#include "../base/loop.h"

typedef struct Qmp Qmp;

/* An event has come. `details` may be NULL. */
typedef void (*QmpEvent)(void *data, const char *event, JsonObject *details);

/* Takes `fd`, the socket. */
Qmp *qmp_new(int fd, QmpEvent on_event, void *data, RunLoop *loop);
void qmp_free(Qmp *qmp);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Qmp, qmp_free)

/* For WaitFor: whether QEMU has greeted us and takes commands. `qmp` is a Qmp. */
bool qmp_is_ready(void *qmp);
/* QEMU's version from its greeting, "10.0.2", and its first number. Known once it is ready. */
const char *qmp_version(const Qmp *qmp);
int qmp_major_version(const Qmp *qmp);

/* Sends a command, and doesn't wait for the reply. `arguments` is JSON, or NULL. */
void qmp_send(Qmp *qmp, const char *command, const char *arguments);
/* Executes a command. Returns its result, to be unreferenced; NULL with an error. */
JsonNode *qmp_execute(Qmp *qmp, const char *command, const char *arguments, GError **error);
/* Likewise, but waits at most this long. Returns whether there was a reply. */
bool qmp_try(Qmp *qmp, const char *command, unsigned patience_ms);

/* A member of an object, if it has this type; else NULL, or `otherwise`. */
JsonObject *qmp_object_member(JsonObject *object, const char *name);
const char *qmp_string_member(JsonObject *object, const char *name, const char *otherwise);
gint64 qmp_int_member(JsonObject *object, const char *name, gint64 otherwise);

#endif
