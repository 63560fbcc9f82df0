/* SPDX-License-Identifier: MIT */
/* Transmitting: packets are read out of the client's memory, TLP by TLP, and are then on the wire.
 */
#ifndef EMU_TRANSMIT_H
#define EMU_TRANSMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "packets.h"
#include "queue.h"

/** enum transmit_stage - what is next for the packet under way */
enum transmit_stage {
	TRANSMIT_FETCH,
	TRANSMIT_HEADER,
	TRANSMIT_PAYLOAD,
	TRANSMIT_DESCRIPTOR,
};

/**
 * struct transmitter - all transmit queues, and the packet under way from one of them
 * @next: number of the packet that is on the wire next
 * @current: queue that the last packet is or was from
 * @header: bytes of it that come from the header's buffer
 * @header_at: IOVA, from the descriptor
 * @payload_at: likewise
 */
struct transmitter {
	struct queue queues[EP_QUEUE_MAX];
	uint32_t next;
	unsigned int current;
	enum transmit_stage stage;
	uint32_t header;
	uint64_t header_at;
	uint64_t payload_at;
	struct packet packet;
};

/** transmit_is_idle() - no packet waits or is under way. */
bool transmit_is_idle(const struct transmitter *transmitter);

/**
 * transmit_step() - go to the next queue's packet, or send a request for the one under way
 *
 * Return: whether it did something; if not, it is idle or waits for somebody.
 */
bool transmit_step(struct tph_emu *emu, struct transmitter *transmitter);

#endif /* EMU_TRANSMIT_H */
