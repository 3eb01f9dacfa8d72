/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the code of a guest that is running is called, decided when it is executed: by what its process has mapped then,
 * and by the instruction's bytes. Files that can't be read by then, and code that processes make themselves, have no
 * names.
 */
#ifndef MEMORY_TRACER_CONTEXT_LIVE_CODE_H
#define MEMORY_TRACER_CONTEXT_LIVE_CODE_H

#include "../ring/ring.h"
#include "code_names.h"
#include "elf_code.h"

/* The program or library that the guest has mapped from `path`, the same pointer whenever it is the same file; and what
 * it is called. NULL: it can't be read. */
typedef const ElfCode *(*CodeFileFunc)(void *data, const char *path, uint64_t device, const char **shown);

/* What is known before the run. All of it must stay. */
typedef struct LiveCodeFacts {
    const char *kallsyms; /* as in the guest's /proc; or NULL */
    CodeFileFunc find_file;
    void *find_file_data;
    bool wants_lines; /* source lines and inlined functions, too */
} LiveCodeFacts;

typedef struct LiveCode LiveCode;

/* The ring, which must stay, has the instructions and tells what is mapped. */
LiveCode *live_code_new(const Ring *ring, const LiveCodeFacts *facts);
void live_code_free(LiveCode *code);

/* What the instruction of this number is where it is executed in this memory (0: unknown). It belongs to `code`. NULL
 * if it isn't known. */
const NamedInstruction *live_code_find(LiveCode *code, uint32_t memory, uint32_t number);

#endif
