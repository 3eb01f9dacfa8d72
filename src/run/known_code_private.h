/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of known_code.h: known_code.c finds the files that code is of, known_code_read.c reads them, code_tables.c
 * writes what the trace keeps of each. */
#ifndef MEMORY_TRACER_RUN_KNOWN_CODE_PRIVATE_H
#define MEMORY_TRACER_RUN_KNOWN_CODE_PRIVATE_H

#include <sys/stat.h>

#include "../context/code_map.h"
#include "../context/code_table.h"
#include "../context/elf_code.h"
#include "../context/explanation.h"
#include "../context/missing_code.h"
#include "../trace/writer.h"
#include "known_code.h"
#include "mapped_code.h"

/* Of all symbol tables, before they are compressed, and of all tables of lines. */
#define SYMBOLS_BYTES_MAX (3u << 20)
#define LINES_BYTES_MAX (8u << 20)
/* With debug information, whose size is another, each may have so many. */
#define TABLES_BYTES_MAX (1u << 28)
/* Of a file with debug information (readers take no more), and of all of them, before they are compressed. */
#define DEBUG_FILE_BYTES_MAX (UINT64_C(1) << 28)
#define DEBUG_BYTES_MAX (UINT64_C(1) << 31)

typedef struct {
    char *path; /* on this machine */
    const char *shown;
    bool is_there;
    struct stat status; /* when the workload began */
    bool is_told;       /* where it is loaded */
    uint64_t bias;
} KnownFile;

struct KnownCode {
    GPtrArray *files;     /* of KnownFile */
    bool sees_host;       /* paths in the guest are this machine's */
    struct timespec from; /* when this was made */
    GuestCode *guest;     /* what only the guest has; or NULL */
    GPtrArray *missing;   /* MissingCode: set by known_code_attach() */
    bool embeds_debug;
    uint64_t debug_bytes; /* set by known_code_attach(), as is: */
    GPtrArray *left_out;  /* char *: files whose debug information had no room */
};

typedef struct {
    GArray *instructions; /* struct mt_instruction: copies, as the ring is the other side's, too */
    GPtrArray *elves;     /* of ElfCode, each file once */
    GPtrArray *shown;     /* char *: their names */
    GArray *loaded;       /* LoadedFile */
    GArray *mapped;       /* LoadedFile: for each part that was mapped; of what isn't known, `elf` is NULL */
    GArray *same;     /* SameCode: instructions (from 1 on) that are a mapped file's, too, and its number in `loaded` */
    uint32_t *owners; /* by instruction: number in `loaded` plus 1, or 0 */
    CodeTable *table;
    CodeMap *map;
    size_t symbol_bytes, line_bytes; /* attached so far */
    size_t symbol_bytes_max, line_bytes_max;
    uint64_t debug_entries; /* that may still be looked at */
    uint64_t debug_bytes;   /* of attached files, before they are compressed */
} Names;

/* Reads the files that were expected: `elves`, `shown` and, where it is known where they are loaded, `loaded`. `read`:
 * ElfCode by path. */
void known_code_read_files(const KnownCode *known, Names *names, GHashTable *read);
/* The files that were mapped (MappedCode), where they were: those of all processes, and what they have loaded later. */
void known_code_read_mapped(const KnownCode *known, const GPtrArray *mapped, Names *names, GHashTable *read);
/* Why the names of a mapped file's code aren't known. */
MissingReason known_code_why_missing(const KnownCode *known, const MappedCode *code);

/* Attaches a file's functions: all of them, or, if there is no room for that, those that have executed something.
 * `used`: names of attachments so far. Returns the attachment's name, to be freed; NULL with an error, or (no error) if
 * there is no room for it. */
char *known_code_attach_symbols(Names *names, const ElfCode *elf, GHashTable *used, TraceWriter *writer,
                                GError **error);
/* The source lines of what was executed of it, and its variables, if there is room. `symbols`: the attachment with its
 * functions. */
bool known_code_attach_lines(Names *names, const ElfCode *elf, const char *symbols, TraceWriter *writer,
                             GError **error);
bool known_code_attach_objects(Names *names, const ElfCode *elf, const char *symbols, TraceWriter *writer,
                               GError **error);
/* The file that has its debug information. If there is no room for it, its path is appended to `left_out` (char *). */
bool known_code_attach_debug(Names *names, const ElfCode *elf, GPtrArray *left_out, TraceWriter *writer,
                             GError **error);
/* The names of code that processes have made themselves, if there is room. `guest` may be NULL. */
bool known_code_attach_generated(Names *names, const GuestCode *guest, TraceWriter *writer, GError **error);

#endif
