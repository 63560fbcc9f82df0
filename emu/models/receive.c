// SPDX-License-Identifier: MIT
#include "receive.h"

#include "format/bits.h"
#include "pcie/endpoint.h"

#define WRITTEN (EP_DESCRIPTOR_SIZE - EP_RXD_WRITTEN)

bool receive_is_idle(const struct receiver *receiver)
{
	return !receiver->pending && !receiver->queues[receiver->current].under_way;
}

bool receive_can_step(const struct receiver *receiver)
{
	return !receive_is_idle(receiver) && receiver->tag.state != TAG_ASKED;
}

/* Takes the next packet from its source, and drops it if its queue cannot take it. */
static void begin(struct endpoint *endpoint, struct receiver *receiver)
{
	struct packet *packet = &receiver->packet;
	struct queue *queue;

	receiver->pending--;
	packets_get(&endpoint->knobs.packets, receiver->next++, packet);
	receiver->current = packets_queue(packet->hash, receiver->spread);
	receiver->stage = RECEIVE_FETCH;
	receiver->header = 0;
	tag_forget(endpoint, &receiver->tag);

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

static void fetch(struct endpoint *endpoint, struct receiver *receiver, struct queue *queue)
{
	uint8_t descriptor[EP_RXD_WRITTEN];
	struct tlp tlp = {
		.type = TLP_MEMORY_READ,
		.kind = TLP_FETCH,
		.address = queue_descriptor(queue),
		.length = sizeof(descriptor),
	};

	if (!queue_send(endpoint, queue, &receiver->tag, &tlp, descriptor))
		return;
	receiver->payload_at = le64_get(descriptor + EP_DESCRIPTOR_PAYLOAD);
	receiver->header_at = le64_get(descriptor + EP_DESCRIPTOR_HEADER);
	receiver->stage = receiver->header ? RECEIVE_HEADER : RECEIVE_PAYLOAD;
}

/* Sends the next piece of packet bytes that end at @end, and whose first is at @address. */
static void write_bytes(struct endpoint *endpoint, struct receiver *receiver, struct queue *queue,
			enum tlp_kind kind, uint64_t address, uint32_t end)
{
	struct tlp tlp = { .type = TLP_MEMORY_WRITE, .kind = kind, .address = address };

	tlp.length = tlp_length(address, end - queue->done, endpoint_payload_size(endpoint));
	if (queue_send(endpoint, queue, &receiver->tag, &tlp, receiver->packet.data + queue->done))
		queue->done += tlp.length;
}

static void write_header(struct endpoint *endpoint, struct receiver *receiver, struct queue *queue)
{
	write_bytes(endpoint, receiver, queue, TLP_HEADER, receiver->header_at + queue->done,
		    receiver->header);
	if (queue->done == receiver->header)
		receiver->stage = queue->done < receiver->packet.length ? RECEIVE_PAYLOAD
									: RECEIVE_DESCRIPTOR;
}

static void write_payload(struct endpoint *endpoint, struct receiver *receiver, struct queue *queue)
{
	write_bytes(endpoint, receiver, queue, TLP_PAYLOAD,
		    receiver->payload_at + (queue->done - receiver->header),
		    receiver->packet.length);
	if (queue->done == receiver->packet.length)
		receiver->stage = RECEIVE_DESCRIPTOR;
}

static void write_descriptor(struct endpoint *endpoint, struct receiver *receiver,
			     struct queue *queue)
{
	const struct packet *packet = &receiver->packet;
	uint8_t written[WRITTEN];
	struct tlp tlp = {
		.type = TLP_MEMORY_WRITE,
		.kind = TLP_DESCRIPTOR,
		.address = queue_descriptor(queue) + EP_RXD_WRITTEN,
		.length = sizeof(written),
	};

	le32_put(written + (EP_RXD_NUMBER - EP_RXD_WRITTEN), packet->number);
	le32_put(written + (EP_RXD_HASH - EP_RXD_WRITTEN), packet->hash);
	le32_put(written + (EP_RXD_LENGTH - EP_RXD_WRITTEN),
		 receiver->header << 16 | (packet->length - receiver->header));
	le32_put(written + (EP_DESCRIPTOR_STATUS - EP_RXD_WRITTEN), EP_DESCRIPTOR_DONE);
	if (queue_send(endpoint, queue, &receiver->tag, &tlp, written))
		queue_advance(endpoint, queue, packet->length);
}

void receive_step(struct endpoint *endpoint)
{
	struct receiver *receiver = &endpoint->queues.receiver;
	struct queue *queue = &receiver->queues[receiver->current];

	if (!queue->under_way) {
		begin(endpoint, receiver);
		return;
	}
	if (!queue_may_send(endpoint, queue))
		return;

	switch (receiver->stage) {
	case RECEIVE_FETCH:
		fetch(endpoint, receiver, queue);
		break;
	case RECEIVE_HEADER:
		write_header(endpoint, receiver, queue);
		break;
	case RECEIVE_PAYLOAD:
		write_payload(endpoint, receiver, queue);
		break;
	case RECEIVE_DESCRIPTOR:
		write_descriptor(endpoint, receiver, queue);
		break;
	}
}
