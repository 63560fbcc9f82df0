/* SPDX-License-Identifier: MIT */
/* The bus analyzer: a function's TLPs, and those that could not be sent, in log, trace and counts.
 */
#ifndef EMU_ANALYZER_H
#define EMU_ANALYZER_H

#include <stdint.h>

#include "format/tlp.h"
#include "instrument.h"

/**
 * analyzer_sent() - a request of the function was sent
 * @rid: its requester id
 * @path: NULL for one that went straight to the client's memory
 */
void analyzer_sent(struct instrument *instrument, const struct tlp *tlp, uint16_t rid,
		   const struct tlp_path *path);

/** analyzer_received() - a request of another function has arrived. */
void analyzer_received(struct instrument *instrument, const struct tlp *tlp,
		       const struct tlp_arrival *arrival);

/**
 * analyzer_fault() - work of the function cannot go on
 * @reason: enum tph_emu_fault
 * @command: what was to be done
 * @done: bytes of it that are through
 * @tlp: the request that could not be sent, NULL if it did not come to one
 * @queue: of which queue, NULL if of none
 */
void analyzer_fault(struct instrument *instrument, uint32_t reason, const char *command,
		    uint32_t done, const struct tlp *tlp, const unsigned int *queue);

#endif /* EMU_ANALYZER_H */
