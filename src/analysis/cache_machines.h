/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The caches of machines: some by name, this one's, and those that a file describes. */
#ifndef MEMORY_TRACER_ANALYSIS_CACHE_MACHINES_H
#define MEMORY_TRACER_ANALYSIS_CACHE_MACHINES_H

#include <glib.h>
#include <stdbool.h>

typedef struct CacheMachine CacheMachine;

/* The machine "zen4" and so on, "host", or that of a file; NULL: the default one. The caller frees it. NULL with an
 * error if there is none, or if the file can't be read. */
CacheMachine *cache_machine_open(const char *name, GError **error);
void cache_machine_free(CacheMachine *machine);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CacheMachine, cache_machine_free)

/* If *value is NULL, sets it to the machine's setting, or to `otherwise`. It belongs to the machine or is `otherwise`.
 */
void cache_machine_set(CacheMachine *machine, const char *name, const char *otherwise, char **value);
/* Whether a setting is there that is only a word, such as no-allocate. */
bool cache_machine_has_flag(const CacheMachine *machine, const char *name);

#endif
