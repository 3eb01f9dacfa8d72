/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The plugin's arguments: what is accepted, and that what isn't is refused with a message that names it. */
#include <glib.h>
#include <string.h>

#include "../../src/plugin/plugin.h"

static void test_good_arguments(void)
{
    char *argv[] = { "out=/tmp/x", "start=now", "user_only=on", "when_full=drop", "ring_kib=128" };
    g_autoptr(GError) error = NULL;
    PluginOptions options;

    g_assert_true(plugin_options_parse(&options, G_N_ELEMENTS(argv), argv, &error));
    g_assert_cmpstr(options.out, ==, "/tmp/x");
    g_assert_cmpint(options.start, ==, START_NOW);
    g_assert_true(options.user_only);
    g_assert_cmpint(options.when_full, ==, RING_DROP);
    g_assert_cmpuint(options.ring_bytes, ==, 128 * 1024);
    g_free(options.out);
}

static void test_defaults(void)
{
    char *argv[] = { "ring_fd=5" };
    PluginOptions options;

    g_assert_true(plugin_options_parse(&options, 1, argv, NULL));
    g_assert_cmpint(options.ring_fd, ==, 5);
    g_assert_cmpint(options.start, ==, START_AT_MARKER);
    g_assert_false(options.user_only);
    g_assert_cmpint(options.when_full, ==, RING_BLOCK);
}

static void test_bad_arguments(void)
{
    static const struct {
        const char *argument, *named;
    } bad[] = {
        { "start=soon", "soon" },       { "user_only=maybe", "maybe" }, { "when_full=", "when_full" },
        { "ring_kib=1", "ring_kib" },   { "ring_kib=x", "ring_kib" },   { "ring_fd=-1", "ring_fd" },
        { "colour=red", "colour=red" }, { "start", "start" },           { "", "argument" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        char *argv[] = { "out=/tmp/x", (char *)bad[i].argument };
        g_autoptr(GError) error = NULL;
        PluginOptions options;

        g_assert_false(plugin_options_parse(&options, 2, argv, &error));
        g_assert_nonnull(strstr(error->message, bad[i].named));
        g_assert_null(strchr(error->message, '\n'));
        g_free(options.out);
    }
}

static void test_exactly_one_output(void)
{
    char *both[] = { "out=/tmp/x", "ring_fd=5" };
    PluginOptions options;

    g_assert_false(plugin_options_parse(&options, 2, both, NULL));
    g_free(options.out);
    g_assert_false(plugin_options_parse(&options, 0, both, NULL));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/plugin_options/good_arguments", test_good_arguments);
    g_test_add_func("/plugin_options/defaults", test_defaults);
    g_test_add_func("/plugin_options/bad_arguments", test_bad_arguments);
    g_test_add_func("/plugin_options/exactly_one_output", test_exactly_one_output);
    return g_test_run();
}
