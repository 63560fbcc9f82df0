// SPDX-License-Identifier: MIT
#include "eventfd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

#define WAKE_SIGNAL SIGVTALRM
#define WAKE_NS	    1000000

/* one request at a time; the kernel's end of the process ends it */
static struct {
	bool ready;
	aio_context_t context;
	int null;
} requests;

/* ends the wait of write(2), where there are no requests; a child has none of its parent's */
static struct {
	pid_t owner;
	timer_t timer;
} alarm_clock;

bool eventfd_is(int fd)
{
	char path[32], target[32];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return false;
	target[n] = '\0';
	return !strcmp(target, "anon_inode:[eventfd]");
}

static void request_prepare(void)
{
	requests.ready = false;
	if (requests.null <= 0)
		requests.null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (requests.null < 0)
		return;
	/* a child has none of its parent's */
	requests.context = 0;
	requests.ready = !syscall(SYS_io_setup, 1, &requests.context);
}

static void wake(int number)
{
	(void)number; /* that write(2) was interrupted is all */
}

/* For this thread: a model may have others. */
static int timer_prepare(void)
{
	struct sigaction action = { .sa_handler = wake };
	struct sigevent event = {
		.sigev_notify = SIGEV_THREAD_ID,
		.sigev_signo = WAKE_SIGNAL,
		.sigev_notify_thread_id = (int)syscall(SYS_gettid),
	};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, WAKE_SIGNAL);
	if (sigaction(WAKE_SIGNAL, &action, NULL) || sigprocmask(SIG_UNBLOCK, &set, NULL) ||
	    timer_create(CLOCK_MONOTONIC, &event, &alarm_clock.timer))
		return -errno;
	alarm_clock.owner = getpid();
	return 0;
}

int eventfd_prepare(void)
{
	int ret = alarm_clock.owner == getpid() ? 0 : timer_prepare();

	request_prepare();
	return requests.ready ? 0 : ret;
}

/* A read of nothing is finished before io_submit(2) returns. */
static bool signal_by_request(int fd)
{
	struct iocb request = {
		.aio_lio_opcode = IOCB_CMD_PREAD,
		.aio_fildes = (uint32_t)requests.null,
		.aio_flags = IOCB_FLAG_RESFD,
		.aio_resfd = (uint32_t)fd,
	};
	struct iocb *list = &request;
	struct io_event event;

	if (syscall(SYS_io_submit, requests.context, 1L, &list) != 1)
		return false;
	/* it is signalled; this is for the next request to have room */
	requests.ready = syscall(SYS_io_getevents, requests.context, 1L, 1L, &event, NULL) == 1;
	return true;
}

/* Again and again, in case that it comes before write(2) waits. */
static bool timer_set(long ns)
{
	const struct itimerspec when = { .it_value.tv_nsec = ns, .it_interval.tv_nsec = ns };

	return (alarm_clock.owner == getpid() || !timer_prepare()) &&
	       !timer_settime(alarm_clock.timer, 0, &when, NULL);
}

void eventfd_signal(int fd)
{
	struct pollfd poll_out = { .fd = fd, .events = POLLOUT };
	const uint64_t one = 1;
	ssize_t written;

	if (requests.ready && signal_by_request(fd))
		return;
	if (poll(&poll_out, 1, 0) != 1 || !(poll_out.revents & POLLOUT) || !timer_set(WAKE_NS))
		return;
	/* nothing to be done about a failure: the interrupt is lost, as it is if the fd is full */
	written = write(fd, &one, sizeof(one));
	(void)written;
	timer_set(0);
}
