/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A request to run a program: gathers its strings, which come in pieces before it, and parses them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"

#define STRINGS_MAX (16u << 20) /* far more than execve takes */
/* Room for what a user's account adds to the environment. */
#define USER_VARIABLES 4

static char *gathered;
static size_t gathered_length;

void strings_append(const uint8_t *bytes, size_t length)
{
    char *longer = gathered_length + length <= STRINGS_MAX ? realloc(gathered, gathered_length + length) : NULL;

    if (!longer)
        return; /* whatever needs them finds them incomplete */
    gathered = longer;
    memcpy(gathered + gathered_length, bytes, length);
    gathered_length += length;
}

char *strings_take(size_t *length)
{
    char *strings = gathered;

    *length = gathered_length;
    gathered = NULL;
    gathered_length = 0;
    return strings;
}

const char *strings_next(const char **at, const char *end)
{
    const char *string = *at, *nul = string < end ? memchr(string, 0, (size_t)(end - string)) : NULL;

    if (nul)
        *at = nul + 1;
    return nul ? string : NULL;
}

bool request_parse(const struct mt_run *run, struct request *request)
{
    const char **const others[] = { &request->folder, &request->user, &request->stdin_file, &request->until };
    const char *at, *end;
    size_t length;
    bool fine;

    *request = (struct request){ .run = *run, .strings = strings_take(&length) };
    at = request->strings;
    end = at + length;
    if (!run->argc || run->argc > length || run->envc > length || run->group_count > MT_GROUPS_MAX)
        return false;
    request->words = calloc((size_t)run->argc + run->envc + USER_VARIABLES + 2, sizeof *request->words);
    if (!request->words)
        return false;
    request->argv = request->words;
    request->envp = request->words + run->argc + 1;
    fine = (request->program = strings_next(&at, end));
    for (uint32_t i = 0; fine && i < run->argc; i++)
        fine = (request->argv[i] = (char *)strings_next(&at, end));
    for (uint32_t i = 0; fine && i < run->envc; i++)
        fine = (request->envp[i] = (char *)strings_next(&at, end));
    for (size_t i = 0; fine && i < sizeof others / sizeof *others; i++)
        fine = (*others[i] = strings_next(&at, end));
    return fine;
}

const char *request_variable(const struct request *request, const char *name)
{
    size_t length = strlen(name);

    for (char **variable = request->envp; *variable; variable++)
        if (!strncmp(*variable, name, length) && (*variable)[length] == '=')
            return *variable + length + 1;
    return NULL;
}

void request_add_user(struct request *request, const struct user *user)
{
    static char text[USER_VARIABLES][PATH_MAX + 16];
    const char *const values[USER_VARIABLES][2] = {
        { "HOME", user->home }, { "USER", user->name }, { "LOGNAME", user->name }, { "SHELL", user->shell }
    };

    for (uint32_t i = 0; user->known && i < USER_VARIABLES; i++) {
        snprintf(text[i], sizeof text[i], "%s=%s", values[i][0], values[i][1]);
        request->envp[request->run.envc + i] = text[i];
    }
}

void request_free(struct request *request)
{
    free(request->words);
    free(request->strings);
}
