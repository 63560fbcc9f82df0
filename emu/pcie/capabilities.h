/* SPDX-License-Identifier: MIT */
/* All of a function's configuration space: the header, and both chains of capabilities. */
#ifndef EMU_CAPABILITIES_H
#define EMU_CAPABILITIES_H

#include "config_space.h"
#include "knobs.h"

/* VSEC ID of the vendor-specific capabilities; the revision is 0 */
#define VSEC_ID 0x7450u

/** capabilities_define() - lay out all of it. */
void capabilities_define(const struct knobs *knobs, struct config_space *config);

#endif /* EMU_CAPABILITIES_H */
