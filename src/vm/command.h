/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The program that a command line names: found and looked at as execvp(3) would, before anything is started. */
#ifndef MEMORY_TRACER_VM_COMMAND_H
#define MEMORY_TRACER_VM_COMMAND_H

#include <glib.h>
#include <stdbool.h>

/*
 * The path of the program `name`. If `name` has a slash, it is a path; else `search_path` (as PATH; NULL: the usual
 * one) is searched. Relative paths begin in `folder`, which becomes part of the result; NULL is the current folder.
 * Fails with MT_ERROR_NOT_FOUND if there is no such program, or if its interpreter or loader isn't there, and with
 * MT_ERROR_NOT_EXECUTABLE if we may not execute it, or an x86-64 Linux can't. Programs for 32-bit x86 are accepted only
 * with `takes_32_bit`: we don't look for their libraries, their loader does. To be freed.
 */
char *command_find(const char *name, const char *search_path, const char *folder, bool takes_32_bit, GError **error);

/* Whether a file that begins with these bytes can be a script for /bin/sh, though no #! line says so: a text, or
 * nothing. */
bool command_is_text(const char *head, gsize length);

#endif
