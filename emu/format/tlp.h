/* SPDX-License-Identifier: MIT */
/* A memory request, as it is on a link (PCIe 6.2, 2.2.7). */
#ifndef EMU_TLP_FORMAT_H
#define EMU_TLP_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#include <tph_emu.h>

#define TLP_PAGE 4096u /* no request crosses such a boundary (PCIe 6.2, 2.2.7) */

enum tlp_type {
	TLP_MEMORY_WRITE = TPH_EMU_WRITE,
	TLP_MEMORY_READ = TPH_EMU_READ,
};

/** enum tlp_kind - what a request is for */
enum tlp_kind {
	TLP_DMA = TPH_EMU_DMA,
	TLP_FETCH = TPH_EMU_FETCH,
	TLP_DESCRIPTOR = TPH_EMU_DESCRIPTOR,
	TLP_HEADER = TPH_EMU_HEADER,
	TLP_PAYLOAD = TPH_EMU_PAYLOAD,
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
 * @wanted: TPH_EMU_HINT_* that it was made with
 * @kind: what it is for
 * @queue: which queue it is for, unless it is for no queue
 * @transmit: that is a transmit queue
 */
struct tlp {
	enum tlp_type type;
	uint64_t address;
	uint32_t length;
	struct tlp_hint hint;
	uint32_t wanted;
	enum tlp_kind kind;
	unsigned int queue;
	bool transmit;
};

/** struct tlp_path - of a request that the client carried out; @peer: whose BAR it hit, or NULL */
struct tlp_path {
	const char *peer;
};

/** enum tlp_verdict - what a completer makes of a request */
enum tlp_verdict {
	TLP_ACCEPTED,
	TLP_MALFORMED,	 /* its prefix is none that the function knows */
	TLP_UNSUPPORTED, /* BARs do not answer */
};

/** enum tlp_hint_use - and of its hint */
enum tlp_hint_use {
	TLP_HINT_NONE,
	TLP_HINT_IGNORED,
	TLP_HINT_TAKEN,
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

/** tlp_wants_entry() - whether a hint names an ST entry. */
static inline bool tlp_wants_entry(uint32_t hint)
{
	return (hint & TPH_EMU_HINT_SOURCE) >> TPH_EMU_SOURCE_SHIFT == TPH_EMU_SOURCE_ENTRY;
}

#endif /* EMU_TLP_FORMAT_H */
