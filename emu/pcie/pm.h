/* SPDX-License-Identifier: MIT */
/* The Power Management capability (PCIe 6.2, 7.5.2): D0 and D3hot. */
#ifndef EMU_PM_H
#define EMU_PM_H

#include <stdbool.h>

#include "config_space.h"
#include "knobs.h"

#define PM_D0	 0u
#define PM_D3HOT 3u

/** pm_define() - lay it out. */
void pm_define(const struct knobs *knobs, struct config_space *config);

/** pm_state() - the PowerState field. */
unsigned int pm_state(const struct config_space *config);

/** pm_set_state() - set it, as the function does. */
void pm_set_state(struct config_space *config, unsigned int state);

/** pm_powered() - in D0. */
bool pm_powered(const struct config_space *config);

#endif /* EMU_PM_H */
