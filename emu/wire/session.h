/* SPDX-License-Identifier: MIT */
/* One client on one function: takes its requests, one by one, and answers them. */
#ifndef EMU_SESSION_H
#define EMU_SESSION_H

#include "host/loop.h"
#include "pcie/endpoint.h"

struct session;

/** session_ended - the session is over; to be freed by session_close() */
typedef void session_ended(void *owner);

/**
 * session_open() - serve a client
 * @fd: connected socket, nonblocking; owned from here on, also on failure
 * @ended: called from the event loop when the client has gone
 * @owner: for @ended
 *
 * Return: the session, or NULL without memory.
 */
struct session *session_open(struct loop *loop, struct endpoint *endpoint, int fd,
			     session_ended *ended, void *owner);

/** session_hung_up() - whether the client is gone already, although not all it sent was handled. */
bool session_hung_up(const struct session *session);

/** session_resume() - go on reading: the closer of the function is not busy any more. */
void session_resume(struct session *session);

/** session_close() - end it; the function is as after power-on. */
void session_close(struct session *session);

#endif /* EMU_SESSION_H */
