/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The differences between the versions of QEMU's plugin interface. The callbacks of the hot path are the same in all
 * versions, so the code that records accesses calls QEMU directly.
 */
#ifndef MEMORY_TRACER_PLUGIN_INTERFACE_H
#define MEMORY_TRACER_PLUGIN_INTERFACE_H

#include <gio/gio.h>

#include "qemu_api.h"

/* Callbacks for QEMU's events. Events whose callback is NULL are not registered. */
typedef struct InterfaceEvents {
    void (*vcpu_started)(unsigned vcpu);
    void (*vcpu_idle)(unsigned vcpu);
    void (*vcpu_resumes)(unsigned vcpu);
    void (*translated)(struct qemu_plugin_tb *tb);
    void (*exits)(void);
} InterfaceEvents;

/* To be called first. False with an error if the plugin can't work with this QEMU. */
bool interface_init(qemu_plugin_id_t id, const qemu_info_t *info, GError **error);

/* Registers the callbacks. To be called once at installation and once after each reset. */
void interface_register(const InterfaceEvents *events);

/* Drops all translations and registrations, then calls `done` while all vCPUs stand still. To be called by a vCPU. */
void interface_reset(void (*done)(void));

/* The register of this name among those that qemu_plugin_get_registers() has returned, or NULL. */
struct qemu_plugin_register *interface_find_register(GArray *registers, const char *name);

/*
 * Appends a register's bytes to `bytes`. False if it can't be read. QEMU before 10.1 returns a value that may be out of
 * date; later versions allow it only in vcpu_started, vcpu_idle, vcpu_resumes, translated, and in callbacks of
 * instructions, blocks and accesses that were registered with QEMU_PLUGIN_CB_R_REGS (or more).
 */
bool interface_read_register(struct qemu_plugin_register *handle, GByteArray *bytes);

/* What to register callbacks with that read registers QEMU always has in memory, such as cr3: before 10.1 nothing, as
 * it makes QEMU store all others, too, before each call. */
enum qemu_plugin_cb_flags interface_flags_for_stored_registers(void);

#endif
