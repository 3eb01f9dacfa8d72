/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One result in its three forms. */
#include <glib.h>
#include <locale.h>
#include <string.h>

#include "../../src/base/json_numbers.h"
#include "../../src/report/picture.h"
#include "../../src/report/report.h"

static const ReportColumn columns[] = { { "page", "page", REPORT_ADDRESS },
                                        { "accesses", "accesses", REPORT_COUNT },
                                        { "share", "%", REPORT_REAL },
                                        { "function", "in", REPORT_TEXT },
                                        { NULL } };

/* Everything that a report can have, with strings as an attacker may choose them. */
static Report *make(void)
{
    static const char *const words[] = { "a", "b,c", NULL };
    Report *report = report_new(), *section, *quiet;
    ReportTable *table;

    report_set_title(report, "the title");
    report_add_count(report, "accesses", "accesses", UINT64_MAX);
    report_add_share(report, "loads", "loads", 25, 100);
    report_add_real(report, "rate", "per second", 1234.5678, 1);
    report_add_text(report, "path", "the path", "a\"b,\x1b[2Jc\n");
    report_add_flag(report, "good", "good", true);
    report_add_texts(report, "fields", "fields", words);
    report_add_count(report, "hidden", NULL, 7);
    report_add_count(report, NULL, "only for people", 8);
    report_add_json(report, "metadata", "metadata",
                    json_parse_text("{\"kernel\": \"6.12\", \"more\": {\"n\": [1, 2]}}"));
    section = report_add_section(report, "by_size", "by size");
    report_add_count(section, "8", "of 8 bytes", 3);
    quiet = report_add_section(report, "quiet", "");
    report_add_count(quiet, "inside", "inside", 4);
    table = report_add_table(report, "pages", "the pages", columns);
    report_table_add_row(table, UINT64_C(0xffff800000000000), UINT64_C(12), 50.0, "main");
    report_table_add_row(table, UINT64_C(0x1000), UINT64_C(3), 12.5, "x,y");
    return report;
}

static void test_text(void)
{
    g_autoptr(Report) report = make();
    g_autofree char *text = report_as_text(report);

    g_assert_cmpstr(text, ==,
                    "the title\n"
                    "  accesses                 18446744073709551615\n"
                    "  loads                                    25   25.0 %\n"
                    "  per second                           1234.6\n"
                    "  the path                 a\"b,\\x1b[2Jc\n"
                    "  good                     yes\n"
                    "  fields                   a, b,c\n"
                    "  only for people                           8\n"
                    "  metadata\n"
                    "    kernel                   6.12\n"
                    "    more\n"
                    "      n                        [1,2]\n"
                    "  by size\n"
                    "    of 8 bytes                                3\n"
                    "  inside                                    4\n"
                    "  the pages\n"
                    "                  page  accesses       %  in\n"
                    "    0xffff800000000000        12  50.000  main\n"
                    "                0x1000         3  12.500  x,y\n");
}

static void test_json(void)
{
    g_autoptr(Report) report = make();
    g_autofree char *text = report_as_json(report, false);

    g_assert_cmpstr(text, ==,
                    "{\"accesses\":18446744073709551615,\"loads\":25,\"rate\":1234.5678,"
                    "\"path\":\"a\\\"b,\\u001b[2Jc\\n\",\"good\":true,\"fields\":[\"a\",\"b,c\"],\"hidden\":7,"
                    "\"metadata\":{\"kernel\":\"6.12\",\"more\":{\"n\":[1,2]}},\"by_size\":{\"8\":3},"
                    "\"quiet\":{\"inside\":4},\"pages\":[{\"page\":\"0xffff800000000000\",\"accesses\":12,"
                    "\"share\":50.0,\"function\":\"main\"},{\"page\":\"0x1000\",\"accesses\":3,\"share\":12.5,"
                    "\"function\":\"x,y\"}]}\n");
}

static void test_csv(void)
{
    g_autoptr(Report) report = make();
    g_autofree char *text = report_as_csv(report);

    g_assert_cmpstr(text, ==,
                    "name,value\n"
                    "accesses,18446744073709551615\n"
                    "loads,25\n"
                    "rate,1234.5678\n"
                    "path,\"a\"\"b,\\x1b[2Jc\"\n"
                    "good,true\n"
                    "fields,\"[\"\"a\"\",\"\"b,c\"\"]\"\n"
                    "hidden,7\n"
                    "metadata,\"{\"\"kernel\"\":\"\"6.12\"\",\"\"more\"\":{\"\"n\"\":[1,2]}}\"\n"
                    "by_size.8,3\n"
                    "quiet.inside,4\n"
                    "\n"
                    "page,accesses,share,function\n"
                    "0xffff800000000000,12,50.000,main\n"
                    "0x1000,3,12.500,\"x,y\"\n");
}

static void test_nothing(void)
{
    g_autoptr(Report) report = report_new();
    g_autofree char *text = report_as_text(report), *json = report_as_json(report, false);

    report_add_table(report, "empty", "nothing of it is printed", columns);
    g_assert_cmpstr(text, ==, "");
    g_assert_cmpstr(json, ==, "{}\n");
}

/* Names of processes, files and functions are any bytes: all forms stay UTF-8, and none moves a terminal's cursor. */
static void test_bytes_of_a_guest(void)
{
    static const char name[] = "a\x1b[2J\nb\xff";
    const char *const names[] = { name, NULL };
    g_autoptr(Report) report = report_new();
    g_autofree char *text = NULL, *json = NULL, *csv = NULL;
    ReportTable *table = report_add_table(report, "functions", "functions", &columns[3]);

    report_table_add_row(table, name);
    report_add_text(report, "command", "command", name);
    report_add_texts(report, "files", "files", names);
    report_add_sentence(report, "records", name, 1);
    report_add_text(report_add_to_list(report, "processes", name), "in", "in", name);
    text = report_as_text(report);
    json = report_as_json(report, false);
    csv = report_as_csv(report);
    g_assert_cmpstr(text, ==,
                    "functions\n"
                    "  in\n"
                    "  a\\x1b[2J\\x0ab\\xff\n"
                    "command                  a\\x1b[2J\\x0ab\\xff\n"
                    "files                    a\\x1b[2J\\x0ab\\xff\n"
                    "a\\x1b[2J\\x0ab\\xff\n"
                    "a\\x1b[2J\\x0ab\\xff\n"
                    "  in                       a\\x1b[2J\\x0ab\\xff\n");
    g_assert_cmpstr(
        json, ==,
        "{\"functions\":[{\"function\":\"a\\\\x1b[2J\\\\x0ab\\\\xff\"}],\"command\":\"a\\\\x1b[2J\\\\x0ab\\\\xff\","
        "\"files\":[\"a\\\\x1b[2J\\\\x0ab\\\\xff\"],\"records\":1,"
        "\"processes\":[{\"in\":\"a\\\\x1b[2J\\\\x0ab\\\\xff\"}]}\n");
    g_assert_cmpstr(csv, ==,
                    "name,value\n"
                    "command,a\\x1b[2J\\x0ab\\xff\n"
                    "files,\"[\"\"a\\\\x1b[2J\\\\x0ab\\\\xff\"\"]\"\n"
                    "records,1\n"
                    "processes.0.in,a\\x1b[2J\\x0ab\\xff\n"
                    "\n"
                    "function\n"
                    "a\\x1b[2J\\x0ab\\xff\n");
}

/* Two kinds of memory have room beside a picture; of a long name of a file the beginning has. */
static void test_names_beside_a_picture(void)
{
    static const uint64_t counts[4] = { 1, 1, 1, 1 };
    PictureRegion regions[] = { { 0, 0x1000, "kernel-data, kernel-stack" },
                                { 1, 0x2000, "a\xff<\x1b.so" },
                                { 2, 0x3000, "a-library-whose-name-is-much-too-long.so" },
                                { 3, 0x4000, "\u00e4\u00f6" } };
    Picture picture = { .rows = 4, .columns = 1, .counts = counts, .max = 1, .title = "", .time_end = 1 };
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) svg = NULL, png = NULL;
    g_autofree char *text = NULL;

    picture.regions = regions;
    picture.region_count = G_N_ELEMENTS(regions);
    svg = picture_as_svg(&picture);
    png = picture_as_png(&picture, &error);
    g_assert_no_error(error);
    text = g_strndup(g_bytes_get_data(svg, NULL), g_bytes_get_size(svg));
    g_assert_true(g_utf8_validate(text, -1, NULL));
    g_assert_nonnull(strstr(text, ">kernel-data, kernel-stack<"));
    g_assert_nonnull(strstr(text, ">a\\xff&lt;\\x1b.so<"));
    g_assert_nonnull(strstr(text, ">a-library-whose-name-is-muc...<"));
    g_assert_nonnull(strstr(text, ">\u00e4\u00f6<"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    setlocale(LC_ALL, "C");
    g_test_add_func("/report/text", test_text);
    g_test_add_func("/report/json", test_json);
    g_test_add_func("/report/csv", test_csv);
    g_test_add_func("/report/nothing", test_nothing);
    g_test_add_func("/report/bytes_of_a_guest", test_bytes_of_a_guest);
    g_test_add_func("/report/names_beside_a_picture", test_names_beside_a_picture);
    return g_test_run();
}
