/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Prints what is known of an ELF file's names. usage: list_names FILE
 * A line for each function: address, end, the linker's name and, behind a tab, the programmer's. */
#include <inttypes.h>
#include <stdio.h>

#include "../../src/context/demangle.h"
#include "../../src/context/elf_code.h"

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(ElfCode) code = argc == 2 ? elf_code_read(argv[1], &error) : NULL;

    if (!code) {
        fprintf(stderr, "%s\n", error ? error->message : "usage: list_names FILE");
        return 1;
    }
    for (guint i = 0; i < code->functions->len; i++) {
        const ElfFunction *function = &g_array_index(code->functions, ElfFunction, i);
        g_autofree char *shown = demangle(function->name, true);

        printf("%" PRIx64 " %" PRIx64 " %s\t%s\n", function->address, function->end, function->name,
               shown ? shown : function->name);
    }
    return 0;
}
