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
    /* What was made from these options. */
    GStrv writable_folders, environment;
    GStrv notes;
    char *note;         /* printed if the image was not made here, and --files wasn't given */
    bool prefers_guest; /* a program without a slash is the guest's, as the image was made with packages */
} ViewOptions;

/* The entries for options_join(). To be freed. */
GOptionEntry *view_options_entries(ViewOptions *options);
/* Checks the options and applies them to `session`, whose image and workload.folder must have been set. The strings
 * stay `options`' own. False with an error. */
bool view_options_apply(ViewOptions *options, SessionOptions *session, GError **error);
/* When the program is known: adds notes of what the guest can't have. False with an error if the workload can't run in
 * its folder. */
bool view_options_check_workload(ViewOptions *options, SessionOptions *session, GError **error);
void view_options_clear(ViewOptions *options);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ViewOptions, view_options_clear)

#endif
