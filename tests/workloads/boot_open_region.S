/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Like boot_sector.S, with a region of interest that begins in the second run and never ends. */
#define OPEN_REGION
#include "boot_sector.S"
