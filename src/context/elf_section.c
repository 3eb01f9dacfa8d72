/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sections by their names: see elf_section.h. */
#include "elf_section.h"

#include <string.h>

Elf_Scn *elf_section_find(Elf *elf, const char *name, GElf_Shdr *header)
{
    Elf_Scn *section = NULL;
    size_t names;

    if (elf_getshdrstrndx(elf, &names))
        return NULL;
    while ((section = elf_nextscn(elf, section))) {
        const char *own = gelf_getshdr(section, header) ? elf_strptr(elf, names, header->sh_name) : NULL;

        if (own && header->sh_type != SHT_NOBITS && !strcmp(own, name))
            return section;
    }
    return NULL;
}
