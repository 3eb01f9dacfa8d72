/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a heat map's memory was used for: see heat_labels.h. */
#include "heat_labels.h"

#include <string.h>

#include "../trace/events.h"

#define FIRST_PERIOD 256 /* one of this many accesses is a sample, in the beginning */
#define SAMPLES_MAX (1u << 18)
#define RECORDS_AT_ONCE 16
#define NAMES_MOST 2
#define LEAST_PERCENT 10 /* share of the samples that a second name must have */

typedef struct {
    uint64_t index, address;
    uint32_t object; /* context_object_at() */
} Sample;

struct HeatLabels {
    const Context *context;
    GArray *samples; /* Sample: of all accesses whose number is a multiple of `period` */
    uint64_t period;
};

HeatLabels *heat_labels_new(const Context *context)
{
    HeatLabels *labels;

    if (!context_has_objects(context))
        return NULL;
    labels = g_new0(HeatLabels, 1);
    labels->context = context;
    labels->samples = g_array_new(FALSE, FALSE, sizeof(Sample));
    labels->period = FIRST_PERIOD;
    return labels;
}

void heat_labels_free(HeatLabels *labels)
{
    if (!labels)
        return;
    g_array_unref(labels->samples);
    g_free(labels);
}

/* Keeps every second sample. */
static void thin_out(HeatLabels *labels)
{
    guint left = 0;

    labels->period *= 2;
    for (guint i = 0; i < labels->samples->len; i++) {
        Sample sample = g_array_index(labels->samples, Sample, i);

        if (sample.index % labels->period == 0)
            g_array_index(labels->samples, Sample, left++) = sample;
    }
    g_array_set_size(labels->samples, left);
}

void heat_labels_begin_behind(HeatLabels *labels, uint64_t accesses)
{
    while (labels && accesses / labels->period >= SAMPLES_MAX)
        labels->period *= 2;
}

/* Keeps the sample, unless the period has become longer since it was chosen. */
static void add_sample(HeatLabels *labels, Sample sample)
{
    if (sample.index % labels->period)
        return;
    g_array_append_val(labels->samples, sample);
    if (labels->samples->len == SAMPLES_MAX)
        thin_out(labels);
}

/* The objects of these records of the batch become samples. */
static void add_samples(HeatLabels *labels, const struct mt_batch *batch, const uint32_t *records, size_t count)
{
    uint32_t objects[RECORDS_AT_ONCE];

    context_objects_at(labels->context, batch, records, count, objects);
    for (size_t k = 0; k < count; k++)
        add_sample(labels, (Sample){ events_index(batch, records[k]), batch->address[records[k]], objects[k] });
}

void heat_labels_look_at(HeatLabels *labels, const struct mt_batch *batch)
{
    size_t i = labels && !batch->index ? (labels->period - batch->first % labels->period) % labels->period : 0;
    uint32_t records[RECORDS_AT_ONCE];
    size_t count = 0;

    while (labels && i < batch->count) {
        uint64_t index = events_index(batch, i);

        if (index % labels->period == 0)
            records[count++] = (uint32_t)i;
        if (count == RECORDS_AT_ONCE) {
            add_samples(labels, batch, records, count);
            count = 0;
        }
        i += batch->index ? 1 : labels->period - index % labels->period;
    }
    if (count)
        add_samples(labels, batch, records, count);
}

void heat_labels_merge(HeatLabels *labels, const HeatLabels *other)
{
    if (!labels || !other)
        return;
    while (labels->period < other->period)
        thin_out(labels);
    for (guint i = 0; i < other->samples->len; i++)
        add_sample(labels, g_array_index(other->samples, Sample, i));
}

/* Names. */

typedef struct {
    const char *name;
    uint64_t samples;
} Use;

static gint compare_uses(gconstpointer a, gconstpointer b)
{
    const Use *one = a, *other = b;

    if (one->samples != other->samples)
        return one->samples < other->samples ? 1 : -1;
    return strcmp(one->name, other->name);
}

/* The name of an object for a label; NULL: unknown. */
static const char *name_of(const Context *context, uint32_t object)
{
    ObjectRegion region = context_object_region(context, object);
    const char *name = context_object_name(context, object), *slash = strrchr(name, '/');
    bool is_file = (region == OBJECT_TEXT || region == OBJECT_FILE) && *name == '/';

    if (region == OBJECT_UNKNOWN_USER || region == OBJECT_UNKNOWN_KERNEL)
        return NULL;
    return is_file && slash[1] ? slash + 1 : object_region_name(region);
}

static void count_use(GArray *uses, const char *name, uint64_t samples)
{
    guint i = 0;

    while (i < uses->len && strcmp(g_array_index(uses, Use, i).name, name))
        i++;
    if (i == uses->len)
        g_array_append_vals(uses, &(Use){ name, 0 }, 1);
    g_array_index(uses, Use, i).samples += samples;
}

/* How many samples of each object are between these addresses, by its number. To be unreferenced. */
static GArray *count_objects(const HeatLabels *labels, uint64_t first, uint64_t last)
{
    GArray *counts = g_array_new(FALSE, TRUE, sizeof(uint64_t));

    for (guint i = 0; labels && i < labels->samples->len; i++) {
        const Sample *sample = &g_array_index(labels->samples, Sample, i);

        if (sample->address < first || sample->address > last)
            continue;
        if (sample->object >= counts->len)
            g_array_set_size(counts, sample->object + 1);
        g_array_index(counts, uint64_t, sample->object)++;
    }
    return counts;
}

char *heat_labels_name(const HeatLabels *labels, uint64_t first, uint64_t last)
{
    g_autoptr(GArray) uses = g_array_new(FALSE, FALSE, sizeof(Use)), counts = count_objects(labels, first, last);
    uint64_t all = 0;
    GString *text;

    for (guint object = 0; object < counts->len; object++) {
        uint64_t samples = g_array_index(counts, uint64_t, object);
        const char *name = samples ? name_of(labels->context, object) : NULL;

        if (!name)
            continue;
        count_use(uses, name, samples);
        all += samples;
    }
    if (!all)
        return NULL;
    g_array_sort(uses, compare_uses);
    text = g_string_new(NULL);
    for (guint i = 0; i < MIN(uses->len, NAMES_MOST); i++) {
        const Use *use = &g_array_index(uses, Use, i);

        if (use->samples * 100 >= all * LEAST_PERCENT)
            g_string_append_printf(text, "%s%s", text->len ? ", " : "", use->name);
    }
    return g_string_free(text, !text->len);
}
