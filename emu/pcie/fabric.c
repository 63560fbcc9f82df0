// SPDX-License-Identifier: MIT
#include "fabric.h"

#include <errno.h>
#include <string.h>

void fabric_join(struct fabric *fabric, struct port *port)
{
	port->fabric = fabric;
	port->next = fabric->first;
	fabric->first = port;
}

/* All functions but @self. */
static struct port *next_other(const struct port *self, struct port *after)
{
	struct port *other;

	if (!self->fabric)
		return NULL;
	other = after ? after->next : self->fabric->first;
	return other == self ? other->next : other;
}

int fabric_depart(struct port *requester, const struct tlp *tlp, const void *data)
{
	struct flight *flight = &requester->flight;
	int ret = requester->carrier->send(requester->carrier, tlp, data);

	if (ret)
		return ret;
	flight->state = FLIGHT_SENT;
	flight->logged = flight->landed = flight->lost = false;
	flight->tlp = *tlp;
	flight->completer = NULL;
	flight->arrived = 0;
	if (tlp->type == TLP_MEMORY_WRITE)
		memcpy(flight->data, data, tlp->length);
	return 0;
}

void fabric_answered(struct port *requester, int error, const void *data)
{
	struct flight *flight = &requester->flight;

	flight->state = FLIGHT_ANSWERED;
	flight->error = error;
	if (data)
		memcpy(flight->data, data, flight->tlp.length);
}

/* The request left @requester; @completer: where it has arrived, NULL if that is not known. */
static void log_request(struct port *requester, const struct port *completer)
{
	struct flight *flight = &requester->flight;
	const struct tlp_path path = {
		.peer = completer ? completer->name : NULL,
	};

	if (flight->logged)
		return;
	flight->logged = true;
	requester->events->sent(requester, &flight->tlp, &path);
}

static void land(struct port *requester)
{
	struct flight *flight = &requester->flight;
	struct port *completer = flight->completer;
	struct tlp tlp = flight->tlp;
	bool served;

	log_request(requester, completer);
	flight->landed = true;
	flight->completer = NULL;
	tlp.length = flight->arrived;
	served = completer->events->received(completer, &tlp, flight->bar, flight->offset,
					     flight->data, requester->rid);
	flight->lost = !served && tlp.type == TLP_MEMORY_READ;
}

/* What @flight holds back was written by somebody else. */
static void release(struct flight *flight)
{
	struct port *completer = flight->completer;
	uint32_t length = flight->arrived;

	flight->completer = NULL;
	flight->arrived = 0;
	if (completer && flight->tlp.type == TLP_MEMORY_WRITE)
		completer->events->write(completer, flight->bar, flight->offset, flight->data,
					 length);
}

static bool is_place(const struct flight *flight, const struct port *completer, unsigned int bar,
		     size_t at)
{
	/* Translation leaves the place in a page alone, and BARs are of whole pages. */
	if (!flight->arrived)
		return at % TLP_PAGE == flight->tlp.address % TLP_PAGE;
	return flight->completer == completer && flight->bar == bar &&
	       at == flight->offset + flight->arrived;
}

static bool is_expected(const struct flight *flight, const struct port *completer,
			enum tlp_type type, unsigned int bar, size_t at, size_t length)
{
	return flight->state != FLIGHT_NONE && !flight->landed && flight->tlp.type == type &&
	       length <= flight->tlp.length - flight->arrived &&
	       is_place(flight, completer, bar, at);
}

static void arrive(struct flight *flight, struct port *completer, unsigned int bar, size_t at,
		   size_t length)
{
	if (!flight->arrived) {
		flight->completer = completer;
		flight->bar = bar;
		flight->offset = at;
	}
	flight->arrived += (uint32_t)length;
}

/* Whether it is the first part of a request, or the next one if @begun. */
static bool take_write(struct port *completer, bool begun, unsigned int bar, size_t at,
		       const uint8_t *data, size_t length)
{
	struct port *requester = NULL;

	while ((requester = next_other(completer, requester))) {
		struct flight *flight = &requester->flight;

		if (!!flight->arrived != begun ||
		    !is_expected(flight, completer, TLP_MEMORY_WRITE, bar, at, length) ||
		    memcmp(flight->data + flight->arrived, data, length))
			continue;
		arrive(flight, completer, bar, at, length);
		if (flight->arrived == flight->tlp.length)
			land(requester);
		return true;
	}
	return false;
}

void fabric_write(struct port *completer, unsigned int bar, size_t at, const uint8_t *data,
		  size_t length)
{
	if (take_write(completer, true, bar, at, data, length))
		return;
	fabric_settle(completer);
	if (!take_write(completer, false, bar, at, data, length))
		completer->events->write(completer, bar, at, data, length);
}

void fabric_read(struct port *completer, unsigned int bar, size_t at, size_t length)
{
	struct port *requester = NULL;

	while ((requester = next_other(completer, requester))) {
		struct flight *flight = &requester->flight;

		if (flight->tlp.type != TLP_MEMORY_READ || flight->state != FLIGHT_SENT ||
		    flight->arrived == flight->tlp.length)
			continue;
		if (!is_expected(flight, completer, TLP_MEMORY_READ, bar, at, length))
			release(flight);
		if (is_expected(flight, completer, TLP_MEMORY_READ, bar, at, length))
			arrive(flight, completer, bar, at, length);
	}
}

void fabric_settle(struct port *completer)
{
	struct port *requester = NULL;

	while ((requester = next_other(completer, requester))) {
		struct flight *flight = &requester->flight;

		if (flight->completer == completer && flight->tlp.type == TLP_MEMORY_WRITE)
			release(flight);
	}
}

/*
 * The client answers us when it has done the write, but by another socket than the one by which it
 * tells the function that is written to. What it has told is there to be read by now.
 */
static bool underway(const struct port *requester)
{
	const struct flight *flight = &requester->flight;
	struct port *other = NULL;

	if (flight->landed || flight->error || flight->tlp.type != TLP_MEMORY_WRITE)
		return false;
	while ((other = next_other(requester, other)))
		if (other->carrier && other->carrier->unread(other->carrier))
			return true;
	return false;
}

bool fabric_conclude(struct port *requester)
{
	struct flight *flight = &requester->flight;

	if (flight->state != FLIGHT_ANSWERED || underway(requester))
		return false;
	if (flight->error) {
		release(flight);
	} else if (flight->tlp.type == TLP_MEMORY_READ && flight->arrived != flight->tlp.length) {
		release(flight);
		log_request(requester, NULL);
	} else if (flight->completer) {
		/* A part can be missing: the client keeps MSI-X tables to itself. */
		land(requester);
	} else {
		log_request(requester, NULL);
	}
	flight->state = FLIGHT_NONE;
	return true;
}

void fabric_forget(struct port *port)
{
	struct port *other = NULL;

	release(&port->flight);
	port->flight.state = FLIGHT_NONE;
	while ((other = next_other(port, other))) {
		if (other->flight.completer != port)
			continue;
		other->flight.completer = NULL;
		other->flight.arrived = 0;
	}
}
