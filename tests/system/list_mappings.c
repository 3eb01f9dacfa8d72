/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * list_mappings TRACE POINT STEP PATH
 *
 * Whenever a page is mapped at POINT + i * STEP (hexadecimal), prints what is mapped in that memory, by the trace:
 * "point i OTHERS", then a line for each part: begin, end (hexadecimal), the region and the path of the file, separated
 * by tabs. OTHERS is how many other memories have mapped a file whose path ends in PATH.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../src/context/address_objects.h"
#include "../../src/context/memory_map.h"
#include "../../src/trace/trace_private.h"

typedef struct {
    const MemoryMap *map;
    const char *path;
} List;

static bool is_there(const Stretch *stretch, uint64_t position)
{
    return position >= stretch->from && position < stretch->to;
}

static bool has_file(const List *list, uint32_t memory, uint64_t position)
{
    guint count;
    const Stretch *stretches = memory_map_stretches(list->map, memory, &count);

    for (guint i = 0; i < count; i++)
        if (is_there(&stretches[i], position) &&
            g_str_has_suffix(memory_map_object(list->map, stretches[i].object)->path, list->path))
            return true;
    return false;
}

static void print_point(const List *list, unsigned number, uint32_t memory, uint64_t position)
{
    guint count, others = 0;
    const Stretch *stretches = memory_map_stretches(list->map, memory, &count);

    for (uint32_t i = 1; i <= memory_map_memories(list->map); i++)
        others += i != memory && has_file(list, i, position);
    printf("point %u %u\n", number, others);
    for (guint i = 0; i < count; i++) {
        const MappedObject *object = memory_map_object(list->map, stretches[i].object);

        if (is_there(&stretches[i], position))
            printf("%" PRIx64 "\t%" PRIx64 "\t%s\t%s\n", stretches[i].begin, stretches[i].end,
                   object_region_name(object->region), object->path);
    }
}

int main(int argc, char **argv)
{
    struct mt_error error = { "" };
    mt_trace *trace = argc == 5 ? mt_trace_open(argv[1], MT_FORMAT_FILE, &error) : NULL;
    const TraceChanges *changes = trace ? trace->file->changes : NULL;
    g_autoptr(MemoryMap) map = memory_map_new(changes);
    const List list = { map, argc == 5 ? argv[4] : "" };

    if (!trace) {
        fprintf(stderr, "list_mappings: %s\n", *error.message ? error.message : "four arguments are needed");
        return 1;
    }
    for (guint i = 0; i < changes->list->len; i++) {
        const TraceChange *change = &g_array_index(changes->list, TraceChange, i);
        uint64_t distance = change->value[1] - strtoull(argv[2], NULL, 16), step = strtoull(argv[3], NULL, 16);

        if (change->kind == CHANGE_MAP && distance % step == 0 && distance / step < 64)
            print_point(&list, (unsigned)(distance / step), (uint32_t)change->value[0], change->index);
    }
    mt_trace_close(trace);
    return 0;
}
