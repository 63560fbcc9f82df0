// SPDX-License-Identifier: MIT
#include "loop.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

int64_t loop_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int loop_init(struct loop *loop)
{
	*loop = (struct loop){ .epoll = epoll_create1(EPOLL_CLOEXEC) };
	return loop->epoll < 0 ? -errno : 0;
}

void loop_fini(struct loop *loop)
{
	if (loop->epoll >= 0)
		close(loop->epoll);
	loop->epoll = -1;
}

static int control(struct loop *loop, int op, struct watch *watch, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = watch };

	return epoll_ctl(loop->epoll, op, watch->fd, &event) ? -errno : 0;
}

int loop_add(struct loop *loop, struct watch *watch, uint32_t events)
{
	return control(loop, EPOLL_CTL_ADD, watch, events);
}

int loop_change(struct loop *loop, struct watch *watch, uint32_t events)
{
	return control(loop, EPOLL_CTL_MOD, watch, events);
}

void loop_remove(struct loop *loop, struct watch *watch)
{
	control(loop, EPOLL_CTL_DEL, watch, 0);
}

void loop_add_work(struct loop *loop, struct work *work)
{
	work->next = loop->work;
	loop->work = work;
}

void loop_set_alarm(struct loop *loop, struct alarm *alarm, int64_t ms)
{
	alarm->at = loop_now() + ms;
	alarm->next = loop->alarms;
	loop->alarms = alarm;
}

void loop_clear_alarm(struct loop *loop, struct alarm *alarm)
{
	for (struct alarm **at = &loop->alarms; *at; at = &(*at)->next) {
		if (*at != alarm)
			continue;
		*at = alarm->next;
		return;
	}
}

/* Rings one that is due; they may set and clear others. Return: ms until the next, -1 for none. */
static int ring_alarm(struct loop *loop)
{
	struct alarm *first = loop->alarms;
	int64_t left;

	if (!first)
		return -1;
	for (struct alarm *alarm = first; alarm; alarm = alarm->next)
		if (alarm->at < first->at)
			first = alarm;
	left = first->at - loop_now();
	if (left > 0)
		return left < INT_MAX ? (int)left : INT_MAX;
	loop_clear_alarm(loop, first);
	first->ring(first);
	return 0;
}

/*
 * Who waits for an event waits for one function's work at most, however many are busy.
 *
 * Return: whether there is more to do; if not, all of them have said so.
 */
static bool work_turn(struct loop *loop)
{
	struct work *const first = loop->next_work ? loop->next_work : loop->work;
	struct work *work = first;
	bool more = false;

	while (work && !more) {
		more = work->run(work);
		work = work->next ? work->next : loop->work;
		loop->next_work = work;
		if (work == first)
			break;
	}
	return more;
}

int loop_run(struct loop *loop)
{
	while (!loop->stop) {
		struct epoll_event event;
		struct watch *watch;
		int n, wait = ring_alarm(loop);
		bool more;

		more = work_turn(loop);
		n = epoll_wait(loop->epoll, &event, 1, more || loop->stop ? 0 : wait);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n != 1)
			continue;
		watch = event.data.ptr;
		watch->ready(watch, event.events);
	}
	return 0;
}
