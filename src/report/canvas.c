/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pixels and SVG: see canvas.h. */
#include "canvas.h"

#include <png.h>
#include <string.h>

#include "../base/error.h"

#define FONT_SCALE 2

struct Canvas {
    int width, height;
    uint8_t *pixels; /* red, green, blue: 3 bytes each; or NULL */
    GString *svg;    /* the file so far; or NULL */
};

static Canvas *create(int width, int height)
{
    Canvas *canvas = g_new0(Canvas, 1);

    canvas->width = width;
    canvas->height = height;
    return canvas;
}

Canvas *canvas_new_pixels(int width, int height)
{
    Canvas *canvas = create(width, height);

    canvas->pixels = g_malloc((size_t)width * (size_t)height * 3);
    memset(canvas->pixels, 0xff, (size_t)width * (size_t)height * 3);
    return canvas;
}

Canvas *canvas_new_svg(int width, int height)
{
    Canvas *canvas = create(width, height);

    canvas->svg = g_string_new(NULL);
    g_string_append_printf(canvas->svg,
                           "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
                           "font-family=\"monospace\" font-size=\"18\" shape-rendering=\"crispEdges\">\n"
                           "<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n",
                           width, height, width, height, width, height);
    return canvas;
}

void canvas_free(Canvas *canvas)
{
    if (!canvas)
        return;
    g_free(canvas->pixels);
    if (canvas->svg)
        g_string_free(canvas->svg, TRUE);
    g_free(canvas);
}

void canvas_fill(Canvas *canvas, int x, int y, int width, int height, uint32_t colour)
{
    if (canvas->svg) {
        g_string_append_printf(canvas->svg, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"#%06x\"/>\n", x,
                               y, width, height, colour);
        return;
    }
    for (int row = MAX(y, 0); row < MIN(y + height, canvas->height); row++)
        for (int column = MAX(x, 0); column < MIN(x + width, canvas->width); column++) {
            uint8_t *pixel = canvas->pixels + 3 * ((size_t)row * (size_t)canvas->width + (size_t)column);

            pixel[0] = (uint8_t)(colour >> 16);
            pixel[1] = (uint8_t)(colour >> 8);
            pixel[2] = (uint8_t)colour;
        }
}

static void draw_glyph(Canvas *canvas, int x, int y, char character)
{
    const uint8_t *rows = font_glyph(character);

    for (int row = 0; row < FONT_ROWS; row++)
        for (int column = 0; column < FONT_COLUMNS; column++)
            if (rows[row] >> (FONT_COLUMNS - 1 - column) & 1)
                canvas_fill(canvas, x + column * FONT_SCALE, y + row * FONT_SCALE, FONT_SCALE, FONT_SCALE, 0x202020);
}

void canvas_write(Canvas *canvas, int x, int y, CanvasAnchor anchor, const char *text)
{
    static const char *const anchors[] = { "start", "middle", "end" };
    int width = (int)g_utf8_strlen(text, -1) * CANVAS_CHARACTER_WIDTH;

    if (canvas->svg) {
        g_autofree char *escaped = g_markup_escape_text(text, -1);

        g_string_append_printf(canvas->svg, "<text x=\"%d\" y=\"%d\" text-anchor=\"%s\" fill=\"#202020\">%s</text>\n",
                               x, y + 6, anchors[anchor], escaped);
        return;
    }
    x -= anchor == CANVAS_LEFT ? 0 : anchor == CANVAS_MIDDLE ? width / 2 : width;
    for (; *text; text = g_utf8_next_char(text), x += CANVAS_CHARACTER_WIDTH)
        draw_glyph(canvas, x, y - CANVAS_CHARACTER_HEIGHT / 2, *text);
}

static GBytes *encode_png(const Canvas *canvas, GError **error)
{
    png_image image = { .version = PNG_IMAGE_VERSION,
                        .width = (png_uint_32)canvas->width,
                        .height = (png_uint_32)canvas->height,
                        .format = PNG_FORMAT_RGB };
    png_alloc_size_t bytes = PNG_IMAGE_PNG_SIZE_MAX(image);
    g_autofree void *data = g_malloc(bytes);

    if (!png_image_write_to_memory(&image, data, &bytes, 0, canvas->pixels, 0, NULL)) {
        mt_fail(error, "can't make a PNG picture: %s", image.message);
        return NULL;
    }
    return g_bytes_new(data, bytes);
}

GBytes *canvas_finish(Canvas *canvas, GError **error)
{
    if (!canvas->svg)
        return encode_png(canvas, error);
    g_string_append(canvas->svg, "</svg>\n");
    return g_bytes_new(canvas->svg->str, canvas->svg->len);
}
