/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the records of a trace belong to: instructions and their names. Known from the trace alone. */
#ifndef MEMORY_TRACER_CONTEXT_CONTEXT_H
#define MEMORY_TRACER_CONTEXT_CONTEXT_H

#include <glib.h>
#include <stdbool.h>

#include "../../include/memory_tracer/trace.h"
#include "../ring/ring.h"
#include "address_objects.h"
#include "live_code.h"
#include "task_memory.h"
#include "task_table.h"

typedef struct Context Context;

/* The context of a file's or a stream's records, or of a ring's while a guest runs. Both must outlive the result, which
 * is freed by context_free(). `trace` may be NULL: then nothing is known. */
Context *context_new(mt_trace *trace);
/* `facts` tell objects apart, and must outlive the result, too; NULL: objects aren't wanted. */
Context *context_new_live(const Ring *ring, const LiveFacts *facts);
void context_free(Context *context);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Context, context_free)

/* Whether records say which instruction they are of. */
bool context_has_instructions(const Context *context);
/* Whether records of several vCPUs are in the order in which they happened, as far as is known. */
bool context_order_is_exact(const Context *context);
/* Of how many vCPUs the records are, at most; 0: that isn't known. */
unsigned context_vcpus(const Context *context);
/* Whether records have times. */
bool context_has_times(const Context *context);
/* How many there are, whose numbers begin with 1; of a live ring and without them 0. */
uint32_t context_instructions(const Context *context);
/* An instruction by its number; NULL if it isn't known. It belongs to the trace or the ring. */
const struct mt_instruction *context_instruction(const Context *context, uint32_t number);
/* Whether records say which task made them; and the tasks, of a live ring those that are known so far. */
bool context_has_tasks(const Context *context);
const TaskTable *context_tasks(const Context *context);
/* The number of a task's memory (address space) when the record `index` of the trace was made, 0 if it has none or that
 * isn't known; *until: before which record that holds. Of a live ring: what is known so far. */
uint32_t context_memory(const Context *context, uint32_t task, uint64_t index, uint64_t *until);
/* Whether records have physical addresses. */
bool context_has_physical(const Context *context);
/* Whether they have the sizes of pages. */
bool context_has_page_sizes(const Context *context);
/* For a live ring: takes note of the change of this number, which takes place now. */
void context_note_change(Context *context, uint32_t number);
/* Of a live ring: from now on, the names of instructions in a memory are those that live_code.h decides. */
void context_name_code(Context *context, const LiveCodeFacts *facts);
/* Of a live ring, when all of it was taken: `trace` tells what its instructions are (they have the same numbers there),
 * and must stay. */
void context_set_names(Context *context, mt_trace *trace);
/* The symbol that an instruction belongs to; NULL if it isn't known. It is owned by the context. */
const struct mt_symbol *context_symbol(const Context *context, uint32_t number);
/* The name of the function that an instruction is in, printable and owned by the context; *offset: the bytes from the
 * function's beginning. NULL if the function isn't known. */
const char *context_function(const Context *context, uint32_t number, uint64_t *offset);
/* What accesses go to, for callers that ask about them in their order; the caller frees it. NULL if nothing is known.
 * While a guest runs, answers follow the changes that were noted so far. */
AddressObjects *context_new_objects(const Context *context);
/* The same for callers that ask about few accesses, from any thread: a number, from 1 on, for what a batch's record `i`
 * (below its count) goes to. All callers get the same number for the same object; 0 if the context has no objects. The
 * batch has ADDRESS_OBJECTS_COLUMNS. The region and the name are found by the number; the context owns the name. */
bool context_has_objects(const Context *context);
uint32_t context_object_at(const Context *context, const struct mt_batch *batch, size_t i);
/* The same for `count` records, whose places in the batch are `records`. Threads that ask often get in each other's way
 * less. */
void context_objects_at(const Context *context, const struct mt_batch *batch, const uint32_t *records, size_t count,
                        uint32_t *numbers);
ObjectRegion context_object_region(const Context *context, uint32_t number);
const char *context_object_name(const Context *context, uint32_t number);

/* The symbol and the function of an instruction that is executed in this memory (address space; 0: unknown); and
 * whether they depend on the memory. */
const struct mt_symbol *context_symbol_in(const Context *context, uint32_t memory, uint32_t number);
const char *context_function_in(const Context *context, uint32_t memory, uint32_t number, uint64_t *offset);
bool context_names_vary(const Context *context, uint32_t number);
/* Appends (const char *) its function as the linker names it, and those that are inlined there. A name is always the
 * same pointer. */
void context_list_functions_in(const Context *context, uint32_t memory, uint32_t number, GPtrArray *to);
/* Goes on to the next records of a batch that have the same memory, as task_memory_next_run() does. Where nothing is
 * known, that is memory 0. */
bool context_next_memory_run(const Context *context, const struct mt_batch *batch, MemoryRun *run);

#endif
