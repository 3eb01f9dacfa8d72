/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the line on the terminal says. */
#include "../../src/base/progress.h"

static void test_text(void)
{
    static const struct {
        uint64_t done, total;
        gint64 elapsed_s;
        const char *text;
    } cases[] = {
        { 250000000, 1000000000, 10, "250 of 1000 M records, 30 s left" },
        { 1000000000, 1000000000, 10, "1000 of 1000 M records, 0 s left" },
        { 1000000, 1000000000, 2, "1 of 1000 M records, 33 min left" },
        { 0, 1000000000, 2, "0 of 1000 M records" },
        { 1100000000, 1000000000, 2, "1100 of 1000 M records" }, /* what is done twice */
        { 7000000, PROGRESS_UNKNOWN, 2, "7 M records" },
        { 0, 0, 2, "0 of 0 M records" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = progress_text(cases[i].done, cases[i].total, cases[i].elapsed_s * G_USEC_PER_SEC);

        g_assert_cmpstr(text, ==, cases[i].text);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/progress/text", test_text);
    return g_test_run();
}
