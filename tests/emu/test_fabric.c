// SPDX-License-Identifier: MIT
/*
 * Requests that go by the client, and their arrival at another function: two functions in this
 * process, and clients that answer late, wrongly, twice, or not at all. Events come one by one in
 * the order in which the test sends them.
 */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <json-c/json.h>
#include <linux/vfio.h>

#include "format/bits.h"
#include "endpoint_regs.h"
#include "host/loop.h"
#include "keys.h"
#include "models/exerciser.h"
#include "pcie/endpoint.h"
#include "wire/protocol.h"
#include "wire/session.h"

#define COMPLETER     0
#define REQUESTER     1
#define CONFIG	      VFIO_PCI_CONFIG_REGION_INDEX
#define COMMAND	      0x04
#define DEVICE_STATUS 0x6a
#define TPH_CONTROL   0x118
#define DS_8	      0x102u
#define DS_16	      0x302u
#define MEMORY	      2
#define IOVA	      0x40000000u /* mapped by nobody here */
#define PLACE	      0x5040u	  /* where it is in the completer's memory */

/** struct side - a function and its client */
struct side {
	struct endpoint endpoint;
	struct session *session;
	int fd;
	uint16_t id;
};

struct message {
	struct vfu_header header;
	uint8_t payload[8192];
};

static struct loop loop;
static struct log event_log;
static struct fabric fabric;
static struct side sides[2];
static struct endpoint *const requester = &sides[REQUESTER].endpoint;
static struct endpoint *const completer = &sides[COMPLETER].endpoint;

/* ---- two functions ---- */

static void ended(void *owner)
{
	struct side *side = owner;
	struct session *session = side->session;

	side->session = NULL;
	session_close(session);
}

static void post(struct side *side, unsigned int type, unsigned int command, uint16_t id,
		 uint32_t flags, uint32_t error, const void *payload, size_t size)
{
	struct message message = {
		.header = {
			.id = id,
			.command = (uint16_t)command,
			.size = (uint32_t)(sizeof(message.header) + size),
			.flags = type | flags,
			.error = error,
		},
	};

	if (size)
		memcpy(message.payload, payload, size);
	assert_int_equal(send(side->fd, &message, message.header.size, MSG_NOSIGNAL),
			 message.header.size);
}

/* The next message to that client; false: none is there. */
static bool take(struct side *side, struct message *message)
{
	ssize_t n = recv(side->fd, &message->header, sizeof(message->header), MSG_DONTWAIT);
	size_t size;

	if (n <= 0)
		return false;
	assert_int_equal(n, sizeof(message->header));
	size = message->header.size - sizeof(message->header);
	assert_true(size <= sizeof(message->payload));
	if (size)
		assert_int_equal(recv(side->fd, message->payload, size, MSG_DONTWAIT), size);
	return true;
}

/* Everything that there is to do; one turn of the program's loop after the other. */
static void turn(void)
{
	struct epoll_event event;
	bool more;
	int n;

	do {
		more = endpoint_work(completer);
		more |= endpoint_work(requester);
		n = epoll_wait(loop.epoll, &event, 1, 0);
		if (n == 1)
			((struct watch *)event.data.ptr)->ready(event.data.ptr, event.events);
	} while (more || n);
}

/* A command of the client, answered at once, other messages to it set aside. */
static uint32_t call(struct side *side, unsigned int command, const void *payload, size_t size,
		     struct message *reply)
{
	post(side, VFU_TYPE_COMMAND, command, ++side->id, 0, 0, payload, size);
	turn();
	assert_true(take(side, reply));
	assert_int_equal(reply->header.flags & VFU_TYPE_MASK, VFU_TYPE_REPLY);
	assert_int_equal(reply->header.id, side->id);
	return reply->header.error;
}

static void come(struct side *side, const char *capabilities)
{
	struct {
		struct vfu_version version;
		char text[128];
	} hello = { { VFU_MAJOR, VFU_MINOR }, "" };
	struct message reply;
	int ends[2];

	snprintf(hello.text, sizeof(hello.text), "{\"capabilities\":{%s}}", capabilities);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends),
			 0);
	side->fd = ends[0];
	side->session = session_open(&loop, &side->endpoint, ends[1], ended, side);
	assert_non_null(side->session);
	assert_int_equal(call(side, VFU_VERSION, &hello,
			      sizeof(hello.version) + strlen(hello.text) + 1, &reply),
			 0);
}

static void leave(struct side *side)
{
	if (side->fd < 0)
		return;
	close(side->fd);
	side->fd = -1;
	turn();
	assert_null(side->session);
}

static void config_out(struct side *side, size_t at, uint32_t value)
{
	uint8_t bytes[4];

	le32_put(bytes, value);
	endpoint_config_write(&side->endpoint, at, bytes, 2);
}

static uint32_t reg(struct endpoint *endpoint, size_t at)
{
	uint32_t value;

	endpoint_bar_read(endpoint, EP_BAR, at, (uint8_t *)&value, 4);
	return value;
}

static void reg_set(size_t at, uint32_t value)
{
	endpoint_bar_write(requester, EP_BAR, at, (const uint8_t *)&value, 4);
}

static void power_up(struct side *side)
{
	config_out(side, COMMAND, 6);
	if (side->endpoint.knobs.p2p)
		config_out(side, TPH_CONTROL, DS_16);
}

static void make(struct side *side, const char *keys)
{
	struct knobs knobs;
	char *error;

	if (knobs_parse(&knobs, &exerciser_model, keys, 0, &error))
		fail_msg("%s", error);
	assert_int_equal(endpoint_init(&side->endpoint, &knobs, &event_log, NULL), 0);
	fabric_join(&fabric, &side->endpoint.port);
}

static void use(struct side *side)
{
	come(side, "");
	power_up(side);
}

static void setup_pair(const char *completes, const char *asks)
{
	fabric = (struct fabric){ 0 };
	assert_int_equal(loop_init(&loop), 0);
	event_log = (struct log){ .sink.fd = memfd_create("log", MFD_CLOEXEC) };
	make(&sides[COMPLETER], completes);
	make(&sides[REQUESTER], asks);
	use(&sides[COMPLETER]);
	use(&sides[REQUESTER]);
}

#define COMPLETES "socket=/a,name=target,rid=01:00.0,memory-bar=2,completer="
#define ASKS	  "socket=/b,name=source,rid=02:00.0"

static int setup_extended(void **state)
{
	(void)state;
	setup_pair(COMPLETES "16", ASKS ",p2p=on");
	return 0;
}

static int setup_eight(void **state)
{
	(void)state;
	setup_pair(COMPLETES "8", ASKS ",p2p=on");
	return 0;
}

static int setup_deaf(void **state)
{
	(void)state;
	setup_pair(COMPLETES "reserved", ASKS ",p2p=on");
	return 0;
}

static int setup_off(void **state)
{
	(void)state;
	setup_pair(COMPLETES "16", ASKS);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++)
		leave(&sides[i]);
	for (size_t i = 0; i < 2; i++)
		endpoint_fini(&sides[i].endpoint);
	log_close(&event_log, 0);
	loop_fini(&loop);
	return 0;
}

/* ---- the log ---- */

/* The number of lines with that event; the last one, to be freed, in @last if there is any. */
static unsigned int events(const char *event, struct json_object **last)
{
	off_t size = lseek(event_log.sink.fd, 0, SEEK_END);
	char *text = calloc(1, (size_t)size + 1), *rest = text, *line;
	unsigned int count = 0;

	*last = NULL;
	assert_int_equal(pread(event_log.sink.fd, text, (size_t)size, 0), size);
	while ((line = strsep(&rest, "\n")) && *line) {
		struct json_object *object = json_tokener_parse(line), *name;

		assert_true(json_object_object_get_ex(object, "event", &name));
		if (strcmp(json_object_get_string(name), event)) {
			json_object_put(object);
			continue;
		}
		count++;
		json_object_put(*last);
		*last = object;
	}
	free(text);
	return count;
}

static void assert_events(const char *event, unsigned int count)
{
	struct json_object *last;

	assert_int_equal(events(event, &last), count);
	json_object_put(last);
}

/* The last line of that event, without its number. */
static void assert_last(const char *event, const char *expected)
{
	struct json_object *last;

	assert_true(events(event, &last));
	json_object_object_del(last, "seq");
	assert_string_equal(json_object_to_json_string_ext(
				    last, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
			    expected);
	json_object_put(last);
}

/* ---- a request ---- */

static void ring(uint32_t command, uint32_t length, uint32_t hint)
{
	reg_set(EP_DMA_SRC_LO, IOVA + PLACE % TLP_PAGE);
	reg_set(EP_DMA_DST_LO, IOVA + PLACE % TLP_PAGE);
	reg_set(EP_DMA_LENGTH, length);
	reg_set(EP_DMA_PATTERN, 0x44332211);
	reg_set(EP_DMA_HINT, hint);
	reg_set(EP_DMA_DOORBELL, command);
	turn();
}

static uint32_t hint(uint32_t tag)
{
	return tag | EP_HINT_TAG << EP_HINT_SOURCE_SHIFT | 2u << EP_HINT_PH_SHIFT;
}

static uint32_t status(void)
{
	return ((const struct exerciser *)requester->knobs.model_state)->dma.status;
}

/* The request must be at the client now. */
static struct message asked(unsigned int command, uint64_t address, uint64_t count)
{
	struct vfu_dma_access access;
	struct message message;

	assert_true(take(&sides[REQUESTER], &message));
	assert_int_equal(message.header.flags, VFU_TYPE_COMMAND);
	assert_int_equal(message.header.command, command);
	memcpy(&access, message.payload, sizeof(access));
	assert_int_equal(access.address, address);
	assert_int_equal(access.count, count);
	assert_int_equal(message.header.size, sizeof(message.header) + sizeof(access) +
						      (command == VFU_DMA_WRITE ? count : 0));
	return message;
}

static void answer(const struct message *asked, uint32_t error)
{
	post(&sides[REQUESTER], VFU_TYPE_REPLY, asked->header.command, asked->header.id,
	     error ? VFU_ERROR : 0, error, NULL, 0);
}

/* What QEMU tells the completer: no more than 8 bytes at a time, and it waits for no reply. */
static void tell(unsigned int bar, uint64_t at, const uint8_t *data, uint32_t length)
{
	struct {
		struct vfu_region_access access;
		uint8_t data[8];
	} part = { .access = { .region = bar } };

	for (uint32_t done = 0; done < length; done += part.access.count) {
		part.access.offset = at + done;
		part.access.count = length - done < 8 ? length - done : 8;
		memcpy(part.data, data + done, part.access.count);
		post(&sides[COMPLETER], VFU_TYPE_COMMAND, VFU_REGION_WRITE, ++sides[COMPLETER].id,
		     VFU_NO_REPLY, 0, &part, sizeof(part.access) + part.access.count);
	}
}

static const uint8_t *data_of(const struct message *asked)
{
	return asked->payload + sizeof(struct vfu_dma_access);
}

static uint32_t memory_at(size_t at)
{
	return le32_get(completer->memory.bytes + at);
}

static void assert_closed(void)
{
	char byte;

	turn();
	assert_null(sides[REQUESTER].session);
	assert_int_equal(recv(sides[REQUESTER].fd, &byte, 1, MSG_DONTWAIT), 0);
	assert_int_equal(status(), EP_DMA_IDLE);
	assert_int_equal(requester->port.flight.state, FLIGHT_NONE);
}

/* A function whose session was closed takes another, and what it sends then is all new. */
static void assert_works_anew(void)
{
	struct message message;

	leave(&sides[REQUESTER]);
	come(&sides[REQUESTER], "");
	power_up(&sides[REQUESTER]);
	ring(EP_DMA_WRITE, 16, hint(0x77));
	message = asked(VFU_DMA_WRITE, IOVA + 0x40, 16);
	answer(&message, 0);
	turn();
	assert_int_equal(status(), EP_DMA_DONE);
}

/* ---- clients that do not do it ---- */

static void not_without_the_knob(void **state)
{
	struct message message;

	(void)state;
	ring(EP_DMA_WRITE, 16, 0);
	assert_int_equal(status(), EP_DMA_FAULTED);
	assert_int_equal(reg(requester, EP_DMA_FAULT), EP_FAULT_UNMAPPED);
	assert_false(take(&sides[REQUESTER], &message));
}

static void too_long_for_the_client(void **state)
{
	struct message message;

	(void)state;
	leave(&sides[REQUESTER]);
	come(&sides[REQUESTER], "\"max_data_xfer_size\":8");
	power_up(&sides[REQUESTER]);
	ring(EP_DMA_WRITE, 16, 0);
	assert_int_equal(status(), EP_DMA_FAULTED);
	assert_int_equal(reg(requester, EP_DMA_FAULT), EP_FAULT_UNMAPPED);
	assert_false(take(&sides[REQUESTER], &message));
	ring(EP_DMA_WRITE, 8, 0);
	asked(VFU_DMA_WRITE, IOVA + 0x40, 8);
}

static void error_is_a_fault(void **state)
{
	static const struct {
		uint32_t error, fault;
	} answers[] = {
		{ ENODEV, EP_FAULT_UNMAPPED },
		{ EFAULT, EP_FAULT_UNMAPPED },
		{ EPERM, EP_FAULT_PERMISSION },
		{ UINT32_MAX, EP_FAULT_UNMAPPED },
	};
	struct message message;

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(answers); i++) {
		ring(EP_DMA_WRITE, 300, hint(0x1234));
		message = asked(VFU_DMA_WRITE, IOVA + 0x40, 128);
		answer(&message, answers[i].error);
		turn();
		assert_int_equal(status(), EP_DMA_FAULTED);
		assert_int_equal(reg(requester, EP_DMA_FAULT), answers[i].fault);
		assert_int_equal(reg(requester, EP_COUNT_FAULTS), i + 1);
		assert_false(take(&sides[REQUESTER], &message));
	}
	assert_events("tlp", 0);
	assert_events("received", 0);
	assert_last("fault", "{\"event\":\"fault\",\"function\":\"source\",\"reason\":\"unmapped\","
			     "\"command\":\"write\",\"done\":0,\"type\":\"MWr\","
			     "\"address\":\"0x40000040\",\"length\":128}");
}

/* An error flag without a number is an error all the same. */
static void error_without_a_number(void **state)
{
	struct message message;

	(void)state;
	ring(EP_DMA_READ, 16, 0);
	message = asked(VFU_DMA_READ, IOVA + 0x40, 16);
	post(&sides[REQUESTER], VFU_TYPE_REPLY, VFU_DMA_READ, message.header.id, VFU_ERROR, 0, NULL,
	     0);
	turn();
	assert_int_equal(status(), EP_DMA_FAULTED);
	assert_true(config_get16(&requester->config, 6) & 0x2000); /* received master abort */
}

static void late_answer(void **state)
{
	struct message message, reply;
	uint32_t argument[4] = { 16 };

	(void)state;
	ring(EP_DMA_WRITE, 16, 0);
	message = asked(VFU_DMA_WRITE, IOVA + 0x40, 16);
	for (int i = 0; i < 3; i++) {
		/* all else goes on, and the doorbell does not ring */
		assert_int_equal(status(), EP_DMA_BUSY);
		assert_int_equal(call(&sides[REQUESTER], VFU_DEVICE_GET_INFO, argument,
				      sizeof(argument), &reply),
				 0);
		ring(EP_DMA_WRITE, 32, 0);
		assert_false(take(&sides[REQUESTER], &reply));
	}
	answer(&message, 0);
	turn();
	assert_int_equal(status(), EP_DMA_DONE);
	assert_last("tlp", "{\"event\":\"tlp\",\"function\":\"source\",\"type\":\"MWr\","
			   "\"address\":\"0x40000040\",\"length\":16,\"th\":0,"
			   "\"requester\":\"02:00.0\",\"path\":\"client\"}");
	assert_events("received", 0);
}

static void second_answer(void **state)
{
	struct message message;

	(void)state;
	ring(EP_DMA_WRITE, 16, 0);
	message = asked(VFU_DMA_WRITE, IOVA + 0x40, 16);
	answer(&message, 0);
	answer(&message, 0);
	assert_closed();
	assert_works_anew();
}

static void answer_to_nothing(void **state)
{
	const struct message message = { .header = { .command = VFU_DMA_WRITE } };

	(void)state;
	answer(&message, 0);
	assert_closed();
	assert_works_anew();
}

static void no_answer(void **state)
{
	uint8_t data[16] = { 0x11, 0x22, 0x33, 0x44, 0x11, 0x22, 0x33, 0x44,
			     0x11, 0x22, 0x33, 0x44, 0x11, 0x22, 0x33, 0x44 };

	(void)state;
	ring(EP_DMA_WRITE, 16, 0);
	asked(VFU_DMA_WRITE, IOVA + 0x40, 16);
	leave(&sides[REQUESTER]);
	assert_int_equal(status(), EP_DMA_IDLE);
	assert_int_equal(requester->port.flight.state, FLIGHT_NONE);
	/* what comes at the other end now is nobody's request */
	tell(MEMORY, PLACE, data, sizeof(data));
	turn();
	assert_events("received", 0);
	assert_int_equal(memory_at(PLACE), 0x44332211);
	assert_works_anew();
}

static void wrong_answers(void **state)
{
	struct vfu_dma_access access = { .address = IOVA + 0x40, .count = 16 };
	uint8_t read_back[sizeof(access) + 17];
	struct message message;

	(void)state;
	for (unsigned int i = 0; i < 9; i++) {
		bool reads = i >= 6;
		uint16_t id;

		ring(reads ? EP_DMA_READ : EP_DMA_WRITE, 16, 0);
		message = asked(reads ? VFU_DMA_READ : VFU_DMA_WRITE, IOVA + 0x40, 16);
		id = message.header.id;
		memset(read_back, 0, sizeof(read_back));
		memcpy(read_back, &access, sizeof(access));
		switch (i) {
		case 0:
			post(&sides[REQUESTER], VFU_TYPE_REPLY, VFU_DMA_WRITE, id + 1, 0, 0, NULL,
			     0);
			break;
		case 1:
			post(&sides[REQUESTER], VFU_TYPE_REPLY, VFU_DMA_READ, id, 0, 0, NULL, 0);
			break;
		case 2:
			post(&sides[REQUESTER], VFU_TYPE_REPLY, VFU_DMA_WRITE, id, 0, 0, read_back,
			     15);
			break;
		case 3: /* an error has no payload */
			post(&sides[REQUESTER], VFU_TYPE_REPLY, VFU_DMA_WRITE, id, VFU_ERROR, 5,
			     read_back, 16);
			break;
		case 4: /* another count */
			read_back[8]++;
			post(&sides[REQUESTER], VFU_TYPE_REPLY, VFU_DMA_WRITE, id, 0, 0, read_back,
			     16);
			break;
		case 5: /* neither command nor reply */
			post(&sides[REQUESTER], 2, VFU_DMA_WRITE, id, 0, 0, NULL, 0);
			break;
		case 6: /* no data */
			post(&sides[REQUESTER], VFU_TYPE_REPLY, VFU_DMA_READ, id, 0, 0, NULL, 0);
			break;
		case 7: /* too much of it */
			post(&sides[REQUESTER], VFU_TYPE_REPLY, VFU_DMA_READ, id, 0, 0, read_back,
			     sizeof(read_back));
			break;
		case 8: /* another address */
			read_back[0]++;
			post(&sides[REQUESTER], VFU_TYPE_REPLY, VFU_DMA_READ, id, 0, 0, read_back,
			     sizeof(read_back) - 1);
			break;
		}
		assert_closed();
		assert_works_anew();
	}
}

static void answer_with_a_descriptor(void **state)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .bytes = { 0 } };
	struct message message;
	struct iovec iov = { .iov_base = &message.header, .iov_len = sizeof(message.header) };
	struct msghdr out = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };

	(void)state;
	ring(EP_DMA_WRITE, 16, 0);
	message = asked(VFU_DMA_WRITE, IOVA + 0x40, 16);
	message.header.flags = VFU_TYPE_REPLY;
	message.header.size = sizeof(message.header);
	control.align.cmsg_level = SOL_SOCKET;
	control.align.cmsg_type = SCM_RIGHTS;
	control.align.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.align), &event_log.sink.fd, sizeof(int));
	assert_int_equal(sendmsg(sides[REQUESTER].fd, &out, MSG_NOSIGNAL), sizeof(message.header));
	assert_closed();
}

/* ---- the requester changes meanwhile ---- */

/* The new life of the function hears nothing of the old one's request, and waits for its end. */
static void reset_meanwhile(void **state)
{
	struct message old, new;

	(void)state;
	ring(EP_DMA_WRITE, 16, 0);
	old = asked(VFU_DMA_WRITE, IOVA + 0x40, 16);
	endpoint_reset(requester, ENDPOINT_RESET_FLR);
	power_up(&sides[REQUESTER]);
	turn();
	assert_int_equal(status(), EP_DMA_IDLE);
	ring(EP_DMA_WRITE, 32, 0);
	assert_int_equal(status(), EP_DMA_BUSY);
	assert_false(take(&sides[REQUESTER], &new));
	answer(&old, EFAULT);
	turn();
	assert_int_equal(status(), EP_DMA_BUSY);
	assert_int_equal(reg(requester, EP_COUNT_FAULTS), 0);
	new = asked(VFU_DMA_WRITE, IOVA + 0x40, 32);
	assert_int_not_equal(new.header.id, old.header.id);
	answer(&new, 0);
	turn();
	assert_int_equal(status(), EP_DMA_DONE);
}

/* A posted request is on its way, whatever becomes of who has sent it: so is its tag. */
static void reset_does_not_call_back(void **state)
{
	struct message old;

	(void)state;
	ring(EP_DMA_WRITE, 16, hint(0x1234));
	old = asked(VFU_DMA_WRITE, IOVA + 0x40, 16);
	endpoint_reset(requester, ENDPOINT_RESET_FLR);
	tell(MEMORY, PLACE, data_of(&old), 16);
	answer(&old, 0);
	turn();
	assert_int_equal(status(), EP_DMA_IDLE);
	assert_events("received", 1);
	assert_int_equal(reg(completer, EP_COUNT_MALFORMED), 1);
	assert_int_equal(memory_at(PLACE), 0);
}

static void bus_master_off_meanwhile(void **state)
{
	struct message message;

	(void)state;
	ring(EP_DMA_WRITE, 200, 0);
	message = asked(VFU_DMA_WRITE, IOVA + 0x40, 128);
	config_out(&sides[REQUESTER], COMMAND, 2);
	turn();
	assert_int_equal(status(), EP_DMA_BUSY);
	answer(&message, 0);
	turn();
	assert_int_equal(status(), EP_DMA_FAULTED);
	assert_int_equal(reg(requester, EP_DMA_FAULT), EP_FAULT_BUS_MASTER);
	assert_events("tlp", 1);
}

/* A client that does not read gets no more than one request, and nobody spins for it. */
static void client_that_does_not_read(void **state)
{
	uint32_t argument[4] = { 16 };
	struct message message = { .header = { .command = VFU_DEVICE_GET_INFO,
					       .size = sizeof(message.header) +
						       sizeof(argument) } };
	unsigned int sent = 0, left = 2;

	(void)state;
	memcpy(message.payload, argument, sizeof(argument));
	/* questions, until neither they nor the replies find room */
	while (left) {
		if (send(sides[REQUESTER].fd, &message, message.header.size, MSG_NOSIGNAL) > 0) {
			message.header.id = (uint16_t)++sent;
			left = 2;
			continue;
		}
		assert_int_equal(errno, EAGAIN);
		turn();
		left--;
	}
	ring(EP_DMA_WRITE, 16, 0);
	assert_int_equal(status(), EP_DMA_BUSY);
	/* it reads on: replies in order, and the request among or behind them */
	for (unsigned int replies = 0, requests = 0; replies < sent || !requests;) {
		if (!take(&sides[REQUESTER], &message)) {
			turn();
			continue;
		}
		if ((message.header.flags & VFU_TYPE_MASK) == VFU_TYPE_COMMAND) {
			requests++;
			answer(&message, 0);
		} else {
			assert_int_equal(message.header.id, replies);
			replies++;
		}
	}
	turn();
	assert_int_equal(status(), EP_DMA_DONE);
}

/* ---- arrival ---- */

static void write_arrives(void **state)
{
	struct message message;

	(void)state;
	ring(EP_DMA_WRITE, 20, hint(0x1234));
	message = asked(VFU_DMA_WRITE, IOVA + 0x40, 20);
	tell(MEMORY, PLACE, data_of(&message), 20);
	turn();
	assert_int_equal(status(), EP_DMA_BUSY);
	answer(&message, 0);
	turn();
	assert_int_equal(status(), EP_DMA_DONE);
	assert_int_equal(memory_at(PLACE), 0x44332211);
	assert_int_equal(memory_at(PLACE + 16), 0x44332211);
	assert_int_equal(memory_at(PLACE + 20), 0);
	assert_last("tlp", "{\"event\":\"tlp\",\"function\":\"source\",\"type\":\"MWr\","
			   "\"address\":\"0x40000040\",\"length\":20,\"th\":1,\"ph\":2,"
			   "\"st\":\"0x1234\",\"width\":16,\"requester\":\"02:00.0\","
			   "\"path\":\"client\",\"peer\":\"target\"}");
	assert_last("received", "{\"event\":\"received\",\"function\":\"target\",\"type\":\"MWr\","
				"\"bar\":2,\"offset\":\"0x5040\",\"length\":20,\"th\":1,\"ph\":2,"
				"\"st\":\"0x1234\",\"width\":16,\"requester\":\"02:00.0\","
				"\"verdict\":\"accepted\",\"hint\":\"taken\"}");
	assert_events("tlp", 1);
	assert_int_equal(reg(requester, EP_TRACE_HEAD), 1);
	assert_int_equal(reg(completer, EP_RECEIVED_HEAD), 1);
	assert_int_equal(reg(completer, EP_RECEIVED + EP_TLP_ADDR_LO), PLACE);
	assert_int_equal(reg(completer, EP_RECEIVED + EP_TLP_ST), 0x1234);
	assert_int_equal(reg(completer, EP_RECEIVED + EP_TLP_ARRIVAL),
			 MEMORY | EP_TLP_HINT_TAKEN << EP_TLP_HINT_USE_SHIFT);
}

/* The answer overtakes what the client has told the completer before. */
static void answer_is_read_first(void **state)
{
	struct message message;

	(void)state;
	ring(EP_DMA_WRITE, 128, hint(0x1234));
	message = asked(VFU_DMA_WRITE, IOVA + 0x40, 128);
	answer(&message, 0);
	tell(MEMORY, PLACE, data_of(&message), 128);
	turn();
	assert_int_equal(status(), EP_DMA_DONE);
	assert_events("received", 1);
	assert_int_equal(memory_at(PLACE + 124), 0x44332211);
}

static void malformed_does_not_arrive(void **state)
{
	struct message message;

	(void)state;
	ring(EP_DMA_WRITE, 16, hint(0x1234));
	message = asked(VFU_DMA_WRITE, IOVA + 0x40, 16);
	tell(MEMORY, PLACE, data_of(&message), 16);
	answer(&message, 0);
	turn();
	/* nobody tells the requester: a write is posted */
	assert_int_equal(status(), EP_DMA_DONE);
	assert_int_equal(memory_at(PLACE), 0);
	assert_int_equal(memory_at(PLACE + 12), 0);
	assert_int_equal(reg(completer, EP_COUNT_RECEIVED), 1);
	assert_int_equal(reg(completer, EP_COUNT_MALFORMED), 1);
	assert_int_equal(config_get16(&completer->config, DEVICE_STATUS), 4);
	assert_last("received", "{\"event\":\"received\",\"function\":\"target\",\"type\":\"MWr\","
				"\"bar\":2,\"offset\":\"0x5040\",\"length\":16,\"th\":1,\"ph\":2,"
				"\"st\":\"0x1234\",\"width\":16,\"requester\":\"02:00.0\","
				"\"verdict\":\"malformed\",\"hint\":\"none\"}");
}

static void eight_bits_are_taken(void **state)
{
	struct message message;

	(void)state;
	config_out(&sides[REQUESTER], TPH_CONTROL, DS_8);
	ring(EP_DMA_WRITE, 16, hint(0x34));
	message = asked(VFU_DMA_WRITE, IOVA + 0x40, 16);
	tell(MEMORY, PLACE, data_of(&message), 16);
	answer(&message, 0);
	turn();
	assert_int_equal(memory_at(PLACE), 0x44332211);
	assert_int_equal(reg(completer, EP_COUNT_MALFORMED), 0);
	assert_int_equal(reg(completer, EP_RECEIVED + EP_TLP_ARRIVAL),
			 MEMORY | EP_TLP_HINT_TAKEN << EP_TLP_HINT_USE_SHIFT);
}

static void reserved_code_is_none(void **state)
{
	struct message message;

	(void)state;
	config_out(&sides[REQUESTER], TPH_CONTROL, DS_8);
	ring(EP_DMA_WRITE, 16, hint(0x34));
	message = asked(VFU_DMA_WRITE, IOVA + 0x40, 16);
	tell(MEMORY, PLACE, data_of(&message), 16);
	answer(&message, 0);
	turn();
	assert_int_equal(memory_at(PLACE), 0x44332211);
	assert_int_equal(reg(completer, EP_RECEIVED + EP_TLP_ARRIVAL),
			 MEMORY | EP_TLP_HINT_IGNORED << EP_TLP_HINT_USE_SHIFT);
}

static void unpowered_does_not_answer(void **state)
{
	struct message message;

	(void)state;
	config_out(&sides[COMPLETER], 0x44, 3);
	ring(EP_DMA_WRITE, 16, hint(0x1234));
	message = asked(VFU_DMA_WRITE, IOVA + 0x40, 16);
	tell(MEMORY, PLACE, data_of(&message), 16);
	answer(&message, 0);
	turn();
	assert_int_equal(memory_at(PLACE), 0);
	assert_int_equal(completer->instrument.received.slots[0][EP_TLP_ARRIVAL / 4],
			 MEMORY | EP_TLP_UNSUPPORTED << EP_TLP_VERDICT_SHIFT);
}

/* Registers hear each dword, however the request is cut. */
static void registers_can_be_hit(void **state)
{
	struct message message;

	(void)state;
	ring(EP_DMA_WRITE, 8, 0);
	message = asked(VFU_DMA_WRITE, IOVA + 0x40, 8);
	answer(&message, 0);
	turn();
	reg_set(EP_DMA_DST_LO, IOVA + EP_DMA_SRC_LO);
	reg_set(EP_DMA_DOORBELL, EP_DMA_WRITE);
	turn();
	message = asked(VFU_DMA_WRITE, IOVA + EP_DMA_SRC_LO, 8);
	tell(EP_BAR, EP_DMA_SRC_LO, data_of(&message), 8);
	answer(&message, 0);
	turn();
	assert_events("received", 1);
	assert_int_equal(reg(completer, EP_DMA_SRC_LO), 0x44332211);
	assert_int_equal(reg(completer, EP_DMA_SRC_HI), 0x44332211);
}

/* ---- what only looks like it ---- */

static void other_writes_are_the_cpus(void **state)
{
	uint8_t other[16] = { 0x55 };
	struct message message;

	(void)state;
	ring(EP_DMA_WRITE, 16, hint(0x1234));
	message = asked(VFU_DMA_WRITE, IOVA + 0x40, 16);
	/* other data; the right data elsewhere */
	tell(MEMORY, PLACE, other, 4);
	tell(MEMORY, PLACE + 8, data_of(&message), 8);
	turn();
	assert_events("received", 0);
	assert_int_equal(memory_at(PLACE), 0x55);
	assert_int_equal(memory_at(PLACE + 8), 0x44332211);
	/* the first part, and then something else */
	tell(MEMORY, PLACE + 0x1000, data_of(&message), 8);
	turn();
	assert_int_equal(memory_at(PLACE + 0x1000), 0);
	tell(MEMORY, 0, other, 4);
	turn();
	assert_int_equal(memory_at(PLACE + 0x1000), 0x44332211);
	assert_int_equal(memory_at(0), 0x55);
	/* the next part, but not at the next place */
	tell(MEMORY, PLACE + 0x3000, data_of(&message), 8);
	tell(MEMORY, PLACE + 0x3010, data_of(&message), 8);
	turn();
	assert_events("received", 0);
	assert_int_equal(memory_at(PLACE + 0x3010), 0x44332211);
	/* and the request itself comes only now */
	tell(MEMORY, PLACE + 0x2000, data_of(&message), 16);
	answer(&message, 0);
	turn();
	assert_events("received", 1);
	assert_int_equal(reg(completer, EP_COUNT_MALFORMED), 1);
	assert_int_equal(memory_at(PLACE + 0x2000), 0);
}

/* Whoever looks sees no held back bytes missing. */
static void read_between(void **state)
{
	const struct vfu_region_access access = { .offset = PLACE, .region = MEMORY, .count = 8 };
	struct message message, reply;

	(void)state;
	ring(EP_DMA_WRITE, 16, hint(0x1234));
	message = asked(VFU_DMA_WRITE, IOVA + 0x40, 16);
	tell(MEMORY, PLACE, data_of(&message), 8);
	assert_int_equal(call(&sides[COMPLETER], VFU_REGION_READ, &access, sizeof(access), &reply),
			 0);
	assert_int_equal(le32_get(reply.payload + sizeof(access)), 0x44332211);
	assert_events("received", 0);
}

/* QEMU keeps MSI-X tables to itself: the rest of a request is what arrives. */
static void a_part_arrives(void **state)
{
	struct message message;

	(void)state;
	ring(EP_DMA_WRITE, 16, 0);
	message = asked(VFU_DMA_WRITE, IOVA + 0x40, 16);
	tell(MEMORY, PLACE, data_of(&message), 8);
	answer(&message, 0);
	turn();
	assert_int_equal(status(), EP_DMA_DONE);
	assert_events("received", 1);
	assert_int_equal(reg(completer, EP_RECEIVED + EP_TLP_LENGTH), 8);
	assert_int_equal(memory_at(PLACE), 0x44332211);
}

static void completer_leaves_midway(void **state)
{
	struct message message;

	(void)state;
	ring(EP_DMA_WRITE, 16, 0);
	message = asked(VFU_DMA_WRITE, IOVA + 0x40, 16);
	tell(MEMORY, PLACE, data_of(&message), 8);
	turn();
	leave(&sides[COMPLETER]);
	answer(&message, 0);
	turn();
	assert_int_equal(status(), EP_DMA_DONE);
	assert_events("received", 0);
}

static void reset_clears_the_memory(void **state)
{
	uint8_t data[4] = { 1, 2, 3, 4 };

	(void)state;
	tell(MEMORY, 0, data, 4);
	turn();
	assert_int_equal(memory_at(0), 0x04030201);
	endpoint_reset(completer, ENDPOINT_RESET_FLR);
	assert_int_equal(memory_at(0), 0);
}

/* ---- reads ---- */

/* The client reads @length bytes at the completer and hands them to the requester. */
static void serve_read(const struct message *asked, uint32_t length)
{
	struct vfu_region_access access = { .region = MEMORY };
	struct vfu_dma_access answer;
	uint8_t whole[sizeof(answer) + 256];
	struct message reply;

	memcpy(&answer, asked->payload, sizeof(answer));
	memcpy(whole, &answer, sizeof(answer));
	for (uint32_t done = 0; done < length; done += 8) {
		access.offset = PLACE + done;
		access.count = 8;
		assert_int_equal(
			call(&sides[COMPLETER], VFU_REGION_READ, &access, sizeof(access), &reply),
			0);
		memcpy(whole + sizeof(answer) + done, reply.payload + sizeof(access), 8);
	}
	post(&sides[REQUESTER], VFU_TYPE_REPLY, VFU_DMA_READ, asked->header.id, 0, 0, whole,
	     sizeof(answer) + length);
	turn();
}

static void read_arrives(void **state)
{
	const struct vfu_region_access other = { .offset = 8, .region = MEMORY, .count = 8 };
	struct message message, reply;

	(void)state;
	memset(completer->memory.bytes + PLACE, 3, 16);
	ring(EP_DMA_READ, 16, hint(0x1234));
	message = asked(VFU_DMA_READ, IOVA + 0x40, 16);
	call(&sides[COMPLETER], VFU_REGION_READ, &other, sizeof(other), &reply);
	serve_read(&message, 16);
	assert_int_equal(status(), EP_DMA_DONE);
	assert_int_equal(reg(requester, EP_DMA_SUM), 48);
	assert_events("tlp", 1);
	assert_last("received", "{\"event\":\"received\",\"function\":\"target\",\"type\":\"MRd\","
				"\"bar\":2,\"offset\":\"0x5040\",\"length\":16,\"th\":1,\"ph\":2,"
				"\"st\":\"0x1234\",\"width\":16,\"requester\":\"02:00.0\","
				"\"verdict\":\"accepted\",\"hint\":\"taken\"}");
}

static void malformed_read_has_no_completion(void **state)
{
	struct message message;

	(void)state;
	ring(EP_DMA_READ, 16, hint(0x1234));
	message = asked(VFU_DMA_READ, IOVA + 0x40, 16);
	serve_read(&message, 16);
	assert_int_equal(status(), EP_DMA_FAULTED);
	assert_int_equal(reg(requester, EP_DMA_FAULT), EP_FAULT_COMPLETION);
	assert_int_equal(reg(completer, EP_COUNT_MALFORMED), 1);
}

#define TEST(test, how) cmocka_unit_test_setup_teardown(test, setup_##how, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(not_without_the_knob, off),
		TEST(too_long_for_the_client, extended),
		TEST(error_is_a_fault, extended),
		TEST(error_without_a_number, extended),
		TEST(late_answer, extended),
		TEST(second_answer, extended),
		TEST(answer_to_nothing, extended),
		TEST(no_answer, extended),
		TEST(wrong_answers, extended),
		TEST(answer_with_a_descriptor, extended),
		TEST(reset_meanwhile, extended),
		TEST(reset_does_not_call_back, eight),
		TEST(bus_master_off_meanwhile, extended),
		TEST(client_that_does_not_read, extended),
		TEST(malformed_does_not_arrive, eight),
		TEST(unpowered_does_not_answer, extended),
		TEST(other_writes_are_the_cpus, eight),
		TEST(read_between, extended),
		TEST(completer_leaves_midway, extended),
		TEST(malformed_read_has_no_completion, eight),
		TEST(write_arrives, extended),
		TEST(answer_is_read_first, extended),
		TEST(eight_bits_are_taken, eight),
		TEST(reserved_code_is_none, deaf),
		TEST(registers_can_be_hit, extended),
		TEST(a_part_arrives, extended),
		TEST(reset_clears_the_memory, extended),
		TEST(read_arrives, extended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
