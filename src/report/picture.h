/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pictures of a matrix of counts, with axes, regions and a legend: for terminals, as PNG and as SVG. */
#ifndef MEMORY_TRACER_REPORT_PICTURE_H
#define MEMORY_TRACER_REPORT_PICTURE_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Rows that belong together, from `row` on, up to the next one's. */
typedef struct PictureRegion {
    double row;
    uint64_t address; /* where it begins */
    const char *name;
} PictureRegion;

/* What is to be seen. Row 0 is at the bottom. Everything belongs to the caller. */
typedef struct Picture {
    unsigned rows, columns;
    const uint64_t *counts; /* rows * columns */
    uint64_t max;           /* of the counts */
    const char *title;
    uint64_t time_begin, time_end; /* of the time axis */
    bool time_is_ns;               /* that is in ns; else in accesses */
    const PictureRegion *regions;
    unsigned region_count;
    uint64_t last; /* the highest address */
} Picture;

typedef enum { PICTURE_ASCII, PICTURE_COLOUR } PictureStyle;

/* As lines of text; in colour, two rows are one line of half blocks. To be freed. */
char *picture_as_text(const Picture *picture, PictureStyle style);
/* As the bytes of a file. */
GBytes *picture_as_svg(const Picture *picture);
GBytes *picture_as_png(const Picture *picture, GError **error);

#endif
