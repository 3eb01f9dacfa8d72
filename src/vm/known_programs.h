/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which of this machine's programs and libraries a workload may execute, as far as its command line tells. */
#ifndef MEMORY_TRACER_VM_KNOWN_PROGRAMS_H
#define MEMORY_TRACER_VM_KNOWN_PROGRAMS_H

#include "guest.h"

/*
 * The absolute paths of the program, its interpreter and its libraries. If the workload sees this machine's files, also
 * those of the programs that its arguments name (an argument that is a shell's command is searched for words), with
 * their interpreters and libraries. The workload may execute none of them. To be unreferenced; of char *, each once.
 */
GPtrArray *known_programs_find(const WorkloadOptions *workload);

#endif
