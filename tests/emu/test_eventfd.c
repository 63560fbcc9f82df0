// SPDX-License-Identifier: MIT
/* Interrupts to a client that fills its eventfd: nobody else waits for that. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/eventfd.h"

#define FULL	    (UINT64_MAX - 1)
#define PATIENCE_S  10

int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout);

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

static void other_descriptors_are_known(void **state)
{
	int fd = eventfd(0, EFD_CLOEXEC), ends[2];

	(void)state;
	assert_true(eventfd_is(fd));
	assert_int_equal(pipe(ends), 0);
	assert_false(eventfd_is(ends[1]));
	close(ends[0]);
	close(ends[1]);
	close(fd);
	assert_false(eventfd_is(fd));
	assert_false(eventfd_is(-1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signals_are_counted),
		cmocka_unit_test(full_one_makes_nobody_wait),
		cmocka_unit_test(other_descriptors_are_known),
	};

	eventfd_prepare();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
