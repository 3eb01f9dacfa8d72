/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The names that programmers gave, of those that compilers of C++ and Rust made of them for the linker. */
#ifndef MEMORY_TRACER_CONTEXT_DEMANGLE_H
#define MEMORY_TRACER_CONTEXT_DEMANGLE_H

#include <stdbool.h>

/* Of the linker's name, such as _ZN4list3addEi: "list::add(int)", or without its parameters "list::add". What follows
 * an @ (a version, or "plt") or a space is kept. To be freed. NULL if it isn't such a name, or would become very long.
 */
char *demangle(const char *name, bool with_parameters);

#endif
