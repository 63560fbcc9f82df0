// SPDX-License-Identifier: MIT
/* The real program at the limits of the machine: descriptors, disks, readers that do not read. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/vfio.h>

#include "client.h"
#include "endpoint_regs.h"
#include "host/loop.h"
#include "instrument/sink.h"
#include "program.h"

#define CONFIG	    VFIO_PCI_CONFIG_REGION_INDEX
#define TPH_CONTROL 0x118
#define MULTI_MAX   ((VFU_PAYLOAD_MAX - 8) / sizeof(struct vfu_region_write_one))

static void hello(struct client *c, const char *socket)
{
	assert_int_equal(client_connect(c, socket), 0);
	assert_int_equal(client_version(c), 0);
}

static void reset(struct client *c)
{
	assert_int_equal(client_call(c, VFU_DEVICE_RESET, NULL, 0, NULL, 0), 0);
}

/* As many lines in the log as one message can make. */
static int write_lines(struct client *c)
{
	static uint8_t payload[8 + MULTI_MAX * sizeof(struct vfu_region_write_one)];
	const uint64_t count = MULTI_MAX;

	memcpy(payload, &count, sizeof(count));
	for (size_t i = 0; i < count; i++) {
		const struct vfu_region_write_one one = {
			.offset = TPH_CONTROL, .region = CONFIG, .count = 4, .data = { 1 },
		};

		memcpy(payload + 8 + i * sizeof(one), &one, sizeof(one));
	}
	return client_call(c, VFU_REGION_WRITE_MULTI, payload, sizeof(payload), NULL, 0);
}

static void assert_errors(struct emulator *e, const char *what)
{
	char *errors = slurp(e->errors);

	if (!strstr(errors, what))
		fail_msg("no \"%s\" in: %s", what, errors);
	free(errors);
}

static void assert_no_sockets(struct emulator *e)
{
	assert_int_equal(access(e->socket[0], F_OK), -1);
	assert_int_equal(access(e->socket[1], F_OK), -1);
}

/* ---- files ---- */

static void second_start_destroys_nothing(void **state)
{
	struct emulator e, others[3];
	char sent[64], keys[128], function[160], *log, *packets, *now;
	struct client c;

	(void)state;
	emulator_place(&e);
	snprintf(sent, sizeof(sent), "%s/sent", e.directory);
	snprintf(keys, sizeof(keys), ",queues=1,sent=%s", sent);
	emulator_run(&e, keys, NULL, NULL);
	hello(&c, e.socket[0]);
	reset(&c);
	log = slurp(e.log);
	packets = slurp(sent);
	assert_true(strlen(log) > 100 && *packets);

	/* all the same; another socket and the same log; another log and the same capture */
	for (int i = 0; i < 3; i++) {
		char *argv[] = { (char *)program, "--function", function, "--log",
				 i == 2 ? "/dev/null" : e.log, NULL };

		snprintf(function, sizeof(function), "socket=%s%s,queues=1%s%s", e.socket[1],
			 i ? "x" : "", i == 1 ? "" : ",sent=", i == 1 ? "" : sent);
		emulator_place(&others[i]);
		assert_int_equal(finish(spawn(argv, others[i].errors, -1)), 1);
		assert_errors(&others[i], "it is being written already");
		emulator_remove(&others[i]);
		now = slurp(e.log);
		assert_string_equal(now, log);
		free(now);
		now = slurp(sent);
		assert_string_equal(now, packets);
		free(now);
	}
	reset(&c);
	client_close(&c);
	free(log);
	free(packets);
	assert_int_equal(emulator_stop(&e), 0);
	/* a run after it begins anew, but not one that cannot have its socket */
	log = slurp(e.log);
	{
		char *argv[] = { (char *)program, "--function", "socket=/nonexistent/x", "--log",
				 e.log, NULL };

		assert_int_equal(finish(spawn(argv, "/dev/null", -1)), 1);
		now = slurp(e.log);
		assert_string_equal(now, log);
		free(now);
		free(log);
	}
	emulator_run(&e, keys, NULL, NULL);
	log = slurp(e.log);
	assert_string_equal(log, "");
	free(log);
	assert_int_equal(emulator_stop(&e), 0);
	unlink(sent);
	emulator_remove(&e);
}

static void log_ends_at_its_limit_with_a_whole_line(void **state)
{
	struct json_object **lines;
	struct emulator e;
	struct client c;
	size_t count = 0;
	char *text;

	(void)state;
	emulator_place(&e);
	emulator_run(&e, "", "--log-limit", "16K");
	hello(&c, e.socket[0]);
	assert_int_equal(write_lines(&c), 0);
	assert_errors(&e, "it has reached --log-limit; lines are missing from here on");
	reset(&c);
	client_close(&c);
	kill(e.pid, SIGTERM);
	assert_int_equal(finish(e.pid), 1);
	assert_errors(&e, "the log is incomplete: ");
	text = slurp(e.log);
	assert_true(strlen(text) <= 16384 && strlen(text) > 15000);
	lines = log_lines(text);
	while (lines[count + 1])
		count++;
	assert_string_equal(word(lines[count], "event"), "limit");
	assert_int_equal(number(lines[count], "bytes"), 16384);
	assert_no_sockets(&e);
	lines_free(lines);
	free(text);
	emulator_remove(&e);
}

/* ---- readers ---- */

/** struct reader - of a log that is a pipe; @text: what has come, @size bytes of @room */
struct reader {
	int fd;
	char *text;
	size_t size, room;
};

static ssize_t reader_take(struct reader *reader)
{
	ssize_t n;

	if (reader->room - reader->size < 65537) {
		reader->room = 2 * reader->room + 65537;
		reader->text = realloc(reader->text, reader->room);
		assert_non_null(reader->text);
	}
	n = read(reader->fd, reader->text + reader->size, 65536);
	reader->size += n > 0 ? (size_t)n : 0;
	reader->text[reader->size] = '\0';
	return n;
}

static void reader_open(struct reader *reader, struct emulator *e, const char *more)
{
	emulator_place(e);
	assert_int_equal(mkfifo(e->log, 0600), 0);
	*reader = (struct reader){ .fd = open(e->log, O_RDONLY | O_NONBLOCK | O_CLOEXEC) };
	assert_true(reader->fd >= 0);
	emulator_run(e, more, NULL, NULL);
}

/* Reads what is there within @ms, or to the end if there is one. */
static void reader_read(struct reader *reader, int ms)
{
	struct pollfd one = { .fd = reader->fd, .events = POLLIN };
	ssize_t n;

	do {
		if (poll(&one, 1, ms) != 1)
			return;
		n = reader_take(reader);
	} while (n > 0);
}

static void reader_close(struct reader *reader)
{
	close(reader->fd);
	free(reader->text);
}

static void reader_that_does_not_read_stops_nobody(void **state)
{
	struct json_object **lines;
	struct client c, other;
	struct reader reader;
	struct emulator e;
	int64_t took, start, lost;
	size_t count = 0;
	char text[64];

	(void)state;
	reader_open(&reader, &e, "");
	hello(&c, e.socket[0]);
	hello(&other, e.socket[1]);
	/* what is queued and what is in the pipe, and then as much again */
	for (size_t bytes = 0; bytes < 2 * SINK_QUEUE_SIZE; bytes += MULTI_MAX * 100) {
		start = loop_now();
		assert_int_equal(write_lines(&c), 0);
		reset(&other);
		if (loop_now() - start > 2000)
			fail_msg("%lld ms for an answer", (long long)(loop_now() - start));
	}
	assert_errors(&e, "its reader does not read, or not fast enough; lines are missing");

	/* it reads on: whole lines, and one that tells how many are missing */
	reader_read(&reader, 500);
	reset(&other);
	client_close(&c);
	client_close(&other);
	reader_read(&reader, 500);
	kill(e.pid, SIGTERM);
	reader_read(&reader, 2000);
	assert_int_equal(finish_within(e.pid, 1000, &took), 1);
	assert_true(took < 1000);
	lines = log_lines(reader.text);
	lost = check_gaps(lines);
	assert_true(lost > 1000);
	while (lines[count + 1])
		count++;
	assert_string_equal(word(lines[count], "event"), "summary");
	snprintf(text, sizeof(text), "the log is incomplete: %lld lines", (long long)lost);
	assert_errors(&e, text);
	assert_no_sockets(&e);
	lines_free(lines);
	reader_close(&reader);
	emulator_remove(&e);
}

static void reader_that_is_slow_gets_everything(void **state)
{
	struct reader reader;
	struct json_object **lines;
	struct emulator e;
	struct client c;
	pid_t writer;

	(void)state;
	reader_open(&reader, &e, "");
	hello(&c, e.socket[0]);
	writer = fork();
	if (!writer) {
		for (size_t bytes = 0; bytes < SINK_QUEUE_SIZE * 3 / 2; bytes += MULTI_MAX * 100)
			if (write_lines(&c))
				_exit(1);
		_exit(0);
	}
	/* far longer than it takes to fill the queue, and no more than the reader may take */
	for (int i = 0; i < 60; i++) {
		reader_take(&reader);
		poll(NULL, 0, 10);
	}
	reader_read(&reader, 500);
	assert_int_equal(finish(writer), 0);
	client_close(&c);
	reader_read(&reader, 500);
	kill(e.pid, SIGTERM);
	reader_read(&reader, 2000);
	assert_int_equal(finish(e.pid), 0);
	lines = log_lines(reader.text);
	assert_int_equal(check_gaps(lines), 0);
	lines_free(lines);
	reader_close(&reader);
	emulator_remove(&e);
}

#define MANY_FUNCTIONS 36 /* whose summary has more than SINK_QUEUE_SIZE bytes */

/* So many functions, with names f0, f1, .. of the socket and in the log. */
static void run_many(struct emulator *e, char sockets[][64], int functions)
{
	char *argv[2 * MANY_FUNCTIONS + 6] = { (char *)program };
	static char keys[MANY_FUNCTIONS][96];
	int ready[2], count = 1;
	char byte;

	for (int i = 0; i < functions; i++) {
		snprintf(sockets[i], 64, "%s/f%d", e->directory, i);
		snprintf(keys[i], sizeof(keys[i]), "socket=%s,name=f%d", sockets[i], i);
		argv[count++] = (char *)"--function";
		argv[count++] = keys[i];
	}
	argv[count++] = (char *)"--log";
	argv[count++] = e->log;
	argv[count++] = (char *)"--ready-fd";
	argv[count++] = (char *)"3";
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	e->pid = spawn(argv, e->errors, ready[1]);
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
}

static void summary_that_is_larger_than_the_queue_is_whole(void **state)
{
	static char sockets[MANY_FUNCTIONS][64];
	struct json_object **lines, *value;
	struct reader reader;
	struct emulator e;
	size_t last = 0;
	char all[4096];
	int64_t took;
	int status;

	(void)state;
	emulator_place(&e);
	assert_int_equal(mkfifo(e.log, 0600), 0);
	reader = (struct reader){ .fd = open(e.log, O_RDONLY | O_NONBLOCK | O_CLOEXEC) };
	run_many(&e, sockets, MANY_FUNCTIONS);
	for (int i = 0; i < MANY_FUNCTIONS; i++) {
		struct client c;

		/* each register is in the summary */
		hello(&c, sockets[i]);
		assert_int_equal(client_read(&c, CONFIG, 0, all, sizeof(all)), 0);
		client_close(&c);
		reader_read(&reader, 0);
	}
	kill(e.pid, SIGTERM);
	reader_read(&reader, 2000);
	status = finish_within(e.pid, 5000, &took);
	assert_true(took < 5000);
	if (status) {
		/* a machine that is too busy to write it all in the time there is: then it says so */
		assert_int_equal(status, 1);
		assert_errors(&e, "the log is incomplete: 1 lines are missing");
	} else {
		lines = log_lines(reader.text);
		while (lines[last + 1])
			last++;
		assert_int_equal(check_gaps(lines), 0);
		assert_string_equal(word(lines[last], "event"), "summary");
		assert_true(json_object_object_get_ex(lines[last], "functions", &value));
		assert_int_equal(json_object_array_length(value), MANY_FUNCTIONS);
		assert_true(strlen(json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN)) >
			    SINK_QUEUE_SIZE);
		lines_free(lines);
	}
	reader_close(&reader);
	emulator_remove(&e);
}

static void nobody_reads_and_it_ends_all_the_same(void **state)
{
	struct reader reader;
	struct emulator e;
	struct client c;
	int64_t took;

	(void)state;
	reader_open(&reader, &e, "");
	hello(&c, e.socket[0]);
	assert_int_equal(write_lines(&c), 0);
	kill(e.pid, SIGTERM);
	assert_int_equal(finish_within(e.pid, 1000, &took), 1);
	assert_true(took < 1000);
	assert_errors(&e, "the log is incomplete: ");
	assert_no_sockets(&e);
	/* what did arrive is whole lines */
	reader_read(&reader, 0);
	lines_free(log_lines(reader.text));
	client_close(&c);
	reader_close(&reader);
	emulator_remove(&e);
}

static void reader_that_leaves_ends_it(void **state)
{
	struct reader reader;
	struct emulator e;
	int64_t took;

	(void)state;
	reader_open(&reader, &e, "");
	reader_close(&reader);
	assert_int_equal(finish_within(e.pid, 1000, &took), 1);
	assert_true(took < 1000);
	assert_errors(&e, "its reader has gone");
	assert_no_sockets(&e);
	emulator_remove(&e);
}

static void hangup_is_an_end_like_others(void **state)
{
	struct emulator e;
	struct client c;
	char *text;

	(void)state;
	emulator_start(&e, "");
	hello(&c, e.socket[0]);
	kill(e.pid, SIGHUP);
	assert_int_equal(finish(e.pid), 0);
	text = slurp(e.log);
	assert_non_null(strstr(text, "\"event\":\"summary\""));
	assert_reason(e.log, "disconnect", "stopped");
	assert_no_sockets(&e);
	free(text);
	client_close(&c);
	emulator_remove(&e);
}

/* ---- descriptors ---- */

/* An eventfd for each of so many vectors, 16 in a message. Return: as client_call(). */
static int assign(struct client *c, uint32_t vectors, int fd)
{
	int fds[VFU_FDS_MAX], ret = 0;

	for (size_t i = 0; i < VFU_FDS_MAX; i++)
		fds[i] = fd;
	for (uint32_t at = 0; at < vectors && !ret; at += VFU_FDS_MAX) {
		const struct vfio_irq_set set = {
			.argsz = sizeof(set),
			.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
			.index = VFIO_PCI_MSIX_IRQ_INDEX,
			.start = at,
			.count = VFU_FDS_MAX,
		};

		ret = client_call(c, VFU_DEVICE_SET_IRQS, &set, sizeof(set), fds, VFU_FDS_MAX);
	}
	return ret;
}

static void all_vectors_work_under_the_usual_limit(void **state)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct emulator e;
	struct client c;

	(void)state;
	program_fd_limit = (struct rlimit){ .rlim_cur = 1024, .rlim_max = 4096 };
	emulator_start(&e, ",vectors=2048");
	program_fd_limit.rlim_max = 0;
	hello(&c, e.socket[1]);
	assert_int_equal(assign(&c, 2048, fd), 0);
	client_close(&c);
	assert_int_equal(emulator_stop(&e), 0);
	close(fd);
	emulator_remove(&e);
}

static void limit_that_does_not_suffice_is_told_of(void **state)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct client c, other;
	struct emulator e;

	(void)state;
	program_fd_limit = (struct rlimit){ .rlim_cur = 64, .rlim_max = 128 };
	emulator_start(&e, ",vectors=2048");
	program_fd_limit.rlim_max = 0;
	assert_errors(&e, "descriptors are needed, and 128 may be open");
	hello(&c, e.socket[1]);
	hello(&other, e.socket[0]);
	assert_int_equal(assign(&c, 2048, fd), CLIENT_CLOSED);
	client_close(&c);
	reset(&other);
	client_close(&other);
	assert_errors(&e, "function f1: its client's descriptors are more than the 128");
	{
		char *text = slurp(e.log);

		assert_non_null(strstr(text, "\"function\":\"f1\",\"reason\":\"descriptor-limit\""));
		free(text);
	}
	kill(e.pid, SIGTERM);
	assert_int_equal(finish(e.pid), 0);
	close(fd);
	emulator_remove(&e);
}

static unsigned long ticks_used(pid_t pid)
{
	unsigned long user, system;
	char path[32], *text;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	text = calloc(1, 1024);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(read(fd, text, 1023) > 0);
	close(fd);
	assert_int_equal(sscanf(strrchr(text, ')'),
				") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
				&system),
			 2);
	free(text);
	return user + system;
}

static rlim_t lowest_free(pid_t pid)
{
	struct stat status;
	char path[48];
	rlim_t fd = 0;

	do
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, (int)fd);
	while (!lstat(path, &status) && ++fd);
	return fd;
}

/* One client has all that may be open; who comes then is told, and nobody spins. */
static void clients_beyond_the_limit_are_turned_away(void **state)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct rlimit none, tight;
	struct client c, late, third;
	unsigned long before;
	struct emulator e;

	(void)state;
	emulator_start(&e, "");
	hello(&c, e.socket[0]);
	assert_int_equal(prlimit(e.pid, RLIMIT_NOFILE, NULL, &none), 0);
	tight = (struct rlimit){ .rlim_cur = 3, .rlim_max = none.rlim_max };
	assert_int_equal(prlimit(e.pid, RLIMIT_NOFILE, &tight, NULL), 0);
	before = ticks_used(e.pid);
	assert_int_equal(client_connect(&late, e.socket[1]), 0);
	poll(NULL, 0, 300);
	assert_true(ticks_used(e.pid) - before < 10);
	/* the one that is there has its answers all the while */
	reset(&c);
	assert_int_equal(prlimit(e.pid, RLIMIT_NOFILE, &none, NULL), 0);
	/* and the other one has a function, as soon as there are descriptors */
	assert_int_equal(client_version(&late), 0);

	/* without a single one more, but for the spare one, it is told at once */
	tight.rlim_cur = lowest_free(e.pid);
	assert_int_equal(prlimit(e.pid, RLIMIT_NOFILE, &tight, NULL), 0);
	assert_int_equal(client_connect(&third, e.socket[1]), 0);
	assert_int_equal(client_version(&third), CLIENT_CLOSED);
	assert_reason(e.log, "refused", "descriptor-limit");
	client_close(&third);
	reset(&late);
	client_close(&late);
	client_close(&c);
	close(fd);
	assert_int_equal(emulator_stop(&e), 0);
	emulator_remove(&e);
}

/* ---- maps ---- */

#define OTHERS_MAPS 1000

/* As many as there may be, nowhere beside one another: other functions have maps, too. */
static int maps_many(struct client *c, int fd, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		const struct vfu_dma_map map = {
			.argsz = sizeof(map), .flags = 3, .offset = 8192ULL * i,
			.address = 4096ULL * i, .size = 4096,
		};
		int ret = client_post(c, VFU_DMA_MAP, i + 1 < count ? VFU_NO_REPLY : 0, &map,
				      sizeof(map), &fd, 1);

		if (ret)
			return ret;
	}
	return client_receive(c);
}

static void maps_of_one_function_leave_room_for_others(void **state)
{
	int fd = memfd_create("memory", MFD_CLOEXEC);
	struct client c, other;
	struct emulator e;

	(void)state;
	assert_int_equal(ftruncate(fd, 65535 * 8192LL), 0);
	emulator_start(&e, "");
	hello(&c, e.socket[0]);
	hello(&other, e.socket[1]);
	assert_int_equal(maps_many(&c, fd, 65535), 0);
	assert_int_equal(maps_many(&other, fd, OTHERS_MAPS), 0);
	client_close(&c);
	client_close(&other);
	assert_int_equal(emulator_stop(&e), 0);
	close(fd);
	emulator_remove(&e);
}

/* ---- turns ---- */

#define BUSY_FUNCTIONS 4
#define STATES	       30

static void write32(struct client *c, unsigned int region, uint64_t at, uint32_t value)
{
	assert_int_equal(client_write(c, region, at, &value, 4), 0);
}

/* A command of so many bytes, done, and from now on repeated after writes to configuration space. */
static void repeat(struct client *c, const char *socket, int fd, uint32_t length, uint32_t times)
{
	const struct vfu_dma_map map = { .argsz = sizeof(map), .flags = 3, .size = 1 << 20 };
	uint32_t status;

	hello(c, socket);
	assert_int_equal(client_call(c, VFU_DMA_MAP, &map, sizeof(map), &fd, 1), 0);
	assert_int_equal(client_write(c, CONFIG, 4, &(uint16_t){ 6 }, 2), 0);
	write32(c, 0, EP_DMA_LENGTH, length);
	write32(c, 0, EP_DMA_HINT, EP_HINT_TAG << EP_HINT_SOURCE_SHIFT);
	write32(c, 0, EP_DMA_DOORBELL, EP_DMA_WRITE);
	do
		assert_int_equal(client_read(c, 0, EP_DMA_STATUS, &status, 4), 0);
	while (status == EP_DMA_BUSY);
	write32(c, 0, EP_DMA_REPEAT, times);
}

/* Each state of the control register is one that a request was sent in, by one message or many. */
static void no_state_goes_by_unseen_while_others_are_busy(void **state)
{
	uint8_t payload[8 + STATES * sizeof(struct vfu_region_write_one)];
	static char sockets[BUSY_FUNCTIONS][64];
	const uint64_t many = STATES;
	int fd = memfd_create("memory", MFD_CLOEXEC);
	struct client c[BUSY_FUNCTIONS];
	unsigned int states = 0, unseen = 0;
	struct json_object **lines;
	bool seen = true;
	struct emulator e;
	char *text;

	(void)state;
	assert_int_equal(ftruncate(fd, 1 << 20), 0);
	emulator_place(&e);
	run_many(&e, sockets, BUSY_FUNCTIONS);
	for (int i = 0; i < BUSY_FUNCTIONS; i++)
		repeat(&c[i], sockets[i], fd, i ? 1 << 20 : 64, i ? 1000 : 1);
	for (int i = 1; i < BUSY_FUNCTIONS; i++)
		assert_int_equal(client_write(&c[i], CONFIG, 0x3c, "", 1), 0);
	/* nobody waits for an answer in between */
	for (uint32_t i = 0; i < STATES; i++) {
		const struct vfu_region_access access = {
			.offset = TPH_CONTROL, .region = CONFIG, .count = 4,
		};
		const uint32_t value = i % 2 ? 0 : 0x100;

		memcpy(payload, &access, sizeof(access));
		memcpy(payload + sizeof(access), &value, sizeof(value));
		assert_int_equal(client_post(&c[0], VFU_REGION_WRITE, VFU_NO_REPLY, payload,
					     sizeof(access) + sizeof(value), NULL, 0),
				 0);
	}
	memcpy(payload, &many, sizeof(many));
	for (uint32_t i = 0; i < STATES; i++) {
		const struct vfu_region_write_one one = {
			.offset = TPH_CONTROL, .region = CONFIG, .count = 4,
			.data = { 0, i % 2 ? 0 : 1 },
		};

		memcpy(payload + 8 + i * sizeof(one), &one, sizeof(one));
	}
	assert_int_equal(client_call(&c[0], VFU_REGION_WRITE_MULTI, payload, sizeof(payload), NULL,
				     0),
			 0);
	reset(&c[0]);
	for (int i = 0; i < BUSY_FUNCTIONS; i++)
		client_close(&c[i]);
	kill(e.pid, SIGTERM);
	assert_int_equal(finish(e.pid), 0);
	text = slurp(e.log);
	lines = log_lines(text);
	for (size_t i = 0; lines[i]; i++) {
		if (strcmp(word(lines[i], "function"), "f0"))
			continue;
		if (!strcmp(word(lines[i], "event"), "tlp"))
			seen = true;
		if (strcmp(word(lines[i], "event"), "tph-control"))
			continue;
		states++;
		unseen += !seen;
		seen = false;
	}
	assert_int_equal(states, 2 * STATES);
	assert_int_equal(unseen, 0);
	lines_free(lines);
	free(text);
	close(fd);
	for (int i = 0; i < BUSY_FUNCTIONS; i++)
		unlink(sockets[i]);
	emulator_remove(&e);
}

/* ---- clients ---- */

static void socket_of_another_instance_is_left_alone(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct emulator e;

	(void)state;
	emulator_start(&e, "");
	assert_int_equal(unlink(e.socket[1]), 0);
	strcpy(address.sun_path, e.socket[1]);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	kill(e.pid, SIGTERM);
	assert_int_equal(finish(e.pid), 0);
	assert_int_equal(access(e.socket[0], F_OK), -1);
	assert_int_equal(unlink(e.socket[1]), 0);
	close(fd);
	emulator_remove(&e);
}

/* Connects in group_setup(), so that the others' time is not wasted. */
static struct emulator silent_emulator;
static struct client silent_client;

static void reasons_are_in_the_log(void **state)
{
	struct emulator *e = &silent_emulator;
	const struct vfu_header huge = { .command = VFU_REGION_READ, .size = ~0u };
	struct client c, second;
	int fds[40];

	(void)state;
	for (size_t i = 0; i < 40; i++)
		fds[i] = STDERR_FILENO;
	hello(&c, e->socket[1]);
	assert_int_equal(client_connect(&second, e->socket[1]), 0);
	assert_int_equal(client_version(&second), CLIENT_CLOSED);
	client_close(&second);
	assert_reason(e->log, "refused", "busy");
	client_send(&c, &huge, sizeof(huge), NULL, 0);
	while (client_receive(&c) != CLIENT_CLOSED)
		;
	client_close(&c);
	assert_reason(e->log, "disconnect", "message-size");
	hello(&c, e->socket[1]);
	client_post(&c, VFU_DMA_READ, VFU_TYPE_REPLY, NULL, 0, NULL, 0);
	assert_int_equal(client_receive(&c), CLIENT_CLOSED);
	client_close(&c);
	assert_reason(e->log, "disconnect", "reply");
	hello(&c, e->socket[1]);
	client_post(&c, VFU_DEVICE_RESET, 0, NULL, 0, fds, 40);
	assert_int_equal(client_receive(&c), CLIENT_CLOSED);
	client_close(&c);
	assert_reason(e->log, "disconnect", "descriptors");
	assert_int_equal(client_connect(&c, e->socket[1]), 0);
	assert_int_equal(client_call(&c, VFU_DEVICE_RESET, NULL, 0, NULL, 0), EINVAL);
	assert_int_equal(client_receive(&c), CLIENT_CLOSED);
	client_close(&c);
	assert_reason(e->log, "disconnect", "not-negotiated");
	hello(&c, e->socket[1]);
	client_close(&c);
	hello(&c, e->socket[1]);
	client_close(&c);
	assert_reason(e->log, "disconnect", "hung-up");
}

static void silent_client_loses_its_place(void **state)
{
	const struct timeval patience = { .tv_sec = 10 };
	struct client c;
	char *text;

	(void)state;
	setsockopt(silent_client.fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	assert_int_equal(client_receive(&silent_client), CLIENT_CLOSED);
	text = slurp(silent_emulator.log);
	assert_non_null(strstr(text, "\"function\":\"f0\",\"reason\":\"silent\""));
	free(text);
	/* another one has it, and keeps it, however long it says nothing more */
	hello(&c, silent_emulator.socket[0]);
	client_close(&c);
}

/*
 * Two clients that keep a function and need not even be there: one is in a message of its own that
 * does not end, so that nobody sees it leave; one does not read its answers.
 */
static struct emulator kept_emulator;
static struct client unread_client;

static void clients_that_stay(void)
{
	const struct vfu_header half = { .command = VFU_DEVICE_RESET, .size = 20 };
	const struct vfu_region_access access = { .region = CONFIG, .count = 4096 };
	struct client c;
	int flags;

	emulator_start(&kept_emulator, "");
	hello(&c, kept_emulator.socket[0]);
	assert_int_equal(client_send(&c, &half, sizeof(half), &c.fd, 1), 0);
	client_close(&c);
	hello(&unread_client, kept_emulator.socket[1]);
	flags = fcntl(unread_client.fd, F_GETFL);
	assert_int_equal(fcntl(unread_client.fd, F_SETFL, flags | O_NONBLOCK), 0);
	for (bool first = true;; first = false) {
		int ret = client_post(&unread_client, VFU_REGION_READ, 0, &access, sizeof(access),
				      NULL, 0);

		if (ret == -EAGAIN && !first)
			break;
		assert_int_equal(ret, 0);
	}
}

static void clients_that_only_stay_lose_their_places(void **state)
{
	const int64_t until = loop_now() + 35000;
	char *text;

	(void)state;
	for (;;) {
		text = slurp(kept_emulator.log);
		if (strstr(text, "\"function\":\"f0\",\"reason\":\"silent\"") &&
		    strstr(text, "\"function\":\"f1\",\"reason\":\"silent\""))
			break;
		if (loop_now() > until)
			fail_msg("they have their places still: %s", text);
		free(text);
		poll(NULL, 0, 50);
	}
	free(text);
	client_close(&unread_client);
	assert_int_equal(open_fds_soon(kept_emulator.pid, kept_emulator.idle_fds),
			 kept_emulator.idle_fds);
	for (int i = 0; i < 2; i++) {
		struct client c;

		hello(&c, kept_emulator.socket[i]);
		client_close(&c);
	}
	assert_int_equal(emulator_stop(&kept_emulator), 0);
	emulator_remove(&kept_emulator);
}

static int group_setup(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	clients_that_stay();
	emulator_start(&silent_emulator, "");
	return client_connect(&silent_client, silent_emulator.socket[0]);
}

static int group_teardown(void **state)
{
	int ret;

	(void)state;
	client_close(&silent_client);
	ret = emulator_stop(&silent_emulator);
	emulator_remove(&silent_emulator);
	return ret;
}

/* Started without standard streams: nothing of its own gets their numbers, and so its messages. */
static void messages_go_into_no_file(void **state)
{
	char function[96], path[64], target[128] = "", line[8], *text;
	int ready[2];
	struct emulator e;
	char *argv[] = { (char *)program, "--function", function, "--log", e.log, "--ready-fd",
			 "3", NULL };

	(void)state;
	emulator_place(&e);
	snprintf(function, sizeof(function), "socket=%s,vectors=2048", e.socket[0]);
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	e.pid = fork();
	if (!e.pid) {
		/* too few, of which it tells before all else */
		const struct rlimit limit = { 100, 100 };

		dup2(ready[1], 3);
		for (int fd = 0; fd <= STDERR_FILENO; fd++)
			close(fd);
		setrlimit(RLIMIT_NOFILE, &limit);
		execv(program, argv);
		_exit(127);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], line, sizeof(line)), 6);
	close(ready[0]);
	for (int fd = 0; fd <= STDERR_FILENO; fd++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)e.pid, fd);
		assert_int_equal(readlink(path, target, sizeof(target) - 1), 1);
		assert_string_equal(target, "/");
	}
	kill(e.pid, SIGTERM);
	assert_int_equal(finish(e.pid), 0);
	text = slurp(e.log);
	lines_free(log_lines(text));
	free(text);
	emulator_remove(&e);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(second_start_destroys_nothing),
		cmocka_unit_test(log_ends_at_its_limit_with_a_whole_line),
		cmocka_unit_test(reader_that_does_not_read_stops_nobody),
		cmocka_unit_test(reader_that_is_slow_gets_everything),
		cmocka_unit_test(summary_that_is_larger_than_the_queue_is_whole),
		cmocka_unit_test(nobody_reads_and_it_ends_all_the_same),
		cmocka_unit_test(reader_that_leaves_ends_it),
		cmocka_unit_test(hangup_is_an_end_like_others),
		cmocka_unit_test(all_vectors_work_under_the_usual_limit),
		cmocka_unit_test(messages_go_into_no_file),
		cmocka_unit_test(limit_that_does_not_suffice_is_told_of),
		cmocka_unit_test(clients_beyond_the_limit_are_turned_away),
		cmocka_unit_test(maps_of_one_function_leave_room_for_others),
		cmocka_unit_test(no_state_goes_by_unseen_while_others_are_busy),
		cmocka_unit_test(socket_of_another_instance_is_left_alone),
		cmocka_unit_test(reasons_are_in_the_log),
		cmocka_unit_test(silent_client_loses_its_place),
		cmocka_unit_test(clients_that_only_stay_lose_their_places),
	};

	if (argc != 2) {
		fprintf(stderr, "usage: %s PATH-OF-TPH-EMU\n", argv[0]);
		return 2;
	}
	program = argv[1];
	return cmocka_run_group_tests_name("limits", tests, group_setup, group_teardown);
}
