/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * JSON with whole numbers up to 2^64 - 1. json-glib has signed ones only, and turns the others into negative ones, so
 * those from 2^63 on are kept in its objects as strings that begin with a mark which no text has. JSON that may
 * have such numbers must be read, written and looked at with these functions.
 */
#ifndef MEMORY_TRACER_BASE_JSON_NUMBERS_H
#define MEMORY_TRACER_BASE_JSON_NUMBERS_H

#include <json-glib/json-glib.h>
#include <stdbool.h>
#include <stdint.h>

void json_object_set_u64_member(JsonObject *object, const char *name, uint64_t value);

/* A node that holds this number. To be unreferenced. */
JsonNode *json_node_new_u64(uint64_t value);

/* Whether the node is a whole number that is not negative; *value becomes it. */
bool json_node_get_u64(JsonNode *node, uint64_t *value);

/* As json_from_string(); NULL if it isn't JSON. To be unreferenced. */
JsonNode *json_parse_text(const char *text);

/* As json_to_string(). To be freed. */
char *json_make_text(JsonNode *node, bool pretty);

#endif
