/* SPDX-License-Identifier: MIT */
/*
 * Requests that the client carries out for a function, and their arrival in BARs of other functions
 * of this process.
 *
 * vfio-user says nothing of processing hints, so what arrives is recognized: by the bytes and their
 * place, while the request is under way. doc/emulated-endpoint.md tells how sure that is.
 */
#ifndef EMU_FABRIC_H
#define EMU_FABRIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/tlp.h"

struct port;

/**
 * struct carrier - the way to the client, as a session offers it
 * @send: pass a request on. Return: 0; -EAGAIN: not now; else it cannot be sent at all
 * @unread: whether the client has sent something that was not handled yet
 */
struct carrier {
	int (*send)(struct carrier *carrier, const struct tlp *tlp, const void *data);
	bool (*unread)(struct carrier *carrier);
};

/** enum flight_state - of a request at the client */
enum flight_state {
	FLIGHT_NONE,
	FLIGHT_SENT,	 /* the client has not answered */
	FLIGHT_ANSWERED, /* it has; what it did may still be on its way to other functions */
};

/**
 * struct flight - the request of a function that is at the client; one at a time
 * @error: of the answer, 0 or a positive errno
 * @tlp: the request
 * @data: what it writes, or has read
 * @logged: the request is in the log
 * @landed: it has arrived whole
 * @lost: the completer gave no completion
 * @completer: function that it is arriving at, NULL if at none
 * @bar: where there
 * @offset: where there
 * @arrived: bytes of it so far; of a write they are held back until it has landed
 */
struct flight {
	enum flight_state state;
	int error;
	struct tlp tlp;
	uint8_t data[TLP_PAGE];
	bool logged;
	bool landed;
	bool lost;
	struct port *completer;
	unsigned int bar;
	size_t offset;
	uint32_t arrived;
};

/**
 * struct port_events - what a function does with requests
 * @sent: a request of it has left; @path tells where it went
 * @received: a request of another one has arrived; @at: offset in the BAR; @data: what it writes;
 *	@requester: its requester id. Return: whether it was accepted
 * @write: the client writes to a BAR of it
 */
struct port_events {
	void (*sent)(struct port *port, const struct tlp *tlp, const struct tlp_path *path);
	bool (*received)(struct port *port, const struct tlp *tlp, unsigned int bar, size_t at,
			 const uint8_t *data, uint16_t requester);
	void (*write)(struct port *port, unsigned int bar, size_t at, const uint8_t *data,
		      size_t length);
};

/**
 * struct port - a function's way to the client, and to other functions
 * @name: of the function
 * @rid: its requester id
 * @carrier: way to the client, NULL without one that has negotiated
 * @fabric: where other functions are, NULL if alone
 * @flight: what the client carries out for it
 */
struct port {
	const struct port_events *events;
	const char *name;
	uint16_t rid;
	struct carrier *carrier;
	struct fabric *fabric;
	struct port *next;
	struct flight flight;
};

/** struct fabric - the functions of this process */
struct fabric {
	struct port *first;
};

/** fabric_join() - add a function, for good. */
void fabric_join(struct fabric *fabric, struct port *port);

/** fabric_depart() - send a request by the client. Return: as send of struct carrier. */
int fabric_depart(struct port *requester, const struct tlp *tlp, const void *data);

/**
 * fabric_answered() - the client has answered
 * @error: 0, or a positive errno
 * @data: what was read, NULL for a write
 */
void fabric_answered(struct port *requester, int error, const void *data);

/**
 * fabric_conclude() - take note of the end of a request
 *
 * Return: whether there is one to take note of: it was answered, and nothing of it can be on its
 * way to another function any more. Then @requester->flight tells the outcome, and is free for
 * another.
 */
bool fabric_conclude(struct port *requester);

/** fabric_forget() - the client of @port is gone, and with it its requests and arrivals. */
void fabric_forget(struct port *port);

/** fabric_write() - the client writes to a BAR of @completer, on whosever behalf. */
void fabric_write(struct port *completer, unsigned int bar, size_t at, const uint8_t *data,
		  size_t length);

/** fabric_read() - the client has read from a BAR of @completer, on whosever behalf. */
void fabric_read(struct port *completer, unsigned int bar, size_t at, size_t length);

/**
 * fabric_settle() - the client asks @completer for something else
 *
 * No such thing comes in the midst of a request, so bytes that are held back were no request's.
 */
void fabric_settle(struct port *completer);

#endif /* EMU_FABRIC_H */
