/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What differs between the versions of QEMU's plugin interface. The callbacks of the hot path are the same in all of
 * them: who records accesses calls QEMU directly.
 */
#ifndef MEMORY_TRACER_PLUGIN_INTERFACE_H
#define MEMORY_TRACER_PLUGIN_INTERFACE_H

#include <gio/gio.h>

#include "qemu_api.h"

/* What QEMU tells. Those that are NULL are not asked for. */
typedef struct InterfaceEvents {
    void (*vcpu_started)(unsigned vcpu);
    void (*vcpu_idle)(unsigned vcpu);
    void (*vcpu_resumes)(unsigned vcpu);
    void (*translated)(struct qemu_plugin_tb *tb);
    void (*exits)(void);
} InterfaceEvents;

/* To be called first. Fails if this is not a QEMU that we can work with. */
bool interface_init(qemu_plugin_id_t id, const qemu_info_t *info, GError **error);

/* Asks for events. To be called once at installation and once after each reset. */
void interface_register(const InterfaceEvents *events);

/* Throws away all translations and registrations, then calls `done` while all vCPUs stand still. Only a vCPU may call
 * this. */
void interface_reset(void (*done)(void));

/* The register of this name among those that qemu_plugin_get_registers() has returned, or NULL. */
struct qemu_plugin_register *interface_find_register(GArray *registers, const char *name);

/*
 * Appends a register's bytes to `bytes`. Before 10.1, QEMU returns what it has, current or not; since then it refuses
 * outside of these: vcpu_started, vcpu_idle, vcpu_resumes, translated, and callbacks of instructions, blocks and
 * accesses that were registered with QEMU_PLUGIN_CB_R_REGS (or more).
 */
bool interface_read_register(struct qemu_plugin_register *handle, GByteArray *bytes);

#endif
