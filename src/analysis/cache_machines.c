/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The caches of machines: see cache_machines.h. A machine is a text of settings, one a line, named as the options are.
 * Sources: AMD's Software Optimization Guide for Zen 4 (57647), Intel's Optimization Reference Manual (248966; client
 * Skylake with four cores), Arm's Neoverse N1 Technical Reference Manual (100616), with the largest L2 and a system
 * level cache as cloud machines have.
 */
#include "cache_machines.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../base/error.h"

#define HOST "/sys/devices/system/cpu/cpu0/cache"
#define MAX_FILE_BYTES 65536

struct CacheMachine {
    GHashTable *settings; /* names to values; "" for flags */
};

static const struct {
    const char *name, *settings;
} machines[] = {
    { "default", "l1d=32K,8\nl2=1M,8\nl3=32M,16\n" },
    { "zen4", "l1d=32K,8\nl2=1M,8\nl3=32M,16\ninclusion=inclusive,exclusive\n" },
    { "skylake", "l1d=32K,8\nl2=256K,4\nl3=8M,16\ninclusion=non-inclusive,inclusive\n" },
    { "neoverse-n1", "l1d=64K,4\nl2=1M,8\nl3=32M,16\ninclusion=inclusive,non-inclusive\n" },
};

static const char *const known[] = { "l1d",   "l2",        "l3",       "shared",      "policy",
                                     "write", "inclusion", "prefetch", "no-allocate", NULL };

static bool add_line(CacheMachine *machine, char *line, GError **error)
{
    char *value;

    line[strcspn(line, "#")] = 0;
    g_strstrip(line);
    if (!*line)
        return true;
    value = strchr(line, '=');
    if (value)
        *value++ = 0;
    g_strstrip(line);
    g_strdelimit(line, "_", '-');
    if (!g_strv_contains(known, line) || !value != !strcmp(line, "no-allocate"))
        return mt_fail(error,
                       "'%s' is not a setting of caches: there are l1d=, l2=, l3=, shared=, policy=, write=, "
                       "inclusion=, prefetch= and no-allocate",
                       line);
    if (g_hash_table_contains(machine->settings, line))
        return mt_fail(error, "'%s' is set twice", line);
    g_hash_table_insert(machine->settings, g_strdup(line), g_strdup(value ? g_strstrip(value) : ""));
    return true;
}

static bool add_text(CacheMachine *machine, const char *text, GError **error)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

    for (char **line = lines; *line; line++)
        if (!add_line(machine, *line, error))
            return false;
    return true;
}

/* The contents of a file about the host's caches, without the end of line; the caller frees it. NULL: there is no file.
 */
static char *read_host(unsigned index, const char *name)
{
    g_autofree char *path = g_strdup_printf(HOST "/index%u/%s", index, name);
    char *text = NULL;

    return g_file_get_contents(path, &text, NULL, NULL) ? g_strstrip(text) : NULL;
}

/* Adds the host's cache of this index. Returns false if there is none. */
static bool add_host_level(CacheMachine *machine, unsigned index)
{
    g_autofree char *level = read_host(index, "level"), *type = read_host(index, "type");
    g_autofree char *size = read_host(index, "size"), *ways = read_host(index, "ways_of_associativity");
    g_autofree char *line = read_host(index, "coherency_line_size");

    if (!level)
        return false;
    if (type && size && ways && line && strcmp(type, "Instruction") && strlen(level) == 1 && strchr("123", *level))
        g_hash_table_insert(machine->settings, g_strdup_printf(*level == '1' ? "l1d" : "l%s", level),
                            g_strdup_printf("%s,%s,%s", size, strcmp(ways, "0") ? ways : "full", line));
    return true;
}

static bool add_host(CacheMachine *machine, GError **error)
{
    for (unsigned index = 0; add_host_level(machine, index);)
        index++;
    return g_hash_table_size(machine->settings) ||
           mt_fail(error, "this machine doesn't tell its caches (in " HOST "): name another --machine");
}

/* Reads the beginning of a file, which may be a pipe or a device without an end. The caller frees it. NULL with an
 * error.
 */
static char *read_file(const char *path, size_t *bytes, GError **error)
{
    g_autofree char *text = g_malloc(MAX_FILE_BYTES + 2);
    FILE *file = fopen(path, "re");
    bool fine;

    *bytes = file ? fread(text, 1, MAX_FILE_BYTES + 1, file) : 0;
    fine = file && !ferror(file);
    if (!fine)
        mt_fail(error, "can't read the machine: %s: %s", path, g_strerror(errno));
    text[*bytes] = 0;
    g_clear_pointer(&file, fclose);
    return fine ? g_steal_pointer(&text) : NULL;
}

static bool add_file(CacheMachine *machine, const char *path, GError **error)
{
    g_autofree char *text = NULL;
    g_autoptr(GError) problem = NULL;
    size_t bytes;

    if (!strchr(path, '/') && !g_file_test(path, G_FILE_TEST_EXISTS))
        return mt_fail_usage(error, "--machine must be zen4, skylake, neoverse-n1, host or a file, but '%s' isn't",
                             path);
    text = read_file(path, &bytes, error);
    if (!text)
        return false;
    if (bytes > MAX_FILE_BYTES || strlen(text) != bytes || !g_utf8_validate(text, -1, NULL))
        return mt_fail(error, "%s is not a text of a machine's settings", path);
    if (!add_text(machine, text, &problem))
        return mt_fail(error, "%s: %s", path, problem->message);
    return true;
}

CacheMachine *cache_machine_open(const char *name, GError **error)
{
    g_autoptr(CacheMachine) machine = g_new0(CacheMachine, 1);
    bool fine;

    machine->settings = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    for (guint i = 0; i < G_N_ELEMENTS(machines); i++)
        if (!strcmp(name ? name : machines[0].name, machines[i].name))
            return add_text(machine, machines[i].settings, error) ? g_steal_pointer(&machine) : NULL;
    fine = strcmp(name, "host") ? add_file(machine, name, error) : add_host(machine, error);
    return fine ? g_steal_pointer(&machine) : NULL;
}

void cache_machine_free(CacheMachine *machine)
{
    if (!machine)
        return;
    g_hash_table_unref(machine->settings);
    g_free(machine);
}

void cache_machine_set(CacheMachine *machine, const char *name, const char *otherwise, char **value)
{
    const char *own = *value ? NULL : g_hash_table_lookup(machine->settings, name);

    if (!*value)
        *value = (char *)(own ? own : otherwise);
}

bool cache_machine_has_flag(const CacheMachine *machine, const char *name)
{
    return g_hash_table_contains(machine->settings, name);
}
