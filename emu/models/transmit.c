// SPDX-License-Identifier: MIT
#include "transmit.h"

#include <string.h>

#include "engines.h"
#include "format/bits.h"

#define DWORD	4u
#define PAGE	4096u /* no request is longer */
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

static void begin(struct tph_emu *emu, struct transmitter *transmitter)
{
	struct queue *queue;

	transmitter->current = next_queue(transmitter);
	transmitter->stage = TRANSMIT_FETCH;
	tph_emu_begin(emu, ENGINE_TRANSMIT);
	queue = &transmitter->queues[transmitter->current];
	queue->under_way = true;
	queue->done = 0;
}

/* Each of these sends a request. Return: as queue_send(). */

static int fetch(struct tph_emu *emu, struct transmitter *transmitter, struct queue *queue)
{
	uint8_t descriptor[EP_TXD_WRITTEN];
	struct tph_emu_request request = {
		.type = TPH_EMU_READ,
		.kind = TPH_EMU_FETCH,
		.address = queue_descriptor(queue),
		.data = descriptor,
		.length = sizeof(descriptor),
	};
	int ret = queue_send(emu, queue, &request);
	uint32_t length;

	if (ret <= 0)
		return ret;
	length = le32_get(descriptor + EP_TXD_LENGTH);
	transmitter->payload_at = le64_get(descriptor + EP_DESCRIPTOR_PAYLOAD);
	transmitter->header_at = le64_get(descriptor + EP_DESCRIPTOR_HEADER);
	transmitter->header = length >> 16;
	transmitter->packet.length = transmitter->header + (length & 0xffff);
	if (transmitter->packet.length && transmitter->packet.length <= PACKETS_LENGTH_MAX)
		transmitter->stage = transmitter->header ? TRANSMIT_HEADER : TRANSMIT_PAYLOAD;
	else
		queue_fault(emu, queue, EP_FAULT_COMMAND, NULL);
	return ret;
}

/*
 * Reads the next piece of packet bytes that end at @end, and whose first is at @address. It asks
 * for whole dwords and throws away what is around them: a read with a hint has no byte enables to
 * ask for less (PCIe 6.2, 2.2.7.1.1), and no dword reaches into another page.
 */
static int read_bytes(struct tph_emu *emu, struct transmitter *transmitter, struct queue *queue,
		      uint32_t kind, uint64_t address, uint32_t end)
{
	const uint32_t bytes = tph_emu_length(emu, TPH_EMU_READ, address, end - queue->done);
	const uint32_t before = address % DWORD;
	uint8_t data[PAGE];
	struct tph_emu_request request = {
		.type = TPH_EMU_READ,
		.kind = kind,
		.address = address - before,
		.data = data,
		.length = (before + bytes + DWORD - 1) / DWORD * DWORD,
	};
	int ret = queue_send(emu, queue, &request);

	if (ret <= 0)
		return ret;
	memcpy(transmitter->packet.data + queue->done, data + before, bytes);
	queue->done += bytes;
	return ret;
}

static int read_header(struct tph_emu *emu, struct transmitter *transmitter, struct queue *queue)
{
	int ret = read_bytes(emu, transmitter, queue, TPH_EMU_HEADER,
			     transmitter->header_at + queue->done, transmitter->header);

	if (ret > 0 && queue->done == transmitter->header)
		transmitter->stage = TRANSMIT_PAYLOAD;
	return ret;
}

static int read_payload(struct tph_emu *emu, struct transmitter *transmitter, struct queue *queue)
{
	return read_bytes(emu, transmitter, queue, TPH_EMU_PAYLOAD,
			  transmitter->payload_at + (queue->done - transmitter->header),
			  transmitter->packet.length);
}

/* All of it is here: on the wire with it. */
static void send(struct tph_emu *emu, struct transmitter *transmitter)
{
	struct packet *packet = &transmitter->packet;

	packet->number = transmitter->next++;
	packet->hash = packets_hash(packet->data, packet->length);
	tph_emu_capture(emu, packet->number, packet->data, packet->length);
	transmitter->stage = TRANSMIT_DESCRIPTOR;
}

static int write_descriptor(struct tph_emu *emu, struct transmitter *transmitter,
			    struct queue *queue)
{
	const struct packet *packet = &transmitter->packet;
	uint8_t written[WRITTEN];
	struct tph_emu_request request = {
		.type = TPH_EMU_WRITE,
		.kind = TPH_EMU_DESCRIPTOR,
		.address = queue_descriptor(queue) + EP_TXD_WRITTEN,
		.data = written,
		.length = sizeof(written),
	};
	int ret;

	le32_put(written + (EP_TXD_NUMBER - EP_TXD_WRITTEN), packet->number);
	le32_put(written + (EP_TXD_HASH - EP_TXD_WRITTEN), packet->hash);
	le32_put(written + (EP_DESCRIPTOR_STATUS - EP_TXD_WRITTEN), EP_DESCRIPTOR_DONE);
	ret = queue_send(emu, queue, &request);
	if (ret > 0)
		queue_advance(emu, queue, packet->length);
	return ret;
}

bool transmit_step(struct tph_emu *emu, struct transmitter *transmitter)
{
	struct queue *queue = &transmitter->queues[transmitter->current];
	int ret = 0;

	if (transmit_is_idle(transmitter))
		return false;
	if (!queue->under_way) {
		begin(emu, transmitter);
		return true;
	}

	switch (transmitter->stage) {
	case TRANSMIT_FETCH:
		return fetch(emu, transmitter, queue);
	case TRANSMIT_HEADER:
		ret = read_header(emu, transmitter, queue);
		break;
	case TRANSMIT_PAYLOAD:
		ret = read_payload(emu, transmitter, queue);
		break;
	case TRANSMIT_DESCRIPTOR:
		return write_descriptor(emu, transmitter, queue);
	}
	if (ret > 0 && queue->done == transmitter->packet.length)
		send(emu, transmitter);
	return ret;
}
