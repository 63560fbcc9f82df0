/* SPDX-License-Identifier: MIT */
/* The last TLPs of a function, as registers show them: EP_TLP_* in endpoint_regs.h. */
#ifndef EMU_TRACE_H
#define EMU_TRACE_H

#include <stdint.h>

#include "endpoint_regs.h"
#include "format/tlp.h"

/** struct trace - the last EP_TRACE_SLOTS; @head: how many there were */
struct trace {
	uint32_t head;
	uint32_t slots[EP_TRACE_SLOTS][EP_TRACE_STRIDE / 4];
};

/** trace_sent() - record a request that @rid sent. */
void trace_sent(struct trace *trace, const struct tlp *tlp, uint16_t rid);

/** trace_received() - record one that has arrived. */
void trace_received(struct trace *trace, const struct tlp *tlp, const struct tlp_arrival *arrival);

#endif /* EMU_TRACE_H */
