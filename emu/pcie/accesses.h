/* SPDX-License-Identifier: MIT */
/* What software's accesses to a function say: in the log, and in the counters. */
#ifndef EMU_ACCESSES_H
#define EMU_ACCESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config_space.h"
#include "instrument/instrument.h"
#include "knobs.h"

/** struct config_state - what other parts care about, to tell what an access has changed */
struct config_state {
	bool bus_master;
	unsigned int power;
	uint32_t control;
};

/** accesses_state() - as it is now. */
struct config_state accesses_state(const struct knobs *knobs, const struct config_space *config);

/** accesses_compare() - log and count how @new differs from @old. */
void accesses_compare(struct instrument *instrument, const struct config_state *old,
		      const struct config_state *new);

/** accesses_count() - one to configuration space. */
void accesses_count(struct instrument *instrument, const struct knobs *knobs,
		    const struct config_space *config, bool write, size_t at, size_t length);

/** accesses_count_memory() - one to a BAR. */
void accesses_count_memory(struct instrument *instrument, const struct config_space *config,
			   bool write, size_t at, size_t length);

/** accesses_log_write() - a write to configuration space, as it came. */
void accesses_log_write(struct instrument *instrument, const char *event, size_t at,
			const uint8_t *data, size_t length);

/** accesses_log_entry() - an ST entry, if it changed. */
void accesses_log_entry(struct instrument *instrument, unsigned int index, uint16_t old,
			uint16_t new);

/** accesses_overlap() - whether two ranges do. */
bool accesses_overlap(size_t at, size_t length, size_t start, size_t size);

#endif /* EMU_ACCESSES_H */
