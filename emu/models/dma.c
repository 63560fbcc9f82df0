// SPDX-License-Identifier: MIT
#include "dma.h"

#include <errno.h>
#include <string.h>

#include "pcie/endpoint.h"
#include "pcie/fault.h"

#define TLPS_AT_ONCE 16 /* then it is other functions' and clients' turn */

static const char *command_name(uint32_t command)
{
	switch (command) {
	case EP_DMA_WRITE:
		return "write";
	case EP_DMA_READ:
		return "read";
	case EP_DMA_COPY:
		return "copy";
	default:
		return "unknown";
	}
}

static void start(struct endpoint *endpoint)
{
	struct dma *dma = &endpoint->dma;

	tag_forget(endpoint, &dma->tag);
	dma->done = dma->buffered = dma->drained = 0;
	dma->sum = 0;
	dma->fault = EP_FAULT_NONE;
	dma->status = EP_DMA_BUSY;
}

/* The last command once more, on behalf of the next ST entry. */
static void start_next(struct endpoint *endpoint)
{
	const unsigned int entries = tph_entries(&endpoint->knobs);
	struct dma *dma = &endpoint->dma;
	uint32_t select = dma->run.hint & EP_HINT_SELECT_MASK;

	if (tlp_hint_has_entry(dma->run.hint) && entries)
		dma->run.hint = (dma->run.hint & ~EP_HINT_SELECT_MASK) | (select + 1) % entries;
	start(endpoint);
}

static void finish(struct endpoint *endpoint, uint32_t status)
{
	struct dma *dma = &endpoint->dma;

	dma->status = status;
	if (dma->run.vector < endpoint->msix.count)
		endpoint_interrupt(endpoint, dma->run.vector);
	if (dma->left) {
		dma->left--;
		start_next(endpoint);
	}
}

/* @tlp is the request that could not be sent, NULL if it did not come to one. */
static void fault(struct endpoint *endpoint, uint32_t reason, const struct tlp *tlp)
{
	struct dma *dma = &endpoint->dma;

	log_write(endpoint->log,
		  fault_count(endpoint, reason, command_name(dma->command), dma->done, tlp));
	dma->fault = reason;
	finish(endpoint, EP_DMA_FAULTED);
}

/* The tag that the command's requests carry; false: not known yet, or the command has faulted. */
static bool find_tag(struct endpoint *endpoint, uint16_t *tag)
{
	struct dma *dma = &endpoint->dma;
	int ret = tag_get(endpoint, &dma->tag, dma->run.hint, tag);

	if (ret == -EIO)
		fault(endpoint, EP_FAULT_TAG, NULL);
	return !ret;
}

/* The request could not be carried out. */
static void refused(struct endpoint *endpoint, uint32_t reason, const struct tlp *tlp)
{
	/* Only a read hears of it: the completion says Unsupported Request (7.5.1.1.4). */
	if (tlp->type == TLP_MEMORY_READ && reason != EP_FAULT_COMPLETION)
		endpoint_master_abort(endpoint);
	fault(endpoint, reason, tlp);
}

/* Sends a request whose data is in or goes to @data; false if it faulted or has to wait. */
static bool transfer(struct endpoint *endpoint, struct tlp *tlp, uint16_t tag, void *data)
{
	const uint32_t control = tph_control(&endpoint->knobs, &endpoint->config);
	const uint32_t select = endpoint->dma.run.hint;
	int ret;

	tlp->hint = tlp_hint(&endpoint->knobs, control, select, tag, tlp);
	if (tlp->type == TLP_MEMORY_WRITE)
		ret = iova_map_write(&endpoint->map, tlp->address, data, tlp->length);
	else
		ret = iova_map_read(&endpoint->map, tlp->address, data, tlp->length);
	/* What is no memory that we were given may be something that the client can reach. */
	if (ret == -EFAULT && endpoint->knobs.p2p && endpoint->carrier) {
		ret = fabric_depart(endpoint, tlp, select, data);
		endpoint->dma.stalled = ret == -EAGAIN;
		if (!ret || ret == -EAGAIN)
			return false;
	}
	if (ret) {
		refused(endpoint, ret == -EACCES ? EP_FAULT_PERMISSION : EP_FAULT_UNMAPPED, tlp);
		return false;
	}
	endpoint_tlp_sent(endpoint, tlp, select, NULL);
	return true;
}

/* A read has brought @length bytes into the buffer. */
static void read_done(struct dma *dma, uint32_t length)
{
	for (uint32_t i = 0; i < length; i++)
		dma->sum += dma->buffer[i];
	dma->buffered = length;
	dma->drained = 0;
	if (dma->command == EP_DMA_READ)
		dma->done += length;
}

static void write_done(struct dma *dma, uint32_t length)
{
	dma->done += length;
	dma->drained += length;
}

static bool send_read(struct endpoint *endpoint, uint16_t tag)
{
	struct dma *dma = &endpoint->dma;
	struct tlp tlp = { .type = TLP_MEMORY_READ, .address = dma->run.source + dma->done };

	tlp.length = tlp_length(tlp.address, dma->run.length - dma->done,
				endpoint_read_request_size(endpoint));
	if (!transfer(endpoint, &tlp, tag, dma->buffer))
		return false;
	read_done(dma, tlp.length);
	return true;
}

static bool send_write(struct endpoint *endpoint, uint16_t tag, uint32_t left)
{
	struct dma *dma = &endpoint->dma;
	struct tlp tlp = { .type = TLP_MEMORY_WRITE, .address = dma->run.destination + dma->done };
	uint8_t *data = dma->buffer;

	tlp.length = tlp_length(tlp.address, left, endpoint_payload_size(endpoint));
	if (dma->command == EP_DMA_COPY)
		data += dma->drained;
	else
		for (uint32_t i = 0; i < tlp.length; i++)
			data[i] = (uint8_t)(dma->run.pattern >> 8 * ((dma->done + i) % 4));
	if (!transfer(endpoint, &tlp, tag, data))
		return false;
	write_done(dma, tlp.length);
	return true;
}

/* The client's answer; false when the command ended. */
static bool conclude(struct endpoint *endpoint)
{
	const struct flight *flight = &endpoint->flight;
	struct dma *dma = &endpoint->dma;

	if (flight->abandoned)
		return true;
	if (flight->error || flight->lost) {
		refused(endpoint,
			flight->lost		 ? EP_FAULT_COMPLETION
			: flight->error == EPERM ? EP_FAULT_PERMISSION
						 : EP_FAULT_UNMAPPED,
			&flight->tlp);
		return false;
	}
	if (flight->tlp.type == TLP_MEMORY_READ) {
		memcpy(dma->buffer, flight->data, flight->tlp.length);
		read_done(dma, flight->tlp.length);
	} else {
		write_done(dma, flight->tlp.length);
	}
	if (dma->done == dma->run.length) {
		finish(endpoint, EP_DMA_DONE);
		return false;
	}
	return true;
}

/* One TLP; false when the command ended or has to wait. */
static bool step(struct endpoint *endpoint)
{
	struct dma *dma = &endpoint->dma;
	uint16_t tag;
	bool sent;

	if (dma->command < EP_DMA_WRITE || dma->command > EP_DMA_COPY || !dma->run.length ||
	    dma->run.length > EP_DMA_LENGTH_MAX) {
		fault(endpoint, EP_FAULT_COMMAND, NULL);
		return false;
	}
	if (!endpoint_powered(endpoint)) {
		fault(endpoint, EP_FAULT_POWER, NULL);
		return false;
	}
	if (!endpoint_bus_master(endpoint)) {
		fault(endpoint, EP_FAULT_BUS_MASTER, NULL);
		return false;
	}
	if (!find_tag(endpoint, &tag))
		return false;

	switch (dma->command) {
	case EP_DMA_WRITE:
		sent = send_write(endpoint, tag, dma->run.length - dma->done);
		break;
	case EP_DMA_READ:
		sent = send_read(endpoint, tag);
		break;
	default:
		if (dma->drained == dma->buffered)
			sent = send_read(endpoint, tag);
		else
			sent = send_write(endpoint, tag, dma->buffered - dma->drained);
		break;
	}
	if (!sent)
		return false;
	if (dma->done == dma->run.length) {
		finish(endpoint, EP_DMA_DONE);
		return false;
	}
	return true;
}

/* Whether there is a command that waits for nobody. */
static bool can_step(const struct endpoint *endpoint)
{
	const struct dma *dma = &endpoint->dma;

	return dma->status == EP_DMA_BUSY && dma->tag.state != TAG_ASKED && !dma->stalled &&
	       endpoint->flight.state == FLIGHT_NONE;
}

bool dma_work(struct endpoint *endpoint)
{
	endpoint->dma.stalled = false;
	if (fabric_conclude(endpoint))
		conclude(endpoint);
	if (!can_step(endpoint))
		return false;
	for (int i = 0; i < TLPS_AT_ONCE; i++)
		if (!step(endpoint) && !can_step(endpoint))
			return false;
	return true;
}

void dma_reset(struct endpoint *endpoint)
{
	const struct dma old = endpoint->dma;

	tag_forget(endpoint, &endpoint->dma.tag);
	endpoint->dma = (struct dma){ .setup.vector = EP_DMA_NO_VECTOR };
	if (old.repeat) {
		endpoint->dma.repeat = old.repeat;
		endpoint->dma.run = old.run;
		endpoint->dma.command = old.command;
	}
}

void dma_power_on(struct endpoint *endpoint)
{
	endpoint->dma.repeat = 0;
	dma_reset(endpoint);
}

/*
 * The monitor's answer may be older than what has come in meanwhile: whoever changes the table has
 * the requester off for it, so what was asked before a write of the control register is asked
 * again.
 */
void dma_tags_changed(struct endpoint *endpoint)
{
	tag_forget(endpoint, &endpoint->dma.tag);
}

void dma_config_written(struct endpoint *endpoint)
{
	struct dma *dma = &endpoint->dma;

	if (!dma->repeat || !dma->command)
		return;
	dma->left = dma->repeat;
	if (dma->status != EP_DMA_BUSY) {
		dma->left--;
		start_next(endpoint);
	}
}

void dma_doorbell(struct endpoint *endpoint, uint32_t command)
{
	struct dma *dma = &endpoint->dma;

	if (dma->status == EP_DMA_BUSY)
		return;
	dma->run = dma->setup;
	dma->command = command;
	dma->left = 0;
	start(endpoint);
}
