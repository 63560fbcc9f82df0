// SPDX-License-Identifier: MIT
/* Transmit queues as their driver sees them: what is read, what is sent, hints, faults. */
#include "rings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEADER 54u

static uint32_t queue(struct fixture *f, unsigned int q, size_t at)
{
	return reg(f, EP_TXQ + q * EP_QUEUE_STRIDE + at);
}

static void queue_set(struct fixture *f, unsigned int q, size_t at, uint32_t value)
{
	reg_set(f, EP_TXQ + q * EP_QUEUE_STRIDE + at, value);
}

static uint8_t *header_of(struct fixture *f, unsigned int q, unsigned int i)
{
	return f->memory + (size_t)q * QUEUE_SIZE + HEADERS_AT + (size_t)i * HEADER_STRIDE;
}

static uint8_t *payload_of(struct fixture *f, unsigned int q, unsigned int i)
{
	return f->memory + (size_t)q * QUEUE_SIZE + PAYLOADS_AT + (size_t)i * BUFFER_STRIDE;
}

/* Packet @n of the pattern in descriptor @i, its first @header bytes in a buffer of their own. */
static void fill(struct fixture *f, unsigned int q, unsigned int i, uint32_t n, uint32_t header)
{
	uint8_t data[2048], *descriptor = ring(f, q, i);
	uint32_t length = pattern(n, data);

	memset(descriptor, 0, 32);
	put32(descriptor + EP_DESCRIPTOR_PAYLOAD,
	      MEMORY_IOVA + (uint32_t)(payload_of(f, q, i) - f->memory));
	put32(descriptor + EP_DESCRIPTOR_HEADER,
	      MEMORY_IOVA + (uint32_t)(header_of(f, q, i) - f->memory));
	put32(descriptor + EP_TXD_LENGTH, header << 16 | (length - header));
	memcpy(header_of(f, q, i), data, header);
	memcpy(payload_of(f, q, i), data + header, length - header);
}

static void prepare(struct fixture *f, unsigned int q)
{
	for (unsigned int i = 0; i < RING; i++)
		fill(f, q, i, i, HEADER);
	queue_set(f, q, EP_QUEUE_BASE_LO, MEMORY_IOVA + q * QUEUE_SIZE + RING_AT);
	queue_set(f, q, EP_QUEUE_BASE_HI, 0);
	queue_set(f, q, EP_QUEUE_SIZE, RING);
	queue_set(f, q, EP_QUEUE_VECTOR, OTHER_VECTOR);
	queue_set(f, q, EP_QUEUE_HINT_DESCRIPTOR, hint(3 * q, 1));
	queue_set(f, q, EP_QUEUE_HINT_HEADER, hint(3 * q + 1, 2));
	queue_set(f, q, EP_QUEUE_HINT_PAYLOAD, hint(3 * q + 2, 3));
}

static void start(struct fixture *f, unsigned int q)
{
	prepare(f, q);
	queue_set(f, q, EP_QUEUE_CONTROL, EP_QUEUE_ENABLE);
}

static void doorbell(struct fixture *f, unsigned int q, uint32_t tail)
{
	queue_set(f, q, EP_QUEUE_TAIL, tail);
	work(f);
}

static void assert_stopped(struct fixture *f, unsigned int q, uint32_t fault, const char *reason)
{
	struct json_object *line = last_event(f, "fault");
	char number[8];

	assert_int_equal(queue(f, q, EP_QUEUE_STATUS), EP_QUEUE_ERROR);
	assert_int_equal(queue(f, q, EP_QUEUE_FAULT), fault);
	snprintf(number, sizeof(number), "%u", q);
	assert_field(line, "queue", number);
	assert_field(line, "reason", reason);
	assert_field(line, "command", "transmit");
	json_object_put(line);
}

static void assert_sent(struct fixture *f, unsigned int q, unsigned int i, uint32_t n,
			uint32_t number)
{
	const uint8_t *descriptor = ring(f, q, i);
	uint8_t data[2048];
	uint32_t length = pattern(n, data);

	assert_int_equal(get32(descriptor + EP_DESCRIPTOR_STATUS), EP_DESCRIPTOR_DONE);
	assert_int_equal(get32(descriptor + EP_TXD_NUMBER), number);
	assert_int_equal(get32(descriptor + EP_TXD_HASH), fnv(data, length));
}

/* ---- what must not happen ---- */

static void without_the_key_there_are_none(void **state)
{
	struct fixture *f = *state;

	restart(f, "");
	start(f, 0);
	doorbell(f, 0, 1);
	assert_int_equal(reg(f, EP_TX_NEXT), 0);
	for (size_t at = EP_TXQ; at < EP_RECEIVED; at += 4)
		assert_int_equal(reg(f, at), 0);

	restart(f, "queues=2");
	start(f, 2);
	doorbell(f, 2, 1);
	for (size_t at = EP_TXQ + 2 * EP_QUEUE_STRIDE; at < EP_RECEIVED; at += 4)
		assert_int_equal(reg(f, at), 0);
	assert_int_equal(f->endpoint.instrument.sent.head, 0);
}

static void bad_registers_stop_the_queue(void **state)
{
	static const struct {
		size_t at;
		uint32_t value;
	} bad[] = {
		{ EP_QUEUE_SIZE, 0 },	 { EP_QUEUE_SIZE, 3 },
		{ EP_QUEUE_SIZE, 8192 }, { EP_QUEUE_BASE_LO, MEMORY_IOVA + 16 },
		{ EP_QUEUE_TAIL, RING }, { EP_QUEUE_TAIL, 0xffffffff },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		prepare(f, 0);
		queue_set(f, 0, EP_QUEUE_CONTROL, 0);
		if (bad[i].at != EP_QUEUE_TAIL)
			queue_set(f, 0, bad[i].at, bad[i].value);
		queue_set(f, 0, EP_QUEUE_CONTROL, EP_QUEUE_ENABLE);
		if (bad[i].at == EP_QUEUE_TAIL)
			queue_set(f, 0, bad[i].at, bad[i].value);
		assert_stopped(f, 0, EP_FAULT_COMMAND, "command");
		doorbell(f, 0, 1);
	}
	assert_int_equal(f->endpoint.instrument.sent.head, 0);
}

/* These belong to receive queues. */
static void registers_without_a_meaning_stay_zero(void **state)
{
	struct fixture *f = *state;

	queue_set(f, 0, EP_QUEUE_BUFFER, 1);
	queue_set(f, 0, EP_QUEUE_HEADER, 1);
	queue_set(f, 0, EP_QUEUE_CONTROL, EP_QUEUE_SPLIT);
	assert_int_equal(queue(f, 0, EP_QUEUE_BUFFER), 0);
	assert_int_equal(queue(f, 0, EP_QUEUE_HEADER), 0);
	assert_int_equal(queue(f, 0, EP_QUEUE_CONTROL), 0);
	reg_set(f, EP_TX_NEXT, 1);
	assert_int_equal(reg(f, EP_TX_NEXT), 0);
}

static void lengths_that_no_packet_has_stop_the_queue(void **state)
{
	static const uint32_t bad[] = { 0, 9217, 1 << 16 | 9216, 0xffff, 0xffff0000, 0xffffffff };
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		start(f, 0);
		put32(ring(f, 0, 0) + EP_TXD_LENGTH, bad[i]);
		doorbell(f, 0, 1);
		assert_stopped(f, 0, EP_FAULT_COMMAND, "command");
		assert_int_equal(queue(f, 0, EP_QUEUE_DROPS), 1);
		assert_int_equal(queue(f, 0, EP_QUEUE_TLPS), 1); /* the descriptor */
		assert_int_equal(get32(ring(f, 0, 0) + EP_DESCRIPTOR_STATUS), 0);
		queue_set(f, 0, EP_QUEUE_CONTROL, 0);
	}
	assert_int_equal(reg(f, EP_TX_NEXT), 0);
}

static void function_that_may_not_send_sends_nothing(void **state)
{
	struct fixture *f = *state;

	start(f, 0);
	config_out(f, COMMAND, 2, 2);
	doorbell(f, 0, 1);
	assert_stopped(f, 0, EP_FAULT_BUS_MASTER, "bus-master");

	restart(f, "queues=4");
	start(f, 0);
	queue_set(f, 0, EP_QUEUE_TAIL, 1);
	config_out(f, POWER, 2, 3);
	work(f);
	config_out(f, POWER, 2, 0);
	assert_stopped(f, 0, EP_FAULT_POWER, "power");
	assert_int_equal(f->endpoint.instrument.sent.head, 0);
}

static void addresses_without_a_map_stop_the_queue(void **state)
{
	static const struct {
		uint32_t payload, header, tlps;
		const char *kind, *type;
	} bad[] = {
		{ 0x10, MEMORY_IOVA + HEADERS_AT, 2, "payload", "MRd" },
		{ MEMORY_IOVA + PAYLOADS_AT, MEMORY_IOVA + MEMORY_SIZE, 1, "header", "MRd" },
		/* its end leaves the map: what was inside is read, and nothing is sent */
		{ MEMORY_IOVA + MEMORY_SIZE - 128, MEMORY_IOVA + HEADERS_AT, 3, "payload", "MRd" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct json_object *line;

		restart(f, "queues=4");
		start(f, 0);
		fill(f, 0, 1, 4, HEADER); /* 448 bytes */
		put32(ring(f, 0, 1) + EP_DESCRIPTOR_PAYLOAD, bad[i].payload);
		put32(ring(f, 0, 1) + EP_DESCRIPTOR_HEADER, bad[i].header);
		doorbell(f, 0, 3);
		assert_stopped(f, 0, EP_FAULT_UNMAPPED, "unmapped");
		line = last_event(f, "fault");
		assert_field(line, "kind", bad[i].kind);
		assert_field(line, "type", bad[i].type);
		json_object_put(line);
		assert_int_equal(queue(f, 0, EP_QUEUE_PACKETS), 1);
		assert_int_equal(queue(f, 0, EP_QUEUE_HEAD), 1);
		assert_int_equal(queue(f, 0, EP_QUEUE_TLPS), 4 + bad[i].tlps);
		assert_int_equal(reg(f, EP_TX_NEXT), 1);
		assert_int_equal(get32(ring(f, 0, 1) + EP_DESCRIPTOR_STATUS), 0);
		assert_true(config_in(f, STATUS, 2) & MASTER_ABORT);
		doorbell(f, 0, 4);
		assert_int_equal(reg(f, EP_TX_NEXT), 1);
	}
}

/* What is sent is sent, though its driver does not hear of it. */
static void ring_that_can_only_be_read_stops_the_queue(void **state)
{
	struct fixture *f = *state;

	prepare(f, 0);
	queue_set(f, 0, EP_QUEUE_BASE_LO, PROTECTED_IOVA);
	queue_set(f, 0, EP_QUEUE_CONTROL, EP_QUEUE_ENABLE);
	doorbell(f, 0, 2);
	assert_stopped(f, 0, EP_FAULT_PERMISSION, "permission");
	assert_int_equal(queue(f, 0, EP_QUEUE_PACKETS), 0);
	assert_int_equal(reg(f, EP_TX_NEXT), 1);
}

/* ---- what should happen ---- */

static void every_packet_is_sent_whole(void **state)
{
	static const uint32_t headers[] = { 0, HEADER, 60 };
	struct fixture *f = *state;
	uint32_t number = 0;

	for (size_t h = 0; h < sizeof(headers) / sizeof(headers[0]); h++) {
		start(f, 1);
		for (unsigned int i = 0; i < RING; i++)
			fill(f, 1, i, 7 * i, headers[h]); /* the first has 60 bytes */
		doorbell(f, 1, RING - 1);
		for (unsigned int i = 0; i < RING - 1; i++)
			assert_sent(f, 1, i, 7 * i, number++);
		assert_int_equal(get32(ring(f, 1, RING - 1) + EP_DESCRIPTOR_STATUS), 0);
		assert_int_equal(queue(f, 1, EP_QUEUE_PACKETS), RING - 1);
		assert_int_equal(queue(f, 1, EP_QUEUE_HEAD), RING - 1);
		assert_int_equal(queue(f, 1, EP_QUEUE_DROPS), 0);
		doorbell(f, 1, 2); /* and round the corner */
		assert_int_equal(queue(f, 1, EP_QUEUE_HEAD), 2);
		number += 3;
		assert_int_equal(reg(f, EP_TX_NEXT), number);
		queue_set(f, 1, EP_QUEUE_CONTROL, 0);
	}
}

static void buffers_may_begin_anywhere(void **state)
{
	struct fixture *f = *state;

	for (uint32_t by = 0; by < 4; by++) {
		uint8_t data[2048];
		uint32_t length = pattern(14, data);
		uint8_t *descriptor = ring(f, 0, 0);

		start(f, 0);
		fill(f, 0, 0, 14, 0);
		/* so that it crosses a page */
		memcpy(f->memory + PAYLOADS_AT + 4096 - 100 + by, data, length);
		put32(descriptor + EP_DESCRIPTOR_PAYLOAD,
		      MEMORY_IOVA + PAYLOADS_AT + 4096 - 100 + by);
		doorbell(f, 0, 1);
		assert_sent(f, 0, 0, 14, by);
		for (uint32_t i = 0; i < f->endpoint.instrument.sent.head; i++) {
			uint32_t at = slot(f, i)[EP_TLP_ADDR_LO / 4];
			uint32_t bytes = slot(f, i)[EP_TLP_LENGTH / 4];

			assert_int_equal(at % 4, 0);
			assert_int_equal(bytes % 4, 0);
			assert_true(bytes <= 512);
			assert_true(at % 4096 + bytes <= 4096);
		}
		queue_set(f, 0, EP_QUEUE_CONTROL, 0);
	}
}

static void each_kind_carries_its_own_hint(void **state)
{
	static const unsigned int kinds[] = { EP_TLP_FETCH, EP_TLP_HEADER, EP_TLP_PAYLOAD,
					      EP_TLP_DESCRIPTOR };
	static const unsigned int tags[] = { 0, 0x1107, 0x1108, 0x1106 };
	static const unsigned int hints[] = { 0, 2, 3, 1 };
	struct fixture *f = *state;
	struct json_object *line;

	for (unsigned int i = 0; i < 12; i++)
		config_out(f, TPH_TABLE + 2 * i, 2, 0x1100 + i);
	start(f, 2);
	doorbell(f, 2, 1);
	for (uint32_t i = 0; i < 4; i++)
		assert_false(slot(f, i)[EP_TLP_FLAGS / 4] & EP_TLP_TH);

	config_out(f, TPH_CONTROL, 2, ENABLE_16);
	doorbell(f, 2, 2);
	assert_int_equal(f->endpoint.instrument.sent.head, 8);
	for (uint32_t i = 0; i < 4; i++) {
		uint32_t flags = slot(f, 4 + i)[EP_TLP_FLAGS / 4];

		assert_int_equal(slot_kind(f, 4 + i), kinds[i]);
		assert_int_equal(flags & EP_TLP_TYPE_MASK, i < 3 ? EP_TLP_MRD : EP_TLP_MWR);
		assert_int_equal(!!(flags & EP_TLP_TH), i > 0);
		assert_int_equal((flags & EP_TLP_PH_MASK) >> EP_TLP_PH_SHIFT, hints[i]);
		assert_int_equal(slot(f, 4 + i)[EP_TLP_ST / 4], tags[i]);
		assert_int_equal(flags >> EP_TLP_QUEUE_SHIFT, 2);
		assert_true(flags & EP_TLP_TRANSMIT);
	}
	assert_int_equal(queue(f, 2, EP_QUEUE_TLPS), 8);
	line = last_event(f, "tlp");
	assert_field(line, "direction", "transmit");
	assert_field(line, "queue", "2");
	assert_field(line, "kind", "descriptor");
	assert_field(line, "st", "0x1106");
	json_object_put(line);
}

static void queues_take_turns(void **state)
{
	struct fixture *f = *state;

	start(f, 0);
	start(f, 3);
	queue_set(f, 0, EP_QUEUE_TAIL, 5);
	doorbell(f, 3, 5);
	for (unsigned int i = 0; i < 5; i++) {
		assert_sent(f, 3, i, i, 2 * i);
		assert_sent(f, 0, i, i, 2 * i + 1);
	}
}

static void stopped_queue_does_not_stop_others(void **state)
{
	struct fixture *f = *state;

	start(f, 0);
	start(f, 1);
	put32(ring(f, 0, 0) + EP_TXD_LENGTH, 0);
	queue_set(f, 0, EP_QUEUE_TAIL, 3);
	doorbell(f, 1, 3);
	assert_stopped(f, 0, EP_FAULT_COMMAND, "command");
	assert_int_equal(queue(f, 1, EP_QUEUE_PACKETS), 3);
}

/* Both directions and the DMA engine go on side by side. */
static void receive_queue_works_beside_it(void **state)
{
	struct fixture *f = *state;
	bool sent = false, received = false;

	reg_set(f, EP_RX_SPREAD, 1);
	for (unsigned int i = 0; i < RING; i++)
		put32(ring(f, 0, i), MEMORY_IOVA + PAYLOADS_AT + i * BUFFER_STRIDE);
	reg_set(f, EP_RXQ + EP_QUEUE_BASE_LO, MEMORY_IOVA + RING_AT);
	reg_set(f, EP_RXQ + EP_QUEUE_SIZE, RING);
	reg_set(f, EP_RXQ + EP_QUEUE_BUFFER, BUFFER_STRIDE);
	reg_set(f, EP_RXQ + EP_QUEUE_CONTROL, EP_QUEUE_ENABLE);
	reg_set(f, EP_RXQ + EP_QUEUE_TAIL, RING - 1);
	start(f, 1);
	reg_set(f, EP_RX_GENERATE, 15);
	queue_set(f, 1, EP_QUEUE_TAIL, RING - 1);
	assert_true(endpoint_work(&f->endpoint));
	for (uint32_t i = 0; i < f->endpoint.instrument.sent.head; i++) {
		bool transmit = slot(f, i)[EP_TLP_FLAGS / 4] & EP_TLP_TRANSMIT;

		sent = sent || transmit;
		received = received || !transmit;
	}
	assert_true(sent && received);
	work(f);
	assert_int_equal(queue(f, 1, EP_QUEUE_PACKETS), 15);
	assert_int_equal(reg(f, EP_RXQ + EP_QUEUE_PACKETS), 15);
}

static void interrupt_tells_of_packets(void **state)
{
	struct fixture *f = *state;

	config_out(f, MSIX_CONTROL, 2, 0x8000);
	start(f, 0);
	doorbell(f, 0, 2);
	assert_int_equal(signalled(f), 0);
	queue_set(f, 0, EP_QUEUE_CONTROL, EP_QUEUE_ENABLE | EP_QUEUE_INTERRUPT);
	assert_int_equal(signalled(f), 1);
	doorbell(f, 0, 5);
	assert_int_equal(signalled(f), 3);
}

static void reset_in_the_middle_ends_it_all(void **state)
{
	struct fixture *f = *state;

	for (enum endpoint_reset how = ENDPOINT_RESET_POWER_ON; how <= ENDPOINT_RESET_PM; how++) {
		uint32_t head;

		start(f, 0);
		for (unsigned int i = 0; i < RING; i++)
			fill(f, 0, i, 14, 0);
		queue_set(f, 0, EP_QUEUE_TAIL, RING - 1);
		assert_true(endpoint_work(&f->endpoint));
		head = f->endpoint.instrument.sent.head;
		endpoint_reset(&f->endpoint, how);
		config_out(f, COMMAND, 2, MEMORY_AND_MASTER);
		assert_false(endpoint_work(&f->endpoint));
		assert_int_equal(f->endpoint.instrument.sent.head, head);
		assert_int_equal(reg(f, EP_TX_NEXT), 0);
		for (size_t at = 0; at < EP_QUEUE_STRIDE; at += 4)
			assert_int_equal(queue(f, 0, at), 0);
	}
}

/* ---- the file ---- */

static void what_is_sent_can_be_received_again(void **state)
{
	struct fixture *f = *state;
	char path[] = "/tmp/vfio-tph-sent.XXXXXX", *error;
	struct packets packets;
	struct packet packet;
	int fd = mkstemp(path);

	assert_int_equal(capture_open(&f->endpoint.capture, "/nowhere/sent"), -ENOENT);
	assert_int_equal(capture_open(&f->endpoint.capture, path), 0);
	assert_int_equal(capture_start(&f->endpoint.capture, NULL, -1), 0);
	start(f, 0);
	doorbell(f, 0, 9);
	assert_int_equal(f->endpoint.capture.error, 0);
	if (packets_load(&packets, path, &error))
		fail_msg("%s", error);
	assert_int_equal(packets.count, 9);
	for (uint32_t n = 0; n < 9; n++) {
		uint8_t data[2048];

		packets_get(&packets, n, &packet);
		assert_int_equal(packet.length, pattern(n, data));
		assert_memory_equal(packet.data, data, packet.length);
		/* its time: microsecond n */
		assert_int_equal(get32(packets.file + packets.records[n] + 4), n);
	}
	packets_free(&packets);
	close(fd);
	unlink(path);
}

static void file_that_cannot_be_written_is_told_of(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(capture_open(&f->endpoint.capture, "/dev/full"), 0);
	assert_int_equal(capture_start(&f->endpoint.capture, NULL, -1), -ENOSPC);
	start(f, 0);
	doorbell(f, 0, 2);
	assert_int_equal(f->endpoint.capture.error, ENOSPC);
	assert_int_equal(queue(f, 0, EP_QUEUE_PACKETS), 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rings_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(without_the_key_there_are_none),
		TEST(bad_registers_stop_the_queue),
		TEST(registers_without_a_meaning_stay_zero),
		TEST(lengths_that_no_packet_has_stop_the_queue),
		TEST(function_that_may_not_send_sends_nothing),
		TEST(addresses_without_a_map_stop_the_queue),
		TEST(ring_that_can_only_be_read_stops_the_queue),
		TEST(every_packet_is_sent_whole),
		TEST(buffers_may_begin_anywhere),
		TEST(each_kind_carries_its_own_hint),
		TEST(queues_take_turns),
		TEST(stopped_queue_does_not_stop_others),
		TEST(receive_queue_works_beside_it),
		TEST(interrupt_tells_of_packets),
		TEST(reset_in_the_middle_ends_it_all),
		TEST(what_is_sent_can_be_received_again),
		TEST(file_that_cannot_be_written_is_told_of),
	};

	return cmocka_run_group_tests_name("transmit", tests, NULL, NULL);
}
