/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which resource limit explains a message. */
#include <errno.h>

#include "../../src/base/limits.h"

static void set(int resource, rlim_t value)
{
    struct rlimit limit;

    g_assert_cmpint(getrlimit((__rlimit_resource_t)resource, &limit), ==, 0);
    limit.rlim_cur = value;
    g_assert_cmpint(setrlimit((__rlimit_resource_t)resource, &limit), ==, 0);
}

static void check(int code, const char *wanted)
{
    g_autofree char *message = g_strdup_printf("can't do this: %s", g_strerror(code));
    g_autofree char *text = limits_explain(message);

    g_assert_cmpstr(text, ==, wanted);
}

static void test_a_thread_may_lack_memory_or_a_process(void)
{
    struct rlimit before;

    g_assert_cmpint(getrlimit(RLIMIT_NPROC, &before), ==, 0);
    set(RLIMIT_NPROC, 12);
    check(EAGAIN, " (ulimit -u is 12)");
    check(ENOMEM, "");
    set(RLIMIT_AS, (rlim_t)1 << 46); /* the address sanitizer has much */
    check(EAGAIN, " (ulimit -v is 68719476736, ulimit -u is 12)");
    check(ENOMEM, " (ulimit -v is 68719476736)");
    set(RLIMIT_DATA, (rlim_t)1 << 45);
    check(EAGAIN, " (ulimit -v is 68719476736, ulimit -d is 34359738368, ulimit -u is 12)");
    check(ENOMEM, " (ulimit -v is 68719476736, ulimit -d is 34359738368)");
    check(EACCES, "");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/limits/a_thread_may_lack_memory_or_a_process", test_a_thread_may_lack_memory_or_a_process);
    return g_test_run();
}
