/* SPDX-License-Identifier: MIT */
/* The Advanced Error Reporting capability (PCIe 6.2, 7.8.4) of a function that detects no error. */
#ifndef EMU_AER_H
#define EMU_AER_H

#include "config_space.h"

#define AER_SIZE 0x48u
#define AER_AT	 (CONFIG_SPACE_SIZE - AER_SIZE) /* behind all that can be moved */

/** aer_define() - lay out the capability, the last of the chain. */
void aer_define(struct config_space *config);

#endif /* EMU_AER_H */
