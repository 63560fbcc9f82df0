// SPDX-License-Identifier: MIT
#include "transmit.h"

#include <string.h>

#include "format/bits.h"
#include "pcie/endpoint.h"

#define DWORD	4u
#define WRITTEN (EP_DESCRIPTOR_SIZE - EP_TXD_WRITTEN)

/* The next queue with a packet, each in its turn; EP_QUEUE_MAX if there is none. */
static unsigned int next_queue(const struct transmitter *transmitter)
{
	for (unsigned int i = 1; i <= EP_QUEUE_MAX; i++) {
		unsigned int q = (transmitter->current + i) % EP_QUEUE_MAX;

		if (queue_has_descriptor(&transmitter->queues[q]))
			return q;
	}
	return EP_QUEUE_MAX;
}

bool transmit_is_idle(const struct transmitter *transmitter)
{
	return !transmitter->queues[transmitter->current].under_way &&
	       next_queue(transmitter) == EP_QUEUE_MAX;
}

bool transmit_can_step(const struct transmitter *transmitter)
{
	return transmitter->tag.state != TAG_ASKED && !transmit_is_idle(transmitter);
}

static void begin(struct endpoint *endpoint, struct transmitter *transmitter)
{
	struct queue *queue;

	transmitter->current = next_queue(transmitter);
	transmitter->stage = TRANSMIT_FETCH;
	tag_forget(endpoint, &transmitter->tag);
	queue = &transmitter->queues[transmitter->current];
	queue->under_way = true;
	queue->done = 0;
}

static void fetch(struct endpoint *endpoint, struct transmitter *transmitter, struct queue *queue)
{
	uint8_t descriptor[EP_TXD_WRITTEN];
	struct tlp tlp = {
		.type = TLP_MEMORY_READ,
		.kind = TLP_FETCH,
		.address = queue_descriptor(queue),
		.length = sizeof(descriptor),
	};
	uint32_t length;

	if (!queue_send(endpoint, queue, &transmitter->tag, &tlp, descriptor))
		return;
	length = le32_get(descriptor + EP_TXD_LENGTH);
	transmitter->payload_at = le64_get(descriptor + EP_DESCRIPTOR_PAYLOAD);
	transmitter->header_at = le64_get(descriptor + EP_DESCRIPTOR_HEADER);
	transmitter->header = length >> 16;
	transmitter->packet.length = transmitter->header + (length & 0xffff);
	if (!transmitter->packet.length || transmitter->packet.length > PACKETS_LENGTH_MAX) {
		queue_fault(endpoint, queue, EP_FAULT_COMMAND, NULL);
		return;
	}
	transmitter->stage = transmitter->header ? TRANSMIT_HEADER : TRANSMIT_PAYLOAD;
}

/*
 * Reads the next piece of packet bytes that end at @end, and whose first is at @address. It asks
 * for whole dwords and throws away what is around them: a read with a hint has no byte enables to
 * ask for less (PCIe 6.2, 2.2.7.1.1), and no dword reaches into another page.
 */
static void read_bytes(struct endpoint *endpoint, struct transmitter *transmitter,
		       struct queue *queue, enum tlp_kind kind, uint64_t address, uint32_t end)
{
	const uint32_t before = address % DWORD;
	uint8_t data[TLP_PAGE];
	struct tlp tlp = { .type = TLP_MEMORY_READ, .kind = kind, .address = address - before };
	uint32_t bytes;

	bytes = tlp_length(address, end - queue->done, endpoint_read_request_size(endpoint));
	tlp.length = (before + bytes + DWORD - 1) / DWORD * DWORD;
	if (!queue_send(endpoint, queue, &transmitter->tag, &tlp, data))
		return;
	memcpy(transmitter->packet.data + queue->done, data + before, bytes);
	queue->done += bytes;
}

static void read_header(struct endpoint *endpoint, struct transmitter *transmitter,
			struct queue *queue)
{
	read_bytes(endpoint, transmitter, queue, TLP_HEADER, transmitter->header_at + queue->done,
		   transmitter->header);
	if (queue->done == transmitter->header)
		transmitter->stage = TRANSMIT_PAYLOAD;
}

static void read_payload(struct endpoint *endpoint, struct transmitter *transmitter,
			 struct queue *queue)
{
	read_bytes(endpoint, transmitter, queue, TLP_PAYLOAD,
		   transmitter->payload_at + (queue->done - transmitter->header),
		   transmitter->packet.length);
}

/* All of it is here: on the wire with it. */
static void send(struct endpoint *endpoint, struct transmitter *transmitter)
{
	struct packet *packet = &transmitter->packet;

	packet->number = transmitter->next++;
	packet->hash = packets_hash(packet->data, packet->length);
	capture_add(&endpoint->capture, packet);
	transmitter->stage = TRANSMIT_DESCRIPTOR;
}

static void write_descriptor(struct endpoint *endpoint, struct transmitter *transmitter,
			     struct queue *queue)
{
	const struct packet *packet = &transmitter->packet;
	uint8_t written[WRITTEN];
	struct tlp tlp = {
		.type = TLP_MEMORY_WRITE,
		.kind = TLP_DESCRIPTOR,
		.address = queue_descriptor(queue) + EP_TXD_WRITTEN,
		.length = sizeof(written),
	};

	le32_put(written + (EP_TXD_NUMBER - EP_TXD_WRITTEN), packet->number);
	le32_put(written + (EP_TXD_HASH - EP_TXD_WRITTEN), packet->hash);
	le32_put(written + (EP_DESCRIPTOR_STATUS - EP_TXD_WRITTEN), EP_DESCRIPTOR_DONE);
	if (queue_send(endpoint, queue, &transmitter->tag, &tlp, written))
		queue_advance(endpoint, queue, packet->length);
}

void transmit_step(struct endpoint *endpoint)
{
	struct transmitter *transmitter = &endpoint->queues.transmitter;
	struct queue *queue = &transmitter->queues[transmitter->current];

	if (!queue->under_way) {
		begin(endpoint, transmitter);
		return;
	}
	if (!queue_may_send(endpoint, queue))
		return;

	switch (transmitter->stage) {
	case TRANSMIT_FETCH:
		fetch(endpoint, transmitter, queue);
		return;
	case TRANSMIT_HEADER:
		read_header(endpoint, transmitter, queue);
		break;
	case TRANSMIT_PAYLOAD:
		read_payload(endpoint, transmitter, queue);
		break;
	case TRANSMIT_DESCRIPTOR:
		write_descriptor(endpoint, transmitter, queue);
		return;
	}
	if (queue->under_way && queue->done == transmitter->packet.length)
		send(endpoint, transmitter);
}
