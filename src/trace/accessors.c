/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The inline functions of trace.h, exported by the library. */
#define MT_INLINE
#include "../../include/memory_tracer/trace.h"
