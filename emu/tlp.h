/* SPDX-License-Identifier: MIT */
/* Memory requests: how a transfer is cut into TLPs, which hint each carries, where it is seen. */
#ifndef EMU_TLP_H
#define EMU_TLP_H

#include <stdbool.h>
#include <stdint.h>

#include "endpoint_regs.h"
#include "knobs.h"
#include "log.h"

#define TLP_PAGE 4096u /* no request crosses such a boundary (PCIe 6.2, 2.2.7) */

enum tlp_type {
	TLP_MEMORY_WRITE = EP_TLP_MWR,
	TLP_MEMORY_READ = EP_TLP_MRD,
};

/**
 * struct tlp_hint - processing hint of a request
 * @th: TH bit; without it nothing else means anything, and all is 0
 * @ph: processing hint
 * @width: namespace of @st: 8 (steering tag) or 16 (extended steering tag)
 * @st: steering tag
 */
struct tlp_hint {
	bool th;
	uint8_t ph;
	uint8_t width;
	uint16_t st;
};

/**
 * struct tlp - one memory request
 * @type: write or read
 * @address: first byte
 * @length: bytes
 * @hint: what it carries
 */
struct tlp {
	enum tlp_type type;
	uint64_t address;
	uint32_t length;
	struct tlp_hint hint;
};

/** enum tlp_entry - which ST entry a request's hint depends on */
enum tlp_entry {
	TLP_ENTRY_NONE,	  /* none: tlp_hint() needs no entry */
	TLP_ENTRY_NEEDED, /* the one that EP_DMA_HINT selects */
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
 * @hint: EP_DMA_HINT register
 */
enum tlp_entry tlp_entry(const struct knobs *knobs, uint32_t control, uint32_t hint);

/**
 * tlp_hint() - the hint that a request carries (PCIe 6.2, 2.2.7.1 and 6.17)
 * @knobs: what the function can do
 * @control: TPH Requester Control register
 * @hint: EP_DMA_HINT register
 * @entry: ST entry that @hint selects, if tlp_entry() says it is needed
 * @tlp: the request, with type, address and length
 */
struct tlp_hint tlp_hint(const struct knobs *knobs, uint32_t control, uint32_t hint, uint16_t entry,
			 const struct tlp *tlp);

/** struct tlp_trace - the last requests of a function, as BAR 0 shows them */
struct tlp_trace {
	uint32_t head;
	uint32_t slots[EP_TRACE_SLOTS][EP_TRACE_STRIDE / 4];
};

/** tlp_trace_add() - record a request. */
void tlp_trace_add(struct tlp_trace *trace, const struct tlp *tlp, uint16_t rid);

/** tlp_hint_has_entry() - whether EP_DMA_HINT names an ST entry. */
bool tlp_hint_has_entry(uint32_t hint);

/** tlp_log() - write its line; @hint: EP_DMA_HINT register. */
void tlp_log(struct log *log, const struct knobs *knobs, uint32_t hint, const struct tlp *tlp);

/** tlp_type_name() - as the specification abbreviates it. */
const char *tlp_type_name(enum tlp_type type);

#endif /* EMU_TLP_H */
