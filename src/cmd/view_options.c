/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a workload sees of this machine: see view_options.h. */
#include "view_options.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "../image/own_images.h"
#include "../vm/host_view.h"
#include "../vm/image.h"
#include "cmd.h"

/* Variables that name what this machine has and the guest doesn't: sockets in /run, the display, descriptors, a
 * terminal's windows. */
static const char *const not_passed[] = { "DBUS_SESSION_BUS_ADDRESS",
                                          "DBUS_SYSTEM_BUS_ADDRESS",
                                          "DISPLAY",
                                          "JOURNAL_STREAM",
                                          "LISTEN_FDNAMES",
                                          "LISTEN_FDS",
                                          "LISTEN_PID",
                                          "MAKEFLAGS", /* its job server is a pair of descriptors */
                                          "MFLAGS",
                                          "NOTIFY_SOCKET",
                                          "PULSE_SERVER",
                                          "SSH_AUTH_SOCK",
                                          "STY",
                                          "TMUX",
                                          "TMUX_PANE",
                                          "WAYLAND_DISPLAY",
                                          "XAUTHORITY",
                                          "XDG_RUNTIME_DIR",
                                          "_" };

GOptionEntry *view_options_entries(ViewOptions *options)
{
    const GOptionEntry entries[] = {
        { "files", 0, 0, G_OPTION_ARG_STRING, &options->files,
          "Which files the workload sees: this machine's (host, the default for guests that were made here; what it "
          "changes is dropped), or the guest's own and a copy of the program (image)",
          "host|image" },
        { "rw", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options->writable,
          "What the workload changes in this folder stays (may be given several times)", "DIR" },
        { "user", 0, 0, G_OPTION_ARG_STRING, &options->user, "Run the workload as this user (default: yourself)",
          "USER" },
        { "env", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options->set,
          "Set a variable of its environment, or pass yours on (may be given several times)", "NAME[=VALUE]" },
        { "unset-env", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options->unset,
          "Leave a variable out of its environment (may be given several times)", "NAME" },
        { "clean-env", 0, 0, G_OPTION_ARG_NONE, &options->clean, "Begin with an empty environment", NULL },
        { "chdir", 0, 0, G_OPTION_ARG_FILENAME, &options->folder, "Run it in this folder (default: the current one)",
          "DIR" },
        { "tty", 't', 0, G_OPTION_ARG_NONE, &options->terminal,
          "Give it a terminal like yours: all keys are its own, but for Ctrl-], which stops tracing", NULL },
        { NULL, 0, 0, 0, NULL, NULL, NULL },
    };

    return g_memdup2(entries, sizeof entries);
}

static bool choose_files(ViewOptions *options, SessionOptions *session, GError **error)
{
    const char *files = options->files;
    g_autoptr(ImageMachine) machine = image_machine_load(session->image, session->snapshot, NULL);
    bool packages = machine && machine->known && *machine->packages;

    if (files && strcmp(files, "host") && strcmp(files, "image"))
        return mt_fail_usage(error, "--files must be host or image, but %s isn't.", files);
    if (session->workload.folder && !g_strcmp0(files, "host"))
        return mt_fail_usage(error,
                             "--workload_dir_path is for --files image: with --files host all folders are there");
    session->workload.sees_host = files                                  ? !strcmp(files, "host")
                                  : session->workload.folder || packages ? false
                                                                         : own_images_has(session->image);
    if (session->workload.sees_host)
        return true;
    options->prefers_guest = packages;
    if (!files && !session->workload.folder && !packages)
        options->note =
            g_strdup_printf("%s is not a guest that was made here: the workload sees none of this machine's "
                            "files but the program, and runs as the guest's %s (--files host lets it see "
                            "them all)",
                            session->image, machine ? machine->user : IMAGE_DEFAULT_USER);
    if (options->writable)
        return mt_fail_usage(error, "--rw needs --files host");
    return !options->folder || mt_fail_usage(error, "--chdir needs --files host");
}

/* Environment. */

static bool check_names(char **words, const char *option, bool with_value, GError **error)
{
    for (; words && *words; words++)
        if (!**words || **words == '=' || (!with_value && strchr(*words, '=')))
            return mt_fail_usage(error, "--%s: '%s' is not a variable's name", option, *words);
    return true;
}

/* Sets or passes on what --env says. */
static GStrv set_variable(GStrv environment, const char *word)
{
    const char *equals = strchr(word, '=');
    g_autofree char *name = equals ? g_strndup(word, (gsize)(equals - word)) : g_strdup(word);
    const char *value = equals ? equals + 1 : g_getenv(name);

    return value ? g_environ_setenv(environment, name, value, TRUE) : environment;
}

/* What a login as that user would set. */
static GStrv log_in(GStrv environment, const char *user)
{
    guint64 number;
    const struct passwd *entry = g_ascii_string_to_unsigned(user, 10, 0, G_MAXUINT32 - 1, &number, NULL)
                                     ? getpwuid((uid_t)number)
                                     : getpwnam(user);

    if (!entry)
        return environment; /* that is told where the ids are looked up */
    environment = g_environ_setenv(environment, "HOME", entry->pw_dir, TRUE);
    environment = g_environ_setenv(environment, "USER", entry->pw_name, TRUE);
    environment = g_environ_setenv(environment, "LOGNAME", entry->pw_name, TRUE);
    return g_environ_setenv(environment, "SHELL", *entry->pw_shell ? entry->pw_shell : "/bin/sh", TRUE);
}

static GStrv make_environment(const ViewOptions *options)
{
    GStrv environment = options->clean ? g_new0(char *, 1) : g_get_environ();

    for (guint i = 0; i < G_N_ELEMENTS(not_passed); i++)
        environment = g_environ_unsetenv(environment, not_passed[i]);
    if (options->user && !options->clean)
        environment = log_in(environment, options->user);
    for (char **name = options->unset; name && *name; name++)
        environment = g_environ_unsetenv(environment, *name);
    for (char **word = options->set; word && *word; word++)
        environment = set_variable(environment, *word);
    return environment;
}

/* All of it. */

bool view_options_apply(ViewOptions *options, SessionOptions *session, GError **error)
{
    WorkloadOptions *workload = &session->workload;

    if (!check_names(options->set, "env", true, error) || !check_names(options->unset, "unset-env", false, error) ||
        !choose_files(options, session, error))
        return false;
    options->writable_folders = host_view_writable_folders(options->writable, error);
    if (!options->writable_folders)
        return false;
    if (options->terminal && !(isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)))
        return mt_fail_usage(error, "--tty: standard input and output must be a terminal");
    workload->pass_input = true;
    workload->terminal = options->terminal;
    workload->writable = (const char *const *)options->writable_folders;
    workload->user = options->user;
    if (workload->sees_host) {
        options->environment = make_environment(options);
        workload->environment = (const char *const *)options->environment;
    } else {
        options->environment = g_new0(char *, 1);
        for (char **word = options->set; word && *word; word++)
            options->environment = set_variable(options->environment, *word);
        if (options->terminal && g_getenv("TERM"))
            options->environment = g_environ_setenv(options->environment, "TERM", g_getenv("TERM"), FALSE);
        workload->more_environment = (const char *const *)options->environment;
    }
    if (options->folder) {
        char *absolute = g_canonicalize_filename(options->folder, NULL);

        g_free(options->folder);
        options->folder = absolute;
        workload->current_folder = absolute;
    }
    return true;
}

/* Whether our current folder still exists. */
static bool is_there_still(void)
{
    char path[PATH_MAX];

    return getcwd(path, sizeof path) || errno != ENOENT;
}

bool view_options_check_workload(ViewOptions *options, SessionOptions *session, GError **error)
{
    const WorkloadOptions *workload = &session->workload;
    g_autofree char *folder = workload->current_folder ? g_strdup(workload->current_folder) : g_get_current_dir();

    if (workload->sees_host) {
        if (!workload->current_folder && !is_there_still())
            return mt_fail(error, "the current folder has been removed: --chdir DIR says where to run");
        if (!host_view_check_folder(folder, workload->writable, error))
            return false;
        if (!host_view_has(workload->program, workload->writable))
            return mt_fail(error, "can't execute %s: the guest has its own files there", workload->program);
        options->notes = host_view_missing_arguments(workload->argv + 1, workload->writable);
    } else if (options->note) {
        options->notes = g_new0(char *, 2);
        options->notes[0] = g_steal_pointer(&options->note);
    }
    session->notes = (const char *const *)options->notes;
    return true;
}

void view_options_clear(ViewOptions *options)
{
    g_free(options->files);
    g_free(options->note);
    g_free(options->user);
    g_free(options->folder);
    g_strfreev(options->writable);
    g_strfreev(options->set);
    g_strfreev(options->unset);
    g_strfreev(options->writable_folders);
    g_strfreev(options->environment);
    g_strfreev(options->notes);
}
