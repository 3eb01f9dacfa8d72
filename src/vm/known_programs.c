/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which programs a workload may execute: see known_programs.h. */
#include "known_programs.h"

#include <string.h>
#include <unistd.h>

#include "../base/regular_file.h"
#include "command.h"
#include "guest_files.h"

#define WORDS_MAX 1024
#define WORD_BYTES_MAX 4096
#define PROGRAMS_MAX 64
#define SCRIPT_BYTES_MAX 65536
/* What ends a word in a shell's language, or may stand around one. */
#define SEPARATORS " \t\n;|&()<>'\"`$={}\\"

typedef struct {
    const WorkloadOptions *workload;
    GPtrArray *paths;
    GHashTable *words; /* those that were looked up */
    unsigned programs;
} Search;

static void add_once(Search *search, const char *path)
{
    if (!g_ptr_array_find_with_equal_func(search->paths, path, g_str_equal, NULL))
        g_ptr_array_add(search->paths, g_strdup(path));
}

/* Adds a program and what it needs; if something that it needs is missing, the program alone. */
static void add_program(Search *search, const char *path)
{
    g_autoptr(GuestFiles) files = guest_files_new();

    if (search->programs++ >= PROGRAMS_MAX)
        return;
    files->takes_text = true;
    add_once(search, path);
    guest_files_add_program(files, path, NULL);
    for (guint i = 0; i < files->needed->len; i++)
        add_once(search, files->needed->pdata[i]);
    for (guint i = 0; i < files->if_missing->len; i++)
        add_once(search, files->if_missing->pdata[i]);
}

static void add_word(Search *search, const char *word)
{
    const WorkloadOptions *workload = search->workload;
    const char *path =
        workload->environment ? g_environ_getenv((char **)workload->environment, "PATH") : g_getenv("PATH");
    g_autofree char *found = NULL, *absolute = NULL;

    if (!*word || *word == '-' || strlen(word) > WORD_BYTES_MAX || g_hash_table_size(search->words) >= WORDS_MAX ||
        !g_hash_table_add(search->words, g_strdup(word)))
        return;
    found = command_find(word, path, workload->current_folder, true, NULL);
    if (!found)
        return;
    absolute = g_canonicalize_filename(found, workload->current_folder);
    add_program(search, absolute);
}

static void add_words(Search *search, const char *text)
{
    g_auto(GStrv) words = g_strsplit_set(text, SEPARATORS, -1);

    for (char **word = words; *word; word++)
        add_word(search, *word);
}

static bool is_shell(const char *program)
{
    g_autofree char *name = g_path_get_basename(program);

    return g_str_has_suffix(name, "sh");
}

/* A shell's script names programs, too. */
static void add_script(Search *search, const char *path)
{
    g_autofree char *text = g_malloc0(SCRIPT_BYTES_MAX + 1);
    int fd = regular_file_open(path, NULL);
    ssize_t length = fd < 0 ? -1 : read(fd, text, SCRIPT_BYTES_MAX);
    char *end, *words;

    if (fd >= 0)
        close(fd);
    if (length <= 0 || !command_is_text(text, (gsize)length))
        return;
    if (text[0] == '#' && text[1] == '!') {
        end = text + strcspn(text, "\n");
        words = end + (*end == '\n');
        *end = 0;
        if (!strstr(text, "sh"))
            return;
        add_words(search, words);
    } else {
        add_words(search, text);
    }
}

static void add_arguments(Search *search, const char *program)
{
    const WorkloadOptions *workload = search->workload;
    bool shell = is_shell(program);

    add_script(search, program);
    for (guint i = 1; workload->argv && workload->argv[0] && workload->argv[i]; i++) {
        const char *argument = workload->argv[i];

        add_word(search, argument);
        shell |= is_shell(argument); /* env bash -c ... */
        if (!shell)
            continue;
        add_words(search, argument);
        if (g_file_test(argument, G_FILE_TEST_IS_REGULAR))
            add_script(search, argument);
    }
    if (workload->until)
        add_words(search, workload->until);
}

GPtrArray *known_programs_find(const WorkloadOptions *workload)
{
    g_autoptr(GHashTable) words = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    Search search = { .workload = workload, .paths = g_ptr_array_new_with_free_func(g_free), .words = words };

    if (workload->is_on_host) {
        g_autofree char *program = g_canonicalize_filename(workload->program, workload->current_folder);

        add_program(&search, program);
        if (workload->sees_host)
            add_arguments(&search, program);
    }
    return search.paths;
}
