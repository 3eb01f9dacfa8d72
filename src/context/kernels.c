/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A trace's kernels: see kernels.h. */
#include "kernels.h"

#include "../trace/file.h"
#include "kernel_names.h"
#include "kernel_sources.h"

struct Kernels {
    mt_trace *trace;
    KernelSources *sources;
    GHashTable *names;   /* KernelNames by their attachments' names: inputs often have the same kernel */
    GHashTable *objects; /* KernelObjects by input */
    uint32_t input;      /* the input that was asked about last */
    KernelObjects *last; /* that input's objects */
};

Kernels *kernels_new(mt_trace *trace)
{
    Kernels *kernels = g_new0(Kernels, 1);

    kernels->trace = trace;
    kernels->sources = kernel_sources_read(trace);
    kernels->names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)kernel_names_free);
    kernels->objects = g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)kernel_objects_free);
    return kernels;
}

void kernels_free(Kernels *kernels)
{
    if (!kernels)
        return;
    g_hash_table_unref(kernels->objects);
    g_hash_table_unref(kernels->names);
    kernel_sources_free(kernels->sources);
    g_free(kernels);
}

static const char *source(const Kernels *kernels, uint32_t input, KernelSourceKind kind)
{
    return kernel_sources_find(kernels->sources, input, kind);
}

static const KernelNames *names_of(Kernels *kernels, uint32_t input)
{
    const char *symbols = source(kernels, input, KERNEL_SYMBOLS), *modules = source(kernels, input, KERNEL_MODULES);
    const char *devices = source(kernels, input, KERNEL_DEVICES);
    g_autofree char *key =
        g_strdup_printf("%s %s %s", symbols ? symbols : "", modules ? modules : "", devices ? devices : "");
    KernelNames *names = g_hash_table_lookup(kernels->names, key);

    if (!names) {
        names = kernel_names_read(kernels->trace, symbols, modules, devices);
        g_hash_table_insert(kernels->names, g_steal_pointer(&key), names);
    }
    return names;
}

static KernelObjects *objects_of(Kernels *kernels, uint32_t input)
{
    const TraceFile *file = trace_file_of(kernels->trace);
    KernelObjects *objects = g_hash_table_lookup(kernels->objects, GUINT_TO_POINTER(input));

    if (!objects) {
        objects = kernel_objects_new(names_of(kernels, input), file ? file->changes : NULL, input);
        g_hash_table_insert(kernels->objects, GUINT_TO_POINTER(input), objects);
    }
    return objects;
}

bool kernels_find(Kernels *kernels, uint32_t input, uint64_t position, uint64_t address, uint64_t paddr,
                  AddressObject *object, ObjectExtent *extent)
{
    if (!kernels->last || input != kernels->input) {
        kernels->last = objects_of(kernels, input);
        kernels->input = input;
    }
    return kernel_objects_find(kernels->last, position, address, paddr, object, extent);
}
