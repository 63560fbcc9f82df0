/* SPDX-License-Identifier: MIT */
/* The Type 0 header of configuration space (PCIe 6.2, 7.5.1). */
#ifndef EMU_HEADER_H
#define EMU_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config_space.h"
#include "knobs.h"

/** header_define() - lay it out. */
void header_define(const struct knobs *knobs, struct config_space *config);

/** header_bar_at() - offset of the Base Address Register of @bar. */
size_t header_bar_at(unsigned int bar);

/** header_bus_master() - Bus Master Enable is set. */
bool header_bus_master(const struct config_space *config);

/** header_memory_enabled() - Memory Space Enable is set. */
bool header_memory_enabled(const struct config_space *config);

/** header_master_abort() - a read of the function was answered by Unsupported Request. */
void header_master_abort(struct config_space *config);

#endif /* EMU_HEADER_H */
