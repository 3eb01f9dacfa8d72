/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The code of an ELF file, and the names of its functions. The file is not trusted: what is out of bounds is left out.
 */
#ifndef MEMORY_TRACER_CONTEXT_ELF_CODE_H
#define MEMORY_TRACER_CONTEXT_ELF_CODE_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* A part of the file that is executable in memory. */
typedef struct ElfSegment {
    uint64_t address; /* as the file has it */
    uint64_t bytes;
    uint64_t offset; /* in the file */
    uint8_t *code;
} ElfSegment;

typedef struct ElfFunction {
    uint64_t address, end; /* as the file has them */
    const char *name;
    bool local, weak;
} ElfFunction;

typedef struct ElfCode {
    char *path;
    char *id;          /* its build-id, in hexadecimal; or a hash of all its contents, after "xxh3-" */
    bool movable;      /* it can be loaded anywhere (ET_DYN) */
    GArray *segments;  /* ElfSegment */
    GArray *functions; /* ElfFunction, by address, one for each range: see elf_symbols.h */
    GArray *objects; /* ElfFunction, too: variables and constants that have a size, by address, with all their names */
    GStringChunk *names;
    uint64_t code_hash;
} ElfCode;

/* Reads the regular file at `path`. NULL with an error if it isn't an x86-64 program or library. */
ElfCode *elf_code_read(const char *path, GError **error);
void elf_code_free(ElfCode *elf);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ElfCode, elf_code_free)

/* The `length` bytes of code at an address of the file, which belong to `elf`; NULL if not all of them are code. */
const uint8_t *elf_code_at(const ElfCode *elf, uint64_t address, unsigned length);
/* Whether the file has code at this address. */
bool elf_code_covers(const ElfCode *elf, uint64_t address);
/* Sets *bias to what is added to the file's addresses if its part from `offset` on (a multiple of the page size) is
 * mapped at `address`. False if the file has no code at that offset. */
bool elf_code_find_bias(const ElfCode *elf, uint64_t address, uint64_t offset, uint64_t *bias);
/* How many bytes of code the file has from this address on, without a gap. */
uint64_t elf_code_bytes_left(const ElfCode *elf, uint64_t address);

#endif
