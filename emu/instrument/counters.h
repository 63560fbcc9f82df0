/* SPDX-License-Identifier: MIT */
/* What an endpoint counts: the instrument that tests read. No reset of the function clears it. */
#ifndef EMU_COUNTERS_H
#define EMU_COUNTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "line.h"

#define COUNTERS_DWORDS 1024 /* of configuration space */

/**
 * struct counters - counts of one function
 * @config_reads: read accesses that touched each dword of configuration space
 * @config_writes: write accesses, likewise
 * @reads: read accesses to configuration space
 * @writes: write accesses to configuration space
 * @tph: accesses that touched the TPH Requester capability
 * @st_writes: write accesses that touched the ST table in the capability
 * @off_windows: times that the TPH requester went from enabled to disabled
 * @faults: DMA commands that faulted, and receive queues that stopped
 * @resets: function resets, without the power-on of a new connection
 * @interrupts: MSI-X messages sent
 * @tlps: memory requests sent
 * @tlps_hinted: those with TH set
 * @received: memory requests of other functions that arrived
 * @malformed: those that were malformed
 * @asleep_reads: reads of configuration space in D3hot, but of the registers that wake it
 * @asleep_writes: writes, likewise
 * @asleep_memory: accesses to BARs in D3hot
 */
struct counters {
	uint32_t config_reads[COUNTERS_DWORDS];
	uint32_t config_writes[COUNTERS_DWORDS];
	uint32_t reads;
	uint32_t writes;
	uint32_t tph;
	uint32_t st_writes;
	uint32_t off_windows;
	uint32_t faults;
	uint32_t resets;
	uint32_t interrupts;
	uint32_t tlps;
	uint32_t tlps_hinted;
	uint32_t received;
	uint32_t malformed;
	uint32_t asleep_reads;
	uint32_t asleep_writes;
	uint32_t asleep_memory;
};

/** counters_config() - count one access to configuration space, whatever its width. */
void counters_config(struct counters *counters, bool write, size_t at, size_t length);

/** counters_clear() - everything to 0. */
void counters_clear(struct counters *counters);

/** counters_report() - add all counts to @line; registers that were never accessed are left out. */
void counters_report(const struct counters *counters, struct line *line);

#endif /* EMU_COUNTERS_H */
