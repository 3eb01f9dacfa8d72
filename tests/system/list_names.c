/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Prints what is known of an ELF file's names. usage: list_names FILE [--lines]
 * A line for each function: address, end, the linker's name and, behind a tab, the programmer's. With --lines, standard
 * input has lines of an instruction's address and bytes; for each there is a line of addr2line's frames, separated by
 * tabs: inlined function (or "-"), file:line. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../../src/context/debug_info.h"
#include "../../src/context/demangle.h"

static void list_functions(const ElfCode *code)
{
    for (guint i = 0; i < code->functions->len; i++) {
        const ElfFunction *function = &g_array_index(code->functions, ElfFunction, i);
        g_autofree char *shown = demangle(function->name, true);

        printf("%" PRIx64 " %" PRIx64 " %s\t%s\n", function->address, function->end, function->name,
               shown ? shown : function->name);
    }
}

static void list_lines(const ElfCode *code)
{
    g_autoptr(GArray) pieces = g_array_new(FALSE, FALSE, sizeof(CodePiece));
    g_autoptr(GByteArray) bytes = NULL;
    g_autoptr(LineTable) found = NULL, table = NULL;
    uint64_t work = UINT64_MAX;
    CodePiece piece;

    while (scanf("%" SCNx64 "%" SCNu64, &piece.address, &piece.bytes) == 2)
        g_array_append_val(pieces, piece);
    found = debug_info_find_lines(code, pieces, &work);
    if (!found)
        return;
    bytes = line_table_write(found); /* as a trace has it */
    fprintf(stderr, "%u bytes, %" PRIu64 " entries\n", bytes->len, UINT64_MAX - work);
    table = line_table_read(bytes->data, bytes->len);
    for (guint i = 0; i < pieces->len; i++) {
        uint32_t number = line_table_find(table, g_array_index(pieces, CodePiece, i).address);

        for (const LinePlace *place; (place = line_table_place(table, number)); number = place->caller) {
            g_autofree char *shown = place->function ? demangle(place->function, true) : NULL;

            printf("%s\t%s:%u\t", shown ? shown : place->function ? place->function : "-", place->file, place->line);
        }
        putchar('\n');
    }
}

int main(int argc, char **argv)
{
    bool lines = argc == 3 && !strcmp(argv[2], "--lines");
    g_autoptr(GError) error = NULL;
    g_autoptr(ElfCode) code = argc == 2 || lines ? elf_code_read(argv[1], &error) : NULL;

    if (!code) {
        fprintf(stderr, "%s\n", error ? error->message : "usage: list_names FILE [--lines]");
        return 1;
    }
    if (lines)
        list_lines(code);
    else
        list_functions(code);
    return 0;
}
