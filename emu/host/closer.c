// SPDX-License-Identifier: MIT
#include "closer.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "eventfd.h"

#define STACK_SIZE   65536
#define SIGNAL	     (1 << 30) /* an order to signal, not to close */
#define SLOW_NS	     500000    /* of a signal: hundreds of watchers, or more */

/**
 * struct closer_orders - in memory of both processes
 * @given: how many were taken, by us
 * @begun: how many the other has set about: one more than @done, or as many
 * @done: how many are closed, by the other
 * @wanted: we want to know when it is not busy
 */
struct closer_orders {
	atomic_uint given;
	atomic_uint begun;
	atomic_uint done;
	atomic_bool wanted;
	int fds[CLOSER_ROOM];
};

static unsigned int left(struct closer_orders *orders)
{
	return atomic_load(&orders->given) - atomic_load(&orders->done);
}

static void close_all(const struct closer *closer)
{
	const uint64_t one = 1;
	struct closer_orders *orders = closer->orders;

	while (left(orders)) {
		const unsigned int at = atomic_load(&orders->done);
		const int order = orders->fds[at % CLOSER_ROOM];

		atomic_store(&orders->begun, at + 1);
		if (order & SIGNAL)
			eventfd_signal(order & ~SIGNAL);
		else
			close(order);
		atomic_store(&orders->done, at + 1);
		if (left(orders) <= CLOSER_BUSY && atomic_exchange(&orders->wanted, false) &&
		    write(closer->watch.fd, &one, sizeof(one)) < 0)
			return;
	}
}

/** struct start - what the new process is told: its memory is a copy of ours as it was then */
struct start {
	pid_t parent;
	const struct closer *closer;
};

static int run(void *argument)
{
	const struct start *start = argument;
	const struct closer *closer = start->closer;
	uint64_t count;
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	prctl(PR_SET_NAME, "tph-emu-closer");
	/* it may have died before this was asked for */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != start->parent)
		_exit(EXIT_FAILURE);
	eventfd_prepare();
	do
		close_all(closer);
	while (read(closer->wake, &count, sizeof(count)) == sizeof(count));
	_exit(EXIT_FAILURE);
}

/* Like fork(2), but for the descriptors: it has a copy of this memory, and of the stack. */
static int make_process(struct closer *closer)
{
	const struct start start = { .parent = getpid(), .closer = closer };
	char *stack = malloc(STACK_SIZE);
	int ret;

	if (!stack)
		return -ENOMEM;
	closer->end.fd = -1;
	closer->pid = clone(run, stack + STACK_SIZE, CLONE_FILES | CLONE_PIDFD, (void *)&start,
			    &closer->end.fd);
	ret = closer->pid < 0 ? -errno : 0;
	free(stack);
	if (ret) {
		closer->pid = 0;
		return ret;
	}
	ret = loop_add(closer->loop, &closer->end, EPOLLIN);
	if (ret) {
		kill(closer->pid, SIGKILL);
		waitpid(closer->pid, NULL, __WALL);
		close(closer->end.fd);
		closer->pid = 0;
	}
	return ret;
}

static void told(struct watch *watch, uint32_t events)
{
	struct closer *closer = watch->owner;
	uint64_t count;

	(void)events;
	if (read(watch->fd, &count, sizeof(count)) == sizeof(count) && closer->drained)
		closer->drained(closer->owner);
}

/*
 * The one that it had set about is not done again: if it is closed already, its number may be
 * another one's by now, and to keep one too many is the smaller evil.
 */
static void ended(struct watch *watch, uint32_t events)
{
	struct closer *closer = watch->owner;
	int ret;

	(void)events;
	waitpid(closer->pid, NULL, __WALL);
	loop_remove(closer->loop, watch);
	close(watch->fd);
	closer->pid = 0;
	atomic_store(&closer->orders->done, atomic_load(&closer->orders->begun));
	ret = make_process(closer);
	if (closer->killed)
		closer->killed(closer->owner, ret);
	if (!ret)
		return;
	close_all(closer);
	if (closer->drained)
		closer->drained(closer->owner);
}

int closer_start(struct closer *closer, struct loop *loop)
{
	int ret;

	*closer = (struct closer){
		.loop = loop,
		.watch = { .ready = told, .owner = closer },
		.end = { .ready = ended, .owner = closer },
	};
	closer->orders = mmap(NULL, sizeof(*closer->orders), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (closer->orders == MAP_FAILED) {
		ret = -errno;
		goto err_forget;
	}
	closer->wake = eventfd(0, EFD_CLOEXEC);
	closer->watch.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ret = -errno;
	if (closer->wake < 0 || closer->watch.fd < 0)
		goto err_close;
	ret = loop_add(loop, &closer->watch, EPOLLIN);
	if (ret)
		goto err_close;
	ret = make_process(closer);
	if (!ret)
		return 0;
	loop_remove(loop, &closer->watch);

err_close:
	if (closer->wake >= 0)
		close(closer->wake);
	if (closer->watch.fd >= 0)
		close(closer->watch.fd);
	munmap(closer->orders, sizeof(*closer->orders));
err_forget:
	*closer = (struct closer){ 0 };
	return ret;
}

static void give(struct closer *closer, int order)
{
	const uint64_t one = 1;
	unsigned int at;

	at = atomic_load(&closer->orders->given);
	closer->orders->fds[at % CLOSER_ROOM] = order;
	atomic_store(&closer->orders->given, at + 1);
	/* a counter that never gets full, so this neither waits nor fails */
	if (write(closer->wake, &one, sizeof(one)) < 0)
		return;
}

void closer_take(struct closer *closer, int fd)
{
	if (closer && closer->pid)
		give(closer, fd);
	else
		close(fd);
}

/* What was spent here: who else has the processor is no matter. */
static int64_t spent_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

bool closer_signal(struct closer *closer, int fd)
{
	int64_t start;

	if (!closer || !closer->pid) {
		eventfd_signal(fd);
		return true;
	}
	if (closer->slow) {
		if (closer_await(closer))
			return false;
		give(closer, fd | SIGNAL);
		return true;
	}
	start = spent_ns();
	eventfd_signal(fd);
	closer->slow = spent_ns() - start > SLOW_NS;
	return true;
}

unsigned int closer_left(const struct closer *closer)
{
	return closer->pid ? left(closer->orders) : 0;
}

bool closer_await(struct closer *closer)
{
	if (closer_left(closer) <= CLOSER_BUSY)
		return false;
	atomic_store(&closer->orders->wanted, true);
	/* it can have closed the last one before it saw that */
	return closer_left(closer) > CLOSER_BUSY || !atomic_exchange(&closer->orders->wanted, false);
}

void closer_fini(struct closer *closer)
{
	if (!closer->orders)
		return;
	loop_remove(closer->loop, &closer->watch);
	if (closer->pid) {
		/* not closed: it is our end that ends the process, and not before it has to */
		loop_remove(closer->loop, &closer->end);
	}
	munmap(closer->orders, sizeof(*closer->orders));
	*closer = (struct closer){ 0 };
}
