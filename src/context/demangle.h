/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From linker names, as compilers of C++ and Rust make them, back to the names that programmers wrote. */
#ifndef MEMORY_TRACER_CONTEXT_DEMANGLE_H
#define MEMORY_TRACER_CONTEXT_DEMANGLE_H

#include <stdbool.h>

/* For the linker name _ZN4list3addEi: "list::add(int)", or without its parameters "list::add". What follows an @ (a
 * version, or "plt") or a space is kept. The caller frees it. NULL if `name` isn't a mangled name, or if the result
 * would be very long. */
char *demangle(const char *name, bool with_parameters);

#endif
