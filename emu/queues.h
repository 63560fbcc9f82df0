/* SPDX-License-Identifier: MIT */
/*
 * The receive queues of an endpoint: rings of descriptors in the client's memory. Packets go to
 * them TLP by TLP, one packet after the other.
 */
#ifndef EMU_QUEUES_H
#define EMU_QUEUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "endpoint_regs.h"
#include "packets.h"
#include "tag.h"
#include "tlp.h"

struct endpoint;

/** struct queue_setup - the registers that enabling a queue takes */
struct queue_setup {
	uint64_t base;
	uint32_t size;
	uint32_t buffer;
	uint32_t header;
	uint32_t vector;
	uint32_t hint_descriptor;
	uint32_t hint_header;
	uint32_t hint_payload;
};

/**
 * struct queue - one receive queue
 * @setup: registers
 * @run: what @setup was when the queue was enabled
 * @control: EP_RXQ_CONTROL
 * @split: EP_RXQ_SPLIT when the queue was enabled
 * @status: EP_RXQ_STATUS
 * @fault: EP_RXQ_FAULT
 * @head: EP_RXQ_HEAD
 * @tail: EP_RXQ_TAIL
 * @unannounced: packets were delivered that no interrupt has told of
 */
struct queue {
	struct queue_setup setup;
	struct queue_setup run;
	uint32_t control;
	bool split;
	uint32_t status;
	uint32_t fault;
	uint32_t head;
	uint32_t tail;
	uint32_t packets;
	uint32_t bytes;
	uint32_t tlps;
	uint32_t drops;
	bool unannounced;
};

/** enum delivery_stage - what is next for the packet that is being delivered */
enum delivery_stage {
	DELIVERY_NONE,
	DELIVERY_FETCH,
	DELIVERY_HEADER,
	DELIVERY_PAYLOAD,
	DELIVERY_DESCRIPTOR,
};

/**
 * struct delivery - a packet on its way
 * @queue: index
 * @header: bytes of it that go to the header's buffer
 * @done: bytes of it that are through
 * @header_at: IOVA, from the descriptor
 * @payload_at: likewise
 */
struct delivery {
	enum delivery_stage stage;
	unsigned int queue;
	uint32_t header;
	uint32_t done;
	uint64_t header_at;
	uint64_t payload_at;
	struct packet packet;
};

/**
 * struct queues - all of them
 * @pending: packets still to be generated
 * @next: number of the next one
 * @spread: EP_RX_SPREAD
 */
struct queues {
	struct queue queue[EP_RXQ_MAX];
	uint32_t pending;
	uint32_t next;
	uint32_t spread;
	struct delivery delivery;
	struct tag_lookup tag;
};

/** queues_reset() - stop all, registers as after a reset. */
void queues_reset(struct endpoint *endpoint);

/** queues_tags_changed() - a tag that QEMU's monitor was asked for is no longer good. */
void queues_tags_changed(struct endpoint *endpoint);

/** queues_read() - read a register at EP_QUEUES .. EP_RX_SOURCE or in EP_RXQ; others are 0. */
uint32_t queues_read(const struct endpoint *endpoint, size_t at);

/** queues_write() - write one; read-only and undefined ones ignore it. */
void queues_write(struct endpoint *endpoint, size_t at, uint32_t value);

/** queues_work() - send some TLPs. Return: whether it can go on right now. */
bool queues_work(struct endpoint *endpoint);

#endif /* EMU_QUEUES_H */
