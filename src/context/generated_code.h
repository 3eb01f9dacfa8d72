/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The names of code that a process has made itself, as runtimes that compile (JIT) write them. Nothing is trusted. */
#ifndef MEMORY_TRACER_CONTEXT_GENERATED_CODE_H
#define MEMORY_TRACER_CONTEXT_GENERATED_CODE_H

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

typedef struct GeneratedFunction {
    uint64_t begin, end;
    const char *name;
} GeneratedFunction;

typedef struct GeneratedCode {
    GArray *functions; /* GeneratedFunction */
    GStringChunk *names;
} GeneratedCode;

GeneratedCode *generated_code_new(void);
void generated_code_free(GeneratedCode *code);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GeneratedCode, generated_code_free)

/* Adds the lines of a /tmp/perf-PID.map: begin and size in hexadecimal, name. Lines that make no sense are left out. */
void generated_code_add_map(GeneratedCode *code, const uint8_t *bytes, size_t count);
/* Adds the loads of a jitdump file (the kernel's tools/perf/Documentation/jitdump-specification.txt), up to where it
 * makes no sense. */
void generated_code_add_dump(GeneratedCode *code, const uint8_t *bytes, size_t count);
/* When all were added: sorts them by address, each once. Which function was there when isn't told: those that others of
 * another name overlap have no name, and are removed. */
void generated_code_sort(GeneratedCode *code);
/* After that: the number of the function that has this address, plus 1; or 0. */
guint generated_code_find(const GeneratedCode *code, uint64_t address);

#endif
