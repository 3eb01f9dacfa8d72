/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Accesses by address and time: heat_grid.h, and pictures of it. Memory that was not touched is left out of the
 * pictures. The figures are defined in memory_tracer-heatmap(1).
 */
#include "heatmap.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../base/error.h"
#include "../base/part_file.h"
#include "../report/picture.h"
#include "heat_grid.h"
#include "heat_regions.h"

#define TEXT_ROWS 40
#define TEXT_COLUMNS 56
#define FILE_ROWS 320

typedef struct {
    char *output, *zoom, *axis;
    gboolean hottest;
} HeatmapOptions;

typedef struct {
    const HeatmapOptions *options;
    HeatGrid *grid;
    HeatLabels *labels; /* or NULL */
    uint64_t accesses;
    bool by_time; /* time is the guest's, not accesses */
} Heatmap;

static bool parse_zoom(const char *text, uint64_t *first, uint64_t *last, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(text, "..", 2);
    char *end[2];

    if (g_strv_length(parts) == 2 && g_ascii_isxdigit(*parts[0]) && g_ascii_isxdigit(*parts[1])) {
        *first = g_ascii_strtoull(parts[0], &end[0], 0);
        *last = g_ascii_strtoull(parts[1], &end[1], 0);
        if (!*end[0] && !*end[1] && *first <= *last)
            return true;
    }
    return mt_fail_usage(error, "--zoom must be two addresses, FIRST..LAST, as in 0x400000..0x4fffff, not '%s'", text);
}

static bool check_output(const char *path, GError **error)
{
    g_autofree char *folder = g_path_get_dirname(path);

    if (!g_str_has_suffix(path, ".png") && !g_str_has_suffix(path, ".svg"))
        return mt_fail_usage(error, "--output must end with .png or .svg, but '%s' doesn't", path);
    return !access(folder, W_OK) || mt_fail(error, "can't write '%s': %s", path, g_strerror(errno));
}

/* Sets *by_time to whether time is the guest's. */
static bool choose_axis(const char *name, const Context *context, bool *by_time, GError **error)
{
    *by_time = name ? !strcmp(name, "time") : context_has_times(context);
    if (name && strcmp(name, "time") && strcmp(name, "accesses"))
        return mt_fail_usage(error, "--axis must be time or accesses, but '%s' isn't", name);
    return !*by_time || context_has_times(context) ||
           mt_fail(error, "--axis time: the trace has no times (record --fields time)");
}

static void *heatmap_begin(const AnalysisType *type, const void *options, const Context *context, GError **error)
{
    const HeatmapOptions *own = options;
    uint64_t first = 0, last = UINT64_MAX;
    bool by_time;
    Heatmap *heatmap;

    (void)type;
    if (!choose_axis(own->axis, context, &by_time, error) ||
        (own->zoom && !parse_zoom(own->zoom, &first, &last, error)) ||
        (own->output && !check_output(own->output, error)))
        return NULL;
    heatmap = g_new0(Heatmap, 1);
    heatmap->options = own;
    heatmap->by_time = by_time;
    heatmap->grid = heat_grid_new(first, last);
    heatmap->labels = heat_labels_new(context);
    return heatmap;
}

static void heatmap_end(void *data)
{
    Heatmap *heatmap = data;

    heat_grid_free(heatmap->grid);
    heat_labels_free(heatmap->labels);
    g_free(heatmap);
}

static bool heatmap_add(void *data, const struct mt_batch *batch, GError **error)
{
    Heatmap *heatmap = data;

    (void)error;
    if (heatmap->by_time && batch->count)
        heat_grid_set_time(heatmap->grid, batch->time_ns);
    heat_grid_add(heatmap->grid, batch->address, batch->count);
    heat_labels_look_at(heatmap->labels, batch);
    heatmap->accesses += batch->count;
    return true;
}

/* Parts of the work. */

static AnalysisDivision heatmap_divide(const void *options, unsigned jobs)
{
    (void)options;
    (void)jobs;
    return (AnalysisDivision){ .split = ANALYSIS_BY_TIME, .counts_records = true };
}

static void heatmap_take_part(void *data, const AnalysisPart *part)
{
    Heatmap *heatmap = data;

    if (!heatmap->by_time)
        heat_grid_begin_behind(heatmap->grid, part->before);
    heat_labels_begin_behind(heatmap->labels, part->before);
}

static bool heatmap_merge(void *data, void *other, GError **error)
{
    Heatmap *heatmap = data, *next = other;

    (void)error;
    heat_grid_merge(heatmap->grid, next->grid);
    heat_labels_merge(heatmap->labels, next->labels);
    heatmap->accesses += next->accesses;
    return true;
}

/* Pictures. */

/* What a picture shows, with its rows and columns. */
typedef struct {
    GArray *list, *regions; /* HeatGranule, HeatRegion */
    PictureRegion labels[HEAT_REGIONS_MAX + 1];
    uint64_t *counts;
    guint *first_granule; /* of each row */
    Picture picture;
    char *title;
} View;

static void view_clear(View *view)
{
    g_array_unref(view->list);
    g_array_unref(view->regions);
    g_free(view->counts);
    g_free(view->first_granule);
    g_free(view->title);
}

/* Adds a granule's first `used` columns to a row of the picture, each to the column that `targets` says. */
static void add_to_row(uint64_t *row, const HeatGranule *granule, unsigned used, const guint *targets)
{
    for (guint begin = 0; begin < used; begin += HEAT_PIECE_COLUMNS) {
        const uint64_t *piece = granule->pieces[begin / HEAT_PIECE_COLUMNS];

        for (guint i = 0; piece && i < MIN(HEAT_PIECE_COLUMNS, used - begin); i++)
            row[targets[begin + i]] += piece[i];
    }
}

/* A row has several granules, and a column several of the grid's columns: adds each cell of the grid to one of the
 * picture's. */
static void fill_counts(View *view, unsigned used)
{
    Picture *picture = &view->picture;
    guint targets[HEAT_COLUMNS];

    for (guint column = 0; column < used; column++)
        targets[column] = column * picture->columns / used;
    for (guint i = 0; i < view->list->len; i++) {
        guint row = (guint)((uint64_t)i * picture->rows / view->list->len);

        if (!i || row != (guint)((uint64_t)(i - 1) * picture->rows / view->list->len))
            view->first_granule[row] = i;
        add_to_row(view->counts + (size_t)row * picture->columns, heat_granule_at(view->list, i), used, targets);
    }
    for (size_t i = 0; i < (size_t)picture->rows * picture->columns; i++)
        picture->max = MAX(picture->max, view->counts[i]);
}

static void view_init(View *view, Heatmap *heatmap, unsigned rows, unsigned columns)
{
    unsigned shift = heat_grid_shift(heatmap->grid), used = heat_grid_columns(heatmap->grid);
    Picture *picture = &view->picture;

    memset(view, 0, sizeof *view);
    view->list = heat_grid_list(heatmap->grid);
    view->regions = heat_regions_list(heatmap->labels, view->list, shift);
    if (heatmap->options->hottest && view->regions->len)
        heat_regions_keep_hottest(heatmap->labels, &view->list, &view->regions, shift);
    picture->rows = MIN(rows, view->list->len);
    picture->columns = MIN(columns, used);
    view->counts = g_new0(uint64_t, (size_t)picture->rows * picture->columns);
    view->first_granule = g_new0(guint, picture->rows);
    fill_counts(view, used);
    for (guint i = 0; i < view->regions->len; i++) {
        const HeatRegion *region = &g_array_index(view->regions, HeatRegion, i);

        view->labels[i] =
            (PictureRegion){ (double)region->begin * picture->rows / view->list->len, region->first, region->name };
    }
    view->title = g_strdup_printf("accesses by address and time: %" G_GUINT64_FORMAT
                                  " touched stretches of %" G_GUINT64_FORMAT " bytes",
                                  (uint64_t)view->list->len, UINT64_C(1) << shift);
    picture->counts = view->counts;
    picture->title = view->title;
    picture->time_begin = heat_grid_begin(heatmap->grid);
    picture->time_end = heat_grid_end(heatmap->grid);
    picture->time_is_ns = heatmap->by_time;
    picture->regions = view->labels;
    picture->region_count = view->regions->len;
    if (view->regions->len)
        picture->last = g_array_index(view->regions, HeatRegion, view->regions->len - 1).last;
}

static bool write_file(const char *path, GBytes *bytes, GError **error)
{
    gsize count;
    const char *data = g_bytes_get_data(bytes, &count);
    const char *part = part_file_applies(path) ? part_file_begin(path, error) : path;
    FILE *file;
    bool fine;

    if (!part)
        return false;
    file = fopen(part, "we");
    fine = file && fwrite(data, 1, count, file) == count && !fflush(file);
    if (!fine)
        mt_fail(error, "can't write '%s': %s", path, g_strerror(errno));
    g_clear_pointer(&file, fclose);
    if (!fine && part != path)
        part_file_abandon();
    if (!fine)
        return false;
    return part == path || part_file_commit(error);
}

static bool heatmap_finish(void *data, GError **error)
{
    Heatmap *heatmap = data;
    const char *path = heatmap->options->output;
    g_autoptr(GBytes) bytes = NULL;
    View view;

    if (!path)
        return true;
    view_init(&view, heatmap, FILE_ROWS, HEAT_COLUMNS);
    bytes = g_str_has_suffix(path, ".svg") ? picture_as_svg(&view.picture) : picture_as_png(&view.picture, error);
    view_clear(&view);
    return bytes && write_file(path, bytes, error);
}

/* Results. */

static void describe_regions(const View *view, unsigned shift, uint64_t accesses, Report *report)
{
    static const ReportColumn columns[] = { { "first", "from", REPORT_ADDRESS },
                                            { "last", "to", REPORT_ADDRESS },
                                            { "touched_bytes", "touched bytes", REPORT_COUNT },
                                            { "accesses", "accesses", REPORT_COUNT },
                                            { "percent", "%", REPORT_REAL },
                                            { "name", "what", REPORT_TEXT },
                                            { NULL } };
    ReportTable *table = report_add_table(report, "regions", "regions", columns);

    for (guint i = 0; i < view->regions->len; i++) {
        const HeatRegion *region = &g_array_index(view->regions, HeatRegion, i);

        report_table_add_row(table, region->first, region->last, (uint64_t)(region->end - region->begin) << shift,
                             region->accesses, accesses ? 100.0 * (double)region->accesses / (double)accesses : 0,
                             region->name);
    }
}

/* The picture in the terminal as numbers, for JSON and CSV. */
static void describe_cells(const View *view, unsigned shift, Report *report)
{
    static const ReportColumn columns[] = { { "row", NULL, REPORT_COUNT },
                                            { "address", NULL, REPORT_ADDRESS },
                                            { "column", NULL, REPORT_COUNT },
                                            { "accesses", NULL, REPORT_COUNT },
                                            { NULL } };
    ReportTable *table = report_add_table(report, "cells", NULL, columns);
    const Picture *picture = &view->picture;

    for (unsigned row = 0; row < picture->rows; row++)
        for (unsigned column = 0; column < picture->columns; column++) {
            uint64_t count = picture->counts[(size_t)row * picture->columns + column];

            if (count)
                report_table_add_row(table, (uint64_t)row,
                                     heat_granule_at(view->list, view->first_granule[row])->number << shift,
                                     (uint64_t)column, count);
        }
}

/* The style for standard output, which may be a terminal or not. */
static PictureStyle terminal_style(void)
{
    return isatty(STDOUT_FILENO) && isatty(STDERR_FILENO) && g_get_charset(NULL) && !g_getenv("NO_COLOR")
               ? PICTURE_COLOUR
               : PICTURE_ASCII;
}

static void heatmap_describe(void *data, Report *report)
{
    Heatmap *heatmap = data;
    unsigned shift = heat_grid_shift(heatmap->grid);
    PictureStyle style = terminal_style();
    uint64_t shown = 0;
    View view;

    view_init(&view, heatmap, style == PICTURE_COLOUR ? TEXT_ROWS : TEXT_ROWS / 2, TEXT_COLUMNS);
    for (guint i = 0; i < view.regions->len; i++)
        shown += g_array_index(view.regions, HeatRegion, i).accesses;
    report_add_count(report, "accesses", "accesses", heatmap->accesses);
    report_add_count(report, "accesses_shown", "in the picture", shown);
    report_add_count(report, "granule_bytes", "bytes of a granule", UINT64_C(1) << shift);
    report_add_count(report, "granules", "granules", view.list->len);
    report_add_count(report, "rows", NULL, view.picture.rows);
    report_add_count(report, "columns", NULL, view.picture.columns);
    report_add_text(report, "axis", "time in", heatmap->by_time ? "ns of the guest" : "accesses");
    report_add_count(report, "time_begin", NULL, view.picture.time_begin);
    report_add_count(report, "time_end", NULL, view.picture.time_end);
    if (heatmap->options->output)
        report_add_text(report, "output", "picture", heatmap->options->output);
    describe_regions(&view, shift, heatmap->accesses, report);
    describe_cells(&view, shift, report);
    if (view.list->len) {
        g_autofree char *text = picture_as_text(&view.picture, style);

        report_set_title(report_add_section(report, NULL, ""), text);
    }
    view_clear(&view);
}

static const HeatmapOptions defaults = { 0 };
static const AnalysisOption options[] = {
    { "output", G_OPTION_ARG_STRING, offsetof(HeatmapOptions, output),
      "Write a picture into this file, which ends with .png or .svg", "FILE" },
    { "zoom", G_OPTION_ARG_STRING, offsetof(HeatmapOptions, zoom), "Show only these addresses", "FIRST..LAST" },
    { "axis", G_OPTION_ARG_STRING, offsetof(HeatmapOptions, axis),
      "What time is: the guest's (default, if the trace has it), or accesses", "time|accesses" },
    { "hottest", G_OPTION_ARG_NONE, offsetof(HeatmapOptions, hottest), "Show only the region with most accesses",
      NULL },
    { NULL },
};

const AnalysisType heatmap_analysis = {
    .name = "heatmap",
    .summary = "Which memory was accessed when, as a picture.",
    .columns = MT_COLUMN_ADDRESS | MT_COLUMN_TIME | MT_COLUMN_TASK,
    .options = options,
    .defaults = &defaults,
    .options_bytes = sizeof defaults,
    .begin = heatmap_begin,
    .add = heatmap_add,
    .describe = heatmap_describe,
    .finish = heatmap_finish,
    .end = heatmap_end,
    .divide = heatmap_divide,
    .take_part = heatmap_take_part,
    .merge = heatmap_merge,
};
