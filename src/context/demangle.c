/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names as programmers wrote them: see demangle.h. */
#include "demangle.h"

#include <glib.h>
#include <libiberty/demangle.h>
#include <setjmp.h>
#include <string.h>

/* A short mangled name can repeat its own parts so often that the name becomes arbitrarily long. */
#define DEMANGLED_BYTES_MAX 8192

typedef struct {
    GString *text;
    jmp_buf too_long;
} Demangler;

/* libiberty calls this with each part of the name. A jump out of here is the only way to stop it, and leaks nothing, as
 * it has nothing allocated then. */
static void append(const char *part, size_t bytes, void *data)
{
    Demangler *demangler = data;

    if (bytes > DEMANGLED_BYTES_MAX - demangler->text->len)
        longjmp(demangler->too_long, 1);
    g_string_append_len(demangler->text, part, (gssize)bytes);
}

static bool run(Demangler *demangler, const char *name, int options)
{
    if (setjmp(demangler->too_long))
        return false;
    if (rust_demangle_callback(name, options, append, demangler))
        return true;
    g_string_truncate(demangler->text, 0);
    return cplus_demangle_v3_callback(name, options, append, demangler);
}

char *demangle(const char *name, bool with_parameters)
{
    g_autofree char *own = NULL;
    const char *suffix = name + strcspn(name, "@ ");
    Demangler demangler;

    if (name[0] != '_' || (name[1] != 'Z' && name[1] != 'R'))
        return NULL;
    own = g_strndup(name, (gsize)(suffix - name));
    demangler.text = g_string_new(NULL);
    if (!run(&demangler, own, DMGL_ANSI | (with_parameters ? DMGL_PARAMS : 0)) || !demangler.text->len) {
        g_string_free(demangler.text, TRUE);
        return NULL;
    }
    g_string_append(demangler.text, suffix);
    return g_string_free(demangler.text, FALSE);
}
