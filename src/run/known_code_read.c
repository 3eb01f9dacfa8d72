/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the files that code may be of: see known_code_private.h. */
#include <string.h>

#include "known_code_private.h"

static bool is_unchanged(const KnownFile *file)
{
    struct stat now;

    return file->is_there && !stat(file->path, &now) && now.st_dev == file->status.st_dev &&
           now.st_ino == file->status.st_ino && now.st_size == file->status.st_size &&
           now.st_mtim.tv_sec == file->status.st_mtim.tv_sec && now.st_mtim.tv_nsec == file->status.st_mtim.tv_nsec;
}

/* The file's code, read once. NULL if it can't be used. */
static const ElfCode *read_file(const KnownCode *known, guint number, Names *names, GHashTable *read)
{
    const KnownFile *file = known->files->pdata[number];
    ElfCode *elf = NULL;

    if (g_hash_table_lookup_extended(read, file->path, NULL, (gpointer *)&elf))
        return elf;
    if (is_unchanged(file))
        elf = elf_code_read(file->path, NULL);
    g_hash_table_insert(read, file->path, elf);
    if (elf) {
        g_ptr_array_add(names->elves, elf);
        g_ptr_array_add(names->shown, (gpointer)file->shown);
    }
    return elf;
}

static bool is_loaded_already(const Names *names, const LoadedFile *file)
{
    for (guint i = 0; i < names->loaded->len; i++) {
        const LoadedFile *other = &g_array_index(names->loaded, LoadedFile, i);

        if (other->elf == file->elf && other->bias == file->bias)
            return true;
    }
    return false;
}

void known_code_read_files(const KnownCode *known, Names *names, GHashTable *read)
{
    for (guint i = 0; i < known->files->len; i++) {
        const KnownFile *file = known->files->pdata[i];
        LoadedFile loaded = { .elf = read_file(known, i, names, read), .bias = file->bias };

        if (loaded.elf && file->is_told && !is_loaded_already(names, &loaded))
            g_array_append_val(names->loaded, loaded);
    }
}

static bool is_before(const struct timespec *time, const struct timespec *other)
{
    return time->tv_sec < other->tv_sec || (time->tv_sec == other->tv_sec && time->tv_nsec < other->tv_nsec);
}

/* A file that the guest has mapped, which nobody had expected. NULL if it isn't what it was when the run began. */
static const ElfCode *read_mapped_file(const KnownCode *known, char *path, Names *names, GHashTable *read)
{
    struct stat status;
    ElfCode *elf = NULL;

    if (g_hash_table_lookup_extended(read, path, NULL, (gpointer *)&elf))
        return elf;
    if (!stat(path, &status) && S_ISREG(status.st_mode) && is_before(&status.st_ctim, &known->from))
        elf = elf_code_read(path, NULL);
    g_hash_table_insert(read, path, elf);
    if (elf) {
        g_ptr_array_add(names->elves, elf);
        g_ptr_array_add(names->shown, elf->path);
    }
    return elf;
}

static const ElfCode *find_equal(const Names *names, const ElfCode *elf)
{
    for (guint i = 0; i < names->elves->len; i++) {
        const ElfCode *other = names->elves->pdata[i];

        if (!strcmp(other->id, elf->id) && other->code_hash == elf->code_hash)
            return other;
    }
    return NULL;
}

/* A file that only the guest has. It may be one that was put there from this machine. */
static const ElfCode *read_guest_file(const KnownCode *known, const MappedCode *code, Names *names, GHashTable *read)
{
    const char *copy = known->guest ? guest_code_find(known->guest, code) : NULL;
    const ElfCode *equal;
    ElfCode *elf = NULL;

    if (!copy || g_hash_table_lookup_extended(read, copy, NULL, (gpointer *)&elf))
        return elf;
    elf = elf_code_read(copy, NULL);
    equal = elf && !known->sees_host ? find_equal(names, elf) : NULL;
    g_hash_table_insert(read, (gpointer)copy, equal ? (gpointer)equal : elf);
    if (equal) {
        elf_code_free(elf);
        return equal;
    }
    if (elf) {
        g_ptr_array_add(names->elves, elf);
        g_ptr_array_add(names->shown, code->path);
    }
    return elf;
}

static bool is_on_host(const KnownCode *known, const MappedCode *code)
{
    return known->sees_host && !mapped_code_is_on_disk(code);
}

void known_code_read_mapped(const KnownCode *known, const GPtrArray *mapped, Names *names, GHashTable *read)
{
    for (guint i = 0; i < mapped->len; i++) {
        const MappedCode *code = mapped->pdata[i];
        LoadedFile loaded = { .elf = is_on_host(known, code) ? read_mapped_file(known, code->path, names, read)
                                                             : read_guest_file(known, code, names, read) };

        if (loaded.elf && !elf_code_find_bias(loaded.elf, code->address, code->offset, &loaded.bias))
            loaded.elf = NULL;
        if (loaded.elf && !is_loaded_already(names, &loaded))
            g_array_append_val(names->loaded, loaded);
        g_array_append_val(names->mapped, loaded);
    }
}

MissingReason known_code_why_missing(const KnownCode *known, const MappedCode *code)
{
    struct stat status;

    if (!is_on_host(known, code))
        return known->guest && guest_code_find(known->guest, code) ? MISSING_UNREADABLE : MISSING_IN_GUEST;
    if (stat(code->path, &status))
        return MISSING_GONE;
    return is_before(&status.st_ctim, &known->from) ? MISSING_UNREADABLE : MISSING_CHANGED;
}
