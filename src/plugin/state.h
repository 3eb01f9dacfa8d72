/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Callbacks that get the address of the executing vCPU's state. On x86-64 hosts, the code that QEMU generates holds it
 * in rbp (TCG_AREG0), also while it calls a plugin. QEMU's helpers call plugins, too, and may have anything in rbp. On
 * other hosts the state is NULL.
 */
#ifndef MEMORY_TRACER_PLUGIN_STATE_H
#define MEMORY_TRACER_PLUGIN_STATE_H

#include "qemu_api.h"

/* For functions that assembly code calls by their names. */
#define CALLED_BY_NAME __attribute__((used, visibility("hidden")))

typedef void (*AccessWithState)(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t vaddr, void *userdata,
                                const void *state);

/*
 * ACCESS_WITH_STATE(enter, callback) and FUNCTION_WITH_STATE(enter, callback) define `enter`, for QEMU to call. It
 * calls `callback`, which is CALLED_BY_NAME, with one more argument.
 */
#ifdef __x86_64__
#define ENTER_WITH_STATE(enter, callback, argument)                                                                    \
    __asm__(".pushsection .text\n"                                                                                     \
            "\t.balign 16\n" #enter ":\n"                                                                              \
            "\tendbr64\n"                                                                                              \
            "\tmov %rbp, " argument "\n"                                                                               \
            "\tjmp " #callback "\n"                                                                                    \
            ".popsection")
#define ACCESS_WITH_STATE(enter, callback)                                                                             \
    CALLED_BY_NAME void enter(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t vaddr, void *userdata);              \
    ENTER_WITH_STATE(enter, callback, "%r8")
#define FUNCTION_WITH_STATE(enter, callback)                                                                           \
    CALLED_BY_NAME void enter(unsigned vcpu, void *userdata);                                                          \
    ENTER_WITH_STATE(enter, callback, "%rdx")
#else
#define ACCESS_WITH_STATE(enter, callback)                                                                             \
    static void enter(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t vaddr, void *userdata)                       \
    {                                                                                                                  \
        callback(vcpu, info, vaddr, userdata, NULL);                                                                   \
    }                                                                                                                  \
    _Static_assert(1, "a semicolon comes next")
#define FUNCTION_WITH_STATE(enter, callback)                                                                           \
    static void enter(unsigned vcpu, void *userdata)                                                                   \
    {                                                                                                                  \
        callback(vcpu, userdata, NULL);                                                                                \
    }                                                                                                                  \
    _Static_assert(1, "a semicolon comes next")
#endif

#endif
