/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The code and the functions of an ELF file: see elf_code.h. */
#include "elf_code.h"

#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "../base/error.h"
#include "../base/regular_file.h"
#include "elf_symbols.h"

/* Larger than any real program; what is larger has no names. */
#define FILE_BYTES_MAX (UINT64_C(1) << 30)
#define CODE_BYTES_MAX (UINT64_C(256) << 20)
#define NOTES_BYTES_MAX 65536
#define BUILD_ID_BYTES_MAX 64
#define HASHED_AT_ONCE 65536
#define PAGE_BYTES 4096

/* A file while it is read. */
typedef struct {
    ElfCode *code;
    int fd;
    uint64_t bytes; /* of the file */
    Elf *elf;
    size_t segments;
} Reader;

void elf_code_free(ElfCode *elf)
{
    if (!elf)
        return;
    for (guint i = 0; i < elf->segments->len; i++)
        g_free(g_array_index(elf->segments, ElfSegment, i).code);
    g_array_unref(elf->segments);
    g_array_unref(elf->functions);
    g_array_unref(elf->objects);
    g_string_chunk_free(elf->names);
    g_free(elf->path);
    g_free(elf->id);
    g_free(elf);
}

static const ElfSegment *segment_of(const ElfCode *elf, uint64_t address)
{
    for (guint i = 0; i < elf->segments->len; i++) {
        const ElfSegment *segment = &g_array_index(elf->segments, ElfSegment, i);

        if (address - segment->address < segment->bytes)
            return segment;
    }
    return NULL;
}

uint64_t elf_code_bytes_left(const ElfCode *elf, uint64_t address)
{
    const ElfSegment *segment = segment_of(elf, address);

    return segment ? segment->bytes - (address - segment->address) : 0;
}

const uint8_t *elf_code_at(const ElfCode *elf, uint64_t address, unsigned length)
{
    const ElfSegment *segment = segment_of(elf, address);

    return segment && length <= elf_code_bytes_left(elf, address) ? segment->code + (address - segment->address) : NULL;
}

bool elf_code_find_bias(const ElfCode *elf, uint64_t address, uint64_t offset, uint64_t *bias)
{
    for (guint i = 0; i < elf->segments->len; i++) {
        const ElfSegment *segment = &g_array_index(elf->segments, ElfSegment, i);

        if (offset + PAGE_BYTES <= segment->offset || offset >= segment->offset + segment->bytes)
            continue;
        *bias = address - offset + segment->offset - segment->address;
        return true;
    }
    return false;
}

bool elf_code_covers(const ElfCode *elf, uint64_t address)
{
    return elf_code_at(elf, address, 1);
}

static bool fail_damaged(const Reader *reader, const char *what, GError **error)
{
    return mt_fail(error, "%s is damaged: %s", reader->code->path, what);
}

static bool read_header(Reader *reader, GError **error)
{
    GElf_Ehdr header;
    off_t end = lseek(reader->fd, 0, SEEK_END);

    reader->bytes = (uint64_t)MAX(end, 0);
    if (reader->bytes > FILE_BYTES_MAX)
        return mt_fail(error, "%s is too large", reader->code->path);
    elf_version(EV_CURRENT);
    reader->elf = elf_begin(reader->fd, ELF_C_READ, NULL);
    if (!reader->elf || elf_kind(reader->elf) != ELF_K_ELF || !gelf_getehdr(reader->elf, &header) ||
        header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != EM_X86_64 ||
        (header.e_type != ET_EXEC && header.e_type != ET_DYN))
        return mt_fail(error, "%s is not an x86-64 program", reader->code->path);
    reader->code->movable = header.e_type == ET_DYN;
    if (elf_getphdrnum(reader->elf, &reader->segments))
        return fail_damaged(reader, "it has no program headers", error);
    return true;
}

/* Code. */

static bool read_bytes(const Reader *reader, void *to, uint64_t bytes, uint64_t offset)
{
    for (uint64_t done = 0; done < bytes;) {
        ssize_t n = pread(reader->fd, (uint8_t *)to + done, bytes - done, (off_t)(offset + done));

        if (n <= 0)
            return false;
        done += (uint64_t)n;
    }
    return true;
}

static bool is_in_file(const Reader *reader, uint64_t offset, uint64_t bytes)
{
    return offset <= reader->bytes && bytes <= reader->bytes - offset;
}

static bool read_segment(Reader *reader, const GElf_Phdr *header, GError **error)
{
    ElfSegment segment = { .address = header->p_vaddr, .bytes = header->p_filesz, .offset = header->p_offset };

    if (!is_in_file(reader, header->p_offset, header->p_filesz) || header->p_vaddr + header->p_filesz < header->p_vaddr)
        return fail_damaged(reader, "its code is not in it", error);
    if (header->p_filesz > CODE_BYTES_MAX)
        return mt_fail(error, "%s has too much code", reader->code->path);
    segment.code = g_malloc(segment.bytes);
    g_array_append_val(reader->code->segments, segment);
    if (!read_bytes(reader, segment.code, segment.bytes, header->p_offset))
        return fail_damaged(reader, "its code can't be read", error);
    reader->code->code_hash ^= XXH3_64bits_withSeed(segment.code, segment.bytes, segment.address);
    return true;
}

/* The build-id is the description of the note NT_GNU_BUILD_ID of "GNU". */
static void read_notes(Reader *reader, const GElf_Phdr *header)
{
    Elf_Data *data;
    size_t at = 0, next, name, description;
    GElf_Nhdr note;

    if (reader->code->id || header->p_filesz > NOTES_BYTES_MAX ||
        !is_in_file(reader, header->p_offset, header->p_filesz))
        return;
    data = elf_getdata_rawchunk(reader->elf, (int64_t)header->p_offset, header->p_filesz,
                                header->p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR);
    for (; data && (next = gelf_getnote(data, at, &note, &name, &description)); at = next) {
        const uint8_t *bytes = (const uint8_t *)data->d_buf + description;
        GString *id;

        if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != sizeof "GNU" || !note.n_descsz ||
            note.n_descsz > BUILD_ID_BYTES_MAX || memcmp((const char *)data->d_buf + name, "GNU", sizeof "GNU"))
            continue;
        id = g_string_new(NULL);
        for (size_t i = 0; i < note.n_descsz; i++)
            g_string_append_printf(id, "%02x", bytes[i]);
        reader->code->id = g_string_free(id, FALSE);
        return;
    }
}

static bool hash_contents(Reader *reader, GError **error)
{
    g_autofree uint8_t *buffer = g_malloc(HASHED_AT_ONCE);
    XXH3_state_t *hash = XXH3_createState();
    XXH128_hash_t result;
    bool fine = true;

    XXH3_128bits_reset(hash);
    for (uint64_t done = 0; done < reader->bytes && fine; done += HASHED_AT_ONCE) {
        uint64_t bytes = MIN(HASHED_AT_ONCE, reader->bytes - done);

        fine = read_bytes(reader, buffer, bytes, done);
        if (fine)
            XXH3_128bits_update(hash, buffer, bytes);
    }
    result = XXH3_128bits_digest(hash);
    XXH3_freeState(hash);
    reader->code->id = g_strdup_printf("xxh3-%016" G_GINT64_MODIFIER "x%016" G_GINT64_MODIFIER "x",
                                       (guint64)result.high64, (guint64)result.low64);
    return fine || fail_damaged(reader, "it can't be read", error);
}

static bool read_segments(Reader *reader, GError **error)
{
    uint64_t code_bytes = 0;

    for (size_t i = 0; i < reader->segments; i++) {
        GElf_Phdr header;

        if (!gelf_getphdr(reader->elf, (int)i, &header))
            return fail_damaged(reader, "its program headers can't be read", error);
        if (header.p_type == PT_NOTE)
            read_notes(reader, &header);
        if (header.p_type != PT_LOAD || !(header.p_flags & PF_X) || !header.p_filesz)
            continue;
        code_bytes += MIN(header.p_filesz, CODE_BYTES_MAX);
        if (code_bytes > CODE_BYTES_MAX)
            return mt_fail(error, "%s has too much code", reader->code->path);
        if (!read_segment(reader, &header, error))
            return false;
    }
    return reader->code->id || hash_contents(reader, error);
}

ElfCode *elf_code_read(const char *path, GError **error)
{
    g_autoptr(ElfCode) code = g_new0(ElfCode, 1);
    Reader reader = { .code = code };
    bool fine;

    code->path = g_strdup(path);
    code->segments = g_array_new(FALSE, FALSE, sizeof(ElfSegment));
    code->functions = g_array_new(FALSE, FALSE, sizeof(ElfFunction));
    code->objects = g_array_new(FALSE, FALSE, sizeof(ElfFunction));
    code->names = g_string_chunk_new(1 << 12);
    reader.fd = regular_file_open(path, error);
    if (reader.fd < 0)
        return NULL;
    fine = read_header(&reader, error) && read_segments(&reader, error);
    if (fine)
        elf_symbols_read(code, reader.elf);
    elf_end(reader.elf);
    close(reader.fd);
    return fine ? g_steal_pointer(&code) : NULL;
}
