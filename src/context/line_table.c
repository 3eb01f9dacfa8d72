/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Source lines of code: see line_table.h. */
#include "line_table.h"

#include <stdlib.h>
#include <string.h>

#include "../trace/format.h"

#define PLACES_MAX (1u << 22)
#define STRINGS_MAX (1u << 22)
#define RANGES_MAX (1u << 24) /* as many as a trace has instructions */
#define STRING_BYTES_MAX 4096

typedef struct {
    uint64_t begin, end;
    uint32_t place;
    uint32_t turn; /* how many ranges were added before it: of overlapping ranges, the first one counts */
} LineRange;

struct LineTable {
    GArray *places;      /* LinePlace; the first one has number 1 */
    GHashTable *numbers; /* numbers of the places that were added (not of those that were read), by LinePlace */
    GArray *ranges;      /* LineRange */
    bool sorted;         /* the ranges are sorted, and don't overlap */
    GStringChunk *strings;
};

/* Equal strings are the same pointer. */
static guint hash_place(gconstpointer data)
{
    const LinePlace *place = data;

    return g_direct_hash(place->function) ^ g_direct_hash(place->file) * 31 ^ place->line * 2654435761u ^
           place->caller * 40503u;
}

static gboolean equal_places(gconstpointer a, gconstpointer b)
{
    const LinePlace *x = a, *y = b;

    return x->function == y->function && x->file == y->file && x->line == y->line && x->caller == y->caller;
}

LineTable *line_table_new(void)
{
    LineTable *table = g_new0(LineTable, 1);

    table->places = g_array_new(FALSE, FALSE, sizeof(LinePlace));
    table->numbers = g_hash_table_new_full(hash_place, equal_places, g_free, NULL);
    table->ranges = g_array_new(FALSE, FALSE, sizeof(LineRange));
    table->strings = g_string_chunk_new(4096);
    return table;
}

void line_table_free(LineTable *table)
{
    if (!table)
        return;
    g_array_unref(table->places);
    g_hash_table_unref(table->numbers);
    g_array_unref(table->ranges);
    g_string_chunk_free(table->strings);
    g_free(table);
}

static const char *add_string(LineTable *table, const char *string)
{
    return string ? g_string_chunk_insert_const(table->strings, string) : NULL;
}

uint32_t line_table_add_place(LineTable *table, const LinePlace *place)
{
    LinePlace own = *place;
    uint32_t number;

    own.function = add_string(table, place->function);
    own.file = add_string(table, place->file);
    number = GPOINTER_TO_UINT(g_hash_table_lookup(table->numbers, &own));
    if (number || table->places->len >= PLACES_MAX || own.caller > table->places->len)
        return number;
    g_array_append_val(table->places, own);
    g_hash_table_insert(table->numbers, g_memdup2(&own, sizeof own), GUINT_TO_POINTER(table->places->len));
    return table->places->len;
}

void line_table_add_range(LineTable *table, uint64_t begin, uint64_t end, uint32_t place)
{
    LineRange range = { begin, end, place, table->ranges->len };

    if (!place || place > table->places->len || begin >= end)
        return;
    g_array_append_val(table->ranges, range);
    table->sorted = false;
}

void line_table_add_all(LineTable *table, LineTable *other)
{
    g_autofree uint32_t *numbers = g_new0(uint32_t, other->places->len + 1);

    for (uint32_t i = 1; i <= other->places->len; i++) {
        LinePlace place = *line_table_place(other, i);

        place.caller = numbers[place.caller];
        numbers[i] = line_table_add_place(table, &place);
    }
    for (guint i = 0; i < other->ranges->len; i++) {
        const LineRange *range = &g_array_index(other->ranges, LineRange, i);

        line_table_add_range(table, range->begin, range->end, numbers[range->place]);
    }
}

static int compare(const void *a, const void *b)
{
    const LineRange *x = a, *y = b;

    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return x->turn < y->turn ? -1 : x->turn > y->turn;
}

/* Sorts the ranges, cuts those that overlap an earlier one, and joins neighbours of the same place. */
static void sort(LineTable *table)
{
    GArray *ranges = table->ranges;
    guint left = 0;

    if (table->sorted)
        return;
    if (ranges->len)
        qsort(ranges->data, ranges->len, sizeof(LineRange), compare);
    for (guint i = 0; i < ranges->len; i++) {
        LineRange range = g_array_index(ranges, LineRange, i);
        LineRange *last = left ? &g_array_index(ranges, LineRange, left - 1) : NULL;

        if (last)
            range.begin = MAX(range.begin, last->end);
        if (range.begin >= range.end)
            continue;
        if (last && last->end == range.begin && last->place == range.place)
            last->end = range.end;
        else
            g_array_index(ranges, LineRange, left++) = range;
    }
    g_array_set_size(ranges, left);
    for (guint i = 0; i < left; i++)
        g_array_index(ranges, LineRange, i).turn = i;
    table->sorted = true;
}

uint32_t line_table_find(LineTable *table, uint64_t address)
{
    guint low = 0, high;
    const LineRange *range;

    sort(table);
    high = table->ranges->len;
    while (low < high) { /* the first one that ends above the address */
        guint middle = low + (high - low) / 2;

        if (g_array_index(table->ranges, LineRange, middle).end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    range = low < table->ranges->len ? &g_array_index(table->ranges, LineRange, low) : NULL;
    return range && range->begin <= address ? range->place : 0;
}

const LinePlace *line_table_place(const LineTable *table, uint32_t number)
{
    return number && number <= table->places->len ? &g_array_index(table->places, LinePlace, number - 1) : NULL;
}

/* Writing. */

static void put(GByteArray *bytes, uint64_t number)
{
    uint8_t buffer[VARINT_MAX_BYTES];

    g_byte_array_append(bytes, buffer, (guint)(varint_put(buffer, number) - buffer));
}

/* The number of a string, from 1 on; a new string is written. NULL has number 0. */
static uint64_t number_string(GHashTable *known, GByteArray *strings, const char *string)
{
    gpointer number = string ? g_hash_table_lookup(known, string) : NULL;

    if (string && !number) {
        number = GUINT_TO_POINTER(g_hash_table_size(known) + 1);
        g_hash_table_insert(known, (gpointer)string, number);
        put(strings, strlen(string));
        g_byte_array_append(strings, (const guint8 *)string, (guint)strlen(string));
    }
    return GPOINTER_TO_UINT(number);
}

static void write_ranges(GByteArray *bytes, const GArray *ranges)
{
    uint64_t end = 0;

    put(bytes, ranges->len);
    for (guint i = 0; i < ranges->len; i++) {
        const LineRange *range = &g_array_index(ranges, LineRange, i);

        put(bytes, range->begin - end);
        put(bytes, range->end - range->begin);
        put(bytes, range->place);
        end = range->end;
    }
}

GByteArray *line_table_write(LineTable *table)
{
    g_autoptr(GHashTable) known = g_hash_table_new(NULL, NULL);
    g_autoptr(GByteArray) strings = g_byte_array_new(), places = g_byte_array_new();
    GByteArray *bytes = g_byte_array_new();

    sort(table);
    put(places, table->places->len);
    for (uint32_t i = 1; i <= table->places->len; i++) {
        const LinePlace *place = line_table_place(table, i);

        put(places, number_string(known, strings, place->function));
        put(places, number_string(known, strings, place->file));
        put(places, place->line);
        put(places, place->caller);
    }
    put(bytes, g_hash_table_size(known));
    g_byte_array_append(bytes, strings->data, strings->len);
    g_byte_array_append(bytes, places->data, places->len);
    write_ranges(bytes, table->ranges);
    return bytes;
}

/* Reading. */

typedef struct {
    const uint8_t *at, *end; /* at: NULL once something makes no sense */
    LineTable *table;
    GPtrArray *strings; /* by number: NULL, then the attachment's strings, which belong to the table */
} Reader;

static uint64_t get(Reader *reader)
{
    uint64_t number = 0;

    if (reader->at)
        reader->at = varint_get(reader->at, reader->end, &number);
    return reader->at ? number : 0;
}

static void read_strings(Reader *reader)
{
    uint64_t count = get(reader);

    g_ptr_array_add(reader->strings, NULL);
    for (uint64_t i = 0; i < count && reader->at; i++) {
        uint64_t length = get(reader);

        if (!reader->at || i >= STRINGS_MAX || length > STRING_BYTES_MAX ||
            length > (uint64_t)(reader->end - reader->at)) {
            reader->at = NULL;
            return;
        }
        g_ptr_array_add(reader->strings,
                        g_string_chunk_insert_len(reader->table->strings, (const char *)reader->at, (gssize)length));
        reader->at += length;
    }
}

static void read_places(Reader *reader)
{
    uint64_t count = get(reader);

    for (uint64_t i = 0; i < count && reader->at; i++) {
        uint64_t function = get(reader), file = get(reader), line = get(reader), caller = get(reader);
        LinePlace place;

        if (!reader->at || function >= reader->strings->len || file >= reader->strings->len || line > G_MAXUINT32 ||
            caller > i || i >= PLACES_MAX) {
            reader->at = NULL;
            return;
        }
        place = (LinePlace){ reader->strings->pdata[function], reader->strings->pdata[file], (uint32_t)line,
                             (uint32_t)caller };
        g_array_append_val(reader->table->places, place);
    }
}

static void read_ranges(Reader *reader)
{
    uint64_t count = get(reader), end = 0;

    for (uint64_t i = 0; i < count && reader->at; i++) {
        uint64_t begin = end + get(reader);
        uint64_t place;

        if (begin < end)
            return;
        end = begin + get(reader);
        place = get(reader);
        if (!reader->at || i >= RANGES_MAX || end <= begin || place > reader->table->places->len)
            return;
        line_table_add_range(reader->table, begin, end, (uint32_t)place);
    }
}

LineTable *line_table_read(const uint8_t *bytes, size_t count)
{
    g_autoptr(GPtrArray) strings = g_ptr_array_new();
    Reader reader = { bytes, bytes + count, line_table_new(), strings };

    read_strings(&reader);
    read_places(&reader);
    read_ranges(&reader);
    return reader.table;
}
