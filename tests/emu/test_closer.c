// SPDX-License-Identifier: MIT
/*
 * Descriptors whose close(2) waits: TCP sockets that linger, since their peer does not read; and
 * eventfds that take long to signal. No function but the client's own may wait, and no end.
 */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
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

static void assert_prompt(void)
{
	const int64_t start = loop_now();
	int64_t took;
	uint32_t id;

	assert_int_equal(client_read(&other, CONFIG, 0, &id, 4), 0);
	took = loop_now() - start;
	if (took > PROMPT_MS)
		fail_msg("the other function's answer took %lld ms", (long long)took);
}

/* The other function answers, and it ends, as if nobody closed anything. */
static void assert_nobody_waits(void)
{
	int64_t took;

	assert_prompt();
	kill(emu.pid, SIGTERM);
	assert_int_equal(finish_within(emu.pid, 1000, &took), 0);
	assert_true(took < 1000);
}

/* Gives descriptors up between header and payload: our copy is never the last one. */
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
	const struct vfu_header header = { .command = VFU_DMA_MAP, .size = 48, .id = 9 };
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
	for (int64_t until = loop_now() + LINGER_S / 2 * 1000;
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

static int closers(pid_t *pids, int room)
{
	char path[64], text[256] = "", *rest = text;
	int fd, count = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)emu.pid, (int)emu.pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(read(fd, text, sizeof(text) - 1) >= 0);
	close(fd);
	for (long pid; count < room && (pid = strtol(rest, &rest, 10)) > 0;)
		pids[count++] = (pid_t)pid;
	return count;
}

static bool all_differ(const pid_t *now, const pid_t *before)
{
	return now[0] != before[0] && now[0] != before[1] && now[1] != before[0] &&
	       now[1] != before[1];
}

/* By who may kill it, or by a kernel that is out of memory: in the midst, and again. */
static void closer_that_is_killed_has_a_successor(void **state)
{
	const struct vfu_header header = { .command = VFU_DMA_MAP, .size = 48, .id = 9 };
	const char *said = "its tph-emu-closer was killed; there is another one";
	const unsigned int idle = emu.idle_fds + 1; /* and the other client */
	pid_t pids[4], first[4];
	struct client c;
	char *errors;
	int fds[16];

	(void)state;
	for (int round = 0; round < 3; round++) {
		hello(&c);
		fds[0] = lingering();
		for (int i = 1; i < 16; i++)
			fds[i] = eventfd(0, EFD_CLOEXEC);
		send_and_forget(&c, &header, fds, 16);
		c.id = 9;
		assert_int_equal(client_receive(&c), EINVAL);
		/* it is in the first close(2), and the client and 15 are left */
		assert_int_equal(open_fds_soon(emu.pid, idle + 16), idle + 16);
		assert_int_equal(closers(first, 4), 2);
		for (int i = 0; i < 2; i++)
			assert_int_equal(kill(first[i], SIGKILL), 0);
		client_close(&c);
		assert_int_equal(open_fds_soon(emu.pid, idle), idle);
		assert_prompt();
		for (int64_t until = loop_now() + PROMPT_MS; loop_now() < until;)
			if (closers(pids, 4) == 2 && all_differ(pids, first))
				break;
		assert_true(all_differ(pids, first));
	}
	assert_nobody_waits();
	errors = slurp(emu.errors);
	for (int i = 0; i < 6; i++) {
		char *next = strstr(errors + (i ? 1 : 0), said);

		assert_non_null(next);
		memmove(errors, next, strlen(next) + 1);
	}
	free(errors);
}

#define WATCHERS 250 /* times as many copies of one eventfd */
#define VECTORS	 16

static int64_t spent_ms(pid_t pid)
{
	unsigned long user, system;
	char path[32], text[1024];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = read(fd, text, sizeof(text) - 1);
	assert_true(n > 0);
	close(fd);
	text[n] = '\0';
	assert_int_equal(sscanf(strrchr(text, ')'),
				") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
				&system),
			 2);
	return (int64_t)(user + system) * 1000 / sysconf(_SC_CLK_TCK);
}

static bool watch_often(int fd, int *watchers)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int copies[WATCHERS];
	bool good = true;

	for (int i = 0; i < WATCHERS; i++) {
		copies[i] = dup(fd);
		watchers[i] = epoll_create1(EPOLL_CLOEXEC);
		assert_true(copies[i] >= 0 && watchers[i] >= 0);
	}
	for (int i = 0; i < WATCHERS * WATCHERS && good; i++)
		good = !epoll_ctl(watchers[i / WATCHERS], EPOLL_CTL_ADD, copies[i % WATCHERS],
				  &event);
	for (int i = 0; i < WATCHERS; i++)
		close(copies[i]);
	return good;
}

/* To signal it once takes milliseconds; the emulator does it once, and then others do. */
static void eventfd_that_many_watch(void **state)
{
	const struct vfio_irq_set trigger = {
		.argsz = sizeof(trigger), .index = VFIO_PCI_MSIX_IRQ_INDEX, .count = VECTORS,
		.flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER,
	};
	struct vfio_irq_set set = trigger;
	struct pollfd one = { .events = POLLIN };
	int fds[VECTORS], watchers[WATCHERS];
	uint64_t total = 0, count;
	int64_t before, took;
	struct client c;
	bool good;

	(void)state;
	fds[0] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	for (int i = 1; i < VECTORS; i++)
		fds[i] = fds[0];
	hello(&c);
	assert_int_equal(client_write(&c, CONFIG, 4, &(uint16_t){ 6 }, 2), 0);
	assert_int_equal(client_write(&c, CONFIG, 0x50, &(uint32_t){ 0x80000000 }, 4), 0);
	set.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
	assert_int_equal(client_call(&c, VFU_DEVICE_SET_IRQS, &set, sizeof(set), fds, VECTORS), 0);
	good = watch_often(fds[0], watchers);
	before = spent_ms(emu.pid);
	if (good)
		assert_int_equal(client_call(&c, VFU_DEVICE_SET_IRQS, &trigger, sizeof(trigger),
					     NULL, 0),
				 0);
	took = spent_ms(emu.pid) - before;
	one.fd = fds[0];
	while (good && total < VECTORS && poll(&one, 1, 2000) == 1)
		total += read(fds[0], &count, sizeof(count)) == sizeof(count) ? count : 0;
	for (int i = 0; i < WATCHERS; i++)
		close(watchers[i]);
	close(fds[0]);
	assert_nobody_waits();
	client_close(&c);
	if (!good)
		skip(); /* fs.epoll.max_user_watches */
	assert_int_equal(total, VECTORS);
	if (took >= 60)
		fail_msg("%lld ms were spent on %u signals", (long long)took, VECTORS);
}

#define LOCKS  10000
#define ROUNDS 2000

/* Milliseconds that the emulator itself spends on maps of @fd that come and go. */
static int64_t maps_cost(struct client *c, int fd)
{
	struct vfu_dma_map map = { .argsz = sizeof(map), .flags = 3, .address = 1 << 20, .size = 4096 };
	struct vfu_dma_unmap unmap = { .argsz = sizeof(unmap), .address = 1 << 20, .size = 4096 };
	const int64_t before = spent_ms(emu.pid);

	for (int i = 0; i < ROUNDS; i++) {
		/* half of them while there is a map of that file */
		map.address = unmap.address = (uint64_t)(1 + i % 2) << 20;
		assert_int_equal(client_call(c, VFU_DMA_MAP, &map, sizeof(map), &fd, 1), 0);
		if (i % 2) {
			unmap.address = 1 << 20;
			assert_int_equal(client_call(c, VFU_DMA_UNMAP, &unmap, sizeof(unmap), NULL, 0),
					 0);
			unmap.address = 2 << 20;
			assert_int_equal(client_call(c, VFU_DMA_UNMAP, &unmap, sizeof(unmap), NULL, 0),
					 0);
		}
	}
	return spent_ms(emu.pid) - before;
}

/* Each close(2) of a file goes through all locks of it, whoever has them. */
static void file_that_has_many_locks(void **state)
{
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_len = 1 };
	int fd = memfd_create("locks", MFD_CLOEXEC);
	int64_t plain, locked;
	struct client c;

	(void)state;
	hello(&c);
	assert_int_equal(ftruncate(fd, 1 << 20), 0);
	plain = maps_cost(&c, fd);
	for (int i = 0; i < LOCKS; i++) {
		lock.l_start = 2 * i;
		assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
	}
	locked = maps_cost(&c, fd);
	close(fd);
	client_close(&c);
	printf("# %lld ms, and %lld without locks\n", (long long)locked, (long long)plain);
	if (2 * locked > 3 * plain + 100)
		fail_msg("%lld ms were spent, and %lld without locks", (long long)locked,
			 (long long)plain);
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
		cmocka_unit_test_setup_teardown(closer_that_is_killed_has_a_successor, setup,
						teardown),
		cmocka_unit_test_setup_teardown(eventfd_that_many_watch, setup, teardown),
		cmocka_unit_test_setup_teardown(file_that_has_many_locks, setup, teardown),
	};

	if (argc != 2) {
		fprintf(stderr, "usage: %s PATH-OF-TPH-EMU\n", argv[0]);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	program = argv[1];
	return cmocka_run_group_tests_name("closer", tests, NULL, NULL);
}
