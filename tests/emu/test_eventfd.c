// SPDX-License-Identifier: MIT
/* Interrupts to a client that fills its eventfd: nobody else waits for that. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/eventfd.h"

#define FULL	    (UINT64_MAX - 1)
#define PATIENCE_S  10

int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout);
long __wrap_syscall(long number, ...);
long __real_syscall(long number, ...);

static bool no_requests; /* the kernel has none, or a filter of system calls does not let them by */

long __wrap_syscall(long number, ...)
{
	long argument[6];
	va_list list;

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		argument[i] = va_arg(list, long);
	va_end(list);
	if (number == SYS_io_setup && no_requests) {
		errno = ENOSYS;
		return -1;
	}
	return __real_syscall(number, argument[0], argument[1], argument[2], argument[3],
			      argument[4], argument[5]);
}

/* Whoever looks whether there is room sees some; then the client takes it. */
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout)
{
	(void)timeout;
	for (nfds_t i = 0; i < count; i++)
		fds[i].revents = fds[i].events;
	return (int)count;
}

static uint64_t taken(int fd)
{
	uint64_t value = 0;

	assert_int_equal(read(fd, &value, sizeof(value)), sizeof(value));
	return value;
}

static void signals_are_counted(void **state)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	(void)state;
	for (int i = 0; i < 3; i++)
		eventfd_signal(fd);
	assert_int_equal(taken(fd), 3);
	close(fd);
}

static void full_one_makes_nobody_wait(void **state)
{
	int fd = eventfd(0, EFD_CLOEXEC);
	const uint64_t full = FULL;

	(void)state;
	assert_int_equal(write(fd, &full, sizeof(full)), sizeof(full));
	alarm(PATIENCE_S);
	for (int i = 0; i < 3; i++)
		eventfd_signal(fd);
	alarm(0);
	assert_true(taken(fd) >= FULL);

	/* and it works on */
	eventfd_signal(fd);
	assert_int_equal(taken(fd), 1);
	close(fd);
}

/* It is filled again and again, and taken: what waits does so for a moment, and the rest works. */
static void waits_are_short(void **state)
{
	int fd = eventfd(0, EFD_CLOEXEC);
	const uint64_t full = FULL;
	struct timespec begin, end;

	(void)state;
	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(write(fd, &full, sizeof(full)), sizeof(full));
		eventfd_signal(fd);
		assert_true(taken(fd) >= FULL);
		eventfd_signal(fd);
		assert_int_equal(taken(fd), 1);
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	assert_in_range(end.tv_sec - begin.tv_sec, 0, PATIENCE_S);
	/* and no timer goes on */
	assert_int_equal(usleep(20000), 0);
	close(fd);
}

static void other_descriptors_are_known(void **state)
{
	int fd = eventfd(0, EFD_CLOEXEC), ends[2], file;
	char folder[] = "/tmp/test-eventfd-XXXXXX";

	(void)state;
	assert_true(eventfd_is(fd));
	assert_int_equal(pipe(ends), 0);
	assert_false(eventfd_is(ends[1]));
	close(ends[0]);
	close(ends[1]);
	/* a file that is called so */
	assert_int_equal(chdir(mkdtemp(folder) ? folder : "/nonexistent"), 0);
	file = open("anon_inode:[eventfd]", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(file >= 0);
	assert_false(eventfd_is(file));
	close(file);
	unlink("anon_inode:[eventfd]");
	rmdir(folder);
	close(fd);
	assert_false(eventfd_is(fd));
	assert_false(eventfd_is(-1));
}

static int by_requests(void **state)
{
	(void)state;
	return eventfd_prepare();
}

static int without_them(void **state)
{
	no_requests = true;
	return by_requests(state);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signals_are_counted),
		cmocka_unit_test(full_one_makes_nobody_wait),
		cmocka_unit_test(waits_are_short),
		cmocka_unit_test(other_descriptors_are_known),
	};

	(void)argv;
	if (argc > 1)
		return cmocka_run_group_tests_name("without requests", tests, without_them, NULL);
	return cmocka_run_group_tests_name("by requests", tests, by_requests, NULL);
}
