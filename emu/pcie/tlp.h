/* SPDX-License-Identifier: MIT */
/* Memory requests: how a transfer is cut into TLPs, which hint each carries, how one is taken. */
#ifndef EMU_TLP_H
#define EMU_TLP_H

#include <stdbool.h>
#include <stdint.h>

#include "format/tlp.h"
#include "knobs.h"

/** enum tlp_entry - which ST entry a request's hint depends on */
enum tlp_entry {
	TLP_ENTRY_NONE,	  /* none: tlp_hint() needs no entry */
	TLP_ENTRY_NEEDED, /* the one that the hint selects */
};

/**
 * tlp_length() - length of the first request of a transfer
 * @address: where the transfer begins
 * @left: its length in bytes, not 0
 * @limit: Max_Payload_Size or Max_Read_Request_Size. The limit counts whole dwords, so a request
 *	that begins inside one is shorter.
 */
uint32_t tlp_length(uint64_t address, uint32_t left, uint32_t limit);

/**
 * tlp_entry() - whether a hint needs the ST table
 * @knobs: what the function can do
 * @control: TPH Requester Control register
 * @hint: TPH_EMU_HINT_*
 */
enum tlp_entry tlp_entry(const struct knobs *knobs, uint32_t control, uint32_t hint);

/**
 * tlp_hint() - the hint that a request carries (PCIe 6.2, 2.2.7.1 and 6.17)
 * @knobs: what the function can do
 * @control: TPH Requester Control register
 * @hint: TPH_EMU_HINT_*
 * @entry: ST entry that @hint selects, if tlp_entry() says it is needed
 * @tlp: the request, with type, address and length
 */
struct tlp_hint tlp_hint(const struct knobs *knobs, uint32_t control, uint32_t hint, uint16_t entry,
			 const struct tlp *tlp);

/** tlp_is_malformed() - whether a function with these knobs must take the request for malformed. */
bool tlp_is_malformed(const struct knobs *completer, const struct tlp *tlp);

/** tlp_hint_use() - what a function with these knobs does with the hint of a request. */
enum tlp_hint_use tlp_hint_use(const struct knobs *completer, const struct tlp *tlp);

#endif /* EMU_TLP_H */
