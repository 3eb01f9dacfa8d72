/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The words for regions: see address_objects.h. */
#include <string.h>

#include "address_objects.h"

static const char *const names[OBJECT_REGIONS] = {
    [OBJECT_VARIABLE] = "variable",
    [OBJECT_TEXT] = "text",
    [OBJECT_STACK] = "stack",
    [OBJECT_HEAP] = "heap",
    [OBJECT_ANONYMOUS] = "anonymous",
    [OBJECT_FILE] = "file",
    [OBJECT_SHARED] = "shared",
    [OBJECT_VDSO] = "vdso",
    [OBJECT_UNKNOWN_USER] = "unknown-user",
    [OBJECT_KERNEL_TEXT] = "kernel-text",
    [OBJECT_KERNEL_DATA] = "kernel-data",
    [OBJECT_PER_CPU] = "per-cpu",
    [OBJECT_KERNEL_STACK] = "kernel-stack",
    [OBJECT_MODULE] = "module",
    [OBJECT_VMALLOC] = "vmalloc",
    [OBJECT_PAGE_TABLE] = "page-table",
    [OBJECT_SLAB] = "slab",
    [OBJECT_DIRECT_MAP] = "direct-map",
    [OBJECT_VMEMMAP] = "vmemmap",
    [OBJECT_DEVICE] = "device",
    [OBJECT_UNKNOWN_KERNEL] = "unknown-kernel",
};

const char *object_region_name(ObjectRegion region)
{
    return names[region];
}

bool object_region_parse(const char *name, ObjectRegion *region)
{
    for (guint i = 0; i < OBJECT_REGIONS; i++)
        if (!strcmp(names[i], name)) {
            *region = (ObjectRegion)i;
            return true;
        }
    return false;
}

char *object_region_list(const char *separator)
{
    const char *words[OBJECT_REGIONS + 1] = { NULL };

    memcpy(words, names, sizeof names);
    return g_strjoinv(separator, (char **)words);
}
