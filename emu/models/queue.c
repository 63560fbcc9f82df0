// SPDX-License-Identifier: MIT
#include "queue.h"

#include "engines.h"

#define BUFFER_MAX 65536u
#define HEADER_MAX 256u

bool queue_has_descriptor(const struct queue *queue)
{
	return queue->status == EP_QUEUE_RUNNING && queue->head != queue->tail;
}

uint64_t queue_descriptor(const struct queue *queue)
{
	return queue->run.base + (uint64_t)queue->head * EP_DESCRIPTOR_SIZE;
}

void queue_drop(struct queue *queue)
{
	queue->drops++;
	queue->under_way = false;
}

static void stop(struct queue *queue, uint32_t status)
{
	if (queue->under_way)
		queue_drop(queue);
	queue->status = status;
}

void queue_fault(struct tph_emu *emu, struct queue *queue, uint32_t reason,
		 const struct tph_emu_request *request)
{
	const struct tph_emu_error error = {
		.reason = reason,
		.command = queue->transmit ? "transmit" : "receive",
		.done = queue->under_way ? queue->done : 0,
		.request = request,
		.queued = true,
		.queue = queue->number,
	};

	tph_emu_fault(emu, &error);
	queue->fault = reason;
	stop(queue, EP_QUEUE_ERROR);
}

static bool setup_is_valid(const struct queue *queue)
{
	const struct queue_setup *setup = &queue->setup;

	if (setup->size < EP_QUEUE_SIZE_MIN || setup->size > EP_QUEUE_SIZE_MAX ||
	    setup->size & (setup->size - 1) || setup->base % EP_DESCRIPTOR_SIZE)
		return false;
	if (queue->transmit)
		return true;
	return setup->buffer && setup->buffer <= BUFFER_MAX &&
	       (!(queue->control & EP_QUEUE_SPLIT) ||
		(setup->header && setup->header <= HEADER_MAX));
}

static void enable(struct tph_emu *emu, struct queue *queue)
{
	*queue = (struct queue){
		.number = queue->number,
		.transmit = queue->transmit,
		.setup = queue->setup,
		.hints = queue->hints,
		.latches = queue->latches,
		.control = queue->control,
	};
	if (!setup_is_valid(queue)) {
		queue_fault(emu, queue, EP_FAULT_COMMAND, NULL);
		return;
	}
	queue->run = queue->setup;
	queue->split = queue->control & EP_QUEUE_SPLIT;
	queue->status = EP_QUEUE_RUNNING;
}

static void announce(struct tph_emu *emu, struct queue *queue)
{
	if (!queue->unannounced || !(queue->control & EP_QUEUE_INTERRUPT))
		return;
	queue->unannounced = false;
	tph_emu_interrupt(emu, queue->run.vector);
}

static void control_write(struct tph_emu *emu, struct queue *queue, uint32_t value)
{
	const uint32_t old = queue->control;

	queue->control = value & (EP_QUEUE_ENABLE | EP_QUEUE_INTERRUPT |
				  (queue->transmit ? 0 : EP_QUEUE_SPLIT));
	if (~old & value & EP_QUEUE_ENABLE)
		enable(emu, queue);
	else if (old & ~value & EP_QUEUE_ENABLE)
		stop(queue, 0);
	announce(emu, queue);
}

static void tail_write(struct tph_emu *emu, struct queue *queue, uint32_t value)
{
	if (queue->status != EP_QUEUE_RUNNING)
		return;
	if (value < queue->run.size)
		queue->tail = value;
	else
		queue_fault(emu, queue, EP_FAULT_COMMAND, NULL);
}

uint32_t queue_read(const struct queue *queue, size_t at)
{
	const struct queue_setup *setup = &queue->setup;
	const struct queue_hints *hints = &queue->hints;

	switch (at) {
	case EP_QUEUE_CONTROL:
		return queue->control;
	case EP_QUEUE_STATUS:
		return queue->status;
	case EP_QUEUE_BASE_LO:
		return (uint32_t)setup->base;
	case EP_QUEUE_BASE_HI:
		return (uint32_t)(setup->base >> 32);
	case EP_QUEUE_SIZE:
		return setup->size;
	case EP_QUEUE_HEAD:
		return queue->head;
	case EP_QUEUE_TAIL:
		return queue->tail;
	case EP_QUEUE_BUFFER:
		return setup->buffer;
	case EP_QUEUE_HEADER:
		return setup->header;
	case EP_QUEUE_VECTOR:
		return setup->vector;
	case EP_QUEUE_HINT_DESCRIPTOR:
		return hints->descriptor;
	case EP_QUEUE_HINT_HEADER:
		return hints->header;
	case EP_QUEUE_HINT_PAYLOAD:
		return hints->payload;
	case EP_QUEUE_FAULT:
		return queue->fault;
	case EP_QUEUE_PACKETS:
		return queue->packets;
	case EP_QUEUE_BYTES:
		return queue->bytes;
	case EP_QUEUE_TLPS:
		return queue->tlps;
	case EP_QUEUE_DROPS:
		return queue->drops;
	default:
		return 0;
	}
}

void queue_write(struct tph_emu *emu, struct queue *queue, size_t at, uint32_t value)
{
	struct queue_setup *setup = &queue->setup;
	struct queue_hints *hints = &queue->hints;

	switch (at) {
	case EP_QUEUE_CONTROL:
		control_write(emu, queue, value);
		break;
	case EP_QUEUE_BASE_LO:
		setup->base = (setup->base & ~(uint64_t)UINT32_MAX) | value;
		break;
	case EP_QUEUE_BASE_HI:
		setup->base = (setup->base & UINT32_MAX) | (uint64_t)value << 32;
		break;
	case EP_QUEUE_SIZE:
		setup->size = value;
		break;
	case EP_QUEUE_TAIL:
		tail_write(emu, queue, value);
		break;
	case EP_QUEUE_BUFFER:
		setup->buffer = queue->transmit ? 0 : value;
		break;
	case EP_QUEUE_HEADER:
		setup->header = queue->transmit ? 0 : value;
		break;
	case EP_QUEUE_VECTOR:
		setup->vector = value;
		break;
	case EP_QUEUE_HINT_DESCRIPTOR:
		hints->descriptor = value;
		break;
	case EP_QUEUE_HINT_HEADER:
		hints->header = value;
		break;
	case EP_QUEUE_HINT_PAYLOAD:
		hints->payload = value;
		break;
	default:
		break;
	}
}

static uint32_t hint_of(const struct queue *queue, uint32_t kind)
{
	switch (kind) {
	case TPH_EMU_DESCRIPTOR:
		return queue->hints.descriptor;
	case TPH_EMU_HEADER:
		return queue->hints.header;
	case TPH_EMU_PAYLOAD:
		return queue->hints.payload;
	default:
		return TPH_EMU_NO_HINT;
	}
}

static struct tph_emu_latch *latch_of(struct queue *queue, const struct tph_emu_request *request)
{
	const uint32_t entry = request->hint & TPH_EMU_HINT_SELECT;

	switch (queue->latches->when) {
	case QUEUE_LATCH_RING:
		return &queue->latch[request->kind];
	case QUEUE_LATCH_ENTRY:
		return entry < QUEUE_ENTRIES_MAX ? &queue->latches->entries[entry] : NULL;
	default:
		return NULL;
	}
}

int queue_send(struct tph_emu *emu, struct queue *queue, struct tph_emu_request *request)
{
	const unsigned int engine = queue->transmit ? ENGINE_TRANSMIT : ENGINE_RECEIVE;
	struct tph_emu_latch *latch;
	int ret;

	request->hint = hint_of(queue, request->kind);
	request->queue = queue->number;
	request->transmit = queue->transmit;
	latch = latch_of(queue, request);
	ret = latch ? tph_emu_send_latched(emu, engine, request, latch) :
		      tph_emu_send(emu, engine, request);
	if (ret < 0)
		queue_fault(emu, queue, (uint32_t)-ret, request);
	if (ret > 0)
		queue->tlps++;
	return ret;
}

void queue_advance(struct tph_emu *emu, struct queue *queue, uint32_t bytes)
{
	queue->under_way = false;
	queue->head = (queue->head + 1) % queue->run.size;
	queue->packets++;
	queue->bytes += bytes;
	queue->unannounced = true;
	announce(emu, queue);
}
