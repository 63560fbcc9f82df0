// SPDX-License-Identifier: MIT
#include "queues.h"

#define STEPS_AT_ONCE 16 /* then it is other functions' and clients' turn */

void queues_reset(struct queues *queues)
{
	*queues = (struct queues){
		.count = queues->count,
		.packets = queues->packets,
		.latches.when = queues->latches.when,
		.receiver.spread = queues->count,
	};
	for (unsigned int q = 0; q < EP_QUEUE_MAX; q++) {
		queues->receiver.queues[q].number = queues->transmitter.queues[q].number = q;
		queues->transmitter.queues[q].transmit = true;
		queues->receiver.queues[q].latches = &queues->latches;
		queues->transmitter.queues[q].latches = &queues->latches;
	}
}

/* Which queue a register is of, if those of the first one begin at @first; beyond all if of none.
 */
static size_t queue_at(size_t at, size_t first)
{
	return at >= first ? (at - first) / EP_QUEUE_STRIDE : EP_QUEUE_MAX;
}

uint32_t queues_read(const struct queues *queues, size_t at)
{
	const unsigned int count = queues->count;
	const size_t rx = queue_at(at, EP_RXQ), tx = queue_at(at, EP_TXQ);
	const struct transmitter *transmitter = &queues->transmitter;
	const struct receiver *receiver = &queues->receiver;

	if (rx < count)
		return queue_read(&receiver->queues[rx], at % EP_QUEUE_STRIDE);
	if (tx < count)
		return queue_read(&transmitter->queues[tx], at % EP_QUEUE_STRIDE);

	switch (at) {
	case EP_QUEUES:
		return count;
	case EP_RX_GENERATE:
		return receiver->pending;
	case EP_RX_NEXT:
		return receiver->next;
	case EP_RX_SPREAD:
		return receiver->spread;
	case EP_RX_SOURCE:
		return queues->packets.file ? EP_RX_FILE : EP_RX_PATTERN;
	case EP_TX_NEXT:
		return transmitter->next;
	default:
		return 0;
	}
}

void queues_write(struct tph_emu *emu, struct queues *queues, size_t at, uint32_t value)
{
	const unsigned int count = queues->count;
	const size_t rx = queue_at(at, EP_RXQ), tx = queue_at(at, EP_TXQ);
	struct transmitter *transmitter = &queues->transmitter;
	struct receiver *receiver = &queues->receiver;

	if (!count)
		return;
	if (rx < count)
		queue_write(emu, &receiver->queues[rx], at % EP_QUEUE_STRIDE, value);
	if (tx < count)
		queue_write(emu, &transmitter->queues[tx], at % EP_QUEUE_STRIDE, value);

	switch (at) {
	case EP_RX_GENERATE:
		if (value > EP_RX_PENDING_MAX - receiver->pending)
			value = EP_RX_PENDING_MAX - receiver->pending;
		receiver->pending += value;
		break;
	case EP_RX_SPREAD:
		if (value && value <= count)
			receiver->spread = value;
		break;
	default:
		break;
	}
}

bool queues_work(struct tph_emu *emu, struct queues *queues)
{
	bool moves = true;

	for (int i = 0; i < STEPS_AT_ONCE && moves; i++) {
		moves = receive_step(emu, &queues->receiver, &queues->packets);
		moves |= transmit_step(emu, &queues->transmitter);
	}
	return moves && !queues_are_idle(queues);
}

bool queues_are_idle(const struct queues *queues)
{
	return receive_is_idle(&queues->receiver) && transmit_is_idle(&queues->transmitter);
}
