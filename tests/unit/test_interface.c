/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The versions of QEMU's plugin interface. This program is the QEMU: it says so in a text, exports the functions that
 * the plugin looks for, and calls callbacks in the shape of QEMU_INTERFACE, which is 4, 6 or 7.
 */
#include <string.h>

#include "../../src/plugin/interface.h"
#include "../../src/plugin/plugin.h"

#define ID UINT64_C(0x123456789)

#if QEMU_INTERFACE == 4
const char version_text[] = "QEMU emulator version 10.2.2 (Debian 1:10.2.2)\n";
#elif QEMU_INTERFACE == 6
const char version_text[] = "QEMU emulator version 11.0.4\n";
#else
const char version_text[] = "QEMU emulator version 11.1.0 (Debian 1:11.1.0)\n";
#endif

#if QEMU_INTERFACE >= 6
QEMU_EXPORT void qemu_plugin_set_pc(uint64_t vaddr);
void qemu_plugin_set_pc(uint64_t vaddr)
{
    (void)vaddr;
}
#endif

static GCallback started, idle, resumes, translated, exits, reset;
static int to_return; /* by qemu_plugin_read_register() */

/* QEMU's descriptions of registers; a handle is the address of the value. */
typedef struct {
    const uint32_t *value;
    const char *name, *feature;
#if QEMU_INTERFACE >= 6
    bool is_readonly;
#endif
} Description;
static const uint32_t rax = 1, cs = 0x33, cr0 = 0x80050033, eflags = 0x246;

void qemu_plugin_register_vcpu_init_cb(qemu_plugin_id_t id, GCallback cb, void *userdata)
{
    g_assert_true(id == ID && !userdata);
    started = cb;
}

void qemu_plugin_register_vcpu_idle_cb(qemu_plugin_id_t id, GCallback cb, void *userdata)
{
    g_assert_true(id == ID && !userdata);
    idle = cb;
}

void qemu_plugin_register_vcpu_resume_cb(qemu_plugin_id_t id, GCallback cb, void *userdata)
{
    g_assert_true(id == ID && !userdata);
    resumes = cb;
}

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, GCallback cb, void *userdata)
{
    g_assert_true(id == ID && !userdata);
    translated = cb;
}

void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, GCallback cb, void *userdata)
{
    g_assert_true(id == ID && !userdata);
    exits = cb;
}

void qemu_plugin_reset(qemu_plugin_id_t id, GCallback cb, void *userdata)
{
    g_assert_true(id == ID && !userdata);
    reset = cb;
}

int qemu_plugin_read_register(struct qemu_plugin_register *handle, GByteArray *bytes)
{
    if (handle)
        g_byte_array_append(bytes, (const guint8 *)handle, sizeof(uint32_t));
    return to_return;
}

GArray *qemu_plugin_get_registers(void)
{
    const Description all[] = { { &rax, "rax" }, { &cs, "cs" }, { &eflags, "eflags" }, { &cr0, "cr0" } };
    GArray *array = g_array_new(FALSE, FALSE, sizeof *all);

    return g_array_append_vals(array, all, G_N_ELEMENTS(all));
}

static void call_for_vcpu(GCallback callback, unsigned vcpu)
{
    g_assert_nonnull(callback);
#if QEMU_INTERFACE >= 7
    ((void (*)(unsigned, void *))callback)(vcpu, NULL);
#else
    ((void (*)(qemu_plugin_id_t, unsigned))callback)(ID, vcpu);
#endif
}

static void call_for_block(GCallback callback, struct qemu_plugin_tb *tb)
{
    g_assert_nonnull(callback);
#if QEMU_INTERFACE >= 7
    ((void (*)(struct qemu_plugin_tb *, void *))callback)(tb, NULL);
#else
    ((void (*)(qemu_plugin_id_t, struct qemu_plugin_tb *))callback)(ID, tb);
#endif
}

static void call(GCallback callback)
{
    g_assert_nonnull(callback);
#if QEMU_INTERFACE >= 7
    ((void (*)(void *))callback)(NULL);
#else
    ((void (*)(qemu_plugin_id_t, void *))callback)(ID, NULL);
#endif
}

/* What the plugin was told. */
static unsigned of_started, of_idle, of_resumes, ends, resets;
static struct qemu_plugin_tb *of_translated;

static void on_started(unsigned vcpu)
{
    of_started = vcpu;
}

static void on_idle(unsigned vcpu)
{
    of_idle = vcpu;
}

static void on_resumes(unsigned vcpu)
{
    of_resumes = vcpu;
}

static void on_translated(struct qemu_plugin_tb *tb)
{
    of_translated = tb;
}

static void on_end(void)
{
    ends++;
}

static void on_reset(void)
{
    resets++;
}

static bool init(const char *target, int version, GError **error)
{
    const qemu_info_t info = { .target_name = target, .version = { 2, version }, .system_emulation = true };

    return interface_init(ID, &info, error);
}

static void test_declared_version(void)
{
    g_assert_cmpint(qemu_plugin_version, ==, QEMU_INTERFACE);
}

static void test_events(void)
{
    const InterfaceEvents none = { 0 }, all = { on_started, on_idle, on_resumes, on_translated, on_end };
    struct qemu_plugin_tb *tb = (void *)(uintptr_t)0x7700;

    g_assert_true(init("x86_64", QEMU_INTERFACE, NULL));
    interface_register(&none);
    g_assert_true(!started && !idle && !resumes && !translated && !exits);
    interface_register(&all);
    call_for_vcpu(started, 11);
    call_for_vcpu(idle, 12);
    call_for_vcpu(resumes, 13);
    call_for_block(translated, tb);
    call(exits);
    g_assert_cmpuint(of_started, ==, 11);
    g_assert_cmpuint(of_idle, ==, 12);
    g_assert_cmpuint(of_resumes, ==, 13);
    g_assert_true(of_translated == tb);
    g_assert_cmpuint(ends, ==, 1);
    interface_reset(on_reset);
    g_assert_cmpuint(resets, ==, 0);
    call(reset);
    g_assert_cmpuint(resets, ==, 1);
}

static void test_reading_registers(void)
{
    g_assert_true(init("x86_64", QEMU_INTERFACE, NULL));
#if QEMU_INTERFACE >= 6
    to_return = 0x5500; /* what a bool's function leaves in the rest of the register means nothing */
    g_assert_false(interface_read_register(NULL, NULL));
    to_return = 0x5501;
    g_assert_true(interface_read_register(NULL, NULL));
    to_return = (int)0xffffff01;
    g_assert_true(interface_read_register(NULL, NULL));
#else
    to_return = -1;
    g_assert_false(interface_read_register(NULL, NULL));
    to_return = 0;
    g_assert_false(interface_read_register(NULL, NULL));
    to_return = 8;
    g_assert_true(interface_read_register(NULL, NULL));
#endif
}

static void test_privilege_level(void)
{
    g_assert_true(init("x86_64", QEMU_INTERFACE, NULL));
    to_return = QEMU_INTERFACE >= 6 ? true : (int)sizeof(uint32_t);
    g_assert_true(cpl_init());
    g_assert_cmpint(cpl_of_translation(), ==, 3);
    to_return = QEMU_INTERFACE >= 6 ? false : -1;
    g_assert_cmpint(cpl_of_translation(), ==, -1);
}

static void test_wrong_qemu(void)
{
    g_autoptr(GError) old = NULL, other = NULL;

    g_assert_false(init("x86_64", 3, &old));
    g_assert_nonnull(strstr(old->message, "interface 3"));
    g_assert_false(init("riscv64", QEMU_INTERFACE, &other));
    g_assert_nonnull(strstr(other->message, "riscv64"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_assert_nonnull(strstr(version_text, "QEMU")); /* it is kept */
    g_test_add_func("/interface/declared_version", test_declared_version);
    g_test_add_func("/interface/events", test_events);
    g_test_add_func("/interface/reading_registers", test_reading_registers);
    g_test_add_func("/interface/privilege_level", test_privilege_level);
    g_test_add_func("/interface/wrong_qemu", test_wrong_qemu);
    return g_test_run();
}
