/* SPDX-License-Identifier: MIT */
/* The socket of one function: one client at a time. */
#ifndef EMU_SERVER_H
#define EMU_SERVER_H

#include "endpoint.h"
#include "loop.h"
#include "session.h"

/** struct server - listens on endpoint->knobs.socket; @session is the client there is, or NULL */
struct server {
	struct loop *loop;
	struct endpoint *endpoint;
	struct watch watch;
	struct session *session;
};

/**
 * server_open() - listen
 *
 * A socket that nobody listens on any more is replaced; anything else at the path is left alone.
 *
 * Return: 0; -EADDRINUSE: another server is listening; -EEXIST: there is a file that is no socket;
 * else -errno.
 */
int server_open(struct server *server, struct loop *loop, struct endpoint *endpoint);

/** server_close() - end the session, if any, and remove the socket. */
void server_close(struct server *server);

#endif /* EMU_SERVER_H */
