// SPDX-License-Identifier: MIT
#include "trace.h"

_Static_assert(TLP_MEMORY_WRITE == EP_TLP_MWR && TLP_MEMORY_READ == EP_TLP_MRD, "types");
_Static_assert(TLP_DMA == EP_TLP_DMA && TLP_FETCH == EP_TLP_FETCH &&
		       TLP_DESCRIPTOR == EP_TLP_DESCRIPTOR && TLP_HEADER == EP_TLP_HEADER &&
		       TLP_PAYLOAD == EP_TLP_PAYLOAD,
	       "kinds");
_Static_assert(TLP_ACCEPTED == EP_TLP_ACCEPTED && TLP_MALFORMED == EP_TLP_MALFORMED &&
		       TLP_UNSUPPORTED == EP_TLP_UNSUPPORTED,
	       "verdicts");
_Static_assert(TLP_HINT_NONE == EP_TLP_HINT_NONE && TLP_HINT_IGNORED == EP_TLP_HINT_IGNORED &&
		       TLP_HINT_TAKEN == EP_TLP_HINT_TAKEN,
	       "what becomes of a hint");

void trace_sent(struct trace *trace, const struct tlp *tlp, uint16_t rid)
{
	uint32_t *slot = trace->slots[trace->head % EP_TRACE_SLOTS];

	slot[EP_TLP_SEQ / 4] = trace->head++;
	slot[EP_TLP_FLAGS / 4] = tlp->type | (uint32_t)tlp->kind << EP_TLP_KIND_SHIFT |
				 (uint32_t)tlp->queue << EP_TLP_QUEUE_SHIFT |
				 (tlp->transmit ? EP_TLP_TRANSMIT : 0);
	if (tlp->hint.th)
		slot[EP_TLP_FLAGS / 4] |= EP_TLP_TH | (uint32_t)tlp->hint.ph << EP_TLP_PH_SHIFT |
					  (uint32_t)tlp->hint.width << EP_TLP_WIDTH_SHIFT;
	slot[EP_TLP_ST / 4] = tlp->hint.st;
	slot[EP_TLP_LENGTH / 4] = tlp->length;
	slot[EP_TLP_ADDR_LO / 4] = (uint32_t)tlp->address;
	slot[EP_TLP_ADDR_HI / 4] = (uint32_t)(tlp->address >> 32);
	slot[EP_TLP_RID / 4] = rid;
}

void trace_received(struct trace *trace, const struct tlp *tlp, const struct tlp_arrival *arrival)
{
	uint32_t *slot = trace->slots[trace->head % EP_TRACE_SLOTS];
	struct tlp at_bar = *tlp;

	at_bar.address = arrival->offset;
	trace_sent(trace, &at_bar, arrival->requester);
	slot[EP_TLP_ARRIVAL / 4] = arrival->bar |
				   (uint32_t)arrival->verdict << EP_TLP_VERDICT_SHIFT |
				   (uint32_t)arrival->use << EP_TLP_HINT_USE_SHIFT;
}
