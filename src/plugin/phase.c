/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Changes of phase: see phase.h. */
#include "phase.h"

#include <glib.h>

#include "interface.h"

static gint switching; /* 1: `change` will be called */
static void (*change)(void);

void phase_init(void (*on_change)(void))
{
    change = on_change;
}

void phase_reconsider(void)
{
    if (g_atomic_int_compare_and_exchange(&switching, 0, 1))
        interface_reset(change);
}

void phase_is_settled(void)
{
    g_atomic_int_set(&switching, 0);
}
