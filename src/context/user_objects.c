/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * User memory: see user_objects.h.
 *
 * Mappings come from memory_map.h. To place a file's variables, its bias is needed, which differs between processes.
 * The trace tells at which biases files were loaded (`loaded`), but not in which processes. So a mapping of a file's
 * code gets the bias at which the file's functions would lie in the mapping. The distance from the bias to the mapping
 * of the file's first byte is the same in all processes.
 */
#include "user_objects.h"

#include <stdlib.h>
#include <string.h>

#include "../trace/file.h"
#include "attachment.h"
#include "code_table.h"

/* A file whose variables are known. */
typedef struct {
    char *path;
    VariableTable *variables;
    uint64_t lowest; /* address of its first function */
    bool knows_distance;
    uint64_t distance; /* bytes from the bias to where its first byte would be mapped */
} File;

/* A file that is loaded in a memory. */
typedef struct {
    File *file;
    uint32_t code; /* number of the mapped object that is its code */
    uint64_t text; /* an address of its code */
    uint64_t bias;
} Image;

struct UserObjects {
    MemoryMap *map;
    CodeTable *table;
    GPtrArray *files;   /* File or NULL, for each line of `loaded`; they belong to `own` */
    GPtrArray *own;     /* File, each once */
    GPtrArray *images;  /* GArray of Image for each memory, or NULL */
    GArray *all_images; /* Image: of memory 0 */
    /* Of a running guest: */
    bool is_live;
    UserFileFunc find_file;
    void *find_file_data;
    GHashTable *live_files;  /* File by its variables' text (its address); they belong to `own` */
    GArray *images_position; /* uint64_t, for each memory: the position at which its images were found, plus 1 */
};

static void free_file(void *data)
{
    File *file = data;

    variable_table_free(file->variables);
    g_free(file->path);
    g_free(file);
}

static void free_images(void *data)
{
    if (data)
        g_array_unref(data);
}

/* Files. */

static uint64_t find_lowest(char *functions)
{
    uint64_t lowest = UINT64_MAX;
    Variable function; /* functions' lines have the same form as variables' */

    for (char *line; (line = attachment_take_line(&functions));)
        if (variable_parse(line, &function))
            lowest = MIN(lowest, function.begin);
    return lowest;
}

static File *read_file(mt_trace *trace, const CodeOrigin *origin)
{
    g_autofree char *name = g_strconcat(CODE_TABLE_DATA, origin->attachment + strlen(CODE_TABLE_ELF), NULL);
    size_t bytes;
    char *functions, *variables = attachment_read(trace, name, &bytes, false);
    File *file;

    if (!variables)
        return NULL;
    file = g_new0(File, 1);
    file->path = g_strdup(origin->path);
    file->variables = variable_table_new(variables);
    functions = attachment_read(trace, origin->attachment, &bytes, false);
    file->lowest = find_lowest(functions);
    free(functions);
    return file;
}

/* Reads each file once: lines of `loaded` often have the same file. */
static void read_files(UserObjects *objects, mt_trace *trace)
{
    g_autoptr(GHashTable) known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (guint i = 0; i < objects->table->origins->len; i++) {
        const CodeOrigin *origin = objects->table->origins->pdata[i];
        bool is_file = g_str_has_prefix(origin->attachment, CODE_TABLE_ELF);
        g_autofree char *key = g_strconcat(origin->attachment, " ", origin->path, NULL);
        File *file = g_hash_table_lookup(known, key);

        if (is_file && !file && (file = read_file(trace, origin))) {
            g_ptr_array_add(objects->own, file);
            g_hash_table_insert(known, g_steal_pointer(&key), file);
        }
        g_ptr_array_add(objects->files, file);
    }
}

/* Images. */

/* The file of the line of `loaded` whose functions would lie in this mapping of code, and its bias; or NULL. */
static File *match(const UserObjects *objects, const Stretch *stretch, const char *path, uint64_t *bias)
{
    for (guint i = 0; i < objects->files->len; i++) {
        const CodeOrigin *origin = objects->table->origins->pdata[i];
        File *file = objects->files->pdata[i];

        if (file && !strcmp(file->path, path) && origin->bias + file->lowest >= stretch->begin &&
            origin->bias + file->lowest < stretch->end) {
            *bias = origin->bias;
            return file;
        }
    }
    return NULL;
}

static File *match_by_distance(const UserObjects *objects, const Stretch *stretch, const char *path, uint64_t *bias)
{
    for (guint i = 0; i < objects->own->len; i++) {
        File *file = objects->own->pdata[i];

        if (file->knows_distance && !strcmp(file->path, path)) {
            *bias = stretch->base - file->distance;
            return file;
        }
    }
    return NULL;
}

static void add_image(GArray *images, const Image *image)
{
    for (guint i = 0; i < images->len; i++) {
        const Image *known = &g_array_index(images, Image, i);

        if (known->file == image->file && known->bias == image->bias && known->code == image->code)
            return;
    }
    g_array_append_val(images, *image);
}

/* Finds a memory's images: those that `loaded` has (`exact`), or those whose file has a known distance by then. */
static void find_images(UserObjects *objects, uint32_t memory, bool exact)
{
    guint count;
    const Stretch *stretches = memory_map_stretches(objects->map, memory, &count);
    GArray *images = objects->images->pdata[memory];

    for (guint i = 0; i < count; i++) {
        const MappedObject *object = memory_map_object(objects->map, stretches[i].object);
        Image image = { .code = stretches[i].object, .text = stretches[i].begin };

        if (object->region != OBJECT_TEXT)
            continue;
        image.file = exact ? match(objects, &stretches[i], object->path, &image.bias)
                           : match_by_distance(objects, &stretches[i], object->path, &image.bias);
        if (!image.file)
            continue;
        image.file->knows_distance = true;
        image.file->distance = stretches[i].base - image.bias;
        if (!images)
            objects->images->pdata[memory] = images = g_array_new(FALSE, FALSE, sizeof(Image));
        add_image(images, &image);
    }
}

static void find_all_images(UserObjects *objects)
{
    for (guint i = 0; i < objects->files->len; i++) {
        const CodeOrigin *origin = objects->table->origins->pdata[i];
        Image image = { .file = objects->files->pdata[i], .bias = origin->bias };

        if (image.file)
            add_image(objects->all_images, &image);
    }
}

static UserObjects *make_objects(MemoryMap *map, CodeTable *table)
{
    UserObjects *objects = g_new0(UserObjects, 1);

    objects->map = map;
    objects->table = table;
    objects->files = g_ptr_array_new();
    objects->own = g_ptr_array_new_with_free_func(free_file);
    objects->images = g_ptr_array_new_with_free_func(free_images);
    objects->all_images = g_array_new(FALSE, FALSE, sizeof(Image));
    return objects;
}

UserObjects *user_objects_read(mt_trace *trace)
{
    const TraceFile *file = trace_file_of(trace);
    UserObjects *objects = make_objects(memory_map_new(file ? file->changes : NULL), code_table_read(trace, false));

    read_files(objects, trace);
    g_ptr_array_set_size(objects->images, (gint)memory_map_memories(objects->map) + 1);
    for (int exact = 1; exact >= 0; exact--)
        for (guint i = 1; i < objects->images->len; i++)
            find_images(objects, i, exact);
    if (!(mt_trace_fields(trace) & MT_FIELD_TASK))
        find_all_images(objects);
    return objects;
}

/* A running guest. */

UserObjects *user_objects_new_live(UserFileFunc function, void *data)
{
    UserObjects *objects = make_objects(memory_map_new_live(), code_table_new());

    objects->is_live = true;
    objects->find_file = function;
    objects->find_file_data = data;
    objects->live_files = g_hash_table_new(NULL, NULL);
    objects->images_position = g_array_new(FALSE, TRUE, sizeof(uint64_t));
    return objects;
}

void user_objects_add(UserObjects *objects, const TraceChange *change)
{
    memory_map_add(objects->map, change);
}

/* The image that a mapping of code belongs to. False if its file's variables aren't known. */
static bool find_live_image(UserObjects *objects, const Stretch *stretch, Image *image)
{
    const MappedObject *mapped = memory_map_object(objects->map, stretch->object);
    const char *variables;

    *image = (Image){ .code = stretch->object, .text = stretch->begin };
    if (mapped->region != OBJECT_TEXT || !objects->find_file ||
        !(variables = objects->find_file(objects->find_file_data, mapped->path, mapped->device, stretch->begin,
                                         stretch->begin - stretch->base, &image->bias)))
        return false;
    image->file = g_hash_table_lookup(objects->live_files, variables);
    if (!image->file) {
        image->file = g_new0(File, 1);
        image->file->path = g_strdup(mapped->path);
        image->file->variables = variable_table_new(strdup(variables));
        g_ptr_array_add(objects->own, image->file);
        g_hash_table_insert(objects->live_files, (gpointer)variables, image->file);
    }
    return true;
}

/* Finds a memory's images, unless that was done at this position. */
static void find_live_images(UserObjects *objects, uint64_t position, uint32_t memory)
{
    guint count;
    const Stretch *now = memory_map_now(objects->map, memory, &count);
    GArray *images;

    if (memory >= objects->images->len)
        g_ptr_array_set_size(objects->images, (gint)memory + 1);
    if (memory >= objects->images_position->len)
        g_array_set_size(objects->images_position, memory + 1);
    if (g_array_index(objects->images_position, uint64_t, memory) == position + 1)
        return;
    g_array_index(objects->images_position, uint64_t, memory) = position + 1;
    images = objects->images->pdata[memory];
    if (!images)
        objects->images->pdata[memory] = images = g_array_new(FALSE, FALSE, sizeof(Image));
    g_array_set_size(images, 0);
    for (guint i = 0; i < count; i++) {
        Image image;

        if (find_live_image(objects, &now[i], &image))
            add_image(images, &image);
    }
}

void user_objects_free(UserObjects *objects)
{
    if (!objects)
        return;
    memory_map_free(objects->map);
    code_table_free(objects->table);
    g_ptr_array_unref(objects->files);
    g_ptr_array_unref(objects->own);
    g_ptr_array_unref(objects->images);
    g_array_unref(objects->all_images);
    g_clear_pointer(&objects->live_files, g_hash_table_unref);
    g_clear_pointer(&objects->images_position, g_array_unref);
    g_free(objects);
}

const MemoryMap *user_objects_map(const UserObjects *objects)
{
    return objects->map;
}

/* Answers. */

static void narrow(ObjectExtent *extent, uint64_t begin, uint64_t end)
{
    extent->begin = MAX(extent->begin, begin);
    extent->end = MIN(extent->end, end);
}

/* The variable of an image at an address. If there is none, *extent is narrowed to where there is none. */
static bool find_in_image(const Image *image, uint64_t address, AddressObject *object, ObjectExtent *extent)
{
    uint64_t before, behind;
    const Variable *variable = variable_table_find(image->file->variables, address - image->bias, &before, &behind);

    if (!variable) {
        before += image->bias;
        narrow(extent, before <= address ? before : 0,
               behind < UINT64_MAX - image->bias ? behind + image->bias : UINT64_MAX);
        return false;
    }
    *object = (AddressObject){ .region = OBJECT_VARIABLE,
                               .name = variable->name,
                               .begin = variable->begin + image->bias,
                               .end = variable->end + image->bias };
    narrow(extent, object->begin, object->end);
    return true;
}

/* Whether an image's code is mapped at this position (a library may have been unloaded). Narrows *extent to the
 * positions for which that holds. */
static bool is_loaded(const UserObjects *objects, uint32_t memory, uint64_t position, const Image *image,
                      ObjectExtent *extent)
{
    const Stretch *text = memory_map_find(objects->map, memory, position, image->text);

    if (!text)
        return false;
    if (position >= text->from && position < text->to) {
        extent->from = MAX(extent->from, text->from);
        extent->to = MIN(extent->to, text->to);
    } else {
        extent->from = position;
        extent->to = position + 1;
    }
    return text->object == image->code;
}

static bool find_variable(UserObjects *objects, uint64_t position, uint32_t memory, uint64_t address,
                          AddressObject *object, ObjectExtent *extent)
{
    const GArray *images;

    if (objects->is_live && memory)
        find_live_images(objects, position, memory);
    images = !memory ? objects->all_images : memory < objects->images->len ? objects->images->pdata[memory] : NULL;
    for (guint i = 0; images && i < images->len; i++) {
        const Image *image = &g_array_index(images, Image, i);

        if (memory && !objects->is_live && !is_loaded(objects, memory, position, image, extent))
            continue;
        if (find_in_image(image, address, object, extent))
            return true;
    }
    return false;
}

/* Variables are in a file's mappings, and behind these in anonymous memory (.bss). */
static bool may_have_variables(ObjectRegion region)
{
    return region == OBJECT_FILE || region == OBJECT_TEXT || region == OBJECT_ANONYMOUS;
}

static bool is_whole(ObjectRegion region)
{
    return region == OBJECT_STACK || region == OBJECT_HEAP;
}

bool user_objects_find(UserObjects *objects, uint64_t position, uint32_t memory, uint64_t address,
                       AddressObject *object, ObjectExtent *extent)
{
    ObjectExtent own, *valid = extent ? extent : &own;
    const Stretch *stretch = memory_map_find(objects->map, memory, position, address);
    const MappedObject *mapped = stretch ? memory_map_object(objects->map, stretch->object) : NULL;

    if (!mapped) {
        *valid = memory ? (ObjectExtent){ address, address + 1, position, position + 1 }
                        : (ObjectExtent){ 0, UINT64_C(1) << 63, 0, UINT64_MAX };
        *object =
            (AddressObject){ .region = OBJECT_UNKNOWN_USER, .name = "unknown", .begin = address, .end = address + 1 };
        return !memory && find_variable(objects, position, 0, address, object, valid);
    }
    *valid = (ObjectExtent){ stretch->begin, stretch->end, stretch->from, stretch->to };
    /* The answer holds for this position only, if it is but the nearest in time, or if a running guest gave it. */
    if (objects->is_live || position < stretch->from || position >= stretch->to) {
        valid->from = position;
        valid->to = position + 1;
    }
    if (may_have_variables(mapped->region) && find_variable(objects, position, memory, address, object, valid))
        return true;
    *object = (AddressObject){ .region = mapped->region,
                               .name = mapped->name,
                               .begin = is_whole(mapped->region) ? mapped->begin : stretch->begin,
                               .end = is_whole(mapped->region) ? mapped->end : stretch->end,
                               .task = mapped->region == OBJECT_STACK ? mapped->task : 0 };
    return true;
}

bool user_objects_own_stack(const UserObjects *objects, uint32_t task, uint32_t memory, AddressObject *object)
{
    const Stretch *stack = memory_map_own_stack(objects->map, task, memory);

    if (stack)
        *object = (AddressObject){ .region = OBJECT_STACK,
                                   .name = memory_map_object(objects->map, stack->object)->name,
                                   .begin = stack->begin,
                                   .end = stack->end,
                                   .task = task };
    return stack;
}

void user_objects_list_variables(UserObjects *objects, UserVariableFunc function, void *data)
{
    for (guint i = 1; i < objects->images->len; i++) {
        const GArray *images = objects->images->pdata[i];

        for (guint k = 0; images && k < images->len; k++) {
            const Image *image = &g_array_index(images, Image, k);
            guint count;
            const Variable *variables = variable_table_list(image->file->variables, &count);

            for (guint n = 0; n < count; n++)
                function(data, memory_map_object(objects->map, image->code), &variables[n], image->bias);
        }
    }
}
