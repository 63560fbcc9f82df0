// SPDX-License-Identifier: MIT
#include "requester.h"

#include <errno.h>
#include <string.h>

#include "instrument/analyzer.h"
#include "express.h"
#include "header.h"
#include "pm.h"
#include "tlp.h"
#include "tph.h"

struct tlp requester_tlp(const struct tph_emu_request *request)
{
	return (struct tlp){
		.type = (enum tlp_type)request->type,
		.address = request->address,
		.length = request->length,
		.wanted = request->hint,
		.kind = (enum tlp_kind)request->kind,
		.queue = request->queue,
		.transmit = request->transmit,
	};
}

/* A model is a program of somebody's: what it asks for may be no TLP. */
static bool is_tlp(const struct requester *requester, const struct tph_emu_request *request)
{
	const bool write = request->type == TPH_EMU_WRITE;
	const uint32_t limit = write ? express_payload_size(requester->config)
				     : express_read_request_size(requester->config);

	return (write || request->type == TPH_EMU_READ) && request->kind <= TPH_EMU_PAYLOAD &&
	       request->queue <= UINT8_MAX && request->length &&
	       request->length <= tlp_length(request->address, request->length, limit);
}

/* Only a read hears of it: the completion says Unsupported Request (7.5.1.1.4). */
static int refuse(struct requester *requester, enum tlp_type type, int fault)
{
	if (type == TLP_MEMORY_READ && fault != TPH_EMU_FAULT_COMPLETION)
		header_master_abort(requester->config);
	return -fault;
}

/* The client's answer to what @engine has sent by it. */
static int outcome(struct requester *requester, const struct tph_emu_request *request)
{
	const struct flight *flight = &requester->port->flight;
	uint32_t length = flight->tlp.length;

	if (flight->lost)
		return refuse(requester, flight->tlp.type, TPH_EMU_FAULT_COMPLETION);
	if (flight->error)
		return refuse(requester, flight->tlp.type,
			      flight->error == EPERM ? TPH_EMU_FAULT_PERMISSION
						     : TPH_EMU_FAULT_UNMAPPED);
	/* Max_Read_Request_Size can have changed since: whoever asks for less has room for less. */
	if (flight->tlp.type == TLP_MEMORY_READ) {
		if (length > request->length)
			length = request->length;
		memcpy(request->data, flight->data, length);
	}
	return (int)length;
}

/*
 * To a driver that polls, the status at the end of a descriptor tells that all else is there: it
 * must not be seen first, and nothing else promises that of one copy.
 */
static int write_memory(struct iova_map *map, const struct tlp *tlp, const uint8_t *data)
{
	const uint32_t last = tlp->kind == TLP_DESCRIPTOR && tlp->length > 4 ? 4 : 0;
	const uint32_t first = tlp->length - last;
	int ret = iova_map_write(map, tlp->address, data, first);

	if (ret || !last)
		return ret;
	return iova_map_write(map, tlp->address + first, data + first, last);
}

static int access_memory(struct iova_map *map, const struct tlp *tlp, void *data)
{
	if (tlp->type == TLP_MEMORY_WRITE)
		return write_memory(map, tlp, data);
	return iova_map_read(map, tlp->address, data, tlp->length);
}

static int send(struct requester *requester, struct requester_engine *engine,
		const struct tph_emu_request *request, uint16_t tag)
{
	const struct knobs *knobs = requester->tags->knobs;
	struct port *port = requester->port;
	struct tlp tlp = requester_tlp(request);
	int ret;

	tlp.hint = tlp_hint(knobs, tph_control(knobs, requester->config), request->hint, tag, &tlp);
	ret = access_memory(requester->map, &tlp, request->data);
	/* What is no memory that we were given may be something that the client can reach. */
	if (ret == -EFAULT && request->peer && knobs->p2p && port->carrier) {
		ret = fabric_depart(port, &tlp, request->data);
		if (!ret)
			requester->flyer = engine;
		if (!ret || ret == -EAGAIN)
			return 0;
	}
	if (ret)
		return refuse(requester, tlp.type,
			      ret == -EACCES ? TPH_EMU_FAULT_PERMISSION : TPH_EMU_FAULT_UNMAPPED);
	analyzer_sent(requester->instrument, &tlp, port->rid, NULL);
	return (int)tlp.length;
}

/* The tag that the request is to carry, from the table or from what was there once. */
static int find_tag(struct requester *requester, struct requester_engine *engine,
		    const struct tph_emu_request *request, struct tph_emu_latch *latch,
		    uint16_t *tag)
{
	const struct knobs *knobs = requester->tags->knobs;
	const uint32_t control = tph_control(knobs, requester->config);
	int ret;

	if (tlp_entry(knobs, control, request->hint) == TLP_ENTRY_NONE)
		latch = NULL;
	if (latch && latch->taken) {
		*tag = latch->tag;
		return 0;
	}
	ret = tag_get(requester->tags, &engine->tag, request->hint, tag);
	if (!ret && latch)
		*latch = (struct tph_emu_latch){ .taken = true, .tag = *tag };
	return ret;
}

int requester_send(struct requester *requester, unsigned int number,
		   const struct tph_emu_request *request, struct tph_emu_latch *latch)
{
	struct requester_engine *engine = &requester->engines[number];
	const struct flight *flight = &requester->port->flight;
	uint16_t tag;
	int ret;

	if (engine->tag.state == TAG_ASKED)
		return 0;
	/* One request at a time is at the client; what may go there waits for it. */
	if ((request->peer || requester->flyer == engine) && flight->state != FLIGHT_NONE)
		return 0;
	if (requester->flyer == engine) {
		requester->flyer = NULL;
		return outcome(requester, request);
	}
	if (request->peer && requester->flyer)
		return 0;
	if (!pm_powered(requester->config))
		return -TPH_EMU_FAULT_POWER;
	if (!header_bus_master(requester->config))
		return -TPH_EMU_FAULT_BUS_MASTER;
	if (!is_tlp(requester, request))
		return -TPH_EMU_FAULT_COMMAND;
	ret = find_tag(requester, engine, request, latch, &tag);
	if (ret)
		return ret == -EAGAIN ? 0 : -TPH_EMU_FAULT_TAG;
	return send(requester, engine, request, tag);
}

void requester_begin(struct requester *requester, unsigned int number)
{
	struct requester_engine *engine = &requester->engines[number];

	tag_forget(requester->tags, &engine->tag);
	if (requester->flyer == engine)
		requester->flyer = NULL;
}

void requester_reset(struct requester *requester)
{
	for (unsigned int i = 0; i < requester->count; i++) {
		requester_begin(requester, i);
		requester->engines[i] = (struct requester_engine){ 0 };
	}
}

void requester_tags_changed(struct requester *requester)
{
	for (unsigned int i = 0; i < requester->count; i++)
		tag_forget(requester->tags, &requester->engines[i].tag);
}
