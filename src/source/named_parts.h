/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The part of a trace that is selected by names: of functions (--pc, --function) and of variables (--address). */
#ifndef MEMORY_TRACER_SOURCE_NAMED_PARTS_H
#define MEMORY_TRACER_SOURCE_NAMED_PARTS_H

#include "input.h"

/* Whether the argument of --pc or --address is a name: no range, and no hexadecimal number. */
bool named_parts_is_name(const char *text);

/* Which code is wanted, by the number of the instruction (0: unknown code): that at `pc`; of the function `pc_name`,
 * unless it is NULL; and of any function of `globs`, unless that is NULL. A function that is inlined counts as well. To
 * be freed. NULL, with an error, if there is no code of a function that was named. `path` is for messages. */
bool *named_parts_find_code(mt_trace *trace, const char *path, Range pc, const char *pc_name, char **globs,
                            GError **error);

/* Where the variable lies: Range, to be unreferenced. NULL, with an error, if there is none of that name. */
GArray *named_parts_find_variable(mt_trace *trace, const char *path, const char *name, GError **error);

#endif
