/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finding the program that a command line names: see command.h. What would make its execve fail in the guest is found
 * here first, where it costs no time and can be explained. Its file is read, as data; nothing of it is executed.
 */
#define _GNU_SOURCE
#include "command.h"

#include <elf.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/error.h"
#include "../base/printable.h"
#include "../base/regular_file.h"
#include "elf_object.h"

#define USUAL_PATH "/bin:/usr/bin" /* execvp's, without PATH */
#define HEAD_BYTES 256             /* Linux looks at this much of a file to find out what it is */
#define INTERPRETERS_MAX 5         /* of scripts that are interpreters, as in Linux */

/* Relative paths are those of `folder`, or if that is NULL, of the current one. */
static char *in_folder(const char *folder, const char *path)
{
    return *path == '/' || !folder ? g_strdup(path) : g_build_filename(folder, path, NULL);
}

/* Whether an errno of execve says that something isn't there. */
static bool means_missing(int reason)
{
    return reason == ENOENT || reason == ENOTDIR;
}

/* Sets *why, and returns the errno that execve would give. */
static int G_GNUC_PRINTF(3, 4) refuse(char **why, int reason, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    *why = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    return reason;
}

/* What a file is that must be executable: a regular one that we may execute. */
static int check_file(const char *path, char **why)
{
    struct stat status;

    if (stat(path, &status))
        return refuse(why, errno, "%s", g_strerror(errno));
    if (!S_ISREG(status.st_mode))
        return refuse(why, EACCES, "it is %s", regular_file_kind(status.st_mode));
    if (!access(path, X_OK))
        return 0;
    if (errno == EACCES && !(status.st_mode & 0111))
        return refuse(why, EACCES, "it is not marked as executable (chmod +x)");
    return refuse(why, errno, "%s", g_strerror(errno));
}

bool command_is_text(const char *head, gsize length)
{
    const char *line_end = memchr(head, '\n', length);

    return !memchr(head, 0, line_end ? (gsize)(line_end - head) : length);
}

/* Replaces the file's path by "it", as the message has named the file already. */
static int refuse_elf(char **why, const char *path, const GError *problem)
{
    bool names_it = g_str_has_prefix(problem->message, path);

    return refuse(why, ENOEXEC, "%s%s", names_it ? "it" : "", problem->message + (names_it ? strlen(path) : 0));
}

/* Linux would start a program that was cut short; it would die where its end is missing. */
static bool is_complete(const ElfObject *program)
{
    struct stat status;

    return !stat(program->path, &status) && program->loaded_end <= (uint64_t)status.st_size;
}

/* Its loader must be an ELF file, too. */
static int check_elf(const char *path, const char *folder, char **why)
{
    g_autoptr(GError) problem = NULL;
    g_autoptr(ElfObject) program = elf_object_read(path, &problem), loader = NULL;
    g_autofree char *loader_path = NULL, *loader_why = NULL;
    int reason;

    if (!program)
        return refuse_elf(why, path, problem);
    if (!is_complete(program))
        return refuse(why, ENOEXEC, "it is damaged: its end is missing");
    if (!program->loader)
        return 0;
    loader_path = in_folder(folder, program->loader);
    reason = check_file(loader_path, &loader_why);
    if (!reason) {
        loader = elf_object_read(loader_path, &problem);
        reason = loader ? 0 : refuse_elf(&loader_why, loader_path, problem);
    }
    return reason ? refuse(why, reason, "its loader %s: %s", program->loader, loader_why) : 0;
}

/* Whether it is a program for 32-bit x86, which x86-64 kernels execute, too. What it needs is left to its loader. */
static bool is_32_bit(const char *head, gsize length)
{
    Elf32_Ehdr header;

    if (length < sizeof header)
        return false;
    memcpy(&header, head, sizeof header);
    return header.e_ident[EI_CLASS] == ELFCLASS32 && header.e_ident[EI_DATA] == ELFDATA2LSB &&
           header.e_machine == EM_386 && (header.e_type == ET_EXEC || header.e_type == ET_DYN);
}

static int check_program(const char *path, const char *folder, bool takes_32_bit, unsigned depth, char **why);

/* `line` is what follows "#!". */
static int check_interpreter(char *line, const char *folder, bool takes_32_bit, unsigned depth, char **why)
{
    char *interpreter = line + strspn(line, " \t");
    g_autofree char *path = NULL, *shown = NULL, *inner = NULL;
    bool windows_line;
    int reason;

    interpreter[strcspn(interpreter, " \t\n")] = 0;
    if (!*interpreter)
        return 0; /* Linux won't take it, so it is a script for /bin/sh */
    if (depth == INTERPRETERS_MAX)
        return refuse(why, ELOOP, "too many scripts are one another's interpreters");
    path = in_folder(folder, interpreter);
    reason = check_program(path, folder, takes_32_bit, depth + 1, &inner);
    windows_line = reason && g_str_has_suffix(interpreter, "\r");
    shown = text_make_printable(interpreter);
    return reason ? refuse(why, reason, "its interpreter %s: %s%s", shown, inner,
                           windows_line ? " (its first line ends in CR LF: sed -i 's/\\r$//' takes the CRs away)" : "")
                  : 0;
}

/* Returns 0, or the errno that execve would give, and what is wrong in *why. `depth` is 0 for the program itself, more
 * for interpreters. */
static int check_program(const char *path, const char *folder, bool takes_32_bit, unsigned depth, char **why)
{
    g_autoptr(GError) problem = NULL;
    char head[HEAD_BYTES + 1] = "";
    int reason = check_file(path, why), fd;
    ssize_t length;

    if (reason)
        return reason;
    fd = regular_file_open(path, &problem);
    if (fd < 0) /* it may be executed, but the guest must read it */
        return refuse(why, EACCES, "%s", problem->message);
    length = pread(fd, head, HEAD_BYTES, 0);
    reason = errno;
    close(fd);
    if (length < 0)
        return refuse(why, reason, "it can't be read: %s", g_strerror(reason));
    if (length >= 4 && !memcmp(head, "\177ELF", 4))
        return takes_32_bit && is_32_bit(head, (gsize)length) ? 0 : check_elf(path, folder, why);
    if (length >= 2 && !memcmp(head, "#!", 2))
        return check_interpreter(head + 2, folder, takes_32_bit, depth, why);
    return command_is_text(head, (gsize)length) ? 0
                                                : refuse(why, ENOEXEC, "it is neither an x86-64 program nor a script");
}

static void fail(GError **error, const char *path, int reason, const char *why)
{
    mt_fail_as(error, means_missing(reason) ? MT_ERROR_NOT_FOUND : MT_ERROR_NOT_EXECUTABLE, "can't execute %s: %s",
               path, why);
}

static void fail_not_in_path(GError **error, const char *name, const char *folder)
{
    g_autofree char *here = in_folder(folder, name);
    g_autofree char *why = NULL;
    bool is_here = !check_file(here, &why);

    mt_fail_as(error, MT_ERROR_NOT_FOUND, "%s is not in PATH%s%s", name,
               is_here ? ", but there is one in the current folder: ./" : "", is_here ? name : "");
}

/* Whether execvp goes on to the next folder. */
static bool goes_on(int reason)
{
    return means_missing(reason) || reason == EACCES || reason == ESTALE || reason == ENODEV || reason == ETIMEDOUT;
}

/* Like execvp: an empty entry is the current folder, and what we may not execute is passed over, but told of if there
 * is nothing better. */
static char *search(const char *name, const char *search_path, const char *folder, bool takes_32_bit, GError **error)
{
    g_auto(GStrv) entries = g_strsplit(*search_path ? search_path : ".", ":", -1);
    g_autoptr(GError) first = NULL;

    for (char **entry = entries; *entry; entry++) {
        g_autofree char *joined = g_strconcat(**entry ? *entry : ".", "/", name, NULL);
        g_autofree char *path = in_folder(folder, joined), *why = NULL;
        int reason = check_program(path, folder, takes_32_bit, 0, &why);

        if (!reason)
            return g_steal_pointer(&path);
        if (!goes_on(reason)) {
            fail(error, path, reason, why);
            return NULL;
        }
        if (!first && !access(path, F_OK))
            fail(&first, path, reason, why);
    }
    if (first)
        g_propagate_error(error, g_steal_pointer(&first));
    else
        fail_not_in_path(error, name, folder);
    return NULL;
}

char *command_find(const char *name, const char *search_path, const char *folder, bool takes_32_bit, GError **error)
{
    g_autofree char *path = NULL, *why = NULL;
    int reason;

    if (!*name) {
        mt_fail_as(error, MT_ERROR_NOT_FOUND, "can't execute '': a COMMAND needs a name");
        return NULL;
    }
    if (!strchr(name, '/'))
        return search(name, search_path ? search_path : USUAL_PATH, folder, takes_32_bit, error);
    path = in_folder(folder, name);
    reason = check_program(path, folder, takes_32_bit, 0, &why);
    if (reason)
        fail(error, path, reason, why);
    return reason ? NULL : g_steal_pointer(&path);
}
