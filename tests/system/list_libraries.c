/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Prints the files that a guest needs for a program of this machine, one a line; then, if there are any, the folders
 * for LD_LIBRARY_PATH. */
#include <stdio.h>

#include "../../src/vm/guest_files.h"

int main(int argc, char **argv)
{
    int status = 0;

    for (int i = 1; i < argc; i++) {
        g_autoptr(GuestFiles) files = guest_files_new();
        g_autoptr(GError) error = NULL;

        if (!guest_files_add_program(files, argv[i], &error)) {
            fprintf(stderr, "%s\n", error->message);
            status = 1;
            continue;
        }
        for (guint k = 0; k < files->needed->len; k++)
            puts(files->needed->pdata[k]);
        for (guint k = 0; k < files->if_missing->len; k++)
            puts(files->if_missing->pdata[k]);
        if (files->library_path)
            printf("LD_LIBRARY_PATH=%s\n", files->library_path);
        puts("");
    }
    return status;
}
