/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pictures of counts: see picture.h. */
#include "picture.h"

#include <math.h>
#include <string.h>

#include "../base/printable.h"
#include "canvas.h"

#define LEFT 250
#define TOP 60
#define PLOT_WIDTH 960
#define PLOT_HEIGHT 640
#define NAME_COLUMNS 30 /* of text: two kinds of memory */
#define WIDTH (LEFT + PLOT_WIDTH + 30 + NAME_COLUMNS * CANVAS_CHARACTER_WIDTH)
#define HEIGHT (TOP + PLOT_HEIGHT + 130)
#define UNTOUCHED 0xf2f2f2u
#define INK 0x202020u
#define LABEL_DISTANCE 20 /* least distance of two labels, in pixels */
#define TICKS 4
#define LEGEND_WIDTH 256
#define ADDRESS_COLUMNS 19 /* of text */

/* From 0 (one access) to 1 (the most), by the logarithm. */
static double heat(uint64_t count, uint64_t max)
{
    return max > 1 ? log((double)count) / log((double)max) : 1;
}

/* From light yellow through orange and red to a dark violet. */
static uint32_t colour_of(double heat)
{
    static const uint8_t stops[][3] = {
        { 0xfd, 0xe7, 0x9a }, { 0xfb, 0xa4, 0x3c }, { 0xe2, 0x4f, 0x33 }, { 0x97, 0x1f, 0x5c }, { 0x2b, 0x0b, 0x3f }
    };
    double at = CLAMP(heat, 0, 1) * (G_N_ELEMENTS(stops) - 1);
    guint low = MIN((guint)at, G_N_ELEMENTS(stops) - 2);
    uint32_t colour = 0;

    for (guint i = 0; i < 3; i++)
        colour =
            colour << 8 | (uint32_t)lround(stops[low][i] + (at - low) * ((double)stops[low + 1][i] - stops[low][i]));
    return colour;
}

static uint32_t cell_colour(const Picture *picture, unsigned row, unsigned column)
{
    uint64_t count = picture->counts[(size_t)row * picture->columns + column];

    return count ? colour_of(heat(count, picture->max)) : UNTOUCHED;
}

/* "1.25M". To be freed. */
static char *format_count(uint64_t count)
{
    static const char *const units[] = { "", "K", "M", "G", "T" };
    double value = (double)count;
    guint unit = 0;

    for (; value >= 1000 && unit + 1 < G_N_ELEMENTS(units); unit++)
        value /= 1000;
    return g_strdup_printf("%.4g%s", value, units[unit]);
}

/* "1.25 ms". To be freed. */
static char *format_ns(uint64_t ns)
{
    static const char *const units[] = { "ns", "us", "ms", "s" };
    double value = (double)ns;
    guint unit = 0;

    for (; value >= 1000 && unit + 1 < G_N_ELEMENTS(units); unit++)
        value /= 1000;
    return g_strdup_printf("%.4g %s", value, units[unit]);
}

/* The label of a tick on the time axis. To be freed. */
static char *format_time(const Picture *picture, unsigned tick)
{
    uint64_t span = picture->time_end - picture->time_begin;
    uint64_t time = picture->time_begin + span / TICKS * tick + span % TICKS * tick / TICKS;

    return picture->time_is_ns ? format_ns(time) : format_count(time);
}

/* Neighbours of the same colour become one rectangle. */
static void draw_cells(Canvas *canvas, const Picture *picture)
{
    canvas_fill(canvas, LEFT, TOP, PLOT_WIDTH, PLOT_HEIGHT, UNTOUCHED);
    for (unsigned row = 0; row < picture->rows; row++) {
        int bottom = TOP + PLOT_HEIGHT - (int)(row * PLOT_HEIGHT / picture->rows);
        int top = TOP + PLOT_HEIGHT - (int)((row + 1) * PLOT_HEIGHT / picture->rows);

        for (unsigned column = 0, end; column < picture->columns; column = end) {
            uint32_t colour = cell_colour(picture, row, column);
            int x = (int)(column * PLOT_WIDTH / picture->columns);

            for (end = column + 1; end < picture->columns && cell_colour(picture, row, end) == colour;)
                end++;
            if (colour != UNTOUCHED)
                canvas_fill(canvas, LEFT + x, top, (int)(end * PLOT_WIDTH / picture->columns) - x, bottom - top,
                            colour);
        }
    }
}

/* Files have names of any bytes and length. Shortened if there isn't room for all. To be freed. */
static char *format_name(const char *name)
{
    g_autofree char *printable = text_make_printable(name), *begin = NULL;

    if (g_utf8_strlen(printable, -1) <= NAME_COLUMNS)
        return g_steal_pointer(&printable);
    begin = g_utf8_substring(printable, 0, NAME_COLUMNS - 3);
    return g_strconcat(begin, "...", NULL);
}

static void draw_regions(Canvas *canvas, const Picture *picture)
{
    g_autofree char *highest = g_strdup_printf("0x%" G_GINT64_MODIFIER "x", picture->last);
    int last = G_MAXINT;

    for (unsigned i = 0; i < picture->region_count; i++) {
        const PictureRegion *region = &picture->regions[i];
        double end = i + 1 < picture->region_count ? region[1].row : picture->rows;
        int y = TOP + PLOT_HEIGHT - (int)(region->row * PLOT_HEIGHT / picture->rows);
        int middle = TOP + PLOT_HEIGHT - (int)((region->row + end) / 2 * PLOT_HEIGHT / picture->rows);
        g_autofree char *address = g_strdup_printf("0x%" G_GINT64_MODIFIER "x", region->address);
        g_autofree char *name = format_name(region->name);

        if (i)
            canvas_fill(canvas, LEFT - 8, y, PLOT_WIDTH + 16, 1, INK);
        if (last - y >= LABEL_DISTANCE && y - TOP >= LABEL_DISTANCE) {
            canvas_write(canvas, LEFT - 14, y - 2, CANVAS_RIGHT, address);
            last = y;
        }
        if (y - (TOP + PLOT_HEIGHT - (int)(end * PLOT_HEIGHT / picture->rows)) >= LABEL_DISTANCE)
            canvas_write(canvas, LEFT + PLOT_WIDTH + 14, middle, CANVAS_LEFT, name);
    }
    if (picture->region_count)
        canvas_write(canvas, LEFT - 14, TOP + 4, CANVAS_RIGHT, highest);
}

static void draw_time(Canvas *canvas, const Picture *picture)
{
    int bottom = TOP + PLOT_HEIGHT;

    for (unsigned i = 0; i <= TICKS; i++) {
        int x = LEFT + (int)(i * PLOT_WIDTH / TICKS);
        g_autofree char *label = format_time(picture, i);

        canvas_fill(canvas, x, bottom, 1, 8, INK);
        canvas_write(canvas, x, bottom + 22, CANVAS_MIDDLE, label);
    }
    canvas_write(canvas, LEFT + PLOT_WIDTH / 2, bottom + 48, CANVAS_MIDDLE,
                 picture->time_is_ns ? "time of the guest" : "time in accesses");
}

static void draw_legend(Canvas *canvas, const Picture *picture)
{
    int y = TOP + PLOT_HEIGHT + 80, x = LEFT + 430;
    g_autofree char *most = format_count(picture->max);

    canvas_write(canvas, x - 30, y + 9, CANVAS_RIGHT, "accesses of a cell (logarithmic):");
    canvas_write(canvas, x - 10, y + 9, CANVAS_MIDDLE, "1");
    for (int i = 0; i < LEGEND_WIDTH; i++)
        canvas_fill(canvas, x + i, y, 1, 18, colour_of((double)i / (LEGEND_WIDTH - 1)));
    canvas_write(canvas, x + LEGEND_WIDTH + 10, y + 9, CANVAS_LEFT, most);
    canvas_fill(canvas, x + LEGEND_WIDTH + 120, y, 18, 18, UNTOUCHED);
    canvas_write(canvas, x + LEGEND_WIDTH + 148, y + 9, CANVAS_LEFT, "none");
}

static void draw_frame(Canvas *canvas)
{
    canvas_fill(canvas, LEFT - 1, TOP - 1, PLOT_WIDTH + 2, 1, INK);
    canvas_fill(canvas, LEFT - 1, TOP + PLOT_HEIGHT, PLOT_WIDTH + 2, 1, INK);
    canvas_fill(canvas, LEFT - 1, TOP - 1, 1, PLOT_HEIGHT + 2, INK);
    canvas_fill(canvas, LEFT + PLOT_WIDTH, TOP - 1, 1, PLOT_HEIGHT + 2, INK);
}

static void draw(Canvas *canvas, const Picture *picture)
{
    canvas_write(canvas, LEFT + 20, TOP / 2, CANVAS_LEFT, picture->title);
    canvas_write(canvas, LEFT - 14, TOP / 2, CANVAS_RIGHT, "address");
    draw_cells(canvas, picture);
    draw_regions(canvas, picture);
    draw_frame(canvas);
    draw_time(canvas, picture);
    draw_legend(canvas, picture);
}

GBytes *picture_as_svg(const Picture *picture)
{
    g_autoptr(Canvas) canvas = canvas_new_svg(WIDTH, HEIGHT);

    draw(canvas, picture);
    return canvas_finish(canvas, NULL);
}

GBytes *picture_as_png(const Picture *picture, GError **error)
{
    g_autoptr(Canvas) canvas = canvas_new_pixels(WIDTH, HEIGHT);

    draw(canvas, picture);
    return canvas_finish(canvas, error);
}

/* Text. */

static void append_colour(GString *text, const char *command, uint32_t colour)
{
    g_string_append_printf(text, "\033[%s;2;%u;%u;%um", command, colour >> 16, colour >> 8 & 0xff, colour & 0xff);
}

/* What nobody has touched keeps the terminal's own colour. */
static void append_half_blocks(GString *text, uint32_t upper, uint32_t lower)
{
    if (upper == UNTOUCHED && lower == UNTOUCHED) {
        g_string_append_c(text, ' ');
        return;
    }
    append_colour(text, "38", upper == UNTOUCHED ? lower : upper);
    if (upper != UNTOUCHED && lower != UNTOUCHED)
        append_colour(text, "48", lower);
    g_string_append(text, upper == UNTOUCHED ? "\u2584" : "\u2580");
    g_string_append(text, "\033[0m");
}

static char ascii_of(const Picture *picture, unsigned row, unsigned column)
{
    static const char marks[] = ".:-=+*#%@";
    uint64_t count = picture->counts[(size_t)row * picture->columns + column];

    return count ? marks[(guint)(heat(count, picture->max) * (sizeof marks - 2) + 0.5)] : ' ';
}

/* The region that begins in these rows, the lowest one if there are several; or NULL. */
static const PictureRegion *region_at(const Picture *picture, double from, double to)
{
    for (unsigned i = 0; i < picture->region_count; i++)
        if (picture->regions[i].row >= from && picture->regions[i].row < to)
            return &picture->regions[i];
    return NULL;
}

char *picture_as_text(const Picture *picture, PictureStyle style)
{
    unsigned step = style == PICTURE_COLOUR ? 2 : 1;
    GString *text = g_string_new(NULL);
    g_autofree char *begin = format_time(picture, 0), *end = format_time(picture, TICKS);
    g_autofree char *most = format_count(picture->max);

    for (unsigned lines = (picture->rows + step - 1) / step; lines; lines--) {
        unsigned row = (lines - 1) * step;
        const PictureRegion *region = region_at(picture, row, row + step);
        g_autofree char *address =
            region ? g_strdup_printf("0x%" G_GINT64_MODIFIER "x", region->address) : g_strdup("");

        g_string_append_printf(text, "%*s |", ADDRESS_COLUMNS, address);
        for (unsigned column = 0; column < picture->columns; column++)
            if (style == PICTURE_COLOUR)
                append_half_blocks(text, row + 1 < picture->rows ? cell_colour(picture, row + 1, column) : UNTOUCHED,
                                   cell_colour(picture, row, column));
            else
                g_string_append_c(text, ascii_of(picture, row, column));
        g_string_append(text, "|\n");
    }
    g_string_append_printf(text, "%*s %s%*s%s\n", ADDRESS_COLUMNS + 1, "", begin,
                           (int)MAX(picture->columns + 1, strlen(begin) + strlen(end) + 1) - (int)strlen(begin), end,
                           picture->time_is_ns ? "" : " accesses");
    g_string_append_printf(text, "%*s of a cell: 1 ", ADDRESS_COLUMNS + 1, "");
    for (guint i = 0; i < 9; i++)
        if (style == PICTURE_COLOUR)
            append_half_blocks(text, colour_of(i / 8.0), colour_of(i / 8.0));
        else
            g_string_append_c(text, ".:-=+*#%@"[i]);
    g_string_append_printf(text, " %s (logarithmic)", most);
    return g_string_free(text, FALSE);
}
