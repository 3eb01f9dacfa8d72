/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON with unsigned numbers: see json_numbers.h. */
#include "json_numbers.h"

#include <errno.h>
#include <string.h>

/* What a string begins with that stands for a number. A noncharacter of Unicode, which is for a program's own use. */
#define MARK "\xef\xb7\x90"
#define MAX_DIGITS 20

/* The length of the whole number from 2^63 to 2^64 - 1 that `text` begins with; 0 if it doesn't. */
static size_t large_number(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    uint64_t value;

    if (!digits || digits > MAX_DIGITS || *text == '0' || (text[digits] && strchr(".eE", text[digits])))
        return 0;
    errno = 0;
    value = g_ascii_strtoull(text, NULL, 10);
    return !errno && value > INT64_MAX ? digits : 0;
}

JsonNode *json_node_new_u64(uint64_t value)
{
    g_autofree char *text = NULL;

    if (value <= INT64_MAX)
        return json_node_init_int(json_node_alloc(), (gint64)value);
    text = g_strdup_printf(MARK "%" G_GUINT64_FORMAT, value);
    return json_node_init_string(json_node_alloc(), text);
}

void json_object_set_u64_member(JsonObject *object, const char *name, uint64_t value)
{
    json_object_set_member(object, name, json_node_new_u64(value));
}

bool json_node_get_u64(JsonNode *node, uint64_t *value)
{
    GType type = JSON_NODE_HOLDS_VALUE(node) ? json_node_get_value_type(node) : G_TYPE_INVALID;
    const char *text = type == G_TYPE_STRING ? json_node_get_string(node) : NULL;

    if (text && g_str_has_prefix(text, MARK)) {
        *value = g_ascii_strtoull(text + strlen(MARK), NULL, 10);
        return true;
    }
    if (type != G_TYPE_INT64 || json_node_get_int(node) < 0)
        return false;
    *value = (uint64_t)json_node_get_int(node);
    return true;
}

/* Where the string that begins at `text` ends. */
static const char *skip_string(const char *text)
{
    for (text++; *text && *text != '"'; text++)
        if (*text == '\\' && text[1])
            text++;
    return *text ? text + 1 : text;
}

JsonNode *json_parse_text(const char *text)
{
    g_autoptr(GString) marked = g_string_new(NULL);

    while (*text) {
        size_t count = *text == '"' ? (size_t)(skip_string(text) - text) : MAX(strcspn(text, "\"0123456789-"), 1);
        size_t digits = large_number(text);

        if (digits) {
            g_string_append_printf(marked, "\"" MARK "%.*s\"", (int)digits, text);
            count = digits;
        } else {
            if (g_ascii_isdigit(*text) || *text == '-') /* another number, as a whole */
                count = 1 + strspn(text + 1, "0123456789.eE+-");
            g_string_append_len(marked, text, (gssize)count);
        }
        text += count;
    }
    return json_from_string(marked->str, NULL);
}

char *json_make_text(JsonNode *node, bool pretty)
{
    g_autofree char *marked = json_to_string(node, pretty);
    GString *text = g_string_new(NULL);
    size_t mark = strlen("\"" MARK);

    for (const char *at = marked; *at;) {
        const char *end = *at == '"' ? skip_string(at) : at + MAX(strcspn(at, "\""), 1);
        size_t digits = g_str_has_prefix(at, "\"" MARK) ? large_number(at + mark) : 0;

        if (digits && at + mark + digits + 1 == end)
            g_string_append_len(text, at + mark, (gssize)digits);
        else
            g_string_append_len(text, at, end - at);
        at = end;
    }
    return g_string_free(text, FALSE);
}
