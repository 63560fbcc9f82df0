// SPDX-License-Identifier: MIT
/*
 * Descriptors whose close(2) waits: TCP sockets that linger, since their peer does not read. No
 * function but the client's own may wait for that, and no end.
 */
#include "harness.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/vfio.h>

#include "client.h"
#include "endpoint_regs.h"
#include "host/closer.h"
#include "host/loop.h"
#include "program.h"

#define CONFIG	  VFIO_PCI_CONFIG_REGION_INDEX
#define LINGER_S  20
#define PROMPT_MS 500 /* an answer takes one at most; else it waits for a peer that never reads */
#define FDS_MANY  50 /* more than a message of vfio-user may have */

static struct emulator emu;
static struct client other; /* of f1 */
static int listener = -1, peers[FDS_MANY], peer_count;

/* A connection that has more to send than its peer takes. */
static int lingering(void)
{
	const struct linger linger = { .l_onoff = 1, .l_linger = LINGER_S };
	static const char bytes[65536];
	struct sockaddr_in address;
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, size), 0);
	peers[peer_count++] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	while (send(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
	assert_int_equal(errno, EAGAIN);
	return fd;
}

static int setup(void **state)
{
	struct sockaddr_in address = { .sin_family = AF_INET };

	(void)state;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	peer_count = 0;
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) || listen(listener, 128))
		return -1;
	emulator_start(&emu, "");
	return client_connect(&other, emu.socket[1]) || client_version(&other);
}

static int teardown(void **state)
{
	(void)state;
	for (int i = 0; i < peer_count; i++)
		close(peers[i]);
	close(listener);
	client_close(&other);
	/* one that a failed test has left */
	if (emu.pid > 0 && !waitpid(emu.pid, NULL, WNOHANG)) {
		kill(emu.pid, SIGKILL);
		finish(emu.pid);
	}
	emulator_remove(&emu);
	return 0;
}

static void hello(struct client *c)
{
	assert_int_equal(client_connect(c, emu.socket[0]), 0);
	assert_int_equal(client_version(c), 0);
}

/* The other function answers, and it ends, as if nobody closed anything. */
static void assert_nobody_waits(void)
{
	const int64_t start = loop_now();
	int64_t took;
	uint32_t id;

	assert_int_equal(client_read(&other, CONFIG, 0, &id, 4), 0);
	took = loop_now() - start;
	if (took > PROMPT_MS)
		fail_msg("the other function's answer took %lld ms", (long long)took);
	kill(emu.pid, SIGTERM);
	assert_int_equal(finish_within(emu.pid, 1000, &took), 0);
	assert_true(took < 1000);
}

/* Sends a header with descriptors, gives these up, then sends the payload. */
static void send_and_forget(struct client *c, const struct vfu_header *header, const int *fds,
			    unsigned int count)
{
	uint8_t payload[64] = { 0 };

	assert_int_equal(client_send(c, header, sizeof(*header), fds, count), 0);
	for (unsigned int i = 0; i < count; i++)
		close(fds[i]);
	client_send(c, payload, header->size - sizeof(*header), NULL, 0);
}

static void refused_descriptor(void **state)
{
	const struct vfu_header header = { .command = VFU_DMA_MAP, .size = 48, .id = 7 };
	int fd = lingering();
	struct client c;

	(void)state;
	hello(&c);
	c.id = 7;
	send_and_forget(&c, &header, &fd, 1);
	assert_int_equal(client_receive(&c), EINVAL);
	assert_nobody_waits();
	client_close(&c);
}

static void more_descriptors_than_a_message_may_have(void **state)
{
	const struct vfu_header header = { .command = VFU_DMA_MAP, .size = 48, .id = 7 };
	int fds[FDS_MANY];
	struct client c;

	(void)state;
	hello(&c);
	for (int i = 0; i < FDS_MANY - 1; i++)
		fds[i] = eventfd(0, EFD_CLOEXEC);
	fds[FDS_MANY - 1] = lingering();
	assert_int_equal(kill(emu.pid, SIGSTOP), 0);
	send_and_forget(&c, &header, fds, FDS_MANY);
	assert_int_equal(kill(emu.pid, SIGCONT), 0);
	assert_int_equal(client_receive(&c), CLIENT_CLOSED);
	assert_nobody_waits();
	client_close(&c);
}

static void descriptor_that_is_not_received_before_the_end(void **state)
{
	const struct vfu_header huge = { .command = VFU_DMA_MAP, .size = ~0u };
	const struct vfu_header more = { .command = VFU_DMA_MAP, .size = 48 };
	int fd = lingering();
	struct client c;

	(void)state;
	hello(&c);
	/* both are there before the first is looked at */
	assert_int_equal(kill(emu.pid, SIGSTOP), 0);
	assert_int_equal(client_send(&c, &huge, sizeof(huge), NULL, 0), 0);
	send_and_forget(&c, &more, &fd, 1);
	assert_int_equal(kill(emu.pid, SIGCONT), 0);
	while (client_receive(&c) != CLIENT_CLOSED)
		;
	assert_nobody_waits();
	client_close(&c);
}

static void descriptor_of_a_client_that_is_turned_away(void **state)
{
	const struct vfu_header header = { .command = VFU_DMA_MAP, .size = 48 };
	int fd = lingering();
	struct client c, second;

	(void)state;
	hello(&c);
	assert_int_equal(kill(emu.pid, SIGSTOP), 0);
	assert_int_equal(client_connect(&second, emu.socket[0]), 0);
	send_and_forget(&second, &header, &fd, 1);
	assert_int_equal(kill(emu.pid, SIGCONT), 0);
	assert_int_equal(client_receive(&second), CLIENT_CLOSED);
	assert_nobody_waits();
	client_close(&second);
	client_close(&c);
}

static void descriptor_of_a_client_that_was_never_let_in(void **state)
{
	const struct vfu_header header = { .command = VFU_DMA_MAP, .size = 48 };
	int fd = lingering();
	struct client second;
	int64_t took;

	(void)state;
	assert_int_equal(kill(emu.pid, SIGSTOP), 0);
	kill(emu.pid, SIGTERM);
	assert_int_equal(client_connect(&second, emu.socket[0]), 0);
	send_and_forget(&second, &header, &fd, 1);
	assert_int_equal(kill(emu.pid, SIGCONT), 0);
	assert_int_equal(finish_within(emu.pid, 1000, &took), 0);
	assert_true(took < 1000);
	client_close(&second);
}

/* So many that the queue is full: that function has to wait, and goes on when they are closed. */
static void function_with_too_many_to_close_waits_alone(void **state)
{
	const struct vfu_header header = { .command = VFU_DEVICE_RESET, .size = 16, .id = 9 };
	unsigned int sent = 0;
	struct client c;
	int fds[16], first;
	uint32_t id;

	(void)state;
	hello(&c);
	first = lingering();
	for (; sent < CLOSER_BUSY + 64; sent += 16) {
		for (int i = 0; i < 16; i++)
			fds[i] = sent || i ? eventfd(0, EFD_CLOEXEC) : first;
		send_and_forget(&c, &header, fds, 16);
	}
	for (int64_t until = loop_now() + 2000;
	     open_fds(emu.pid) <= emu.idle_fds + CLOSER_BUSY && loop_now() < until;)
		assert_int_equal(client_read(&other, CONFIG, 0, &id, 4), 0);
	assert_true(open_fds(emu.pid) > emu.idle_fds + CLOSER_BUSY);
	for (int i = 0; i < 100; i++)
		assert_int_equal(client_read(&other, CONFIG, 0, &id, 4), 0);
	assert_true(open_fds(emu.pid) < emu.idle_fds + CLOSER_BUSY + 40);
	/* it is let go when its peer reads, or leaves */
	close(peers[0]);
	c.id = 9;
	for (unsigned int i = 0; i < sent / 16; i++)
		assert_int_equal(client_receive(&c), EINVAL);
	assert_nobody_waits();
	client_close(&c);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(refused_descriptor, setup, teardown),
		cmocka_unit_test_setup_teardown(more_descriptors_than_a_message_may_have, setup,
						teardown),
		cmocka_unit_test_setup_teardown(descriptor_that_is_not_received_before_the_end,
						setup, teardown),
		cmocka_unit_test_setup_teardown(descriptor_of_a_client_that_is_turned_away, setup,
						teardown),
		cmocka_unit_test_setup_teardown(descriptor_of_a_client_that_was_never_let_in, setup,
						teardown),
		cmocka_unit_test_setup_teardown(function_with_too_many_to_close_waits_alone, setup,
						teardown),
	};

	if (argc != 2) {
		fprintf(stderr, "usage: %s PATH-OF-TPH-EMU\n", argv[0]);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	program = argv[1];
	return cmocka_run_group_tests_name("closer", tests, NULL, NULL);
}
