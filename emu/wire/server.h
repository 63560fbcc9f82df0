/* SPDX-License-Identifier: MIT */
/* The socket of one function: one client at a time. */
#ifndef EMU_SERVER_H
#define EMU_SERVER_H

#include <stdbool.h>
#include <sys/stat.h>

#include "host/loop.h"
#include "pcie/endpoint.h"
#include "session.h"

/**
 * struct server - listens on endpoint->knobs.socket
 * @session: the client there is, or NULL
 * @paused: nobody is let in before the closer has done more
 * @spare: a descriptor held back by all servers together, to turn clients away when no other is
 *	left; -1 if it is lost
 * @retry: set while nobody is let in, for want of descriptors
 * @place: the socket's file, to know it again
 * @lock: of the path, as long as this server has it: the file beside the socket that ends in .lock
 * @no_lock: server_open() failed because that cannot be had
 */
struct server {
	struct loop *loop;
	struct endpoint *endpoint;
	struct watch watch;
	struct session *session;
	bool paused;
	int *spare;
	struct alarm retry;
	struct stat place;
	int lock;
	bool no_lock;
};

/**
 * server_open() - listen
 *
 * A socket that nobody listens on any more is replaced; anything else at the path is left alone.
 *
 * Return: 0; -EADDRINUSE: another server has the path; -EEXIST: there is a file that is no socket, or
 * with @no_lock one that is no lock; else -errno.
 */
int server_open(struct server *server, struct loop *loop, struct endpoint *endpoint, int *spare);

/** server_close() - end the session, if any, and remove the socket, if it is still ours. */
void server_close(struct server *server);

#endif /* EMU_SERVER_H */
