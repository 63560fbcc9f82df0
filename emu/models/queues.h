/* SPDX-License-Identifier: MIT */
/* The queues of an endpoint as it has them: their registers in BAR 0, and whose turn it is. */
#ifndef EMU_QUEUES_H
#define EMU_QUEUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "receive.h"
#include "transmit.h"

struct endpoint;

/** struct queues - all of them */
struct queues {
	struct receiver receiver;
	struct transmitter transmitter;
};

/** queues_reset() - stop all, registers as after a reset. */
void queues_reset(struct endpoint *endpoint);

/** queues_tags_changed() - a tag that QEMU's monitor was asked for is no longer good. */
void queues_tags_changed(struct endpoint *endpoint);

/** queues_read() - read a register at EP_QUEUES .. EP_TX_NEXT, in EP_RXQ or in EP_TXQ; others are
 * 0. */
uint32_t queues_read(const struct endpoint *endpoint, size_t at);

/** queues_write() - write one; read-only and undefined ones ignore it. */
void queues_write(struct endpoint *endpoint, size_t at, uint32_t value);

/** queues_work() - send some TLPs. Return: whether it can go on right now. */
bool queues_work(struct endpoint *endpoint);

/** queues_are_idle() - no packet is ordered, waits or is under way. */
bool queues_are_idle(const struct queues *queues);

#endif /* EMU_QUEUES_H */
