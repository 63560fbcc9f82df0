// SPDX-License-Identifier: MIT
#include "receive.h"

#include "engines.h"
#include "format/bits.h"

#define WRITTEN (EP_DESCRIPTOR_SIZE - EP_RXD_WRITTEN)

bool receive_is_idle(const struct receiver *receiver)
{
	return !receiver->pending && !receiver->queues[receiver->current].under_way;
}

/* Takes the next packet from its source, and drops it if its queue cannot take it. */
static void begin(struct tph_emu *emu, struct receiver *receiver, const struct packets *packets)
{
	struct packet *packet = &receiver->packet;
	struct queue *queue;

	receiver->pending--;
	packets_get(packets, receiver->next++, packet);
	receiver->current = packets_queue(packet->hash, receiver->spread);
	receiver->stage = RECEIVE_FETCH;
	receiver->header = 0;
	tph_emu_begin(emu, ENGINE_RECEIVE);

	queue = &receiver->queues[receiver->current];
	if (queue->split)
		receiver->header =
			packet->length < queue->run.header ? packet->length : queue->run.header;
	queue->done = 0;
	if (queue_has_descriptor(queue) && packet->length - receiver->header <= queue->run.buffer)
		queue->under_way = true;
	else
		queue_drop(queue);
}

/* Each of these sends a request. Return: as queue_send(). */

static int fetch(struct tph_emu *emu, struct receiver *receiver, struct queue *queue)
{
	uint8_t descriptor[EP_RXD_WRITTEN];
	struct tph_emu_request request = {
		.type = TPH_EMU_READ,
		.kind = TPH_EMU_FETCH,
		.address = queue_descriptor(queue),
		.data = descriptor,
		.length = sizeof(descriptor),
	};
	int ret = queue_send(emu, queue, &request);

	if (ret <= 0)
		return ret;
	receiver->payload_at = le64_get(descriptor + EP_DESCRIPTOR_PAYLOAD);
	receiver->header_at = le64_get(descriptor + EP_DESCRIPTOR_HEADER);
	receiver->stage = receiver->header ? RECEIVE_HEADER : RECEIVE_PAYLOAD;
	return ret;
}

/* The next piece of packet bytes that end at @end, and whose first is at @address. */
static int write_bytes(struct tph_emu *emu, struct receiver *receiver, struct queue *queue,
		       uint32_t kind, uint64_t address, uint32_t end)
{
	struct tph_emu_request request = {
		.type = TPH_EMU_WRITE,
		.kind = kind,
		.address = address,
		.data = receiver->packet.data + queue->done,
		.length = tph_emu_length(emu, TPH_EMU_WRITE, address, end - queue->done),
	};
	int ret = queue_send(emu, queue, &request);

	if (ret > 0)
		queue->done += (uint32_t)ret;
	return ret;
}

static int write_header(struct tph_emu *emu, struct receiver *receiver, struct queue *queue)
{
	int ret = write_bytes(emu, receiver, queue, TPH_EMU_HEADER,
			      receiver->header_at + queue->done, receiver->header);

	if (ret > 0 && queue->done == receiver->header)
		receiver->stage = queue->done < receiver->packet.length ? RECEIVE_PAYLOAD
									: RECEIVE_DESCRIPTOR;
	return ret;
}

static int write_payload(struct tph_emu *emu, struct receiver *receiver, struct queue *queue)
{
	int ret = write_bytes(emu, receiver, queue, TPH_EMU_PAYLOAD,
			      receiver->payload_at + (queue->done - receiver->header),
			      receiver->packet.length);

	if (ret > 0 && queue->done == receiver->packet.length)
		receiver->stage = RECEIVE_DESCRIPTOR;
	return ret;
}

static int write_descriptor(struct tph_emu *emu, struct receiver *receiver, struct queue *queue)
{
	const struct packet *packet = &receiver->packet;
	uint8_t written[WRITTEN];
	struct tph_emu_request request = {
		.type = TPH_EMU_WRITE,
		.kind = TPH_EMU_DESCRIPTOR,
		.address = queue_descriptor(queue) + EP_RXD_WRITTEN,
		.data = written,
		.length = sizeof(written),
	};
	int ret;

	le32_put(written + (EP_RXD_NUMBER - EP_RXD_WRITTEN), packet->number);
	le32_put(written + (EP_RXD_HASH - EP_RXD_WRITTEN), packet->hash);
	le32_put(written + (EP_RXD_LENGTH - EP_RXD_WRITTEN),
		 receiver->header << 16 | (packet->length - receiver->header));
	le32_put(written + (EP_DESCRIPTOR_STATUS - EP_RXD_WRITTEN), EP_DESCRIPTOR_DONE);
	ret = queue_send(emu, queue, &request);
	if (ret > 0)
		queue_advance(emu, queue, packet->length);
	return ret;
}

bool receive_step(struct tph_emu *emu, struct receiver *receiver, const struct packets *packets)
{
	struct queue *queue = &receiver->queues[receiver->current];

	if (receive_is_idle(receiver))
		return false;
	if (!queue->under_way) {
		begin(emu, receiver, packets);
		return true;
	}

	switch (receiver->stage) {
	case RECEIVE_FETCH:
		return fetch(emu, receiver, queue);
	case RECEIVE_HEADER:
		return write_header(emu, receiver, queue);
	case RECEIVE_PAYLOAD:
		return write_payload(emu, receiver, queue);
	case RECEIVE_DESCRIPTOR:
		return write_descriptor(emu, receiver, queue);
	}
	return false;
}
