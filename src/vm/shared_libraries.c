/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which shared libraries a program loads: see shared_libraries.h. The loader could be asked, as ldd does; but the
 * program chooses its loader, so that would run untrusted code here. We go through the libraries in the order and by
 * the rules of glibc's loader (ld.so(8)) or musl's (its documentation).
 */
#include "shared_libraries.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/error.h"
#include "../base/regular_file.h"
#include "library_cache.h"

#define USUAL_LOADER "/lib64/ld-linux-x86-64.so.2"
#define CACHE_PATH "/etc/ld.so.cache"
#define MUSL_PATH_FILE "/etc/ld-musl-x86_64.path"
#define MUSL_FOLDERS "/lib:/usr/local/lib:/usr/lib"
#define MULTIARCH "lib/x86_64-linux-gnu"
#define OBJECTS_MAX 2048
#define MUSL_PATH_BYTES_MAX (64 * 1024)

static const char *const glibc_folders[] = {
    "/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib"
};
/* Libraries for some processors only. The guest's processor decides which one is loaded there, so all are found. */
static const char *const variant_folders[] = { "glibc-hwcaps/x86-64-v4", "glibc-hwcaps/x86-64-v3",
                                               "glibc-hwcaps/x86-64-v2" };
/* What $PLATFORM may stand for: that depends on the guest's processor, too. */
static const char *const platforms[] = { "haswell", "x86_64" };

/* A file that is loaded. */
typedef struct Object {
    const ElfObject *elf;
    ElfObject *own;              /* to be freed: all but the program */
    const struct Object *needer; /* whose library it is, or NULL */
    char *origin;                /* what $ORIGIN stands for */
    bool moves;                  /* $ORIGIN will be another folder in the guest */
} Object;

typedef struct {
    GPtrArray *objects; /* of Object *, in loading order: the queue of a breadth-first walk */
    GHashTable *names;  /* by which the loader knows what it has loaded */
    SharedLibraries *found;
    const char *loader; /* its real path */
    bool musl;
    LibraryCache *cache;
    char *musl_folders;
} Search;

void shared_libraries_free(SharedLibraries *libraries)
{
    if (!libraries)
        return;
    g_ptr_array_unref(libraries->files);
    g_ptr_array_unref(libraries->folders);
    g_free(libraries);
}

bool shared_libraries_loader_is_usual(const char *loader)
{
    return !strcmp(loader, USUAL_LOADER);
}

static void add_once(GPtrArray *list, const char *text)
{
    if (!g_ptr_array_find_with_equal_func(list, text, g_str_equal, NULL))
        g_ptr_array_add(list, g_strdup(text));
}

static void free_object(void *data)
{
    Object *object = data;

    elf_object_free(object->own);
    g_free(object->origin);
    g_free(object);
}

static void add_name(Search *search, const char *name)
{
    if (name)
        g_hash_table_add(search->names, g_strdup(name));
}

/* Takes a file to be what `needer` calls `name`, if it is a library that fits: the loader skips others, too. */
static bool take(Search *search, const Object *needer, const char *name, const char *path)
{
    g_autofree char *absolute = g_canonicalize_filename(path, NULL);
    ElfObject *elf = elf_object_read(absolute, NULL);
    Object *object;

    if (!elf)
        return false;
    object = g_new0(Object, 1);
    *object = (Object){ .elf = elf, .own = elf, .needer = needer, .origin = g_path_get_dirname(absolute) };
    g_ptr_array_add(search->objects, object);
    add_name(search, name);
    add_name(search, elf->name);
    add_name(search, absolute);
    add_once(search->found->files, absolute);
    return true;
}

/* Likewise, from a folder, with its variants for some processors. */
static bool take_from_folder(Search *search, const Object *needer, const char *name, const char *folder)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    bool found = take(search, needer, name, path);

    for (guint i = 0; !search->musl && i < G_N_ELEMENTS(variant_folders); i++) {
        g_autofree char *variant = g_build_filename(folder, variant_folders[i], name, NULL);

        found |= take(search, needer, name, variant);
    }
    return found;
}

/* $ORIGIN and the like. */

/* The length of `$WORD` or `${WORD}` at `text`, or 0. */
static size_t match_token(const char *text, const char *word)
{
    size_t length = strlen(word);

    if (text[1] == '{')
        return !strncmp(text + 2, word, length) && text[2 + length] == '}' ? length + 3 : 0;
    return !strncmp(text + 1, word, length) && !g_ascii_isalnum(text[1 + length]) && text[1 + length] != '_'
               ? length + 1
               : 0;
}

static char *expand(const char *text, const Object *object, const char *platform)
{
    const char *library = g_file_test("/" MULTIARCH, G_FILE_TEST_IS_DIR) ? MULTIARCH : "lib64";
    const struct {
        const char *word, *meaning;
    } tokens[] = { { "ORIGIN", object->origin }, { "LIB", library }, { "PLATFORM", platform } };
    GString *expanded = g_string_new(NULL);

    while (*text) {
        size_t length = 0;

        for (guint i = 0; *text == '$' && !length && i < G_N_ELEMENTS(tokens); i++) {
            length = match_token(text, tokens[i].word);
            if (length)
                g_string_append(expanded, tokens[i].meaning);
        }
        if (!length)
            g_string_append_c(expanded, *text);
        text += MAX(length, 1);
    }
    return g_string_free(expanded, FALSE);
}

/* Searching. Each function looks in one kind of place, and is told who needs the library and by which name. */

/* The folders of the files that were found since there were `before`. */
static void tell_folders(Search *search, guint before)
{
    for (guint i = before; i < search->objects->len; i++) {
        const Object *object = search->objects->pdata[i];
        g_autofree char *folder = g_path_get_dirname(object->elf->path);

        if (!strstr(folder, "/glibc-hwcaps/"))
            add_once(search->found->folders, folder);
    }
}

/* In a list of folders, with $ORIGIN being that of `owner`; an empty one is the current folder. */
static bool in_folders(Search *search, const Object *needer, const char *name, const char *list, const Object *owner,
                       const char *separators)
{
    g_auto(GStrv) folders = g_strsplit_set(list ? list : "", separators, -1);
    guint before = search->objects->len;
    bool found = false;

    for (char **folder = folders; *folder && !found; folder++) {
        guint count = strstr(*folder, "PLATFORM") ? G_N_ELEMENTS(platforms) : 1;

        for (guint i = 0; i < count; i++) {
            g_autofree char *expanded = expand(*folder, owner, platforms[i]);

            found |= take_from_folder(search, needer, name, *expanded ? expanded : ".");
        }
        if (owner->moves && strstr(*folder, "ORIGIN"))
            tell_folders(search, before);
    }
    return found;
}

/* DT_RPATH of who needs it, of who needs that, and so on. musl treats DT_RUNPATH alike. */
static bool in_rpaths(Search *search, const Object *needer, const char *name)
{
    if (needer->elf->runpath && !search->musl)
        return false;
    for (const Object *owner = needer; owner; owner = owner->needer) {
        const char *list = search->musl && owner->elf->runpath ? owner->elf->runpath : owner->elf->rpath;

        if (list && in_folders(search, needer, name, list, owner, ":"))
            return true;
    }
    return false;
}

static bool in_runpath(Search *search, const Object *needer, const char *name)
{
    return needer->elf->runpath && in_folders(search, needer, name, needer->elf->runpath, needer, ":");
}

static bool in_library_path(Search *search, const Object *needer, const char *name)
{
    const char *list = g_getenv("LD_LIBRARY_PATH");
    guint before = search->objects->len;
    bool found = list && *list && in_folders(search, needer, name, list, search->objects->pdata[0], ":;");

    tell_folders(search, before);
    return found;
}

static bool is_default_folder(const char *folder)
{
    for (guint i = 0; i < G_N_ELEMENTS(glibc_folders); i++)
        if (g_str_has_prefix(folder, glibc_folders[i]) &&
            (!folder[strlen(glibc_folders[i])] ||
             g_str_has_prefix(folder + strlen(glibc_folders[i]), "/glibc-hwcaps/")))
            return true;
    return false;
}

/* The guest's own index doesn't have this machine's libraries: so folders other than the usual ones are noted. */
static bool take_from_cache(Search *search, const Object *needer, const char *name, const char *path)
{
    g_autofree char *folder = g_path_get_dirname(path);
    guint before = search->objects->len;

    if (is_default_folder(folder))
        return !needer->elf->no_default_folders && take(search, needer, name, path);
    if (!take(search, needer, name, path))
        return false;
    tell_folders(search, before);
    return true;
}

static bool in_cache(Search *search, const Object *needer, const char *name)
{
    g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) variants = g_ptr_array_new_with_free_func(g_free);
    bool found = false;

    library_cache_look_up(search->cache, name, paths, variants);
    for (guint i = 0; i < paths->len && !found; i++)
        found = take_from_cache(search, needer, name, paths->pdata[i]);
    for (guint i = 0; i < variants->len; i++)
        found |= take_from_cache(search, needer, name, variants->pdata[i]);
    return found;
}

static bool in_glibc_folders(Search *search, const Object *needer, const char *name)
{
    g_autofree char *beside_loader = g_path_get_dirname(search->loader);

    for (guint i = 0; i < G_N_ELEMENTS(glibc_folders); i++)
        if (take_from_folder(search, needer, name, glibc_folders[i]))
            return true;
    return take_from_folder(search, needer, name, beside_loader); /* another glibc than the system's */
}

/* musl's own folders, or those that a file lists: then its loader needs that file, too. */
static bool in_musl_folders(Search *search, const Object *needer, const char *name)
{
    if (!search->musl_folders) {
        int fd = regular_file_open(MUSL_PATH_FILE, NULL);

        search->musl_folders = g_strdup(MUSL_FOLDERS);
        if (fd >= 0) {
            char text[MUSL_PATH_BYTES_MAX];
            ssize_t length = read(fd, text, sizeof text - 1);

            close(fd);
            text[MAX(length, 0)] = 0;
            g_free(search->musl_folders);
            search->musl_folders = g_strdup(text);
            add_once(search->found->files, MUSL_PATH_FILE);
        }
    }
    return in_folders(search, needer, name, search->musl_folders, needer, ":\n");
}

/* The C library's parts, which musl's loader holds itself. */
static bool is_in_musl(const char *name)
{
    static const char *const parts[] = { "c.", "pthread.", "rt.", "m.", "dl.", "util.", "xnet." };

    for (guint i = 0; g_str_has_prefix(name, "lib") && i < G_N_ELEMENTS(parts); i++)
        if (g_str_has_prefix(name + 3, parts[i]))
            return true;
    return false;
}

static bool by_path(Search *search, const Object *needer, const char *name)
{
    bool found = false;

    for (guint i = 0; i < (strstr(name, "PLATFORM") ? G_N_ELEMENTS(platforms) : 1); i++) {
        g_autofree char *path = expand(name, needer, platforms[i]);

        found |= take(search, needer, name, path);
    }
    return found;
}

static bool find(Search *search, const Object *needer, const char *name)
{
    if (strchr(name, '/'))
        return by_path(search, needer, name);
    if (search->musl)
        return is_in_musl(name) || in_library_path(search, needer, name) || in_rpaths(search, needer, name) ||
               in_musl_folders(search, needer, name);
    return in_rpaths(search, needer, name) || in_library_path(search, needer, name) ||
           in_runpath(search, needer, name) || in_cache(search, needer, name) ||
           (!needer->elf->no_default_folders && in_glibc_folders(search, needer, name));
}

/* The walk. */

/* If the program's path is a symbolic link, $ORIGIN is the folder of the file that the link leads to. The guest gets no
 * link, but the file at the link's place. */
static void add_program(Search *search, const ElfObject *program)
{
    char *real = realpath(program->path, NULL);
    g_autofree char *folder = g_path_get_dirname(program->path);
    Object *object = g_new0(Object, 1);

    object->elf = program;
    object->origin = g_path_get_dirname(real ? real : program->path);
    object->moves = strcmp(object->origin, folder) != 0;
    free(real);
    g_ptr_array_add(search->objects, object);
}

/* The program chooses its loader, which may be any file. We only copy it into the guest, and never execute it here. */
static bool start_with_loader(Search *search, const ElfObject *program, GError **error)
{
    g_autoptr(GError) problem = NULL;
    ElfObject *loader;

    add_program(search, program);
    if (*program->loader != '/')
        return mt_fail_as(error, MT_ERROR_NOT_EXECUTABLE, "can't execute %s: its loader's path is not absolute: %s",
                          program->path, program->loader);
    loader = elf_object_read(program->loader, &problem);
    if (!loader)
        return mt_fail(error, "can't execute %s: its loader doesn't fit: %s", program->path, problem->message);
    add_name(search, program->path);
    add_name(search, program->loader);
    add_name(search, loader->name);
    add_once(search->found->files, program->loader);
    elf_object_free(loader);
    return true;
}

static bool find_all_of(Search *search, const Object *object, GError **error)
{
    for (guint i = 0; i < object->elf->needed->len; i++) {
        const char *name = object->elf->needed->pdata[i];

        if (g_hash_table_contains(search->names, name))
            continue;
        if (!find(search, object, name))
            return mt_fail_as(error, MT_ERROR_NOT_FOUND, "this machine doesn't have the library %s, which %s needs",
                              name, object->elf->path);
        add_name(search, name);
        if (search->objects->len > OBJECTS_MAX)
            return mt_fail(error, "%s needs more than %d libraries", ((Object *)search->objects->pdata[0])->elf->path,
                           OBJECTS_MAX);
    }
    return true;
}

SharedLibraries *shared_libraries_find(const ElfObject *program, GError **error)
{
    g_autoptr(SharedLibraries) found = g_new0(SharedLibraries, 1);
    g_autoptr(LibraryCache) cache = library_cache_read(CACHE_PATH);
    g_autoptr(GPtrArray) objects = g_ptr_array_new_with_free_func(free_object);
    g_autoptr(GHashTable) names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autofree char *loader_name = g_path_get_basename(program->loader);
    Search search = { .objects = objects,
                      .names = names,
                      .found = found,
                      .loader = program->loader,
                      .musl = g_str_has_prefix(loader_name, "ld-musl-"),
                      .cache = cache };
    bool fine;

    found->files = g_ptr_array_new_with_free_func(g_free);
    found->folders = g_ptr_array_new_with_free_func(g_free);
    fine = start_with_loader(&search, program, error);
    for (guint i = 0; fine && i < objects->len; i++)
        fine = find_all_of(&search, objects->pdata[i], error);
    g_free(search.musl_folders);
    return fine ? g_steal_pointer(&found) : NULL;
}
