/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The options of run and record that say what a workload sees of this machine: files, environment, folder, user,
 * terminal. */
#ifndef MEMORY_TRACER_CMD_VIEW_OPTIONS_H
#define MEMORY_TRACER_CMD_VIEW_OPTIONS_H

#include <glib.h>
#include <stdbool.h>

#include "../run/session.h"

typedef struct ViewOptions {
    char *files, *user, *folder;
    char **writable, **set, **unset;
    gboolean clean, terminal;
    /* What was made of them. */
    GStrv writable_folders, environment;
    GStrv notes;
    char *note;         /* said if the image was not made here, and nobody has said --files */
    bool prefers_guest; /* a program without a slash is the guest's: it was made with packages */
} ViewOptions;

/* The entries for options_join(). To be freed. */
GOptionEntry *view_options_entries(ViewOptions *options);
/* Checks them and sets what they are about: of `session`, image and workload.folder must have been set. `verb` is for
 * messages. The strings stay `options`' own. */
bool view_options_apply(ViewOptions *options, SessionOptions *session, GError **error);
/* Once the program is known: adds notes of what the guest can't have. Fails if the workload can't run where it is to.
 */
bool view_options_check_workload(ViewOptions *options, SessionOptions *session, GError **error);
void view_options_clear(ViewOptions *options);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ViewOptions, view_options_clear)

#endif
