/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The result of `mrc`: see mrc_private.h. The figures are defined in memory_tracer-mrc(1). */
#include "../base/sizes.h"
#include "mrc_private.h"

#define T_95 2.365 /* Student's t, two-sided, with 7 degrees of freedom */

static uint64_t bucket_begin(unsigned bucket)
{
    unsigned above = bucket >> MRC_STEP_BITS;

    return above ? ((UINT64_C(1) << MRC_STEP_BITS) + (bucket & ((1 << MRC_STEP_BITS) - 1))) << (above - 1) : bucket;
}

/* The miss ratio at the end of each bucket. SHARDS-adj: if the sample has too many or too few uses, the difference
 * counts as hits at the smallest size, because it comes from the granules that are used most. */
static void make_ratios(const MrcHistogram *histogram, uint64_t uses, unsigned buckets, double *ratios)
{
    double misses = histogram->all;

    for (unsigned i = 0; i < buckets; i++) {
        misses -= histogram->buckets[i];
        ratios[i] = uses ? CLAMP(misses / (double)uses, 0, 1) : 0;
    }
}

/* Half of the width of each point's 95 % interval, from the scatter of the partitions' curves. */
static void make_widths(const MrcCurve *curve, unsigned buckets, double *widths)
{
    g_autofree double *ratios = g_new(double, MRC_PARTITIONS *buckets);

    for (unsigned part = 0; part < MRC_PARTITIONS; part++)
        make_ratios(&curve->parts[part], curve->uses, buckets, ratios + part * buckets);
    for (unsigned i = 0; i < buckets; i++) {
        double mean = 0, squares = 0;

        for (unsigned part = 0; part < MRC_PARTITIONS; part++)
            mean += ratios[part * buckets + i] / MRC_PARTITIONS;
        for (unsigned part = 0; part < MRC_PARTITIONS; part++)
            squares += (ratios[part * buckets + i] - mean) * (ratios[part * buckets + i] - mean);
        widths[i] = T_95 * sqrt(squares / (MRC_PARTITIONS - 1) / MRC_PARTITIONS);
    }
}

static void describe_points(const MrcCurve *curve, unsigned buckets, Report *report)
{
    static const ReportColumn exact[] = { { "bytes", "bytes", REPORT_COUNT },
                                          { "miss_ratio", "miss ratio", REPORT_REAL },
                                          { NULL } };
    static const ReportColumn sampled[] = { { "bytes", "bytes", REPORT_COUNT },
                                            { "miss_ratio", "miss ratio", REPORT_REAL },
                                            { "low", "low", REPORT_REAL },
                                            { "high", "high", REPORT_REAL },
                                            { NULL } };
    static const ReportColumn shown[] = {
        { "size", "size", REPORT_TEXT }, { "percent", "misses %", REPORT_REAL }, { "plot", "", REPORT_TEXT }, { NULL }
    };
    ReportTable *points = report_add_table(report, "points", NULL, curve->parts ? sampled : exact);
    ReportTable *text = report_add_table(report, NULL, "miss ratios", shown);
    g_autofree double *ratios = g_new0(double, buckets), *widths = g_new0(double, buckets);

    make_ratios(&curve->whole, curve->uses, buckets, ratios);
    if (curve->parts)
        make_widths(curve, buckets, widths);
    for (unsigned i = 0; i < buckets; i++) {
        uint64_t granules = bucket_begin(i + 1), bytes = granules << curve->shift;
        g_autofree char *size = sizes_format(bytes), *plot = g_strnfill((gsize)(50 * ratios[i] + 0.5), '#');

        if (curve->parts)
            report_table_add_row(points, bytes, ratios[i], MAX(ratios[i] - widths[i], 0.0),
                                 MIN(ratios[i] + widths[i], 1.0));
        else
            report_table_add_row(points, bytes, ratios[i]);
        if (!(granules & (granules - 1)))
            report_table_add_row(text, size, 100 * ratios[i], plot);
    }
}

static void describe_curve(const MrcCurve *curve, Report *report)
{
    g_autofree char *size = sizes_format(UINT64_C(1) << curve->shift);
    g_autofree char *title =
        g_strdup_printf("%s%sgranules of %s", curve->group ? curve->group : "", curve->group ? ", " : "", size);
    Report *section = report_add_to_list(report, "curves", title);
    unsigned buckets = 1;

    for (unsigned i = 0; i < MRC_BUCKETS; i++)
        if (curve->whole.buckets[i] > 0)
            buckets = i + 1;
    while (bucket_begin(buckets) & (bucket_begin(buckets) - 1)) /* rounds up to a power of two */
        buckets++;
    report_add_count(section, "granularity", NULL, UINT64_C(1) << curve->shift);
    if (curve->group)
        report_add_text(section, "group", NULL, curve->group);
    report_add_count(section, "uses", "uses", curve->uses);
    report_add_count(section, "granules", curve->parts ? "granules in the sample" : "granules",
                     curve->whole.stack.count);
    if (curve->parts) {
        report_add_real(section, "rate", "rate", mrc_sample_rate(curve), 6);
        report_add_text(section, "interval", "95 % interval by", "Student's t of 8 partitions by hash");
    }
    describe_points(curve, buckets, section);
}

void mrc_describe(void *data, Report *report)
{
    const Mrc *mrc = data;

    report_add_count(report, "accesses", "accesses", mrc->records);
    for (guint i = 0; i < mrc->curves->len; i++)
        if (mrc->curves->pdata[i])
            describe_curve(mrc->curves->pdata[i], report);
}
