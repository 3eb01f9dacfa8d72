/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What was mapped as code, from what a ring tells. */
#include <string.h>

#include "../../src/run/mapped_code.h"

static void add(Ring *ring, enum change_kind kind, uint64_t address, uint64_t flags, uint64_t offset, const char *path)
{
    Change change = { .kind = (uint16_t)kind, .values = 5, .value = { 1, address, address + 4096, flags, offset } };

    strcpy(change.text, path);
    change.text_bytes = (uint16_t)strlen(path);
    g_assert_cmpuint(ring_add_change(ring, &change), >, 0);
}

/* Several processes map the same files at the same places. */
static void test_each_is_listed_once(void)
{
    g_autoptr(Ring) ring = ring_new(1, 2 * RING_CHUNK_BYTES, MT_FIELD_TASK, NULL);
    g_autoptr(GPtrArray) list = NULL;
    const uint64_t code = CHANGE_MAP_READ | CHANGE_MAP_EXECUTE;

    for (unsigned i = 0; i < 100; i++) {
        add(ring, CHANGE_MAP, 0x1000, code, 0, "/a");
        add(ring, CHANGE_MAP, 0x1000, code, 0x1000, "/a");
        add(ring, CHANGE_MAP, 0x2000, code, 0, "/a");
        add(ring, CHANGE_MAP, 0x1000, code, 0, "/b");
        add(ring, CHANGE_MAP, 0x1000, CHANGE_MAP_READ, 0, "/data");
        add(ring, CHANGE_MAP, 0x1000, code, 0, "");
        add(ring, CHANGE_UNMAP, 0x1000, code, 0, "/c");
        add(ring, CHANGE_WAS_MAPPED, 0x2000, code, 0, "/b"); /* before tracing began */
    }
    list = mapped_code_list(ring);
    g_assert_cmpuint(list->len, ==, 5);
    g_assert_cmpstr(((MappedCode *)list->pdata[0])->path, ==, "/a");
    g_assert_cmpuint(((MappedCode *)list->pdata[1])->offset, ==, 0x1000);
    g_assert_cmpuint(((MappedCode *)list->pdata[2])->address, ==, 0x2000);
    g_assert_cmpstr(((MappedCode *)list->pdata[3])->path, ==, "/b");
    g_assert_cmpuint(((MappedCode *)list->pdata[4])->address, ==, 0x2000);
}

static void test_a_ring_without_tasks_tells_none(void)
{
    g_autoptr(Ring) ring = ring_new(1, 2 * RING_CHUNK_BYTES, 0, NULL);
    g_autoptr(GPtrArray) list = mapped_code_list(ring);

    g_assert_cmpuint(list->len, ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/mapped_code/once", test_each_is_listed_once);
    g_test_add_func("/mapped_code/none", test_a_ring_without_tasks_tells_none);
    return g_test_run();
}
