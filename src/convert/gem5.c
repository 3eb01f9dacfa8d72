/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gem5's packet traces: a gzip file of the word "gem5", a PacketHeader, and a Packet for each access, both as in gem5's
 * src/proto/packet.proto, each with its length as a varint before it.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "../base/error.h"
#include "../trace/format.h"
#include "convert.h"

#define MAGIC 0x356d6567u
#define TICKS_PER_S UINT64_C(1000000000000) /* a tick is a ps */
/* gem5's MemCmd. */
#define READ_REQUEST 1
#define WRITE_REQUEST 4
#define MAX_MESSAGE 80

/* The fields' numbers, with protobuf's wire types: 0 varint, 2 a length and bytes. */
enum { HEADER_OBJ_ID = 1 << 3 | 2, HEADER_TICK_FREQ = 3 << 3 };
enum { PACKET_TICK = 1 << 3, PACKET_CMD = 2 << 3, PACKET_ADDR = 3 << 3, PACKET_SIZE = 4 << 3, PACKET_PC = 7 << 3 };

/* `code` is zlib's. (Its own text has the number of the descriptor in it.) */
static bool fail(const Output *output, int code, GError **error)
{
    return mt_fail(error, "can't write %s: %s", output->path, code == Z_ERRNO ? g_strerror(errno) : zError(code));
}

static bool put(Output *output, const void *bytes, size_t count, GError **error)
{
    int code;

    if (gzwrite(output->state, bytes, (unsigned)count) == (int)count)
        return true;
    gzerror(output->state, &code);
    return fail(output, code, error);
}

static bool put_message(Output *output, const uint8_t *message, const uint8_t *end, GError **error)
{
    uint8_t length[VARINT_MAX_BYTES];
    size_t bytes = (size_t)(end - message);

    return put(output, length, (size_t)(varint_put(length, bytes) - length), error) &&
           put(output, message, bytes, error);
}

static uint8_t *put_field(uint8_t *to, unsigned key, uint64_t value)
{
    return varint_put(varint_put(to, key), value);
}

static bool begin(Output *output, GError **error)
{
    static const char who[] = "memory_tracer";
    const uint32_t magic = MAGIC;
    uint8_t message[MAX_MESSAGE], *to = message;

    output->state = gzdopen(dup(fileno(output->file)), "wb1");
    if (!output->state)
        return output_fail(output, error);
    to = put_field(to, HEADER_OBJ_ID, strlen(who));
    memcpy(to, who, strlen(who));
    to = put_field(to + strlen(who), HEADER_TICK_FREQ, TICKS_PER_S);
    return put(output, &magic, sizeof magic, error) && put_message(output, message, to, error);
}

static bool write_access(Output *output, const Access *access, GError **error)
{
    uint8_t message[MAX_MESSAGE], *to = message;
    uint64_t pc;

    to = put_field(to, PACKET_TICK, output_clock_ps(output, access));
    to = put_field(to, PACKET_CMD, mt_is_store(access->info) ? WRITE_REQUEST : READ_REQUEST);
    to = put_field(to, PACKET_ADDR, access->address);
    to = put_field(to, PACKET_SIZE, access->size);
    if (access_pc(output, access, &pc))
        to = put_field(to, PACKET_PC, pc);
    return put_message(output, message, to, error);
}

static bool end(Output *output, GError **error)
{
    int result = gzclose(output->state);

    output->state = NULL;
    return result == Z_OK || fail(output, result, error);
}

static void clear(Output *output)
{
    if (output->state)
        gzclose(output->state);
}

const ConvertFormat convert_gem5 = {
    .name = "gem5",
    .what = "gem5's packet trace (protobuf, gzip); a tick is 1 ps of the trace's time, else a record is 1 ns; the "
            "first one is 0 (see --physical)",
    .without = "CPL, vCPU, sign extension, endianness, values and the bytes of the instructions",
    .requests = true,
    .columns = MT_COLUMN_TIME | ACCESS_PC_COLUMNS,
    .begin = begin,
    .access = write_access,
    .end = end,
    .clear = clear,
};
