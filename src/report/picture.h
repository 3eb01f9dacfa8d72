/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pictures of a matrix of counts, with axes, regions and a legend: for terminals, as PNG and as SVG. */
#ifndef MEMORY_TRACER_REPORT_PICTURE_H
#define MEMORY_TRACER_REPORT_PICTURE_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Rows that belong together: from `row` on, up to the next region's row. */
typedef struct PictureRegion {
    double row;
    uint64_t address; /* where the region begins */
    const char *name;
} PictureRegion;

/* What a picture shows. Row 0 is at the bottom. Everything belongs to the caller. */
typedef struct Picture {
    unsigned rows, columns;
    const uint64_t *counts; /* rows * columns */
    uint64_t max;           /* the largest of the counts */
    const char *title;
    uint64_t time_begin, time_end; /* of the time axis */
    bool time_is_ns;               /* these are in ns; else in accesses */
    const PictureRegion *regions;
    unsigned region_count;
    uint64_t last; /* the highest address */
} Picture;

typedef enum { PICTURE_ASCII, PICTURE_COLOUR } PictureStyle;

/* As lines of text; in colour, each line of half blocks shows two rows. To be freed. */
char *picture_as_text(const Picture *picture, PictureStyle style);
/* As the bytes of a file, to be unreferenced; NULL with an error. */
GBytes *picture_as_svg(const Picture *picture);
GBytes *picture_as_png(const Picture *picture, GError **error);

#endif
