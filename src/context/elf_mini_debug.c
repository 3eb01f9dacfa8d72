/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compressed symbols: see elf_mini_debug.h. */
#include "elf_mini_debug.h"

#include <glib.h>
#include <lzma.h>

#include "elf_section.h"

/* A malicious file must not use up the memory. A large program has some megabytes of symbols. */
#define DECODED_BYTES_MAX (64u << 20)
#define DECODER_BYTES_MAX (128u << 20)

static Elf_Data *find(Elf *elf)
{
    GElf_Shdr header;
    Elf_Scn *section = elf_section_find(elf, ".gnu_debugdata", &header);

    return section && header.sh_type == SHT_PROGBITS ? elf_rawdata(section, NULL) : NULL;
}

/* Returns the decompressed data, which the caller frees; NULL if it can't be decompressed. */
static char *decode(const Elf_Data *data, size_t *bytes)
{
    lzma_stream stream = LZMA_STREAM_INIT;
    size_t room = MIN(MAX((size_t)data->d_size, 4096) * 8, DECODED_BYTES_MAX);
    char *decoded = g_malloc(room);
    lzma_ret result = lzma_stream_decoder(&stream, DECODER_BYTES_MAX, 0);

    stream.next_in = data->d_buf;
    stream.avail_in = data->d_size;
    stream.next_out = (uint8_t *)decoded;
    stream.avail_out = room;
    while (result == LZMA_OK) {
        result = lzma_code(&stream, LZMA_FINISH);
        if (result == LZMA_OK && !stream.avail_out && room < DECODED_BYTES_MAX) {
            size_t larger = MIN(2 * room, DECODED_BYTES_MAX);

            decoded = g_realloc(decoded, larger);
            stream.next_out = (uint8_t *)decoded + room;
            stream.avail_out = larger - room;
            room = larger;
        }
    }
    *bytes = stream.total_out;
    lzma_end(&stream);
    if (result != LZMA_STREAM_END)
        g_clear_pointer(&decoded, g_free);
    return decoded;
}

Elf *elf_mini_debug_open(Elf *elf, char **buffer)
{
    const Elf_Data *data = find(elf);
    size_t bytes;

    *buffer = data && data->d_buf ? decode(data, &bytes) : NULL;
    return *buffer ? elf_memory(*buffer, bytes) : NULL;
}
