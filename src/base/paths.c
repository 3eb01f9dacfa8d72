/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where things are: see paths.h. */
#include "paths.h"

#include <stdlib.h>
#include <string.h>

#include "error.h"

#define QEMU_NAME "qemu-system-x86_64"

static bool is_program(const char *path)
{
    return g_file_test(path, G_FILE_TEST_IS_REGULAR) && g_file_test(path, G_FILE_TEST_IS_EXECUTABLE);
}

char *paths_find_resource(const char *name, GError **error)
{
    g_autofree char *program = g_file_read_link("/proc/self/exe", NULL);
    g_autofree char *folder = program ? g_path_get_dirname(program) : g_strdup(".");
    g_autofree char *beside = g_build_filename(folder, name, NULL);
    g_autofree char *installed = g_build_filename(MEMORY_TRACER_LIBRARY_FOLDER, name, NULL);

    if (g_file_test(beside, G_FILE_TEST_EXISTS))
        return g_steal_pointer(&beside);
    if (g_file_test(installed, G_FILE_TEST_EXISTS))
        return g_steal_pointer(&installed);
    mt_fail(error, "%s is neither in %s nor in " MEMORY_TRACER_LIBRARY_FOLDER ": is memory_tracer installed?", name,
            folder);
    return NULL;
}

char *paths_default_image(void)
{
    const char *from_environment = g_getenv("MEMORY_TRACER_IMAGE");

    if (from_environment && *from_environment)
        return g_strdup(from_environment);
    return g_build_filename(g_get_user_data_dir(), "memory_tracer", "default.qcow2", NULL);
}

char *paths_find_qemu(const char *given, GError **error)
{
    static const char *const inside[] = { "", "bin", "build", "x86_64-softmmu", "usr/bin" };
    char *found;

    if (g_file_test(given, G_FILE_TEST_IS_DIR)) {
        for (guint i = 0; i < G_N_ELEMENTS(inside); i++) {
            found = g_build_filename(given, inside[i], QEMU_NAME, NULL);
            if (is_program(found))
                return found;
            g_free(found);
        }
        mt_fail(error, "no " QEMU_NAME " in %s or its bin and build folders", given);
        return NULL;
    }
    if (is_program(given))
        return g_canonicalize_filename(given, NULL);
    found = strchr(given, '/') ? NULL : g_find_program_in_path(given);
    if (!found)
        mt_fail(error, "there is no QEMU at %s (a qemu-system-x86_64, or a folder that has one, is needed)", given);
    return found;
}

char *paths_find_qemu_img(const char *qemu, GError **error)
{
    g_autofree char *folder = g_path_get_dirname(qemu);
    g_autofree char *beside = g_build_filename(folder, "qemu-img", NULL);
    char *found = is_program(beside) ? g_steal_pointer(&beside) : g_find_program_in_path("qemu-img");

    if (!found)
        mt_fail(error, "no qemu-img beside %s or in PATH (Debian and Ubuntu: apt install qemu-utils)", qemu);
    return found;
}

void paths_add_system_folders(void)
{
    static const char *const folders[] = { "/usr/local/sbin", "/usr/sbin", "/sbin" };
    const char *usual = g_getenv("PATH");
    g_autofree char *path = g_strdup(usual && *usual ? usual : "/usr/local/bin:/usr/bin:/bin");
    g_auto(GStrv) there = g_strsplit(path, ":", -1);

    for (guint i = 0; i < G_N_ELEMENTS(folders); i++)
        if (!g_strv_contains((const char *const *)there, folders[i])) {
            char *longer = g_strconcat(path, ":", folders[i], NULL);

            g_free(path);
            path = longer;
        }
    g_setenv("PATH", path, TRUE);
}

int paths_pipe_max_size(void)
{
    g_autofree char *text = NULL;

    return g_file_get_contents("/proc/sys/fs/pipe-max-size", &text, NULL, NULL) ? atoi(text) : 65536;
}
