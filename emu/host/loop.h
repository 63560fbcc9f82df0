/* SPDX-License-Identifier: MIT */
/* The event loop: epoll, one thread, one event at a time. */
#ifndef EMU_LOOP_H
#define EMU_LOOP_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct watch - a descriptor that the loop waits on
 * @fd: the descriptor, owned by whoever added the watch
 * @ready: called when one of the events asked for is there. It may remove and free any watch, its
 *	own too: the loop fetches events one by one, so none can be left over for a freed watch.
 * @owner: for @ready
 */
struct watch {
	int fd;
	void (*ready)(struct watch *watch, uint32_t events);
	void *owner;
};

/** struct work - something to do between events; @run returns whether there is more right now. */
struct work {
	bool (*run)(struct work *work);
	void *owner;
	struct work *next;
};

/** struct alarm - something to do at a time; @at: on loop_now()'s clock */
struct alarm {
	void (*ring)(struct alarm *alarm);
	void *owner;
	int64_t at;
	struct alarm *next;
};

/** struct loop - @next_work: whose turn it is */
struct loop {
	int epoll;
	struct work *work;
	struct work *next_work;
	struct alarm *alarms;
	bool stop;
};

/** loop_now() - milliseconds of the monotonic clock. */
int64_t loop_now(void);

/** loop_init() - make a loop. Return: 0 or -errno. */
int loop_init(struct loop *loop);

/** loop_fini() - close it. Watches must be gone. */
void loop_fini(struct loop *loop);

/** loop_add() - wait for @events (EPOLL*) on @watch. Return: 0 or -errno. */
int loop_add(struct loop *loop, struct watch *watch, uint32_t events);

/** loop_change() - wait for other events. Return: 0 or -errno. */
int loop_change(struct loop *loop, struct watch *watch, uint32_t events);

/** loop_remove() - wait no more; to be called before the descriptor is closed. */
void loop_remove(struct loop *loop, struct watch *watch);

/** loop_add_work() - run @work before waits, in turn with others: one that has more ends the turn. */
void loop_add_work(struct loop *loop, struct work *work);

/** loop_set_alarm() - call @alarm->ring once, @ms from now; it must not be set already. */
void loop_set_alarm(struct loop *loop, struct alarm *alarm, int64_t ms);

/** loop_clear_alarm() - do not, if it is set. */
void loop_clear_alarm(struct loop *loop, struct alarm *alarm);

/** loop_run() - until a watch or some work sets loop->stop. Return: 0 or -errno. */
int loop_run(struct loop *loop);

#endif /* EMU_LOOP_H */
