/* SPDX-License-Identifier: MIT */
/* Receiving: packets come when they are ordered, and go to the receive queues, TLP by TLP. */
#ifndef EMU_RECEIVE_H
#define EMU_RECEIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "packets.h"
#include "queue.h"

/** enum receive_stage - what is next for the packet under way */
enum receive_stage {
	RECEIVE_FETCH,
	RECEIVE_HEADER,
	RECEIVE_PAYLOAD,
	RECEIVE_DESCRIPTOR,
};

/**
 * struct receiver - all receive queues, and the packet under way to one of them
 * @pending: packets still to be generated
 * @next: number of the next one
 * @spread: EP_RX_SPREAD
 * @current: queue that the packet is for
 * @header: bytes of it that go to the header's buffer
 * @header_at: IOVA, from the descriptor
 * @payload_at: likewise
 */
struct receiver {
	struct queue queues[EP_QUEUE_MAX];
	uint32_t pending;
	uint32_t next;
	uint32_t spread;
	unsigned int current;
	enum receive_stage stage;
	uint32_t header;
	uint64_t header_at;
	uint64_t payload_at;
	struct packet packet;
};

/** receive_is_idle() - no packet is ordered or under way. */
bool receive_is_idle(const struct receiver *receiver);

/**
 * receive_step() - take the next packet from its source, or send a request for the one under way
 *
 * Return: whether it did something; if not, it is idle or waits for somebody.
 */
bool receive_step(struct tph_emu *emu, struct receiver *receiver, const struct packets *packets);

#endif /* EMU_RECEIVE_H */
