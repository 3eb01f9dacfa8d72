/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which of this machine's programs and libraries a workload may execute, as far as its command line tells. */
#ifndef MEMORY_TRACER_VM_KNOWN_PROGRAMS_H
#define MEMORY_TRACER_VM_KNOWN_PROGRAMS_H

#include "guest.h"

/*
 * The absolute paths of the program, of its interpreter and its libraries, and where the workload has this machine's
 * files, of the programs that its arguments name (those that are shell commands are searched for words), with theirs.
 * None of them need be executed. To be unreferenced; of char *, each once.
 */
GPtrArray *known_programs_find(const WorkloadOptions *workload);

#endif
