/* SPDX-License-Identifier: MIT */
/* Memory requests: how a transfer is cut into TLPs, which hint each carries, where it is seen. */
#ifndef EMU_TLP_H
#define EMU_TLP_H

#include <stdbool.h>
#include <stdint.h>

#include "endpoint_regs.h"
#include "instrument/log.h"
#include "knobs.h"

#define TLP_PAGE 4096u /* no request crosses such a boundary (PCIe 6.2, 2.2.7) */

enum tlp_type {
	TLP_MEMORY_WRITE = EP_TLP_MWR,
	TLP_MEMORY_READ = EP_TLP_MRD,
};

/** enum tlp_kind - what a request is for */
enum tlp_kind {
	TLP_DMA = EP_TLP_DMA,
	TLP_FETCH = EP_TLP_FETCH,
	TLP_DESCRIPTOR = EP_TLP_DESCRIPTOR,
	TLP_HEADER = EP_TLP_HEADER,
	TLP_PAYLOAD = EP_TLP_PAYLOAD,
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
 * @kind: what it is for
 * @queue: which queue it is for, unless it is for the DMA engine
 * @transmit: that is a transmit queue
 */
struct tlp {
	enum tlp_type type;
	uint64_t address;
	uint32_t length;
	struct tlp_hint hint;
	enum tlp_kind kind;
	unsigned int queue;
	bool transmit;
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

/** struct tlp_path - of a request that the client carried out; @peer: whose BAR it hit, or NULL */
struct tlp_path {
	const char *peer;
};

/**
 * tlp_log() - write the line of a request that was sent
 * @hint: EP_DMA_HINT register
 * @path: NULL for one that went straight to the client's memory
 */
void tlp_log(struct log *log, const struct knobs *knobs, uint32_t hint, const struct tlp *tlp,
	     const struct tlp_path *path);

/** enum tlp_verdict - what a completer makes of a request */
enum tlp_verdict {
	TLP_ACCEPTED = EP_TLP_ACCEPTED,
	TLP_MALFORMED = EP_TLP_MALFORMED,     /* its prefix is none that the function knows */
	TLP_UNSUPPORTED = EP_TLP_UNSUPPORTED, /* BARs do not answer */
};

/** enum tlp_hint_use - and of its hint */
enum tlp_hint_use {
	TLP_HINT_NONE = EP_TLP_HINT_NONE,
	TLP_HINT_IGNORED = EP_TLP_HINT_IGNORED,
	TLP_HINT_TAKEN = EP_TLP_HINT_TAKEN,
};

/**
 * struct tlp_arrival - a request at its completer
 * @bar: which BAR was hit
 * @offset: where in it
 * @requester: requester id
 */
struct tlp_arrival {
	unsigned int bar;
	uint64_t offset;
	uint16_t requester;
	enum tlp_verdict verdict;
	enum tlp_hint_use use;
};

/** tlp_is_malformed() - whether a function with these knobs must take the request for malformed. */
bool tlp_is_malformed(const struct knobs *completer, const struct tlp *tlp);

/** tlp_hint_use() - what a function with these knobs does with the hint of a request. */
enum tlp_hint_use tlp_hint_use(const struct knobs *completer, const struct tlp *tlp);

/** tlp_received_log() - write the line of a request that has arrived. */
void tlp_received_log(struct log *log, const struct knobs *completer, const struct tlp *tlp,
		      const struct tlp_arrival *arrival);

/** tlp_received_trace() - record it. */
void tlp_received_trace(struct tlp_trace *trace, const struct tlp *tlp,
			const struct tlp_arrival *arrival);

/** tlp_type_name() - as the specification abbreviates it. */
const char *tlp_type_name(enum tlp_type type);

/** tlp_kind_name() - for the log. */
const char *tlp_kind_name(enum tlp_kind kind);

#endif /* EMU_TLP_H */
