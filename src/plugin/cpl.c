/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The privilege level (CPL) of a translation block, and its mode (16, 32 or 64 bit). On x86, QEMU never shares a block
 * between levels or modes, so what the registers say while the block is translated holds whenever it is executed.
 * record/x86.c knows what they mean.
 */
#include <string.h>

#include "../record/x86.h"
#include "interface.h"
#include "plugin.h"

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
    efer = interface_find_register(registers, "efer"); /* may be missing: there is no long mode, or it can't be read */
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

enum mt_mode mode_of_translation(void)
{
    return mode;
}

int cpl_of_translation(void)
{
    static __thread GByteArray *buffer;
    X86Registers registers = { 0 };

    if (!buffer)
        buffer = g_byte_array_new();
    if (!cr0 || !read_low_word(cr0, buffer, &registers.cr0) || !read_low_word(eflags, buffer, &registers.eflags) ||
        !read_low_word(cs, buffer, &registers.cs))
        return -1;
    registers.has_efer = efer && read_low_word(efer, buffer, &registers.efer);
    mode = x86_mode(&registers);
    return (int)x86_cpl(&registers);
}
