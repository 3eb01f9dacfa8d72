/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NumPy's .npy, version 1.0: a structured array with a row for each record. Its header has a fixed length, as the
 * number of rows is known only at the end. What an access goes to is a number; a second array in the file says what the
 * numbers mean.
 */
#include <stdio.h>
#include <string.h>

#include "../base/error.h"
#include "convert.h"
#include "object_column.h"

#define HEADER_BYTES 512
#define MAX_ROW 96
#define REGION_BYTES 16u /* the longest word has 14 */

typedef struct {
    uint64_t rows;
    ObjectColumn *objects; /* or NULL */
} Npy;

/* Writes the header of an array; `text` describes the array. */
static bool write_described(Output *output, const char *text, GError **error)
{
    uint8_t header[HEADER_BYTES] = "\x93NUMPY\x01";
    uint16_t length = HEADER_BYTES - 10;

    memset(header + 10, ' ', sizeof header - 10);
    memcpy(header + 8, &length, sizeof length);
    memcpy(header + 10, text, strlen(text));
    header[HEADER_BYTES - 1] = '\n';
    return output_write(output, header, sizeof header, error);
}

static bool write_header(Output *output, uint64_t rows, GError **error)
{
    unsigned fields = output->fields;
    g_autofree char *text = g_strdup_printf(
        "{'descr': [('address', '<u8'), ('size', 'u1'), ('store', '?'), ('cpl', 'u1'), ('sign_extended', '?'), "
        "('big_endian', '?'), ('vcpu', '<u2')%s%s%s%s%s%s%s], 'fortran_order': False, 'shape': (%" G_GUINT64_FORMAT
        ",), }",
        fields & MT_FIELD_INSTRUCTION ? ", ('pc', '<u8')" : "",
        fields & MT_FIELD_PADDR ? ", ('paddr', '<u8'), ('io', '?')" : "",
        fields & MT_FIELD_PAGE_SIZE ? ", ('page_size', '<u4')" : "",
        fields & MT_FIELD_VALUE ? ", ('value', '<u8'), ('value_high', '<u8')" : "",
        fields & MT_FIELD_TIME ? ", ('time_ns', '<u8')" : "",
        fields & MT_FIELD_TASK ? ", ('task', '<u4'), ('pid', '<u4'), ('tid', '<u4'), ('context', 'u1')" : "",
        ((Npy *)output->state)->objects ? ", ('region', 'u1'), ('object', '<u4')" : "", rows);

    return write_described(output, text, error);
}

static bool begin(Output *output, GError **error)
{
    Npy *npy;

    if (!output->seekable)
        return mt_fail(error, "npy can only be written into a file, as its length comes first");
    npy = output->state = g_new0(Npy, 1);
    npy->objects = object_column_is_wanted(output) ? object_column_new(output->trace) : NULL;
    return write_header(output, 0, error);
}

static uint8_t *put(uint8_t *to, const void *bytes, size_t count)
{
    memcpy(to, bytes, count);
    return to + count;
}

static uint8_t *put_u64(uint8_t *to, uint64_t value)
{
    return put(to, &value, sizeof value);
}

/* Its number (0: unknown), pid and tid, and enum mt_task_context. */
static uint8_t *put_task(uint8_t *to, const Output *output, const Access *access)
{
    enum mt_task_context context;
    const struct mt_task *task = mt_task_at(output->trace, access->batch, access->i, &context);
    uint32_t numbers[] = { task ? task->number : 0, task ? task->pid : 0, task ? task->tid : 0 };

    to = put(to, numbers, sizeof numbers);
    *to++ = (uint8_t)context;
    return to;
}

/* The region (ObjectRegion), and the number in the second array. */
static uint8_t *put_object(uint8_t *to, const Output *output, const Access *access)
{
    Npy *npy = output->state;
    uint32_t number = object_column_number(npy->objects, access);

    *to++ = (uint8_t)address_objects_region(object_column_objects(npy->objects), number);
    return put(to, &number, sizeof number);
}

static bool write_access(Output *output, const Access *access, GError **error)
{
    const struct mt_batch *batch = access->batch;
    size_t i = access->i;
    uint8_t row[MAX_ROW], *to = put_u64(row, access->virt_addr);
    uint16_t vcpu = (uint16_t)access->vcpu;

    *to++ = (uint8_t)access->size;
    *to++ = mt_is_store(access->info);
    *to++ = (uint8_t)mt_cpl(access->info);
    *to++ = mt_is_sign_extended(access->info);
    *to++ = mt_is_big_endian(access->info);
    to = put(to, &vcpu, sizeof vcpu);
    if (output->fields & MT_FIELD_INSTRUCTION) {
        uint64_t pc;

        access_pc(output, access, &pc);
        to = put_u64(to, pc);
    }
    if (batch->paddr) {
        bool known = batch->paddr[i] != MT_PADDR_UNKNOWN;

        to = put_u64(to, known ? batch->paddr[i] & ~MT_PADDR_IO : MT_PADDR_UNKNOWN);
        *to++ = known && (batch->paddr[i] & MT_PADDR_IO);
    }
    if (batch->page_size) {
        uint32_t bytes = batch->page_size[i] ? UINT32_C(1) << batch->page_size[i] : 0;

        to = put(to, &bytes, sizeof bytes);
    }
    if (batch->value)
        to = put(to, &batch->value[i], sizeof batch->value[i]);
    if (output->fields & MT_FIELD_TIME)
        to = put_u64(to, access->time_ns);
    if (output->fields & MT_FIELD_TASK)
        to = put_task(to, output, access);
    if (((Npy *)output->state)->objects)
        to = put_object(to, output, access);
    ((Npy *)output->state)->rows++;
    return output_write(output, row, (size_t)(to - row), error);
}

/* What the numbers mean: the region's word and the name of each, from number 0 on, which is none. */
static bool write_objects(Output *output, const AddressObjects *objects, GError **error)
{
    uint32_t count = address_objects_count(objects) + 1;
    size_t name_bytes = 1;
    g_autofree char *text = NULL, *row = NULL;

    for (uint32_t i = 1; i < count; i++)
        name_bytes = MAX(name_bytes, strlen(address_objects_name(objects, i)));
    text = g_strdup_printf("{'descr': [('region', 'S%u'), ('name', 'S%zu')], 'fortran_order': False, 'shape': (%u,), }",
                           REGION_BYTES, name_bytes, count);
    if (!write_described(output, text, error))
        return false;
    row = g_malloc(REGION_BYTES + name_bytes);
    for (uint32_t i = 0; i < count; i++) {
        memset(row, 0, REGION_BYTES + name_bytes);
        if (i) {
            const char *region = object_region_name(address_objects_region(objects, i));

            memcpy(row, region, strlen(region));
            memcpy(row + REGION_BYTES, address_objects_name(objects, i), strlen(address_objects_name(objects, i)));
        }
        if (!output_write(output, row, REGION_BYTES + name_bytes, error))
            return false;
    }
    return true;
}

static bool end(Output *output, GError **error)
{
    const Npy *npy = output->state;

    if (npy->objects && !write_objects(output, object_column_objects(npy->objects), error))
        return false;
    if (fseek(output->file, 0, SEEK_SET))
        return output_fail(output, error);
    return write_header(output, ((Npy *)output->state)->rows, error);
}

static void clear(Output *output)
{
    if (output->state)
        object_column_free(((Npy *)output->state)->objects);
    g_free(output->state);
}

const ConvertFormat convert_npy = {
    .name = "npy",
    .what = "a NumPy array of records, for numpy.load(FILE, mmap_mode='r')",
    .without = "the bytes of the instructions",
    .columns = MT_COLUMN_ALL | MT_COLUMN_TASK | MT_COLUMN_PAGE_SIZE,
    .begin = begin,
    .access = write_access,
    .end = end,
    .clear = clear,
};
