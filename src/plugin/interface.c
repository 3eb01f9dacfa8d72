/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The versions of QEMU's plugin interface: see interface.h.
 *
 * 4 (QEMU 10.0), 5 (10.1, 10.2): the versions that this plugin was first written for.
 * 6 (11.0): qemu_plugin_read_register() returns a bool; descriptions of registers are larger.
 * 7 (11.1): callbacks no longer get the plugin's id; instead each gets a userdata, which is given when it is
 * registered. QEMU accepts no older plugin.
 *
 * QEMU reads qemu_plugin_version after it has loaded the plugin, and before it tells its own version. So a constructor
 * finds out the version. Up to 10.2, 4 is accepted; 11.0 is known by functions that it adds. 11.1 adds none, but each
 * QEMU has its version in it as text.
 */
#define _GNU_SOURCE
#include "interface.h"

#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

#define OLDEST 4
#define REFUSES_SINCE 5  /* qemu_plugin_read_register(), unless flags allow it */
#define BOOL_SINCE 6     /* qemu_plugin_read_register() */
#define USERDATA_SINCE 7 /* instead of the plugin's id */

#define VERSION_TEXT "QEMU emulator version "

QEMU_EXPORT int qemu_plugin_version = OLDEST;

static struct {
    qemu_plugin_id_t id;
    int version; /* the newest interface that QEMU has */
    InterfaceEvents events;
    void (*reset_is_done)(void);
} interface;

/* Finding out which version to declare. */

/* The interface of a QEMU of this version; the newest one that the plugin knows if the version makes no sense. */
static int interface_of(const char *version)
{
    int major, minor, micro;

    if (sscanf(version, "%d.%d.%d", &major, &minor, &micro) != 3)
        return USERDATA_SINCE;
    /* Micro versions from 50 on lead to the next minor one. */
    return major > 11 || (major == 11 && (minor > 0 || micro >= 50)) ? USERDATA_SINCE : BOOL_SINCE;
}

/* Looks for QEMU's version in the constants of the program, which is the first object: it stops there. */
static int find_version(struct dl_phdr_info *program, size_t size, void *data)
{
    char *version = data;

    (void)size;
    for (int i = 0; i < program->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &program->dlpi_phdr[i];
        const char *at = (const char *)(program->dlpi_addr + segment->p_vaddr), *end = at + segment->p_filesz;

        if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_R) || (segment->p_flags & PF_W))
            continue;
        while ((at = memmem(at, (size_t)(end - at), VERSION_TEXT, strlen(VERSION_TEXT)))) {
            at += strlen(VERSION_TEXT);
            if (end - at > 16 && g_ascii_isdigit(*at)) {
                memcpy(version, at, 16);
                return 1;
            }
        }
    }
    return 1;
}

__attribute__((constructor)) static void declare_version(void)
{
    char version[17] = "";

    if (!dlsym(RTLD_DEFAULT, "qemu_plugin_set_pc"))
        return;
    dl_iterate_phdr(find_version, version);
    qemu_plugin_version = interface_of(version);
}

bool interface_init(qemu_plugin_id_t id, const qemu_info_t *info, GError **error)
{
    interface.id = id;
    interface.version = info->version.cur;
    if (info->version.cur >= OLDEST && info->system_emulation && !strcmp(info->target_name, "x86_64"))
        return true;
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                "qemu-system-x86_64 10.0 or newer is needed (this is for %s, plugin interface %d)", info->target_name,
                info->version.cur);
    return false;
}

/* Functions that QEMU calls, in both shapes. */

static void started_with_id(qemu_plugin_id_t id, unsigned vcpu)
{
    (void)id;
    interface.events.vcpu_started(vcpu);
}

static void started(unsigned vcpu, void *userdata)
{
    (void)userdata;
    interface.events.vcpu_started(vcpu);
}

static void idle_with_id(qemu_plugin_id_t id, unsigned vcpu)
{
    (void)id;
    interface.events.vcpu_idle(vcpu);
}

static void idle(unsigned vcpu, void *userdata)
{
    (void)userdata;
    interface.events.vcpu_idle(vcpu);
}

static void resumes_with_id(qemu_plugin_id_t id, unsigned vcpu)
{
    (void)id;
    interface.events.vcpu_resumes(vcpu);
}

static void resumes(unsigned vcpu, void *userdata)
{
    (void)userdata;
    interface.events.vcpu_resumes(vcpu);
}

static void translated_with_id(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    (void)id;
    interface.events.translated(tb);
}

static void translated(struct qemu_plugin_tb *tb, void *userdata)
{
    (void)userdata;
    interface.events.translated(tb);
}

static void exits_with_id(qemu_plugin_id_t id, void *userdata)
{
    (void)id;
    (void)userdata;
    interface.events.exits();
}

static void exits(void *userdata)
{
    (void)userdata;
    interface.events.exits();
}

static void reset_with_id(qemu_plugin_id_t id)
{
    (void)id;
    interface.reset_is_done();
}

static void reset(void *userdata)
{
    (void)userdata;
    interface.reset_is_done();
}

static GCallback choose(GCallback with_id, GCallback with_userdata)
{
    return interface.version >= USERDATA_SINCE ? with_userdata : with_id;
}

/* Functions of QEMU. */

void interface_register(const InterfaceEvents *events)
{
    interface.events = *events;
    if (events->vcpu_started)
        qemu_plugin_register_vcpu_init_cb(interface.id, choose(G_CALLBACK(started_with_id), G_CALLBACK(started)), NULL);
    if (events->vcpu_idle)
        qemu_plugin_register_vcpu_idle_cb(interface.id, choose(G_CALLBACK(idle_with_id), G_CALLBACK(idle)), NULL);
    if (events->vcpu_resumes)
        qemu_plugin_register_vcpu_resume_cb(interface.id, choose(G_CALLBACK(resumes_with_id), G_CALLBACK(resumes)),
                                            NULL);
    if (events->translated)
        qemu_plugin_register_vcpu_tb_trans_cb(interface.id,
                                              choose(G_CALLBACK(translated_with_id), G_CALLBACK(translated)), NULL);
    if (events->exits)
        qemu_plugin_register_atexit_cb(interface.id, choose(G_CALLBACK(exits_with_id), G_CALLBACK(exits)), NULL);
}

void interface_reset(void (*done)(void))
{
    interface.reset_is_done = done;
    qemu_plugin_reset(interface.id, choose(G_CALLBACK(reset_with_id), G_CALLBACK(reset)), NULL);
}

struct qemu_plugin_register *interface_find_register(GArray *registers, const char *name)
{
    for (guint i = 0; i < registers->len; i++) {
        const qemu_plugin_reg_descriptor *found = /* elements are larger in newer QEMUs */
            (void *)(registers->data + i * g_array_get_element_size(registers));

        if (!g_strcmp0(found->name, name))
            return found->handle;
    }
    return NULL;
}

bool interface_read_register(struct qemu_plugin_register *handle, GByteArray *bytes)
{
    int returned = qemu_plugin_read_register(handle, bytes);

    /* Only the low byte of a bool is defined. */
    return interface.version >= BOOL_SINCE ? (returned & 0xff) != 0 : returned > 0;
}

enum qemu_plugin_cb_flags interface_flags_for_stored_registers(void)
{
    return interface.version >= REFUSES_SINCE ? QEMU_PLUGIN_CB_R_REGS : QEMU_PLUGIN_CB_NO_REGS;
}
