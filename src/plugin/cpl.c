/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The privilege level (CPL) of a translation block, and its mode (16, 32 or 64 bit). On x86, QEMU never shares a block
 * between those, so what the registers say while the block is translated holds whenever it is executed.
 */
#include <string.h>

#include "interface.h"
#include "plugin.h"

#define CR0_PE 1u
#define EFLAGS_VM (1u << 17)
#define EFER_LMA (1u << 10)
/* Whether a code segment is of 32 bits is in a table that QEMU doesn't let us find. Linux has the same selectors on all
 * x86-64 machines. */
#define LINUX_KERNEL32_CS 0x08u
#define LINUX_USER32_CS 0x23u

static struct qemu_plugin_register *cs, *cr0, *eflags, *efer;
static __thread enum mt_mode mode;

bool cpl_init(void)
{
    g_autoptr(GArray) registers = qemu_plugin_get_registers();

    if (!registers)
        return false;
    cs = interface_find_register(registers, "cs");
    cr0 = interface_find_register(registers, "cr0");
    eflags = interface_find_register(registers, "eflags");
    efer =
        interface_find_register(registers, "efer"); /* may be missing: then there is no long mode, or we can't tell */
    return cs && cr0 && eflags;
}

static bool read_low_word(struct qemu_plugin_register *handle, GByteArray *buffer, uint32_t *value)
{
    g_byte_array_set_size(buffer, 0);
    if (!interface_read_register(handle, buffer) || buffer->len < sizeof *value)
        return false;
    memcpy(value, buffer->data, sizeof *value); /* the guest is little-endian, as is the host */
    return true;
}

/* In protected mode, with this selector in cs. */
static enum mt_mode mode_of_selector(uint32_t selector, GByteArray *buffer)
{
    uint32_t value;

    if (!efer || !read_low_word(efer, buffer, &value))
        return MT_MODE_UNKNOWN;
    if (!(value & EFER_LMA))
        return MT_MODE_32;
    return selector == LINUX_KERNEL32_CS || selector == LINUX_USER32_CS ? MT_MODE_32 : MT_MODE_64;
}

enum mt_mode mode_of_translation(void)
{
    return mode;
}

int cpl_of_translation(void)
{
    static __thread GByteArray *buffer;
    uint32_t value;

    if (!buffer)
        buffer = g_byte_array_new();
    mode = MT_MODE_16;
    if (!cr0 || !read_low_word(cr0, buffer, &value))
        return -1;
    if (!(value & CR0_PE))
        return 0; /* real mode */
    if (!read_low_word(eflags, buffer, &value))
        return -1;
    if (value & EFLAGS_VM)
        return 3; /* virtual 8086 mode: cs is not a selector */
    if (!read_low_word(cs, buffer, &value))
        return -1;
    value &= 0xffff;
    mode = mode_of_selector(value, buffer);
    return value & 3;
}
