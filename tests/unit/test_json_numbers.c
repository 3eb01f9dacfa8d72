/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON with numbers that json-glib can't hold. */
#include <glib.h>

#include "../../src/base/json_numbers.h"

static void assert_stays(const char *text)
{
    g_autoptr(JsonNode) node = json_parse_text(text);
    g_autofree char *again = NULL;

    g_assert_nonnull(node);
    again = json_make_text(node, false);
    g_assert_cmpstr(again, ==, text);
}

static void test_what_is_read_is_written(void)
{
    static const char *const texts[] = {
        "{\"a\":18446744073709551615,\"b\":[9223372036854775808,{\"c\":9223372036854775807}]}",
        "{\"a\":-1,\"b\":-9223372036854775808,\"c\":0,\"d\":18446744073709551614}",
        "{\"a\":\"18446744073709551615\",\"b\":\"\\\"18446744073709551615\",\"18446744073709551615\":\"\\\\\"}",
        "[18446744073709551615]",
        "18446744073709551615",
        "{}",
    };

    for (guint i = 0; i < G_N_ELEMENTS(texts); i++)
        assert_stays(texts[i]);
}

static void test_numbers(void)
{
    static const uint64_t values[] = { 0, 1, INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX };

    for (guint i = 0; i < G_N_ELEMENTS(values); i++) {
        g_autoptr(JsonNode) root = json_node_new(JSON_NODE_OBJECT), again = NULL;
        g_autofree char *text = NULL, *expected = g_strdup_printf("{\"n\":%" G_GUINT64_FORMAT "}", values[i]);
        JsonObject *object = json_object_new();
        uint64_t value = 7;

        json_node_take_object(root, object);
        json_object_set_u64_member(object, "n", values[i]);
        g_assert_true(json_node_get_u64(json_object_get_member(object, "n"), &value));
        g_assert_cmpuint(value, ==, values[i]);
        text = json_make_text(root, false);
        g_assert_cmpstr(text, ==, expected);
        again = json_parse_text(text);
        g_assert_true(json_node_get_u64(json_object_get_member(json_node_get_object(again), "n"), &value));
        g_assert_cmpuint(value, ==, values[i]);
    }
}

static void test_what_is_no_unsigned_number(void)
{
    static const char *const texts[] = { "{\"n\":-1}",   "{\"n\":\"18446744073709551615\"}",
                                         "{\"n\":1.5}",  "{\"n\":[1]}",
                                         "{\"n\":1e19}", "{\"n\":null}" };

    for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(JsonNode) node = json_parse_text(texts[i]);
        uint64_t value;

        g_assert_nonnull(node);
        g_assert_false(json_node_get_u64(json_object_get_member(json_node_get_object(node), "n"), &value));
    }
}

/* What is written comes from a file that may be anything: no crash, and no text from nowhere. */
static void test_bad_text(void)
{
    static const char *const texts[] = { "",
                                         "\"",
                                         "\"\\",
                                         "{\"a\":",
                                         "18446744073709551615x",
                                         "{\"a\":1844674407370955161518}",
                                         "-",
                                         "{\"a\":--18446744073709551615}" };

    for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(JsonNode) node = json_parse_text(texts[i]);
        g_autofree char *text = node ? json_make_text(node, true) : NULL;

        g_assert_true(!node || text);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/json_numbers/what_is_read_is_written", test_what_is_read_is_written);
    g_test_add_func("/json_numbers/numbers", test_numbers);
    g_test_add_func("/json_numbers/what_is_no_unsigned_number", test_what_is_no_unsigned_number);
    g_test_add_func("/json_numbers/bad_text", test_bad_text);
    return g_test_run();
}
