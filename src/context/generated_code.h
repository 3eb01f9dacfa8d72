/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The names of code that a process has generated, as just-in-time compilers write them into files. The files are not
 * trusted. */
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
/* Adds the JIT_CODE_LOAD records of a jitdump file (the kernel's tools/perf/Documentation/jitdump-specification.txt),
 * up to the first one that makes no sense. */
void generated_code_add_dump(GeneratedCode *code, const uint8_t *bytes, size_t count);
/* To be called when all were added: sorts them by address, each once. Nothing tells which of two overlapping functions
 * was executed: so those that overlap with one of another name are removed. */
void generated_code_sort(GeneratedCode *code);
/* After generated_code_sort(): the index in `functions` of the function at this address, plus 1; 0: none. */
guint generated_code_find(const GeneratedCode *code, uint64_t address);

#endif
