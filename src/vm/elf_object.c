/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an x86-64 ELF file says about how it wants to be loaded: see elf_object.h. */
#include "elf_object.h"

#include <gelf.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "../base/error.h"
#include "../base/regular_file.h"

#define DYNAMIC_ENTRIES_MAX 65536
#define STRINGS_BYTES_MAX (64 * 1024) /* of one file; of real ones, some 1,000 */

/* A file while it is read. */
typedef struct {
    ElfObject *object;
    int fd;
    Elf *elf;
    size_t segments;
    GElf_Phdr dynamic;        /* the segment; p_filesz 0: there is none */
    uint64_t strings, end;    /* file offsets of the dynamic section's strings */
    uint64_t strings_address; /* as DT_STRTAB and DT_STRSZ say */
    uint64_t strings_bytes;
    size_t taken; /* bytes of strings: the same one can be named again and again */
} Reader;

void elf_object_free(ElfObject *object)
{
    if (!object)
        return;
    g_free(object->path);
    g_free(object->loader);
    g_free(object->name);
    g_free(object->rpath);
    g_free(object->runpath);
    g_ptr_array_unref(object->needed);
    g_free(object);
}

static bool fail_damaged(const Reader *reader, const char *what, GError **error)
{
    return mt_fail(error, "%s is damaged: %s", reader->object->path, what);
}

static bool read_header(Reader *reader, GError **error)
{
    GElf_Ehdr header;

    elf_version(EV_CURRENT);
    reader->elf = elf_begin(reader->fd, ELF_C_READ, NULL);
    if (!reader->elf || elf_kind(reader->elf) != ELF_K_ELF || !gelf_getehdr(reader->elf, &header) ||
        header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != EM_X86_64 ||
        (header.e_type != ET_EXEC && header.e_type != ET_DYN))
        return mt_fail(error, "%s is not an x86-64 program", reader->object->path);
    reader->object->movable = header.e_type == ET_DYN;
    return (!elf_getphdrnum(reader->elf, &reader->segments) && reader->segments) ||
           fail_damaged(reader, "it has no program headers", error);
}

/* It goes into messages and becomes the path of a file. */
static bool is_printable(const char *text)
{
    for (; *text; text++)
        if (g_ascii_iscntrl(*text))
            return false;
    return true;
}

/* The string of at most `limit` bytes at a file offset, with the 0 at its end. NULL if it isn't one. */
static char *read_string(const Reader *reader, uint64_t offset, uint64_t limit)
{
    g_autofree char *text = NULL;
    ssize_t length;

    if (offset > INT64_MAX)
        return NULL;
    limit = MIN(limit, STRINGS_BYTES_MAX);
    text = g_malloc(limit);
    length = pread(reader->fd, text, limit, (off_t)offset);
    if (length <= 0 || !memchr(text, 0, (size_t)length) || !is_printable(text))
        return NULL;
    return g_strdup(text);
}

/* The kernel takes the first PT_INTERP, and wants the 0 to be its last byte. */
static bool read_loader(Reader *reader, const GElf_Phdr *segment, GError **error)
{
    ElfObject *object = reader->object;

    if (object->loader)
        return true;
    if (segment->p_filesz >= 2 && segment->p_filesz <= PATH_MAX)
        object->loader = read_string(reader, segment->p_offset, segment->p_filesz);
    return object->loader || fail_damaged(reader, "its loader's path is not one", error);
}

static bool read_segments(Reader *reader, GError **error)
{
    for (size_t i = 0; i < reader->segments; i++) {
        GElf_Phdr segment;

        if (!gelf_getphdr(reader->elf, (int)i, &segment))
            return fail_damaged(reader, "its program headers can't be read", error);
        if (segment.p_type == PT_INTERP && !read_loader(reader, &segment, error))
            return false;
        if (segment.p_type == PT_DYNAMIC)
            reader->dynamic = segment;
        if (segment.p_type == PT_LOAD && segment.p_offset <= INT64_MAX && segment.p_filesz <= INT64_MAX)
            reader->object->loaded_end = MAX(reader->object->loaded_end, segment.p_offset + segment.p_filesz);
    }
    return true;
}

/* Finds where in the file the strings are: the dynamic section only has their address. */
static bool find_strings(Reader *reader, GError **error)
{
    for (size_t i = 0; i < reader->segments; i++) {
        GElf_Phdr segment;
        uint64_t inside;

        if (!gelf_getphdr(reader->elf, (int)i, &segment) || segment.p_type != PT_LOAD ||
            reader->strings_address < segment.p_vaddr)
            continue;
        inside = reader->strings_address - segment.p_vaddr;
        if (inside >= segment.p_filesz || segment.p_offset > INT64_MAX || segment.p_filesz > INT64_MAX)
            continue;
        reader->strings = segment.p_offset + inside;
        reader->end = reader->strings + MIN(segment.p_filesz - inside, reader->strings_bytes);
        return true;
    }
    return fail_damaged(reader, "the names of its libraries are not in it", error);
}

static char *string_at(const Reader *reader, uint64_t index)
{
    uint64_t bytes = reader->end - reader->strings;

    return index < bytes ? read_string(reader, reader->strings + index, bytes - index) : NULL;
}

/* Takes an entry that has a string. */
static bool take_string(Reader *reader, const GElf_Dyn *entry, GError **error)
{
    ElfObject *object = reader->object;
    char *text = string_at(reader, entry->d_un.d_val), **member = NULL;

    if (!text)
        return fail_damaged(reader, "a name in its dynamic section is not one", error);
    reader->taken += strlen(text) + 1;
    if (reader->taken > STRINGS_BYTES_MAX) {
        g_free(text);
        return fail_damaged(reader, "the names in its dynamic section are too long", error);
    }
    if (entry->d_tag == DT_NEEDED) {
        g_ptr_array_add(object->needed, text);
        return *text || fail_damaged(reader, "a library that it needs has no name", error);
    }
    member = entry->d_tag == DT_SONAME ? &object->name : entry->d_tag == DT_RPATH ? &object->rpath : &object->runpath;
    g_free(*member);
    *member = text;
    return true;
}

static bool has_string(const GElf_Dyn *entry)
{
    return entry->d_tag == DT_NEEDED || entry->d_tag == DT_SONAME || entry->d_tag == DT_RPATH ||
           entry->d_tag == DT_RUNPATH;
}

/* Reads the entries up to DT_NULL: first those that say where the strings are, then those that have a string. */
static bool read_entries(Reader *reader, Elf_Data *data, int count, GError **error)
{
    GElf_Dyn entry;
    bool any = false;
    int used = 0;

    for (; used < count && gelf_getdyn(data, used, &entry) && entry.d_tag != DT_NULL; used++) {
        if (entry.d_tag == DT_STRTAB)
            reader->strings_address = entry.d_un.d_ptr;
        else if (entry.d_tag == DT_STRSZ)
            reader->strings_bytes = entry.d_un.d_val;
        else if (entry.d_tag == DT_FLAGS_1)
            reader->object->no_default_folders = entry.d_un.d_val & DF_1_NODEFLIB;
        any |= has_string(&entry);
    }
    if (any && !find_strings(reader, error))
        return false;
    for (int i = 0; i < used; i++)
        if (gelf_getdyn(data, i, &entry) && has_string(&entry) && !take_string(reader, &entry, error))
            return false;
    return true;
}

static bool read_dynamic(Reader *reader, GError **error)
{
    const GElf_Phdr *segment = &reader->dynamic;
    size_t bytes = MIN(segment->p_filesz, DYNAMIC_ENTRIES_MAX * sizeof(Elf64_Dyn));
    Elf_Data *data;

    bytes -= bytes % sizeof(Elf64_Dyn);
    if (!bytes)
        return true;
    data = segment->p_offset <= INT64_MAX
               ? elf_getdata_rawchunk(reader->elf, (int64_t)segment->p_offset, bytes, ELF_T_DYN)
               : NULL;
    if (!data)
        return fail_damaged(reader, "its dynamic section is not in it", error);
    if (!read_entries(reader, data, (int)(bytes / sizeof(Elf64_Dyn)), error))
        return false;
    if (reader->object->runpath)
        g_clear_pointer(&reader->object->rpath, g_free);
    return true;
}

ElfObject *elf_object_read(const char *path, GError **error)
{
    g_autoptr(ElfObject) object = g_new0(ElfObject, 1);
    Reader reader = { .object = object, .fd = regular_file_open(path, error) };
    bool fine;

    object->path = g_strdup(path);
    object->needed = g_ptr_array_new_with_free_func(g_free);
    if (reader.fd < 0)
        return NULL;
    fine = read_header(&reader, error) && read_segments(&reader, error) && read_dynamic(&reader, error);
    elf_end(reader.elf);
    close(reader.fd);
    return fine ? g_steal_pointer(&object) : NULL;
}
