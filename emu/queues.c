// SPDX-License-Identifier: MIT
#include "queues.h"

#include <errno.h>
#include <string.h>

#include "bits.h"
#include "endpoint.h"

#define STEPS_AT_ONCE 64 /* then it is other functions' and clients' turn */
#define BUFFER_MAX    65536u
#define HEADER_MAX    256u
#define WRITTEN	      (EP_RXD_SIZE - EP_RXD_WRITTEN)

static struct queue *current(struct endpoint *endpoint)
{
	return &endpoint->queues.queue[endpoint->queues.delivery.queue];
}

void queues_reset(struct endpoint *endpoint)
{
	struct queues *queues = &endpoint->queues;

	tag_forget(endpoint, &queues->tag);
	*queues = (struct queues){ .spread = endpoint->knobs.queues };
}

void queues_tags_changed(struct endpoint *endpoint)
{
	tag_forget(endpoint, &endpoint->queues.tag);
}

/* The packet on its way to the queue is not delivered. */
static void abandon(struct endpoint *endpoint)
{
	current(endpoint)->drops++;
	endpoint->queues.delivery.stage = DELIVERY_NONE;
}

static bool is_delivering(const struct endpoint *endpoint, const struct queue *queue)
{
	const struct queues *queues = &endpoint->queues;

	return queues->delivery.stage != DELIVERY_NONE &&
	       queue == &queues->queue[queues->delivery.queue];
}

static void stop(struct endpoint *endpoint, struct queue *queue, uint32_t status)
{
	if (is_delivering(endpoint, queue))
		abandon(endpoint);
	queue->status = status;
}

/* @tlp: the request that could not be sent, NULL if it did not come to one. */
static void fault(struct endpoint *endpoint, struct queue *queue, uint32_t reason,
		  const struct tlp *tlp)
{
	const struct delivery *delivery = &endpoint->queues.delivery;
	struct json_object *line = log_event(endpoint->log, "fault", endpoint->knobs.name);

	log_string(line, "reason", dma_fault_name(reason));
	log_string(line, "command", "receive");
	log_number(line, "done", is_delivering(endpoint, queue) ? delivery->done : 0);
	if (tlp) {
		log_string(line, "type", tlp_type_name(tlp->type));
		log_hex(line, "address", tlp->address, 1);
		log_number(line, "length", tlp->length);
	}
	log_number(line, "queue", (uint64_t)(queue - endpoint->queues.queue));
	if (tlp)
		log_string(line, "kind", tlp_kind_name(tlp->kind));
	log_write(endpoint->log, line);

	endpoint->counters.faults++;
	queue->fault = reason;
	stop(endpoint, queue, EP_RXQ_ERROR);
}

static bool setup_is_valid(const struct queue *queue)
{
	const struct queue_setup *setup = &queue->setup;

	return setup->size >= EP_RXQ_SIZE_MIN && setup->size <= EP_RXQ_SIZE_MAX &&
	       !(setup->size & (setup->size - 1)) && !(setup->base % EP_RXD_SIZE) &&
	       setup->buffer && setup->buffer <= BUFFER_MAX &&
	       (!(queue->control & EP_RXQ_SPLIT) || (setup->header && setup->header <= HEADER_MAX));
}

static void enable(struct endpoint *endpoint, struct queue *queue)
{
	*queue = (struct queue){ .setup = queue->setup, .control = queue->control };
	if (!setup_is_valid(queue)) {
		fault(endpoint, queue, EP_FAULT_COMMAND, NULL);
		return;
	}
	queue->run = queue->setup;
	queue->split = queue->control & EP_RXQ_SPLIT;
	queue->status = EP_RXQ_RUNNING;
}

static void announce(struct endpoint *endpoint, struct queue *queue)
{
	if (!queue->unannounced || !(queue->control & EP_RXQ_INTERRUPT))
		return;
	queue->unannounced = false;
	if (queue->run.vector < endpoint->msix.count)
		endpoint_interrupt(endpoint, queue->run.vector);
}

static void control_write(struct endpoint *endpoint, struct queue *queue, uint32_t value)
{
	const uint32_t old = queue->control;

	queue->control = value & (EP_RXQ_ENABLE | EP_RXQ_SPLIT | EP_RXQ_INTERRUPT);
	if (~old & value & EP_RXQ_ENABLE)
		enable(endpoint, queue);
	else if (old & ~value & EP_RXQ_ENABLE)
		stop(endpoint, queue, 0);
	announce(endpoint, queue);
}

static void tail_write(struct endpoint *endpoint, struct queue *queue, uint32_t value)
{
	if (queue->status != EP_RXQ_RUNNING)
		return;
	if (value < queue->run.size)
		queue->tail = value;
	else
		fault(endpoint, queue, EP_FAULT_COMMAND, NULL);
}

static uint32_t queue_read(const struct queue *queue, size_t at)
{
	const struct queue_setup *setup = &queue->setup;

	switch (at) {
	case EP_RXQ_CONTROL:
		return queue->control;
	case EP_RXQ_STATUS:
		return queue->status;
	case EP_RXQ_BASE_LO:
		return (uint32_t)setup->base;
	case EP_RXQ_BASE_HI:
		return (uint32_t)(setup->base >> 32);
	case EP_RXQ_SIZE:
		return setup->size;
	case EP_RXQ_HEAD:
		return queue->head;
	case EP_RXQ_TAIL:
		return queue->tail;
	case EP_RXQ_BUFFER:
		return setup->buffer;
	case EP_RXQ_HEADER:
		return setup->header;
	case EP_RXQ_VECTOR:
		return setup->vector;
	case EP_RXQ_HINT_DESCRIPTOR:
		return setup->hint_descriptor;
	case EP_RXQ_HINT_HEADER:
		return setup->hint_header;
	case EP_RXQ_HINT_PAYLOAD:
		return setup->hint_payload;
	case EP_RXQ_FAULT:
		return queue->fault;
	case EP_RXQ_PACKETS:
		return queue->packets;
	case EP_RXQ_BYTES:
		return queue->bytes;
	case EP_RXQ_TLPS:
		return queue->tlps;
	case EP_RXQ_DROPS:
		return queue->drops;
	default:
		return 0;
	}
}

static void queue_write(struct endpoint *endpoint, struct queue *queue, size_t at, uint32_t value)
{
	struct queue_setup *setup = &queue->setup;

	switch (at) {
	case EP_RXQ_CONTROL:
		control_write(endpoint, queue, value);
		break;
	case EP_RXQ_BASE_LO:
		setup->base = (setup->base & ~(uint64_t)UINT32_MAX) | value;
		break;
	case EP_RXQ_BASE_HI:
		setup->base = (setup->base & UINT32_MAX) | (uint64_t)value << 32;
		break;
	case EP_RXQ_SIZE:
		setup->size = value;
		break;
	case EP_RXQ_TAIL:
		tail_write(endpoint, queue, value);
		break;
	case EP_RXQ_BUFFER:
		setup->buffer = value;
		break;
	case EP_RXQ_HEADER:
		setup->header = value;
		break;
	case EP_RXQ_VECTOR:
		setup->vector = value;
		break;
	case EP_RXQ_HINT_DESCRIPTOR:
		setup->hint_descriptor = value;
		break;
	case EP_RXQ_HINT_HEADER:
		setup->hint_header = value;
		break;
	case EP_RXQ_HINT_PAYLOAD:
		setup->hint_payload = value;
		break;
	default:
		break;
	}
}

/* Index of the queue that a register is of; one that there is not if it is of none. */
static size_t queue_at(size_t at)
{
	return at < EP_RXQ ? EP_RXQ_MAX : (at - EP_RXQ) / EP_RXQ_STRIDE;
}

uint32_t queues_read(const struct endpoint *endpoint, size_t at)
{
	const struct queues *queues = &endpoint->queues;

	if (queue_at(at) < endpoint->knobs.queues)
		return queue_read(&queues->queue[queue_at(at)], (at - EP_RXQ) % EP_RXQ_STRIDE);

	switch (at) {
	case EP_QUEUES:
		return endpoint->knobs.queues;
	case EP_RX_GENERATE:
		return queues->pending;
	case EP_RX_NEXT:
		return queues->next;
	case EP_RX_SPREAD:
		return queues->spread;
	case EP_RX_SOURCE:
		return endpoint->knobs.packets.file ? EP_RX_FILE : EP_RX_PATTERN;
	default:
		return 0;
	}
}

void queues_write(struct endpoint *endpoint, size_t at, uint32_t value)
{
	struct queues *queues = &endpoint->queues;

	if (!endpoint->knobs.queues)
		return;
	if (queue_at(at) < endpoint->knobs.queues) {
		queue_write(endpoint, &queues->queue[queue_at(at)], (at - EP_RXQ) % EP_RXQ_STRIDE,
			    value);
		return;
	}

	switch (at) {
	case EP_RX_GENERATE:
		if (value > EP_RX_PENDING_MAX - queues->pending)
			value = EP_RX_PENDING_MAX - queues->pending;
		queues->pending += value;
		break;
	case EP_RX_SPREAD:
		if (value && value <= endpoint->knobs.queues)
			queues->spread = value;
		break;
	default:
		break;
	}
}

/* Takes the next packet from its source, and drops it if its queue cannot take it. */
static void begin(struct endpoint *endpoint)
{
	struct queues *queues = &endpoint->queues;
	struct delivery *delivery = &queues->delivery;
	const struct queue *queue;

	queues->pending--;
	packets_get(&endpoint->knobs.packets, queues->next++, &delivery->packet);
	delivery->queue = packets_queue(delivery->packet.hash, queues->spread);
	delivery->stage = DELIVERY_FETCH;
	delivery->done = delivery->header = 0;
	tag_forget(endpoint, &queues->tag);

	queue = current(endpoint);
	if (queue->split)
		delivery->header = delivery->packet.length < queue->run.header
					   ? delivery->packet.length
					   : queue->run.header;
	if (queue->status != EP_RXQ_RUNNING || queue->head == queue->tail ||
	    delivery->packet.length - delivery->header > queue->run.buffer)
		abandon(endpoint);
}

static uint32_t hint_of(const struct queue *queue, enum tlp_kind kind)
{
	switch (kind) {
	case TLP_DESCRIPTOR:
		return queue->run.hint_descriptor;
	case TLP_HEADER:
		return queue->run.hint_header;
	case TLP_PAYLOAD:
		return queue->run.hint_payload;
	default:
		return 0;
	}
}

/*
 * To a driver that polls, the status at the end of a descriptor tells that all else is there: it
 * must not be seen first, and nothing else promises that of one copy.
 */
static int write_memory(struct endpoint *endpoint, const struct tlp *tlp, const uint8_t *data)
{
	const uint32_t last = tlp->kind == TLP_DESCRIPTOR ? 4 : 0, first = tlp->length - last;
	int ret = iova_map_write(&endpoint->map, tlp->address, data, first);

	if (ret || !last)
		return ret;
	return iova_map_write(&endpoint->map, tlp->address + first, data + first, last);
}

/* Sends a request whose data is in or goes to @data; false if it faulted or has to wait. */
static bool transfer(struct endpoint *endpoint, struct tlp *tlp, uint8_t *data)
{
	const uint32_t control = tph_control(&endpoint->knobs, &endpoint->config);
	struct queues *queues = &endpoint->queues;
	struct queue *queue = current(endpoint);
	const uint32_t hint = hint_of(queue, tlp->kind);
	uint16_t tag;
	int ret;

	ret = tag_get(endpoint, &queues->tag, hint, &tag);
	if (ret == -EIO)
		fault(endpoint, queue, EP_FAULT_TAG, NULL);
	if (ret)
		return false;
	tlp->queue = queues->delivery.queue;
	tlp->hint = tlp_hint(&endpoint->knobs, control, hint, tag, tlp);
	if (tlp->type == TLP_MEMORY_WRITE)
		ret = write_memory(endpoint, tlp, data);
	else
		ret = iova_map_read(&endpoint->map, tlp->address, data, tlp->length);
	if (ret) {
		if (tlp->type == TLP_MEMORY_READ)
			endpoint_master_abort(endpoint);
		fault(endpoint, queue, ret == -EACCES ? EP_FAULT_PERMISSION : EP_FAULT_UNMAPPED,
		      tlp);
		return false;
	}
	queue->tlps++;
	endpoint_tlp_sent(endpoint, tlp, hint, NULL);
	return true;
}

static uint64_t descriptor_at(const struct queue *queue)
{
	return queue->run.base + (uint64_t)queue->head * EP_RXD_SIZE;
}

static uint64_t le64_get(const uint8_t *bytes)
{
	return le32_get(bytes) | (uint64_t)le32_get(bytes + 4) << 32;
}

static void fetch(struct endpoint *endpoint)
{
	struct delivery *delivery = &endpoint->queues.delivery;
	uint8_t descriptor[EP_RXD_WRITTEN];
	struct tlp tlp = {
		.type = TLP_MEMORY_READ,
		.kind = TLP_FETCH,
		.address = descriptor_at(current(endpoint)),
		.length = sizeof(descriptor),
	};

	if (!transfer(endpoint, &tlp, descriptor))
		return;
	delivery->payload_at = le64_get(descriptor + EP_RXD_PAYLOAD);
	delivery->header_at = le64_get(descriptor + EP_RXD_HEADER);
	delivery->stage = delivery->header ? DELIVERY_HEADER : DELIVERY_PAYLOAD;
}

/* Sends the next piece of packet bytes that end at @end, and whose first is at @address. */
static void write_bytes(struct endpoint *endpoint, enum tlp_kind kind, uint64_t address,
			uint32_t end)
{
	struct delivery *delivery = &endpoint->queues.delivery;
	struct tlp tlp = { .type = TLP_MEMORY_WRITE, .kind = kind, .address = address };

	tlp.length = tlp_length(address, end - delivery->done, endpoint_payload_size(endpoint));
	if (transfer(endpoint, &tlp, delivery->packet.data + delivery->done))
		delivery->done += tlp.length;
}

static void write_header(struct endpoint *endpoint)
{
	struct delivery *delivery = &endpoint->queues.delivery;

	write_bytes(endpoint, TLP_HEADER, delivery->header_at + delivery->done, delivery->header);
	if (delivery->stage == DELIVERY_HEADER && delivery->done == delivery->header)
		delivery->stage = delivery->done < delivery->packet.length ? DELIVERY_PAYLOAD
									   : DELIVERY_DESCRIPTOR;
}

static void write_payload(struct endpoint *endpoint)
{
	struct delivery *delivery = &endpoint->queues.delivery;

	write_bytes(endpoint, TLP_PAYLOAD,
		    delivery->payload_at + (delivery->done - delivery->header),
		    delivery->packet.length);
	if (delivery->stage == DELIVERY_PAYLOAD && delivery->done == delivery->packet.length)
		delivery->stage = DELIVERY_DESCRIPTOR;
}

static void write_descriptor(struct endpoint *endpoint)
{
	struct delivery *delivery = &endpoint->queues.delivery;
	const struct packet *packet = &delivery->packet;
	struct queue *queue = current(endpoint);
	uint8_t written[WRITTEN];
	struct tlp tlp = {
		.type = TLP_MEMORY_WRITE,
		.kind = TLP_DESCRIPTOR,
		.address = descriptor_at(queue) + EP_RXD_WRITTEN,
		.length = sizeof(written),
	};

	le32_put(written + (EP_RXD_NUMBER - EP_RXD_WRITTEN), packet->number);
	le32_put(written + (EP_RXD_HASH - EP_RXD_WRITTEN), packet->hash);
	le32_put(written + (EP_RXD_LENGTH - EP_RXD_WRITTEN),
		 delivery->header << 16 | (packet->length - delivery->header));
	le32_put(written + (EP_RXD_STATUS - EP_RXD_WRITTEN), EP_RXD_DONE);
	if (!transfer(endpoint, &tlp, written))
		return;

	delivery->stage = DELIVERY_NONE;
	queue->head = (queue->head + 1) % queue->run.size;
	queue->packets++;
	queue->bytes += packet->length;
	queue->unannounced = true;
	announce(endpoint, queue);
}

/* One TLP of the packet on its way. */
static void deliver(struct endpoint *endpoint)
{
	if (!endpoint_powered(endpoint)) {
		fault(endpoint, current(endpoint), EP_FAULT_POWER, NULL);
		return;
	}
	if (!endpoint_bus_master(endpoint)) {
		fault(endpoint, current(endpoint), EP_FAULT_BUS_MASTER, NULL);
		return;
	}

	switch (endpoint->queues.delivery.stage) {
	case DELIVERY_FETCH:
		fetch(endpoint);
		break;
	case DELIVERY_HEADER:
		write_header(endpoint);
		break;
	case DELIVERY_PAYLOAD:
		write_payload(endpoint);
		break;
	case DELIVERY_DESCRIPTOR:
		write_descriptor(endpoint);
		break;
	case DELIVERY_NONE:
		break;
	}
}

static bool can_step(const struct endpoint *endpoint)
{
	const struct queues *queues = &endpoint->queues;

	return (queues->pending || queues->delivery.stage != DELIVERY_NONE) &&
	       queues->tag.state != TAG_ASKED;
}

bool queues_work(struct endpoint *endpoint)
{
	for (int i = 0; i < STEPS_AT_ONCE && can_step(endpoint); i++) {
		if (endpoint->queues.delivery.stage == DELIVERY_NONE)
			begin(endpoint);
		else
			deliver(endpoint);
	}
	return can_step(endpoint);
}
