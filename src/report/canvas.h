/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What pictures are drawn on: pixels or SVG. Coordinates and sizes are in pixels, from the upper left corner. */
#ifndef MEMORY_TRACER_REPORT_CANVAS_H
#define MEMORY_TRACER_REPORT_CANVAS_H

#include <glib.h>
#include <stdint.h>

#define CANVAS_CHARACTER_WIDTH 12
#define CANVAS_CHARACTER_HEIGHT 14

typedef enum { CANVAS_LEFT, CANVAS_MIDDLE, CANVAS_RIGHT } CanvasAnchor;

typedef struct Canvas Canvas;

/* A white canvas. */
Canvas *canvas_new_pixels(int width, int height);
Canvas *canvas_new_svg(int width, int height);
void canvas_free(Canvas *canvas);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Canvas, canvas_free)

/* `colour` is 0xrrggbb. */
void canvas_fill(Canvas *canvas, int x, int y, int width, int height, uint32_t colour);
/* A line of UTF-8 (among pixels, a character that isn't ASCII is a box), which begins, has its middle or ends at x; y
 * is its middle. */
void canvas_write(Canvas *canvas, int x, int y, CanvasAnchor anchor, const char *text);
/* The bytes of the PNG or SVG file, to be unreferenced; NULL with an error. */
GBytes *canvas_finish(Canvas *canvas, GError **error);

/* The rows of a character's picture, from the top: 7 numbers of 5 bits, of which the highest one is on the left. */
#define FONT_ROWS 7
#define FONT_COLUMNS 5
const uint8_t *font_glyph(char character);

#endif
