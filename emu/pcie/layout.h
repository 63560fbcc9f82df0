/* SPDX-License-Identifier: MIT */
/* Where a function without a profile has its capabilities, as far as no key moves them. */
#ifndef EMU_LAYOUT_H
#define EMU_LAYOUT_H

#include "aer.h"
#include "config_space.h"

#define PM_AT	   0x40u
#define MSIX_AT	   0x50u
#define EXPRESS_AT 0x60u
#define AF_AT	   0xa0u

/* extended ones; these two behind all that can be moved */
#define EXTENDED_AT 0x100u
#define AER_AT	    (CONFIG_SPACE_SIZE - AER_SIZE)
#define PASID_AT    (AER_AT - 8)

#endif /* EMU_LAYOUT_H */
