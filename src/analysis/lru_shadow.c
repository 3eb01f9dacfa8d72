/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An infinite and a fully associative cache: see lru_shadow.h. */
#include "lru_shadow.h"

#define FIRST_BITS 10
#define NONE 0
#define OUTSIDE UINT32_MAX /* `newer` of a line that the fully associative cache doesn't have */

typedef struct {
    uint64_t line;
    uint32_t newer, older; /* numbers of nodes, or NONE */
} Node;

struct LruShadow {
    Node *nodes; /* from number 1 on */
    uint32_t count, room;
    uint32_t *table; /* numbers of nodes, or NONE: open addressing, linear probing, at a load of at most 1/2 */
    unsigned bits;
    uint64_t lines, kept; /* how many lines the cache has room for, and how many it has */
    uint32_t newest, oldest;
};

LruShadow *lru_shadow_new(uint64_t lines)
{
    LruShadow *shadow = g_new0(LruShadow, 1);

    shadow->lines = lines;
    shadow->bits = FIRST_BITS;
    shadow->table = g_new0(uint32_t, (size_t)1 << FIRST_BITS);
    shadow->room = 1u << (FIRST_BITS - 1);
    shadow->nodes = g_new(Node, shadow->room);
    shadow->count = 1;
    return shadow;
}

void lru_shadow_free(LruShadow *shadow)
{
    if (!shadow)
        return;
    g_free(shadow->nodes);
    g_free(shadow->table);
    g_free(shadow);
}

/* The entry of the table that has the line's node, or that it would get. */
static uint32_t *find(const LruShadow *shadow, uint64_t line)
{
    size_t last = ((size_t)1 << shadow->bits) - 1;
    size_t at = (size_t)(line * UINT64_C(0x9e3779b97f4a7c15) >> (64 - shadow->bits));

    while (shadow->table[at] && shadow->nodes[shadow->table[at]].line != line)
        at = (at + 1) & last;
    return &shadow->table[at];
}

static void grow(LruShadow *shadow)
{
    shadow->bits++;
    shadow->room *= 2;
    shadow->nodes = g_renew(Node, shadow->nodes, shadow->room);
    g_free(shadow->table);
    shadow->table = g_new0(uint32_t, (size_t)1 << shadow->bits);
    for (uint32_t number = 1; number < shadow->count; number++)
        *find(shadow, shadow->nodes[number].line) = number;
}

static void unlink_node(LruShadow *shadow, uint32_t number)
{
    Node *node = &shadow->nodes[number];

    if (node->newer)
        shadow->nodes[node->newer].older = node->older;
    else
        shadow->newest = node->older;
    if (node->older)
        shadow->nodes[node->older].newer = node->newer;
    else
        shadow->oldest = node->newer;
    node->newer = OUTSIDE;
    shadow->kept--;
}

static void link_newest(LruShadow *shadow, uint32_t number)
{
    Node *node = &shadow->nodes[number];

    node->newer = NONE;
    node->older = shadow->newest;
    if (shadow->newest)
        shadow->nodes[shadow->newest].newer = number;
    else
        shadow->oldest = number;
    shadow->newest = number;
    if (++shadow->kept > shadow->lines)
        unlink_node(shadow, shadow->oldest);
}

LruShadowResult lru_shadow_access(LruShadow *shadow, uint64_t line)
{
    uint32_t *at = find(shadow, line), number = *at;
    LruShadowResult result = LRU_SHADOW_HIT;

    if (number && number == shadow->newest)
        return LRU_SHADOW_HIT;
    if (!number) {
        result = LRU_SHADOW_FIRST;
        if (shadow->count == shadow->room) {
            grow(shadow);
            at = find(shadow, line);
        }
        number = *at = shadow->count++;
        shadow->nodes[number] = (Node){ .line = line };
    } else if (shadow->nodes[number].newer == OUTSIDE) {
        result = LRU_SHADOW_MISS;
    } else {
        unlink_node(shadow, number);
    }
    link_newest(shadow, number);
    return result;
}
