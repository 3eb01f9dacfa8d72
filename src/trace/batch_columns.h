/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The arrays of a batch that have one element for each record, in one list, so that code that splits batches handles
 * all of them. */
#ifndef MEMORY_TRACER_TRACE_BATCH_COLUMNS_H
#define MEMORY_TRACER_TRACE_BATCH_COLUMNS_H

#include "../../include/memory_tracer/trace.h"

/* Does DO(type, column) with each. Any of them but the address may be NULL. */
#define BATCH_COLUMNS(DO)                                                                                              \
    DO(uint64_t, address)                                                                                              \
    DO(uint8_t, info)                                                                                                  \
    DO(uint32_t, instruction)                                                                                          \
    DO(uint64_t, paddr)                                                                                                \
    DO(struct mt_value, value)                                                                                         \
    DO(bool, value_unknown)                                                                                            \
    DO(uint8_t, page_size)                                                                                             \
    DO(uint64_t, index)

#endif
