/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The inline functions of trace.h, as functions of the library. */
#define MT_INLINE
#include "../../include/memory_tracer/trace.h"
