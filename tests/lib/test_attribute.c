// SPDX-License-Identifier: MIT
/*
 * tools/attribute.c, the one file of tphctl that the simulated bus replaces, on the real kernel. A
 * socket with urgent data stands for an attribute that changed: poll() says POLLPRI of both.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "attribute.h"
#include "sysfs_file.h"

static char file[] = "/tmp/tphctl-attribute-XXXXXX";

static int make_file(void **context)
{
	int fd = mkstemp(file);

	(void)context;
	return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **context)
{
	(void)context;
	return unlink(file);
}

/* A connection over which urgent data can go: [0] sends, [1] is polled. */
static void connect_pair(int pair[2])
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	pair[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(pair[0], (struct sockaddr *)&address, size), 0);
	pair[1] = accept(listener, NULL, NULL);
	assert_true(pair[1] >= 0);
	close(listener);
}

static void failures_are_negative_errnos(void **context)
{
	const int fds[ATTRIBUTES_MAX + 1] = { 0 };
	char text[16];

	(void)context;
	assert_int_equal(attribute_write("/nonexistent/x", "1"), -ENOENT);
	assert_int_equal(attribute_write("/dev/full", "1"), -ENOSPC);
	assert_int_equal(attribute_open("/nonexistent/x"), -ENOENT);
	assert_int_equal(attribute_read(-1, text, sizeof(text)), -EBADF);
	assert_int_equal(attribute_wait(fds, ATTRIBUTES_MAX + 1, -1), -EINVAL);
}

static void read_begins_anew_each_time(void **context)
{
	char text[8];
	int fd;

	(void)context;
	assert_int_equal(attribute_write(file, "2-3\nmore"), 0);
	fd = attribute_open(file);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(attribute_read(fd, text, sizeof(text)), 0);
	assert_string_equal(text, "2-3");
	assert_int_equal(attribute_write(file, "123456789"), 0);
	assert_int_equal(attribute_read(fd, text, sizeof(text)), 0);
	assert_string_equal(text, "1234567");
	close(fd);
}

static void wait_ends_when_any_attribute_changes(void **context)
{
	int first[2], second[2], events[2];

	(void)context;
	connect_pair(first);
	connect_pair(second);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, events), 0);
	/* Ordinary data is none of its business: else it would end at once, each time. */
	assert_int_equal(send(first[0], "a", 1, 0), 1);
	assert_int_equal(send(second[0], "b", 1, MSG_OOB), 1);
	assert_int_equal(attribute_wait((int[]){ first[1], second[1] }, 2, events[0]), 0);
	for (int i = 0; i < 2; i++) {
		close(first[i]);
		close(second[i]);
		close(events[i]);
	}
}

struct sender {
	int fd;
	int flags;
	_Atomic int sent;
};

static void *send_later(void *context)
{
	struct sender *sender = context;

	usleep(50000);
	sender->sent = 1;
	send(sender->fd, "x", 1, sender->flags);
	return NULL;
}

static void wait_lasts_until_then(void **context)
{
	int attribute[2], events[2];
	struct sender sender;
	pthread_t thread;
	char byte;

	(void)context;
	connect_pair(attribute);
	assert_int_equal(send(attribute[0], "a", 1, 0), 1);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, events), 0);
	sender = (struct sender){ .fd = attribute[0], .flags = MSG_OOB };
	assert_int_equal(pthread_create(&thread, NULL, send_later, &sender), 0);
	assert_int_equal(attribute_wait(&attribute[1], 1, events[0]), 0);
	assert_int_equal(sender.sent, 1);
	pthread_join(thread, NULL);
	close(attribute[0]);
	close(attribute[1]);

	/* An event wakes, too, and all that have come are taken away. */
	connect_pair(attribute);
	sender = (struct sender){ .fd = events[1] };
	assert_int_equal(pthread_create(&thread, NULL, send_later, &sender), 0);
	assert_int_equal(attribute_wait(&attribute[1], 1, events[0]), 0);
	assert_int_equal(sender.sent, 1);
	pthread_join(thread, NULL);
	assert_int_equal(send(events[1], "y", 1, 0), 1);
	assert_int_equal(send(events[1], "z", 1, 0), 1);
	assert_int_equal(attribute_wait(&attribute[1], 1, events[0]), 0);
	assert_int_equal(recv(events[0], &byte, 1, MSG_DONTWAIT), -1);
	close(attribute[0]);
	close(attribute[1]);
	close(events[0]);
	close(events[1]);
}

static void events_are_the_kernels(void **context)
{
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);
	uint32_t groups;
	int fd = uevent_open();

	(void)context;
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	assert_int_equal(address.ss_family, AF_NETLINK);
	memcpy(&groups, (char *)&address + 8, sizeof(groups));	/* sockaddr_nl.nl_groups */
	assert_int_equal(groups, 1);
	close(fd);
}

static void text_is(const char *path, const char *expected)
{
	char text[64] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_true(read(fd, text, sizeof(text) - 1) >= 0);
	close(fd);
	assert_string_equal(text, expected);
}

/* A saved tree is written, too, and what its links point at is not. */
static void writes_stay_in_a_saved_tree(void **context)
{
	char tree[] = "/tmp/tphctl-tree-XXXXXX", inside[64], link[64], out[64], pipe[64];
	char command[128];

	(void)context;
	assert_non_null(mkdtemp(tree));
	snprintf(inside, sizeof(inside), "%s/cpus", tree);
	snprintf(link, sizeof(link), "%s/link", tree);
	snprintf(out, sizeof(out), "%s/out", tree);
	snprintf(pipe, sizeof(pipe), "%s/pipe", tree);
	assert_int_equal(symlink("cpus", link), 0);
	assert_int_equal(symlink(file, out), 0);
	assert_int_equal(mkfifo(pipe, 0600), 0);
	close(open(inside, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_int_equal(truncate(file, 0), 0);
	assert_int_equal(attribute_write(file, "before"), 0);

	sysfs_confine(tree);
	assert_int_equal(attribute_write(out, "2-3"), -EXDEV);
	assert_int_equal(attribute_write(pipe, "2-3"), -EINVAL);
	assert_int_equal(attribute_write(link, "2-3"), 0);
	sysfs_confine(NULL);
	text_is(inside, "2-3");
	text_is(file, "before");

	snprintf(command, sizeof(command), "rm -r %s", tree);
	assert_int_equal(system(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(failures_are_negative_errnos),
		cmocka_unit_test(read_begins_anew_each_time),
		cmocka_unit_test(wait_ends_when_any_attribute_changes),
		cmocka_unit_test(wait_lasts_until_then),
		cmocka_unit_test(events_are_the_kernels),
		cmocka_unit_test(writes_stay_in_a_saved_tree),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("attribute", tests, make_file, remove_file);
}
