/* SPDX-License-Identifier: MIT */
/* The queues of the exerciser: their registers in BAR 0, and whose turn it is. */
#ifndef EMU_QUEUES_H
#define EMU_QUEUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "receive.h"
#include "transmit.h"

/**
 * struct queues - all of them
 * @count: key queues: of each direction; survives resets
 * @packets: key packets: what is received; survives resets
 * @latches: key latch survives resets, and no tag does
 */
struct queues {
	unsigned int count;
	struct packets packets;
	struct queue_latches latches;
	struct receiver receiver;
	struct transmitter transmitter;
};

/** queues_reset() - stop all, registers as after a reset. */
void queues_reset(struct queues *queues);

/** queues_read() - read a register at EP_QUEUES .. EP_TX_NEXT, in EP_RXQ or in EP_TXQ; others are
 * 0. */
uint32_t queues_read(const struct queues *queues, size_t at);

/** queues_write() - write one; read-only and undefined ones ignore it. */
void queues_write(struct tph_emu *emu, struct queues *queues, size_t at, uint32_t value);

/** queues_work() - send some TLPs. Return: whether it can go on right now. */
bool queues_work(struct tph_emu *emu, struct queues *queues);

/** queues_are_idle() - no packet is ordered, waits or is under way. */
bool queues_are_idle(const struct queues *queues);

#endif /* EMU_QUEUES_H */
