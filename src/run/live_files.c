/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files that a running guest maps: see live_files.h. Their paths are the guest's, and may be anything. */
#include "live_files.h"

#include <sys/stat.h>
#include <time.h>

#include "../base/paths.h"
#include "mapped_code.h"

/* So many files are read at most. */
#define FILES_MAX 4096

typedef struct {
    ElfCode *elf; /* or NULL */
    char *variables;
} LiveFile;

struct LiveFiles {
    bool sees_host;
    struct timespec from; /* when this was made */
    GHashTable *files;    /* LiveFile by path */
    ElfCode *agent;       /* which runs the workload; NULL: not asked for yet, or it can't be read */
};

static void free_file(void *data)
{
    LiveFile *file = data;

    elf_code_free(file->elf);
    g_free(file->variables);
    g_free(file);
}

LiveFiles *live_files_new(bool sees_host)
{
    LiveFiles *files = g_new0(LiveFiles, 1);

    files->sees_host = sees_host;
    clock_gettime(CLOCK_REALTIME, &files->from);
    files->files = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_file);
    return files;
}

void live_files_free(LiveFiles *files)
{
    if (!files)
        return;
    g_hash_table_unref(files->files);
    elf_code_free(files->agent);
    g_free(files);
}

static bool is_unchanged(const LiveFiles *files, const char *path)
{
    struct stat status;

    return !stat(path, &status) && S_ISREG(status.st_mode) &&
           (status.st_ctim.tv_sec < files->from.tv_sec ||
            (status.st_ctim.tv_sec == files->from.tv_sec && status.st_ctim.tv_nsec < files->from.tv_nsec));
}

static char *list_variables(const ElfCode *elf)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < elf->objects->len; i++) {
        const ElfFunction *variable = &g_array_index(elf->objects, ElfFunction, i);

        g_string_append_printf(text, "%" G_GINT64_MODIFIER "x %" G_GINT64_MODIFIER "x %s\n", variable->address,
                               variable->end, variable->name);
    }
    return g_string_free(text, FALSE);
}

/* Read once. NULL if there are too many. */
static const LiveFile *read_file(LiveFiles *files, const char *path)
{
    LiveFile *file = g_hash_table_lookup(files->files, path);

    if (file || g_hash_table_size(files->files) >= FILES_MAX)
        return file;
    file = g_new0(LiveFile, 1);
    file->elf = is_unchanged(files, path) ? elf_code_read(path, NULL) : NULL;
    file->variables = file->elf ? list_variables(file->elf) : NULL;
    g_hash_table_insert(files->files, g_strdup(path), file);
    return file;
}

static bool is_on_host(const LiveFiles *files, const char *path, uint64_t device)
{
    const MappedCode mapped = { .device = device };

    return files->sees_host && *path == '/' && !mapped_code_is_on_disk(&mapped);
}

const char *live_files_find(void *data, const char *path, uint64_t device, uint64_t address, uint64_t offset,
                            uint64_t *bias)
{
    LiveFiles *files = data;
    const LiveFile *file = is_on_host(files, path, device) ? read_file(files, path) : NULL;

    return file && file->elf && elf_code_find_bias(file->elf, address, offset, bias) ? file->variables : NULL;
}

const ElfCode *live_files_find_code(void *data, const char *path, uint64_t device, const char **shown)
{
    LiveFiles *files = data;
    const LiveFile *file;

    *shown = path;
    if (mapped_code_is_agent(path)) {
        g_autofree char *agent = files->agent ? NULL : paths_find_resource(MAPPED_CODE_AGENT, NULL);

        *shown = MAPPED_CODE_AGENT;
        if (agent)
            files->agent = elf_code_read(agent, NULL);
        return files->agent;
    }
    file = is_on_host(files, path, device) ? read_file(files, path) : NULL;
    if (file && file->elf)
        *shown = file->elf->path;
    return file ? file->elf : NULL;
}
