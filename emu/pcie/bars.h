/* SPDX-License-Identifier: MIT */
/* The Base Address Registers of a function. */
#ifndef EMU_BARS_H
#define EMU_BARS_H

#include "knobs.h"

/** bars_lay() - fill in knobs->bars: registers, MSI-X, memory, and what the profile has. */
void bars_lay(struct knobs *knobs);

#endif /* EMU_BARS_H */
