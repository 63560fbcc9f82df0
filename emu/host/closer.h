/* SPDX-License-Identifier: MIT */
/*
 * Closes what clients gave, and signals it where that takes long, apart from everybody who must not
 * wait.
 *
 * Whoever gives a descriptor decides what its close(2) does: a TCP socket lingers, a file system
 * in user space is asked to flush, gigabytes of memory are freed. It cannot be known beforehand, and
 * at the end of a process the kernel does the same. So each function has a process of its own for
 * it, which shares the table of descriptors and nothing else: that one waits, and the end of the
 * emulator does not, for the table outlives it as long as that process does.
 *
 * Somebody may kill that process: then there is another one, and what was left is closed by it.
 *
 * An eventfd wakes whoever watches it, before write(2) returns, and its owner can have it watched by
 * millions.
 */
#ifndef EMU_CLOSER_H
#define EMU_CLOSER_H

#include <stdbool.h>
#include <sys/types.h>

#include "loop.h"

/* While more are not closed yet, nothing more is to be taken from this client. */
#define CLOSER_BUSY 64u
/* What it has room for: those, all that a client has when it leaves, and itself. */
#define CLOSER_ROOM 4096u

struct closer_orders;

/**
 * struct closer - of one function; all zeros is one that closes at once (tests of single parts)
 * @pid: the process
 * @loop: of ours
 * @wake: eventfd that it waits on
 * @watch: of an eventfd that tells that it is not busy any more
 * @end: of a descriptor of the process, which tells that it has ended
 * @slow: a signal took long: others are its business
 * @orders: what it shares with that process
 * @drained: called from the event loop when one that closer_await() found busy is not any more
 * @killed: called from the event loop when the process was killed; @error: 0, there is another one,
 *   or why there cannot be one: then each descriptor is closed at once
 */
struct closer {
	pid_t pid;
	struct loop *loop;
	int wake;
	struct watch watch;
	struct watch end;
	bool slow;
	struct closer_orders *orders;
	void (*drained)(void *owner);
	void (*killed)(void *owner, int error);
	void *owner;
};

/**
 * closer_start() - make its process, which ends with this one
 *
 * Signals that end this process must be blocked: one sent to both would end the other first.
 *
 * Return: 0 or -errno.
 */
int closer_start(struct closer *closer, struct loop *loop);

/** closer_take() - close @fd soon; @closer may be NULL. */
void closer_take(struct closer *closer, int fd);

/**
 * closer_signal() - eventfd_signal(); @closer may be NULL
 *
 * Return: whether it is done, or will be. If not, the closer is busy, and @closer->drained is called
 * when it no longer is.
 */
bool closer_signal(struct closer *closer, int fd);

/** closer_left() - how many are not closed yet. */
unsigned int closer_left(const struct closer *closer);

/** closer_await() - whether it is busy; if so, @closer->drained is called when it no longer is. */
bool closer_await(struct closer *closer);

/** closer_fini() - be told of nothing any more; what is left is closed after our end. */
void closer_fini(struct closer *closer);

#endif /* EMU_CLOSER_H */
