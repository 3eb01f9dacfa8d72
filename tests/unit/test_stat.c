/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The analysis `stat` against sets kept the slow way, and orders that are known. */
#include <fcntl.h>
#include <glib.h>
#include <unistd.h>

#include "../../src/analysis/stat.h"
#include "../../src/analysis/stat_steps.h"
#include "../../src/base/json_numbers.h"

#define STORE 32
#define USER 0xc0

/* The analysis, and what was added to it in one batch. */
typedef struct {
    AnalysisRequest *request;
    mt_trace *trace;
    Context *context;
    Analysis *analysis;
} Fixture;

static void set_up(Fixture *fixture, gconstpointer data)
{
    (void)data;
    /* An empty stream: the context of records without instructions. */
    fixture->trace = mt_trace_open_fd(open("/dev/null", O_RDONLY), "nothing", MT_FORMAT_GMBEOO, NULL);
    fixture->context = context_new(fixture->trace);
    fixture->request = analysis_request_new(&stat_analysis);
    fixture->analysis = analysis_new(fixture->request, fixture->context, NULL);
    g_assert_nonnull(fixture->analysis);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    (void)data;
    analysis_free(fixture->analysis);
    analysis_request_free(fixture->request);
    context_free(fixture->context);
    mt_trace_close(fixture->trace);
}

static void add(Fixture *fixture, unsigned vcpu, size_t count, const uint64_t *address, const uint8_t *info,
                const uint32_t *instruction)
{
    const struct mt_batch batch = {
        .count = count, .vcpu = vcpu, .address = address, .info = info, .instruction = instruction
    };

    g_assert_true(analysis_add(fixture->analysis, &batch, NULL));
}

static JsonNode *result(Fixture *fixture)
{
    g_autoptr(Report) report = report_new();
    g_autofree char *text = NULL;

    analysis_describe(fixture->analysis, report);
    text = report_as_json(report, true);
    return json_parse_text(text);
}

/* A number by its path, such as "order.same". */
static uint64_t number(JsonNode *node, const char *path)
{
    g_auto(GStrv) names = g_strsplit(path, ".", -1);
    uint64_t value = 0;

    for (char **name = names; *name && node; name++)
        node = json_object_get_member(json_node_get_object(node), *name);
    g_assert_true(node && json_node_get_u64(node, &value));
    return value;
}

static gpointer key(uint64_t value)
{
    return (gpointer)(uintptr_t)(value + 1);
}

static void test_random_accesses_are_counted_exactly(Fixture *fixture, gconstpointer data)
{
    enum { COUNT = 300000 };
    g_autoptr(GHashTable) lines = g_hash_table_new(NULL, NULL), pages = g_hash_table_new(NULL, NULL);
    g_autoptr(GHashTable) huge = g_hash_table_new(NULL, NULL);
    g_autoptr(GRand) random = g_rand_new_with_seed(7);
    g_autofree uint64_t *address = g_new(uint64_t, COUNT);
    g_autofree uint8_t *info = g_new(uint8_t, COUNT);
    uint64_t stores = 0, user = 0, crossing_lines = 0, crossing_pages = 0;

    (void)data;
    for (int i = 0; i < COUNT; i++) {
        uint64_t last;

        /* Some 20,000 pages, so that the table grows; the ends of the address space; any alignment. */
        address[i] = (uint64_t)g_rand_int(random) * 19 + (i % 3 ? 0 : UINT64_C(0xffff800000000000));
        info[i] = (uint8_t)g_rand_int_range(random, 0, 5);
        if (i % 1000 == 0)
            address[i] = UINT64_MAX - 15;
        if (g_rand_boolean(random))
            info[i] |= STORE, stores++;
        if (g_rand_boolean(random))
            info[i] |= USER, user++;
        last = address[i] + mt_size(info[i]) - 1;
        crossing_lines += last >> 6 != address[i] >> 6;
        crossing_pages += last >> 12 != address[i] >> 12;
        for (uint64_t byte = address[i]; byte != last + 1; byte++) {
            g_hash_table_add(lines, key(byte >> 6));
            g_hash_table_add(pages, key(byte >> 12));
            g_hash_table_add(huge, key(byte >> 21));
        }
    }
    for (size_t i = 0; i < COUNT; i += 1000)
        add(fixture, 0, 1000, address + i, info + i, NULL);

    g_autoptr(JsonNode) node = result(fixture);
    g_assert_cmpuint(number(node, "accesses"), ==, COUNT);
    g_assert_cmpuint(number(node, "stores"), ==, stores);
    g_assert_cmpuint(number(node, "loads"), ==, COUNT - stores);
    g_assert_cmpuint(number(node, "user"), ==, user);
    g_assert_cmpuint(number(node, "kernel"), ==, COUNT - user);
    g_assert_cmpuint(number(node, "accesses_by_cpl.3"), ==, user);
    g_assert_cmpuint(number(node, "accesses_by_vcpu.0"), ==, COUNT);
    g_assert_cmpuint(number(node, "distinct_64_byte_lines"), ==, g_hash_table_size(lines));
    g_assert_cmpuint(number(node, "distinct_4_KiB_pages"), ==, g_hash_table_size(pages));
    g_assert_cmpuint(number(node, "distinct_2_MiB_pages"), ==, g_hash_table_size(huge));
    g_assert_cmpuint(number(node, "crossing_lines"), ==, crossing_lines);
    g_assert_cmpuint(number(node, "crossing_pages"), ==, crossing_pages);
}

/* What has been touched doesn't depend on who has touched it, nor on results in between, nor on sizes that no access
 * can have. */
static void test_pages_with_and_without_instructions(Fixture *fixture, gconstpointer data)
{
    static const char *const names[] = {
        "distinct_64_byte_lines", "distinct_4_KiB_pages", "crossing_lines", "crossing_pages", "accesses", "top_pages"
    };
    enum { COUNT = 50000 };
    g_autoptr(GRand) random = g_rand_new_with_seed(11);
    g_autofree uint64_t *address = g_new(uint64_t, COUNT);
    g_autofree uint8_t *info = g_new(uint8_t, COUNT);
    g_autofree uint32_t *instruction = g_new(uint32_t, COUNT);
    Fixture other;

    set_up(&other, data);
    for (int i = 0; i < COUNT; i++) {
        /* Each instruction stays in a line, or leaves it, its page too, or comes back. */
        instruction[i] = (uint32_t)g_rand_int_range(random, 0, 40);
        address[i] = instruction[i] * UINT64_C(0x1000) + (uint64_t)g_rand_int_range(random, 0, 64 << i % 9);
        info[i] = (uint8_t)g_rand_int_range(random, 0, 8);
    }
    for (size_t i = 0; i < COUNT; i += 1000) {
        add(fixture, (unsigned)(i / 1000 % 2), 1000, address + i, info + i, instruction + i);
        if (i % 5000 == 0)
            json_node_unref(result(fixture));
        add(&other, 0, 1000, address + i, info + i, NULL);
    }

    g_autoptr(JsonNode) node = result(fixture), other_node = result(&other);
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        JsonNode *one = json_object_get_member(json_node_get_object(node), names[i]);
        g_autofree char *text = json_to_string(one, FALSE);
        g_autofree char *other_text =
            json_to_string(json_object_get_member(json_node_get_object(other_node), names[i]), FALSE);

        g_assert_cmpstr(text, ==, other_text);
    }
    tear_down(&other, data);
}

static void test_orders(Fixture *fixture, gconstpointer data)
{
    /* Instruction 1 goes forward by its 8 bytes, 2 backward by its 4, 3 by 24, 4 stays, 5 jumps about, all in turns. */
    enum { ROUNDS = 100, INSTRUCTIONS = 5 };
    static const uint8_t infos[INSTRUCTIONS] = { 3, 2 | STORE, 3, 0, 3 };
    uint64_t address[ROUNDS * INSTRUCTIONS];
    uint8_t info[ROUNDS * INSTRUCTIONS];
    uint32_t instruction[ROUNDS * INSTRUCTIONS];

    (void)data;
    for (unsigned i = 0; i < ROUNDS * INSTRUCTIONS; i++) {
        uint64_t round = i / INSTRUCTIONS, which = i % INSTRUCTIONS;
        const uint64_t places[INSTRUCTIONS] = { 0x10000 + 8 * round, 0x20000 - 4 * round, 0x30000 + 24 * round, 0x40000,
                                                0x50000 + round * round * 64 };

        address[i] = places[which];
        info[i] = infos[which];
        instruction[i] = (uint32_t)which + 1;
    }
    add(fixture, 0, ROUNDS * INSTRUCTIONS, address, info, instruction);
    /* The same on another vCPU is a beginning of its own. */
    add(fixture, 1, ROUNDS * INSTRUCTIONS, address, info, instruction);

    g_autoptr(JsonNode) node = result(fixture);
    g_assert_cmpuint(number(node, "order.same"), ==, 2 * (ROUNDS - 1));
    g_assert_cmpuint(number(node, "order.sequential"), ==, 2 * 2 * (ROUNDS - 1));
    g_assert_cmpuint(number(node, "order.strided"), ==, 2 * (ROUNDS - 2)); /* of the first stride nobody knows */
    g_assert_cmpuint(number(node, "order.other"), ==, 2 * (INSTRUCTIONS + 1 + ROUNDS - 1));
    g_assert_cmpuint(number(node, "accesses_by_vcpu.1"), ==, ROUNDS * INSTRUCTIONS);
}

static void test_nothing(Fixture *fixture, gconstpointer data)
{
    g_autoptr(JsonNode) node = result(fixture);

    (void)data;
    g_assert_cmpuint(number(node, "accesses"), ==, 0);
    g_assert_cmpuint(number(node, "distinct_64_byte_lines"), ==, 0);
}

static void test_requests(void)
{
    static const struct {
        const char *word, *problem;
    } bad[] = {
        { "nonsense", "there is no analysis 'nonsense'" }, { "stat:top", "stat: Missing argument" },
        { "stat:top=many", "stat: Cannot parse integer" }, { "stat:speed=9", "stat: Unknown option --speed=9" },
        { "./none.so", "can't load the analysis: " },
    };
    g_autoptr(AnalysisRequest) request = analysis_request_parse("stat:top=3,brief", NULL);
    const StatOptions *options = analysis_request_options(request);

    g_assert_cmpint(options->top, ==, 3);
    g_assert_true(options->brief);
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_null(analysis_request_parse(bad[i].word, &error));
        g_assert_true(g_str_has_prefix(error->message, bad[i].problem));
    }
}

/* An order by its definition: see memory_tracer-stat(1). */
static enum stat_order known_order(uint64_t stride, uint64_t last_stride, uint64_t bytes, uint64_t accesses)
{
    if (!accesses)
        return STAT_OTHER;
    if (!stride)
        return STAT_SAME;
    if (stride == bytes || stride + bytes == 0)
        return STAT_SEQUENTIAL;
    return accesses > 1 && stride == last_stride ? STAT_STRIDED : STAT_OTHER;
}

/* Whether a byte of the access isn't in the line of `last`. */
static bool known_to_leave(uint64_t address, uint64_t last, uint64_t bytes)
{
    for (uint64_t i = 0; i < bytes; i++)
        if ((address + i) / STAT_LINE_BYTES != last / STAT_LINE_BYTES)
            return true;
    return false;
}

/* Any number of steps, of all kinds, at the ends of the address space too; an instruction's steps often follow at once.
 * Groups' own word of an instruction stays as it is. */
static void test_steps(void)
{
    enum { INSTRUCTIONS = 5 };
    g_autoptr(GRand) random = g_rand_new_with_seed(3);

    for (int round = 0; round < 20000; round++) {
        size_t count = (size_t)g_rand_int_range(random, 0, STAT_STEPS + 1);
        uint64_t address[STAT_STEPS], leaving = 0, orders[STAT_ORDERS] = { 1, 2, 3, 4 };
        uint8_t info[STAT_STEPS];
        uint32_t numbers[STAT_STEPS];
        StatInstruction before[INSTRUCTIONS], now[INSTRUCTIONS];
        StatSteps steps;

        for (guint i = 0; i < INSTRUCTIONS; i++) {
            before[i] = (StatInstruction){ .address = (uint64_t)g_rand_int_range(random, -100, 200), /* around 0 */
                                           .accesses = (uint64_t)g_rand_int_range(random, 0, 4),
                                           .tag = g_rand_int(random),
                                           .stores = UINT32_MAX };
            before[i].address_before = before[i].address - (uint64_t)g_rand_int_range(random, -80, 80);
        }
        memcpy(now, before, sizeof now);
        for (size_t i = 0; i < count; i++) {
            StatInstruction *instruction = &now[numbers[i] = (uint32_t)g_rand_int_range(random, 0, INSTRUCTIONS)];
            const uint64_t bytes = UINT64_C(1) << (info[i] = (uint8_t)g_rand_int(random)) % 8;
            const uint64_t last = instruction->address, last_stride = last - instruction->address_before;
            const uint64_t other = (uint64_t)g_rand_int(random) << 32 | g_rand_int(random);
            const uint64_t strides[] = {
                0, bytes, -bytes, bytes * 2, (uint64_t)g_rand_int_range(random, -80, 80), last_stride, other
            };

            address[i] = last + strides[g_rand_int_range(random, 0, G_N_ELEMENTS(strides))];
            orders[known_order(address[i] - last, last_stride, bytes, instruction->accesses)]++;
            if (instruction->accesses < STAT_BEGINNING || known_to_leave(address[i], last, bytes))
                leaving |= UINT64_C(1) << i;
            stat_step(instruction, address[i], &steps, i);
            g_assert_cmphex(instruction->address, ==, address[i]);
            g_assert_cmphex(instruction->address_before, ==, last);
        }
        for (enum stat_way way = STAT_SCALAR; way < STAT_WAYS; way++) {
            uint64_t judged[STAT_ORDERS] = { 1, 2, 3, 4 }, followed[STAT_ORDERS] = { 1, 2, 3, 4 };
            StatInstruction instructions[INSTRUCTIONS];
            StatSteps own;

            if (!stat_way_works(way))
                continue;
            g_assert_cmphex(stat_judge(way, &steps, address, info, count, judged), ==, leaving);
            g_assert_cmpmem(judged, sizeof judged, orders, sizeof orders);
            memcpy(instructions, before, sizeof before);
            g_assert_cmphex(stat_follow(way, instructions, numbers, address, info, count, &own, followed), ==, leaving);
            g_assert_cmpmem(followed, sizeof followed, orders, sizeof orders);
            g_assert_cmpmem(instructions, sizeof instructions, now, sizeof now);
            g_assert_cmpmem(own.accesses, count * sizeof *own.accesses, steps.accesses, count * sizeof *own.accesses);
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/stat/random_accesses_are_counted_exactly", Fixture, NULL, set_up,
               test_random_accesses_are_counted_exactly, tear_down);
    g_test_add("/stat/pages_with_and_without_instructions", Fixture, NULL, set_up,
               test_pages_with_and_without_instructions, tear_down);
    g_test_add("/stat/orders", Fixture, NULL, set_up, test_orders, tear_down);
    g_test_add("/stat/nothing", Fixture, NULL, set_up, test_nothing, tear_down);
    g_test_add_func("/stat/steps", test_steps);
    g_test_add_func("/stat/requests", test_requests);
    return g_test_run();
}
