/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Working sets: what is touched in each window, which is a number of accesses, or a stretch of the guest's time
 * (Denning 1968). Exact. The figures are defined in memory_tracer-wss(1).
 *
 * A page's entry has a bit for each of its lines that was read, and one for each that was written, in the last window
 * that touched the page. So the entry alone tells what is new to the window. It is kept in the hash table itself, and
 * not behind a pointer as in page_table.h, to save most accesses a look at memory. Memory: 32 bytes for each distinct
 * page, at a load of at most 1/2, and 72 for each window.
 */
#include "wss.h"

#include <string.h>

#include "../base/error.h"
#include "../base/sizes.h"

#define LINE_SHIFT 6
#define PAGE_SHIFT 12
#define FIRST_BITS 12
#define RECENT 256
#define DEFAULT_WINDOW "1M"
#define MAX_WINDOWS (1u << 20)
#define AGES 22 /* powers of two, up to MAX_WINDOWS */

typedef struct {
    char *window; /* --window */
} WssOptions;

typedef struct {
    uint64_t page;          /* its number + 1; 0: free */
    uint64_t read, written; /* a bit for each line, in `window` */
    uint64_t window;        /* the number of the last window that touched it, from 1 on */
} PageUse;

/* What was touched in a window. */
typedef struct {
    uint64_t begin; /* accesses before it; or the time at which it begins, in ns */
    uint64_t accesses, lines, lines_read, lines_written, pages, pages_read, pages_written, new_pages;
} Window;

/* A page, and the first window of a part that touched it. */
typedef struct {
    uint64_t page, window;
} FirstUse;

typedef struct {
    uint64_t accesses_per_window, ns_per_window; /* one of them is 0 */
    PageUse *entries;                            /* open addressing, linear probing */
    unsigned bits;
    uint64_t pages, records;
    uint64_t window; /* the number of the current window; 0: none has begun */
    uint64_t left;   /* accesses until the current window ends */
    Window now;
    GArray *windows; /* Window: those that have ended */
    PageUse *recent[RECENT];
    bool is_open;       /* whether a window has begun, which is `now` */
    GArray *first_uses; /* FirstUse; NULL in the first part */
} Wss;

/* "1M" accesses, "10ms" of guest time. */
static bool parse_window(const char *text, Wss *wss, GError **error)
{
    static const struct {
        const char *unit;
        uint64_t ns;
    } units[] = { { "ns", 1 }, { "us", 1000 }, { "ms", 1000000 }, { "s", 1000000000 } };
    uint64_t number;

    for (guint i = 0; i < G_N_ELEMENTS(units); i++) {
        g_autofree char *digits = g_strndup(text, strspn(text, "0123456789"));

        if (*digits && !strcmp(text + strlen(digits), units[i].unit) &&
            g_ascii_string_to_unsigned(digits, 10, 1, UINT64_MAX / units[i].ns, &number, NULL)) {
            wss->ns_per_window = number * units[i].ns;
            return true;
        }
    }
    if (sizes_parse(text, &number) && number) {
        wss->accesses_per_window = number;
        return true;
    }
    return mt_fail_usage(
        error, "--window must be a number of accesses (1000000, 1M) or a time (500us, 10ms, 1s), but %s isn't.", text);
}

static void wss_end(void *data)
{
    Wss *wss = data;

    g_free(wss->entries);
    g_array_unref(wss->windows);
    g_clear_pointer(&wss->first_uses, g_array_unref);
    g_free(wss);
}

static void *wss_begin(const AnalysisType *type, const void *options, const Context *context, GError **error)
{
    const WssOptions *own = options;
    Wss *wss = g_new0(Wss, 1);

    (void)type;
    wss->windows = g_array_new(FALSE, FALSE, sizeof(Window));
    wss->bits = FIRST_BITS;
    wss->entries = g_new0(PageUse, 1u << FIRST_BITS);
    for (guint i = 0; i < RECENT; i++) /* any entry will do, as its page is compared before it is used */
        wss->recent[i] = wss->entries;
    if (parse_window(own->window ? own->window : DEFAULT_WINDOW, wss, error) &&
        (!wss->ns_per_window || context_has_times(context) ||
         mt_fail(error, "--window %s: the trace has no times (record --fields time)", own->window)))
        return wss;
    wss_end(wss);
    return NULL;
}

/* The entry of `page` (a page number + 1), or the free one that it would get. Fibonacci hashing (Knuth, TAOCP 3, 6.4).
 */
static PageUse *probe(const Wss *wss, uint64_t page)
{
    uint64_t mask = (UINT64_C(1) << wss->bits) - 1;
    uint64_t i = (page * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - wss->bits);

    while (wss->entries[i].page && wss->entries[i].page != page)
        i = (i + 1) & mask;
    return &wss->entries[i];
}

static void grow(Wss *wss)
{
    PageUse *old = wss->entries;
    uint64_t count = UINT64_C(1) << wss->bits;

    wss->bits++;
    wss->entries = g_new0(PageUse, 2 * count);
    for (uint64_t i = 0; i < count; i++)
        if (old[i].page)
            *probe(wss, old[i].page) = old[i];
    for (guint i = 0; i < RECENT; i++)
        wss->recent[i] = wss->entries;
    g_free(old);
}

static PageUse *find(Wss *wss, uint64_t page)
{
    PageUse *entry = probe(wss, page);

    if (!entry->page) {
        if (++wss->pages > UINT64_C(1) << (wss->bits - 1)) {
            grow(wss);
            entry = probe(wss, page);
        }
        entry->page = page;
        wss->now.new_pages++;
        if (wss->first_uses) {
            FirstUse use = { page, wss->window };

            g_array_append_val(wss->first_uses, use);
        }
    }
    wss->recent[page % RECENT] = entry;
    return entry;
}

/* The first use of a line in the window, for reading or for writing. */
static __attribute__((noinline)) void touch_new(Wss *wss, PageUse *entry, uint64_t line, bool store)
{
    Window *now = &wss->now;

    if (entry->window != wss->window) {
        entry->window = wss->window;
        entry->read = entry->written = 0;
        now->pages++;
    }
    now->lines += !((entry->read | entry->written) & line);
    if (store) {
        now->pages_written += !entry->written;
        now->lines_written++;
        entry->written |= line;
    } else {
        now->pages_read += !entry->read;
        now->lines_read++;
        entry->read |= line;
    }
}

static inline __attribute__((always_inline)) void touch(Wss *wss, uint64_t line, bool store)
{
    uint64_t page = (line >> (PAGE_SHIFT - LINE_SHIFT)) + 1, bit = UINT64_C(1) << (line & 63);
    PageUse *entry = wss->recent[page % RECENT];

    if (G_UNLIKELY(entry->page != page))
        entry = find(wss, page);
    if (G_UNLIKELY(entry->window != wss->window || !((store ? entry->written : entry->read) & bit)))
        touch_new(wss, entry, bit, store);
}

static bool begin_window(Wss *wss, uint64_t number, uint64_t begin, GError **error)
{
    if (wss->is_open)
        g_array_append_val(wss->windows, wss->now);
    if (wss->windows->len >= MAX_WINDOWS)
        return mt_fail(error, "there are more than %u windows: choose a larger --window", MAX_WINDOWS);
    wss->is_open = true;
    wss->window = number;
    wss->now = (Window){ .begin = begin };
    wss->left = wss->accesses_per_window;
    return true;
}

static void add_records(Wss *wss, const struct mt_batch *batch, size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++) {
        uint64_t address = batch->address[i];
        uint64_t first = address >> LINE_SHIFT, last = (address + mt_size(batch->info[i]) - 1) >> LINE_SHIFT;
        bool store = mt_is_store(batch->info[i]);

        touch(wss, first, store);
        if (G_UNLIKELY(last != first))
            touch(wss, last, store);
    }
    wss->now.accesses += end - begin;
    wss->records += end - begin;
}

/* Windows of time in which nothing was accessed are left out. Time of several vCPUs may go back a little. */
static bool add_by_time(Wss *wss, const struct mt_batch *batch, GError **error)
{
    uint64_t number = batch->time_ns / wss->ns_per_window + 1;

    if (number > wss->window && !begin_window(wss, number, (number - 1) * wss->ns_per_window, error))
        return false;
    add_records(wss, batch, 0, batch->count);
    return true;
}

static bool wss_add(void *data, const struct mt_batch *batch, GError **error)
{
    Wss *wss = data;

    if (wss->ns_per_window)
        return !batch->count || add_by_time(wss, batch, error);
    for (size_t done = 0; done < batch->count;) {
        size_t count;

        if (!wss->left && !begin_window(wss, wss->window + 1, wss->records, error))
            return false;
        count = MIN(batch->count - done, wss->left);
        add_records(wss, batch, done, done + count);
        wss->left -= count;
        done += count;
    }
    return true;
}

/* Parts of the work, which begin where windows do. */

static AnalysisDivision wss_divide(const void *options, unsigned jobs)
{
    const WssOptions *own = options;
    Wss wss = { 0 };

    (void)jobs;
    if (!parse_window(own->window ? own->window : DEFAULT_WINDOW, &wss, NULL))
        return (AnalysisDivision){ 0 };
    if (wss.ns_per_window)
        return (AnalysisDivision){ .why_not = "it isn't known before where windows of time begin" };
    return (AnalysisDivision){ .split = ANALYSIS_BY_TIME, .counts_records = true, .step = wss.accesses_per_window };
}

static void wss_take_part(void *data, const AnalysisPart *part)
{
    Wss *wss = data;

    wss->records = part->before;
    wss->window = part->before / wss->accesses_per_window;
    if (part->number)
        wss->first_uses = g_array_new(FALSE, FALSE, sizeof(FirstUse));
}

/* Pages that were new to the next part may have been touched in this one. */
static void merge_pages(Wss *wss, Wss *next, uint64_t first_window)
{
    for (guint i = 0; i < next->first_uses->len; i++) {
        const FirstUse *use = &g_array_index(next->first_uses, FirstUse, i);
        PageUse *entry = probe(wss, use->page);

        if (entry->page)
            g_array_index(wss->windows, Window, use->window - first_window).new_pages--;
        else
            entry = find(wss, use->page);
        *entry = *probe(next, use->page);
    }
}

static bool wss_merge(void *data, void *other, GError **error)
{
    Wss *wss = data, *next = other;
    uint64_t first_window = wss->window - wss->windows->len + !wss->is_open; /* that of windows[0] */

    if (!next->is_open) /* the next part had no record */
        return true;
    if (wss->is_open)
        g_array_append_val(wss->windows, wss->now);
    g_array_append_vals(wss->windows, next->windows->data, next->windows->len);
    if (wss->windows->len >= MAX_WINDOWS)
        return mt_fail(error, "there are more than %u windows: choose a larger --window", MAX_WINDOWS);
    g_array_append_val(wss->windows, next->now);
    merge_pages(wss, next, first_window);
    wss->now = g_array_index(wss->windows, Window, wss->windows->len - 1);
    g_array_set_size(wss->windows, wss->windows->len - 1);
    wss->is_open = true;
    wss->window = next->window;
    wss->records = next->records;
    return true;
}

/* The result. */

static const ReportColumn window_columns[] = {
    { "begin", "begin", REPORT_COUNT },           { "accesses", "accesses", REPORT_COUNT },
    { "lines", "lines", REPORT_COUNT },           { "lines_read", "read", REPORT_COUNT },
    { "lines_written", "written", REPORT_COUNT }, { "pages", "pages", REPORT_COUNT },
    { "pages_read", "read", REPORT_COUNT },       { "pages_written", "written", REPORT_COUNT },
    { "new_pages", "new pages", REPORT_COUNT },   { NULL }
};

static void add_window(ReportTable *table, const Window *window)
{
    report_table_add_row(table, window->begin, window->accesses, window->lines, window->lines_read,
                         window->lines_written, window->pages, window->pages_read, window->pages_written,
                         window->new_pages);
}

/* The mean and the largest working set, of lines or of pages. */
static void describe_sizes(const Wss *wss, Report *report)
{
    uint64_t lines = 0, pages = 0, most_lines = 0, most_pages = 0, count = wss->windows->len + wss->is_open;

    for (uint64_t i = 0; i < count; i++) {
        const Window *window = i < wss->windows->len ? &g_array_index(wss->windows, Window, i) : &wss->now;

        lines += window->lines;
        pages += window->pages;
        most_lines = MAX(most_lines, window->lines);
        most_pages = MAX(most_pages, window->pages);
    }
    report_add_count(report, "mean_lines", "lines, mean", count ? lines / count : 0);
    report_add_count(report, "most_lines", "lines, most", most_lines);
    report_add_count(report, "mean_pages", "pages, mean", count ? pages / count : 0);
    report_add_count(report, "most_pages", "pages, most", most_pages);
}

/* The pages by how many windows they have not been touched for, at the end. */
static void describe_ages(const Wss *wss, Report *report)
{
    static const ReportColumn columns[] = { { "windows", "windows <", REPORT_COUNT },
                                            { "pages", "pages", REPORT_COUNT },
                                            { NULL } };
    ReportTable *table =
        report_add_table(report, "idle_pages", "pages by the windows since they were touched", columns);
    uint64_t ages[64] = { 0 };

    for (uint64_t i = 0; i < UINT64_C(1) << wss->bits; i++)
        if (wss->entries[i].page) {
            uint64_t age = wss->window - wss->entries[i].window;

            ages[age ? 64 - __builtin_clzll(age) : 0]++;
        }
    for (unsigned i = 0; i < AGES; i++)
        if (ages[i])
            report_table_add_row(table, UINT64_C(1) << i, ages[i]);
}

static void wss_describe(void *data, Report *report)
{
    const Wss *wss = data;
    ReportTable *table;

    report_add_count(report, "accesses", "accesses", wss->records);
    if (wss->ns_per_window)
        report_add_count(report, "window_ns", "ns of a window", wss->ns_per_window);
    else
        report_add_count(report, "window_accesses", "accesses of a window", wss->accesses_per_window);
    report_add_count(report, "windows_count", "windows", wss->windows->len + wss->is_open);
    describe_sizes(wss, report);
    describe_ages(wss, report);
    table = report_add_table(report, "windows",
                             wss->ns_per_window ? "working set by time (ns)" : "working set by accesses before",
                             window_columns);
    for (guint i = 0; i < wss->windows->len; i++)
        add_window(table, &g_array_index(wss->windows, Window, i));
    if (wss->is_open)
        add_window(table, &wss->now);
}

static const WssOptions defaults = { 0 };
static const AnalysisOption options[] = {
    { "window", G_OPTION_ARG_STRING, offsetof(WssOptions, window),
      "How long a window is: accesses (default: 1M), or guest time such as 10ms", "N|TIME" },
    { NULL },
};

static unsigned wss_columns(const void *given)
{
    const WssOptions *own = given;
    bool by_time = own->window && strchr(own->window, 's');

    return MT_COLUMN_ADDRESS | MT_COLUMN_INFO | (by_time ? MT_COLUMN_TIME : 0);
}

const AnalysisType wss_analysis = {
    .name = "wss",
    .summary = "How much memory the accesses touched in each window of time: the working set.",
    .columns = MT_COLUMN_ADDRESS | MT_COLUMN_INFO | MT_COLUMN_TIME,
    .options = options,
    .defaults = &defaults,
    .options_bytes = sizeof defaults,
    .columns_for = wss_columns,
    .begin = wss_begin,
    .add = wss_add,
    .describe = wss_describe,
    .end = wss_end,
    .divide = wss_divide,
    .take_part = wss_take_part,
    .merge = wss_merge,
};
