// SPDX-License-Identifier: MIT
/* Receive queues as their driver sees them: rings, packets, hints, faults, interrupts. */
#include "rings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static uint32_t queue(struct fixture *f, unsigned int q, size_t at)
{
	return reg(f, EP_RXQ + q * EP_QUEUE_STRIDE + at);
}

static void queue_set(struct fixture *f, unsigned int q, size_t at, uint32_t value)
{
	reg_set(f, EP_RXQ + q * EP_QUEUE_STRIDE + at, value);
}

/* A ring whose descriptors all have buffers, and registers that are good. */
static void prepare(struct fixture *f, unsigned int q)
{
	for (unsigned int i = 0; i < RING; i++) {
		uint8_t *descriptor = ring(f, q, i);

		memset(descriptor, 0, 32);
		put32(descriptor, MEMORY_IOVA + q * QUEUE_SIZE + PAYLOADS_AT + i * BUFFER_STRIDE);
		put32(descriptor + 8,
		      MEMORY_IOVA + q * QUEUE_SIZE + HEADERS_AT + i * HEADER_STRIDE);
	}
	queue_set(f, q, EP_QUEUE_BASE_LO, MEMORY_IOVA + q * QUEUE_SIZE + RING_AT);
	queue_set(f, q, EP_QUEUE_BASE_HI, 0);
	queue_set(f, q, EP_QUEUE_SIZE, RING);
	queue_set(f, q, EP_QUEUE_BUFFER, BUFFER_STRIDE);
	queue_set(f, q, EP_QUEUE_HEADER, 54);
	queue_set(f, q, EP_QUEUE_VECTOR, OTHER_VECTOR);
	queue_set(f, q, EP_QUEUE_HINT_DESCRIPTOR, hint(3 * q, 1));
	queue_set(f, q, EP_QUEUE_HINT_HEADER, hint(3 * q + 1, 2));
	queue_set(f, q, EP_QUEUE_HINT_PAYLOAD, hint(3 * q + 2, 3));
}

static void start(struct fixture *f, unsigned int q, uint32_t control)
{
	prepare(f, q);
	queue_set(f, q, EP_QUEUE_CONTROL, EP_QUEUE_ENABLE | control);
	queue_set(f, q, EP_QUEUE_TAIL, RING - 1);
}

static void generate(struct fixture *f, uint32_t count)
{
	reg_set(f, EP_RX_GENERATE, count);
	work(f);
	assert_int_equal(reg(f, EP_RX_GENERATE), 0);
}

/* One queue alone takes part. */
static void spread_one(struct fixture *f)
{
	reg_set(f, EP_RX_SPREAD, 1);
}

static unsigned int queue_of(uint32_t n, unsigned int queues)
{
	uint8_t data[2048];
	uint32_t hash = fnv(data, pattern(n, data));

	return (hash ^ hash >> 16) % queues;
}

static void assert_stopped(struct fixture *f, unsigned int q, uint32_t fault, const char *reason)
{
	struct json_object *line = last_event(f, "fault");
	char number[8];

	assert_int_equal(queue(f, q, EP_QUEUE_STATUS), EP_QUEUE_ERROR);
	assert_int_equal(queue(f, q, EP_QUEUE_FAULT), fault);
	assert_non_null(line);
	snprintf(number, sizeof(number), "%u", q);
	assert_field(line, "queue", number);
	assert_field(line, "reason", reason);
	assert_field(line, "command", "receive");
	json_object_put(line);
}

/* ---- what must not happen ---- */

static void without_the_key_there_are_none(void **state)
{
	struct fixture *f = *state;

	restart(f, "");
	for (size_t at = EP_QUEUES; at <= EP_RX_SOURCE; at += 4) {
		reg_set(f, at, 1);
		assert_int_equal(reg(f, at), 0);
	}
	start(f, 0, 0);
	for (size_t at = EP_RXQ; at < EP_RECEIVED; at += 4)
		assert_int_equal(reg(f, at), 0);
	assert_false(endpoint_work(&f->endpoint));
	assert_int_equal(f->endpoint.instrument.sent.head, 0);

	restart(f, "queues=2");
	assert_int_equal(reg(f, EP_QUEUES), 2);
	start(f, 2, 0);
	for (size_t at = EP_RXQ + 2 * EP_QUEUE_STRIDE; at < EP_RECEIVED; at += 4)
		assert_int_equal(reg(f, at), 0);
	reg_set(f, EP_RX_SPREAD, 3);
	assert_int_equal(reg(f, EP_RX_SPREAD), 2);
	reg_set(f, EP_RX_SPREAD, 0);
	assert_int_equal(reg(f, EP_RX_SPREAD), 2);
}

static void bad_registers_stop_the_queue(void **state)
{
	static const struct {
		size_t at;
		uint32_t value;
	} bad[] = {
		{ EP_QUEUE_SIZE, 0 },	       { EP_QUEUE_SIZE, 1 },
		{ EP_QUEUE_SIZE, 3 },	       { EP_QUEUE_SIZE, 8192 },
		{ EP_QUEUE_SIZE, 0x80000000 }, { EP_QUEUE_BASE_LO, MEMORY_IOVA + 16 },
		{ EP_QUEUE_BUFFER, 0 },	       { EP_QUEUE_BUFFER, 65537 },
		{ EP_QUEUE_HEADER, 0 },	       { EP_QUEUE_HEADER, 257 },
		{ EP_QUEUE_TAIL, RING },       { EP_QUEUE_TAIL, 0xffffffff },
	};
	struct fixture *f = *state;

	spread_one(f);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		prepare(f, 0);
		queue_set(f, 0, EP_QUEUE_CONTROL, 0);
		if (bad[i].at != EP_QUEUE_TAIL)
			queue_set(f, 0, bad[i].at, bad[i].value);
		queue_set(f, 0, EP_QUEUE_CONTROL, EP_QUEUE_ENABLE | EP_QUEUE_SPLIT);
		if (bad[i].at == EP_QUEUE_TAIL)
			queue_set(f, 0, EP_QUEUE_TAIL, bad[i].value);
		assert_stopped(f, 0, EP_FAULT_COMMAND, "command");
		assert_int_equal(reg(f, EP_COUNT_FAULTS), i + 1);
		generate(f, 1);
		assert_int_equal(queue(f, 0, EP_QUEUE_DROPS), 1);
	}
	assert_int_equal(f->endpoint.instrument.sent.head, 0);
}

static void without_bus_master_nothing_is_sent(void **state)
{
	struct fixture *f = *state;

	spread_one(f);
	start(f, 0, 0);
	config_out(f, COMMAND, 2, 2);
	generate(f, 3);
	assert_stopped(f, 0, EP_FAULT_BUS_MASTER, "bus-master");
	assert_int_equal(f->endpoint.instrument.sent.head, 0);
	assert_int_equal(queue(f, 0, EP_QUEUE_DROPS), 3);
	assert_int_equal(get32(ring(f, 0, 0) + EP_DESCRIPTOR_STATUS), 0);
	assert_int_equal(reg(f, EP_COUNT_FAULTS), 1);
}

static void in_d3hot_nothing_is_sent(void **state)
{
	struct fixture *f = *state;

	spread_one(f);
	start(f, 0, 0);
	reg_set(f, EP_RX_GENERATE, 1);
	config_out(f, POWER, 2, 3);
	work(f);
	config_out(f, POWER, 2, 0);
	assert_stopped(f, 0, EP_FAULT_POWER, "power");
	assert_int_equal(f->endpoint.instrument.sent.head, 0);
}

static void addresses_without_a_map_stop_the_queue(void **state)
{
	static const struct {
		uint32_t payload, header, fault, tlps;
		const char *reason, *kind;
	} bad[] = {
		{ 0x10, MEMORY_IOVA + HEADERS_AT, EP_FAULT_UNMAPPED, 2, "unmapped", "payload" },
		{ MEMORY_IOVA + PAYLOADS_AT, MEMORY_IOVA + MEMORY_SIZE, EP_FAULT_UNMAPPED, 1,
		  "unmapped", "header" },
		{ PROTECTED_IOVA, MEMORY_IOVA + HEADERS_AT, EP_FAULT_PERMISSION, 2, "permission",
		  "payload" },
		{ MEMORY_IOVA + PAYLOADS_AT, PROTECTED_IOVA, EP_FAULT_PERMISSION, 1, "permission",
		  "header" },
		/* its end leaves the map: what was inside is written */
		{ MEMORY_IOVA + MEMORY_SIZE - 128, MEMORY_IOVA + HEADERS_AT, EP_FAULT_UNMAPPED, 3,
		  "unmapped", "payload" },
	};
	struct fixture *f = *state;

	spread_one(f);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint32_t head = f->endpoint.instrument.sent.head;
		struct json_object *line;

		endpoint_reset(&f->endpoint, ENDPOINT_RESET_FLR);
		config_out(f, COMMAND, 2, MEMORY_AND_MASTER);
		spread_one(f);
		start(f, 0, EP_QUEUE_SPLIT);
		generate(f, 4); /* so that the next has 60 + 4 * 97 = 448 bytes */
		head = f->endpoint.instrument.sent.head;
		put32(ring(f, 0, 4), bad[i].payload);
		put32(ring(f, 0, 4) + 8, bad[i].header);
		generate(f, 1);
		assert_stopped(f, 0, bad[i].fault, bad[i].reason);
		line = last_event(f, "fault");
		assert_field(line, "kind", bad[i].kind);
		assert_field(line, "type", "MWr");
		json_object_put(line);
		assert_int_equal(f->endpoint.instrument.sent.head, head + bad[i].tlps);
		assert_int_equal(queue(f, 0, EP_QUEUE_PACKETS), 4);
		assert_int_equal(queue(f, 0, EP_QUEUE_HEAD), 4);
		assert_int_equal(get32(ring(f, 0, 4) + EP_DESCRIPTOR_STATUS), 0);
		/* and there it stays */
		generate(f, 1);
		assert_int_equal(f->endpoint.instrument.sent.head, head + bad[i].tlps);
		assert_int_equal(queue(f, 0, EP_QUEUE_DROPS), 2);
	}
}

static void ring_without_a_map_stops_the_queue(void **state)
{
	struct fixture *f = *state;

	spread_one(f);
	prepare(f, 0);
	queue_set(f, 0, EP_QUEUE_BASE_HI, 1);
	queue_set(f, 0, EP_QUEUE_CONTROL, EP_QUEUE_ENABLE);
	queue_set(f, 0, EP_QUEUE_TAIL, 1);
	generate(f, 1);
	assert_stopped(f, 0, EP_FAULT_UNMAPPED, "unmapped");
	assert_int_equal(f->endpoint.instrument.sent.head, 0);
	assert_true(config_get16(&f->endpoint.config, STATUS) & MASTER_ABORT);

	/* A ring that can only be read gets its packet, but not the news of it. */
	memcpy(f->memory, ring(f, 0, 0), 32);
	queue_set(f, 0, EP_QUEUE_CONTROL, 0);
	queue_set(f, 0, EP_QUEUE_BASE_HI, 0);
	queue_set(f, 0, EP_QUEUE_BASE_LO, PROTECTED_IOVA);
	queue_set(f, 0, EP_QUEUE_CONTROL, EP_QUEUE_ENABLE);
	queue_set(f, 0, EP_QUEUE_TAIL, 1);
	generate(f, 1);
	assert_stopped(f, 0, EP_FAULT_PERMISSION, "permission");
	assert_int_equal(queue(f, 0, EP_QUEUE_PACKETS), 0);
	assert_int_equal(queue(f, 0, EP_QUEUE_DROPS), 1);
}

static void packets_without_a_descriptor_are_dropped(void **state)
{
	struct fixture *f = *state;

	spread_one(f);
	generate(f, 2); /* the queue is off */
	assert_int_equal(queue(f, 0, EP_QUEUE_DROPS), 2);
	assert_int_equal(f->endpoint.instrument.sent.head, 0);

	prepare(f, 0);
	queue_set(f, 0, EP_QUEUE_CONTROL, EP_QUEUE_ENABLE);
	assert_int_equal(queue(f, 0, EP_QUEUE_DROPS), 0);
	generate(f, 2); /* it is on, without a descriptor */
	assert_int_equal(queue(f, 0, EP_QUEUE_DROPS), 2);
	assert_int_equal(f->endpoint.instrument.sent.head, 0);

	queue_set(f, 0, EP_QUEUE_TAIL, 3);
	generate(f, 5);
	assert_int_equal(queue(f, 0, EP_QUEUE_PACKETS), 3);
	assert_int_equal(queue(f, 0, EP_QUEUE_DROPS), 4);
	assert_int_equal(queue(f, 0, EP_QUEUE_HEAD), 3);
	assert_int_equal(queue(f, 0, EP_QUEUE_STATUS), EP_QUEUE_RUNNING);
	assert_int_equal(get32(ring(f, 0, 3) + EP_DESCRIPTOR_STATUS), 0);
	assert_int_equal(reg(f, EP_COUNT_FAULTS), 0);
	assert_int_equal(reg(f, EP_RX_NEXT), 9);
}

static void packets_longer_than_the_buffers_are_dropped(void **state)
{
	struct fixture *f = *state;

	spread_one(f);
	for (int split = 0; split < 2; split++) {
		endpoint_reset(&f->endpoint, ENDPOINT_RESET_FLR);
		config_out(f, COMMAND, 2, MEMORY_AND_MASTER);
		spread_one(f);
		prepare(f, 0);
		queue_set(f, 0, EP_QUEUE_BUFFER, split ? 156 - 54 : 156);
		queue_set(f, 0, EP_QUEUE_CONTROL, EP_QUEUE_ENABLE);
		queue_set(f, 0, EP_QUEUE_CONTROL, 0);
		queue_set(f, 0, EP_QUEUE_CONTROL,
			  split ? EP_QUEUE_ENABLE | EP_QUEUE_SPLIT : EP_QUEUE_ENABLE);
		queue_set(f, 0, EP_QUEUE_TAIL, 8);
		memset(f->memory + PAYLOADS_AT, 0xee, 8 * BUFFER_STRIDE);
		generate(f, 3); /* 60, 157, 254 bytes */
		assert_int_equal(queue(f, 0, EP_QUEUE_PACKETS), 1);
		assert_int_equal(queue(f, 0, EP_QUEUE_DROPS), 2);
		assert_int_equal(f->memory[PAYLOADS_AT + BUFFER_STRIDE], 0xee);
	}
}

static void orders_beyond_the_limit_are_not_kept(void **state)
{
	struct fixture *f = *state;

	reg_set(f, EP_RX_GENERATE, 0xffffffff);
	assert_int_equal(reg(f, EP_RX_GENERATE), EP_RX_PENDING_MAX);
	reg_set(f, EP_RX_GENERATE, 1);
	assert_int_equal(reg(f, EP_RX_GENERATE), EP_RX_PENDING_MAX);
	work(f);
	assert_int_equal(reg(f, EP_RX_NEXT), EP_RX_PENDING_MAX);
}

static void a_stopped_queue_does_not_stop_others(void **state)
{
	struct fixture *f = *state;
	uint32_t expected[2] = { 0, 0 };

	reg_set(f, EP_RX_SPREAD, 2);
	start(f, 0, 0);
	start(f, 1, 0);
	put32(ring(f, 0, 0), 0x10);
	for (uint32_t n = 0; n < 12; n++)
		expected[queue_of(n, 2)]++;
	assert_true(expected[0] && expected[1]);
	generate(f, 12);
	assert_stopped(f, 0, EP_FAULT_UNMAPPED, "unmapped");
	assert_int_equal(queue(f, 0, EP_QUEUE_DROPS), expected[0]);
	assert_int_equal(queue(f, 1, EP_QUEUE_PACKETS), expected[1]);
}

/* ---- what should happen ---- */

/* All that is in the rings, against the pattern; every packet is where its hash belongs. */
static void assert_content(struct fixture *f, unsigned int queues, uint32_t count, uint32_t header)
{
	unsigned int filled[4] = { 0 };

	for (uint32_t n = 0; n < count; n++) {
		unsigned int q = queue_of(n, queues), i = filled[q]++;
		const uint8_t *descriptor = ring(f, q, i);
		const uint8_t *base = f->memory + (size_t)q * QUEUE_SIZE;
		uint8_t data[2048];
		uint32_t length = pattern(n, data);

		assert_int_equal(get32(descriptor + EP_RXD_NUMBER), n);
		assert_int_equal(get32(descriptor + EP_RXD_HASH), fnv(data, length));
		assert_int_equal(get32(descriptor + EP_RXD_LENGTH),
				 header << 16 | (length - header));
		assert_int_equal(get32(descriptor + EP_DESCRIPTOR_STATUS), EP_DESCRIPTOR_DONE);
		assert_memory_equal(base + HEADERS_AT + (size_t)i * HEADER_STRIDE, data, header);
		assert_memory_equal(base + PAYLOADS_AT + (size_t)i * BUFFER_STRIDE, data + header,
				    length - header);
		assert_int_equal(base[PAYLOADS_AT + (size_t)i * BUFFER_STRIDE + length - header],
				 0xee);
	}
	for (unsigned int q = 0; q < queues; q++) {
		assert_int_equal(queue(f, q, EP_QUEUE_PACKETS), filled[q]);
		assert_int_equal(queue(f, q, EP_QUEUE_HEAD), filled[q]);
		assert_int_equal(queue(f, q, EP_QUEUE_DROPS), 0);
		assert_true(filled[q] > 0);
	}
}

static void every_packet_arrives_where_its_hash_belongs(void **state)
{
	struct fixture *f = *state;

	for (int split = 0; split < 2; split++) {
		restart(f, "queues=4");
		memset(f->memory, 0xee, MEMORY_SIZE);
		for (unsigned int q = 0; q < 4; q++)
			start(f, q, split ? EP_QUEUE_SPLIT : 0);
		generate(f, 30);
		assert_content(f, 4, 30, split ? 54 : 0);
	}
}

static void packet_that_is_all_header_has_no_payload(void **state)
{
	struct fixture *f = *state;

	spread_one(f);
	prepare(f, 0);
	queue_set(f, 0, EP_QUEUE_HEADER, 60);
	queue_set(f, 0, EP_QUEUE_CONTROL, EP_QUEUE_ENABLE | EP_QUEUE_SPLIT);
	queue_set(f, 0, EP_QUEUE_TAIL, 1);
	generate(f, 1);
	assert_int_equal(f->endpoint.instrument.sent.head, 3);
	assert_int_equal(slot_kind(f, 0), EP_TLP_FETCH);
	assert_int_equal(slot_kind(f, 1), EP_TLP_HEADER);
	assert_int_equal(slot_kind(f, 2), EP_TLP_DESCRIPTOR);
	assert_int_equal(get32(ring(f, 0, 0) + EP_RXD_LENGTH), 60 << 16);
}

static void ring_wraps(void **state)
{
	struct fixture *f = *state;

	spread_one(f);
	start(f, 0, 0);
	generate(f, RING - 1);
	queue_set(f, 0, EP_QUEUE_TAIL, 3);
	generate(f, 10);
	assert_int_equal(queue(f, 0, EP_QUEUE_PACKETS), RING + 3);
	assert_int_equal(queue(f, 0, EP_QUEUE_DROPS), 6);
	assert_int_equal(queue(f, 0, EP_QUEUE_HEAD), 3);
	assert_int_equal(get32(ring(f, 0, 15) + EP_RXD_NUMBER), 15);
	assert_int_equal(get32(ring(f, 0, 2) + EP_RXD_NUMBER), 18);
}

static void each_kind_carries_its_own_hint(void **state)
{
	static const unsigned int kinds[] = { EP_TLP_FETCH, EP_TLP_HEADER, EP_TLP_PAYLOAD,
					      EP_TLP_PAYLOAD, EP_TLP_DESCRIPTOR };
	static const unsigned int tags[] = { 0, 0x1101, 0x1102, 0x1102, 0x1100 };
	static const unsigned int hints[] = { 0, 2, 3, 3, 1 };
	struct fixture *f = *state;
	struct json_object *line;
	uint32_t total = 0;

	for (unsigned int i = 0; i < 12; i++)
		config_out(f, TPH_TABLE + 2 * i, 2, (uint16_t)(0x1100 + i));
	spread_one(f);
	start(f, 0, EP_QUEUE_SPLIT);
	generate(f, 1);
	for (uint32_t i = 0; i < f->endpoint.instrument.sent.head; i++)
		assert_false(slot(f, i)[EP_TLP_FLAGS / 4] & EP_TLP_TH);

	config_out(f, TPH_CONTROL, 2, ENABLE_16);
	total = f->endpoint.instrument.sent.head;
	generate(f, 1); /* 157 bytes: 54, 103 */
	assert_int_equal(f->endpoint.instrument.sent.head - total, 4);
	generate(f, 1); /* 254 bytes: 54, 128, 72 */
	assert_int_equal(f->endpoint.instrument.sent.head - total, 9);
	for (unsigned int i = 0; i < 5; i++) {
		uint32_t flags = slot(f, total + 4 + i)[EP_TLP_FLAGS / 4];

		assert_int_equal(slot_kind(f, total + 4 + i), kinds[i]);
		assert_int_equal(flags & EP_TLP_TYPE_MASK, i ? EP_TLP_MWR : EP_TLP_MRD);
		assert_int_equal(!!(flags & EP_TLP_TH), i > 0);
		assert_int_equal((flags & EP_TLP_PH_MASK) >> EP_TLP_PH_SHIFT, hints[i]);
		assert_int_equal(slot(f, total + 4 + i)[EP_TLP_ST / 4], tags[i]);
		assert_int_equal(flags >> EP_TLP_QUEUE_SHIFT, 0);
	}
	assert_int_equal(queue(f, 0, EP_QUEUE_TLPS), 4 + 9);
	line = last_event(f, "tlp");
	assert_field(line, "queue", "0");
	assert_field(line, "kind", "descriptor");
	assert_field(line, "st", "0x1100");
	assert_field(line, "entry", "0");
	json_object_put(line);
}

static void each_queue_has_its_own_entries(void **state)
{
	struct fixture *f = *state;
	bool seen[4] = { false };

	for (unsigned int i = 0; i < 12; i++)
		config_out(f, TPH_TABLE + 2 * i, 2, (uint16_t)(0x1100 + i));
	config_out(f, TPH_CONTROL, 2, ENABLE_16);
	for (unsigned int q = 0; q < 4; q++)
		start(f, q, EP_QUEUE_SPLIT);
	generate(f, 16);
	for (uint32_t i = 0; i < f->endpoint.instrument.sent.head && i < EP_TRACE_SLOTS; i++) {
		static const unsigned int entry[] = {
			[EP_TLP_DESCRIPTOR] = 0, [EP_TLP_HEADER] = 1, [EP_TLP_PAYLOAD] = 2
		};
		unsigned int q = slot(f, i)[EP_TLP_FLAGS / 4] >> EP_TLP_QUEUE_SHIFT;
		uint64_t address = slot(f, i)[EP_TLP_ADDR_LO / 4];

		assert_int_equal((address - MEMORY_IOVA) / QUEUE_SIZE, q);
		seen[q] = true;
		if (slot_kind(f, i) != EP_TLP_FETCH)
			assert_int_equal(slot(f, i)[EP_TLP_ST / 4],
					 0x1100 + 3 * q + entry[slot_kind(f, i)]);
	}
	assert_true(seen[0] && seen[1] && seen[2] && seen[3]);
}

static void tag_changes_in_the_middle_of_a_packet(void **state)
{
	struct fixture *f = *state;
	uint32_t head;

	config_out(f, TPH_TABLE, 2, 0x1100);
	config_out(f, TPH_CONTROL, 2, ENABLE_16);
	spread_one(f);
	start(f, 0, 0);
	queue_set(f, 0, EP_QUEUE_CONTROL, 0);
	queue_set(f, 0, EP_QUEUE_HINT_PAYLOAD, hint(0, 0));
	queue_set(f, 0, EP_QUEUE_BUFFER, 65536);
	queue_set(f, 0, EP_QUEUE_CONTROL, EP_QUEUE_ENABLE);
	queue_set(f, 0, EP_QUEUE_TAIL, RING - 1);
	generate(f, 1);
	reg_set(f, EP_RX_GENERATE, 14);
	for (int i = 0; i < 4; i++) /* it stops in the midst of packet 9 */
		assert_true(endpoint_work(&f->endpoint));
	head = f->endpoint.instrument.sent.head;
	assert_int_equal(slot_kind(f, head - 1), EP_TLP_PAYLOAD);
	assert_int_equal(slot(f, head - 1)[EP_TLP_ST / 4], 0x1100);
	config_out(f, TPH_TABLE, 2, 0x1107);
	work(f);
	assert_int_equal(slot_kind(f, head), EP_TLP_PAYLOAD);
	assert_int_equal(slot(f, head)[EP_TLP_ST / 4], 0x1107);
}

/* ST and TH of the payload of one packet more. */
static uint32_t next_tag(struct fixture *f, bool *hinted)
{
	uint32_t head = f->endpoint.instrument.sent.head;

	generate(f, 1);
	while (slot_kind(f, head) != EP_TLP_PAYLOAD)
		assert_true(++head < f->endpoint.instrument.sent.head);
	*hinted = slot(f, head)[EP_TLP_FLAGS / 4] & EP_TLP_TH;
	return slot(f, head)[EP_TLP_ST / 4];
}

static void assert_next_tag(struct fixture *f, uint32_t tag)
{
	bool hinted;

	assert_int_equal(next_tag(f, &hinted), tag);
	assert_int_equal(hinted, !!tag);
}

static void requester_off(struct fixture *f, bool off)
{
	config_out(f, TPH_CONTROL, 2, off ? 0 : ENABLE_16);
}

static void start_latching(struct fixture *f, const char *keys)
{
	restart(f, keys);
	config_out(f, TPH_TABLE, 2, 0x1100);
	requester_off(f, false);
	spread_one(f);
	start(f, 0, 0);
	queue_set(f, 0, EP_QUEUE_HINT_PAYLOAD, hint(0, 0));
	assert_next_tag(f, 0x1100);
}

/* What a driver must know of such a device: a table that is written does not steer it. */
static void tag_is_taken_when_a_ring_is_made(void **state)
{
	struct fixture *f = *state;

	start_latching(f, "queues=2,latch=ring");
	config_out(f, TPH_TABLE, 2, 0x1107);
	assert_next_tag(f, 0x1100);
	/* off: no hint; on again: the old one, whatever was cleared meanwhile */
	requester_off(f, true);
	assert_next_tag(f, 0);
	config_out(f, TPH_TABLE, 2, 0);
	requester_off(f, false);
	assert_next_tag(f, 0x1100);
	/* another entry is no other ring */
	config_out(f, TPH_TABLE + 2 * 9, 2, 0x1109);
	queue_set(f, 0, EP_QUEUE_HINT_PAYLOAD, hint(9, 0));
	assert_next_tag(f, 0x1100);
	start(f, 0, 0);
	queue_set(f, 0, EP_QUEUE_CONTROL, 0);
	queue_set(f, 0, EP_QUEUE_HINT_PAYLOAD, hint(9, 0));
	start(f, 0, 0);
	queue_set(f, 0, EP_QUEUE_HINT_PAYLOAD, hint(9, 0));
	assert_next_tag(f, 0x1109);
}

static void tag_is_taken_when_an_entry_is_used(void **state)
{
	struct fixture *f = *state;

	start_latching(f, "queues=2,latch=entry");
	config_out(f, TPH_TABLE, 2, 0x1107);
	assert_next_tag(f, 0x1100);
	queue_set(f, 0, EP_QUEUE_CONTROL, 0);
	start(f, 0, 0);
	queue_set(f, 0, EP_QUEUE_HINT_PAYLOAD, hint(0, 0));
	assert_next_tag(f, 0x1100);
	config_out(f, TPH_TABLE + 2 * 9, 2, 0x1109);
	queue_set(f, 0, EP_QUEUE_HINT_PAYLOAD, hint(9, 0));
	assert_next_tag(f, 0x1109);
	/* only a reset of the function brings the others back */
	endpoint_reset(&f->endpoint, ENDPOINT_RESET_FLR);
	config_out(f, COMMAND, 2, MEMORY_AND_MASTER);
	config_out(f, TPH_TABLE, 2, 0x1107);
	requester_off(f, false);
	spread_one(f);
	start(f, 0, 0);
	queue_set(f, 0, EP_QUEUE_HINT_PAYLOAD, hint(0, 0));
	assert_next_tag(f, 0x1107);
}

/* A device without an ST table has its tags here, and its driver moves them while it runs. */
static void register_changes_in_the_middle_of_a_packet(void **state)
{
	const uint32_t own = EP_HINT_TAG << EP_HINT_SOURCE_SHIFT;
	struct fixture *f = *state;
	uint32_t head;

	restart(f, "queues=1,st-table=none");
	config_out(f, TPH_CONTROL, 2, ENABLE_16_DEVICE_SPECIFIC);
	start(f, 0, 0);
	queue_set(f, 0, EP_QUEUE_HINT_PAYLOAD, own | 0x1101);
	generate(f, 1);
	reg_set(f, EP_RX_GENERATE, 14);
	for (int i = 0; i < 4; i++)
		assert_true(endpoint_work(&f->endpoint));
	head = f->endpoint.instrument.sent.head;
	assert_int_equal(slot_kind(f, head - 1), EP_TLP_PAYLOAD);
	assert_int_equal(slot(f, head - 1)[EP_TLP_ST / 4], 0x1101);
	queue_set(f, 0, EP_QUEUE_HINT_PAYLOAD, own | 0x1105);
	work(f);
	assert_int_equal(slot_kind(f, head), EP_TLP_PAYLOAD);
	assert_int_equal(slot(f, head)[EP_TLP_ST / 4], 0x1105);
}

static void polling_driver_hears_no_interrupt(void **state)
{
	struct fixture *f = *state;

	config_out(f, MSIX_CONTROL, 2, 0x8000);
	spread_one(f);
	start(f, 0, 0);
	generate(f, 3);
	assert_int_equal(signalled(f), 0);
	/* what came meanwhile is told when it wants to hear, once */
	queue_set(f, 0, EP_QUEUE_CONTROL, EP_QUEUE_ENABLE | EP_QUEUE_INTERRUPT);
	assert_int_equal(signalled(f), 1);
	queue_set(f, 0, EP_QUEUE_CONTROL, EP_QUEUE_ENABLE);
	queue_set(f, 0, EP_QUEUE_CONTROL, EP_QUEUE_ENABLE | EP_QUEUE_INTERRUPT);
	assert_int_equal(signalled(f), 0);
	generate(f, 3);
	assert_int_equal(signalled(f), 3);
	assert_int_equal(queue(f, 0, EP_QUEUE_PACKETS), 6);
}

static void packets_of_a_file_come_one_after_the_other(void **state)
{
	const uint32_t words[] = { 0xa1b2c3d4, 0x00040002, 0, 0, 65535,	    1,
				   0,	       0,	   2, 2, 0x00006261 /* "ab" */ };
	struct fixture *f = *state;
	int fd = memfd_create("pcap", MFD_CLOEXEC);
	char keys[64];

	assert_int_equal(write(fd, words, sizeof(words) - 2), sizeof(words) - 2);
	snprintf(keys, sizeof(keys), "queues=1,packets=/proc/self/fd/%d", fd);
	restart(f, keys);
	close(fd);
	assert_int_equal(reg(f, EP_RX_SOURCE), EP_RX_FILE);
	start(f, 0, 0);
	generate(f, 3);
	assert_int_equal(queue(f, 0, EP_QUEUE_PACKETS), 3);
	assert_int_equal(queue(f, 0, EP_QUEUE_BYTES), 6);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(get32(ring(f, 0, i) + EP_RXD_NUMBER), i);
		assert_int_equal(get32(ring(f, 0, i) + EP_RXD_LENGTH), 2);
		assert_memory_equal(f->memory + PAYLOADS_AT + i * BUFFER_STRIDE, "ab", 2);
	}
}

static void queue_can_be_stopped_and_started_again(void **state)
{
	struct fixture *f = *state;

	spread_one(f);
	start(f, 0, 0);
	reg_set(f, EP_RX_GENERATE, 15);
	assert_true(endpoint_work(&f->endpoint));
	queue_set(f, 0, EP_QUEUE_CONTROL, 0);
	assert_int_equal(queue(f, 0, EP_QUEUE_STATUS), 0);
	work(f);
	assert_int_equal(queue(f, 0, EP_QUEUE_PACKETS) + queue(f, 0, EP_QUEUE_DROPS), 15);
	start(f, 0, 0);
	assert_int_equal(queue(f, 0, EP_QUEUE_HEAD), 0);
	assert_int_equal(queue(f, 0, EP_QUEUE_PACKETS), 0);
	generate(f, 1);
	assert_int_equal(get32(ring(f, 0, 0) + EP_RXD_NUMBER), 15);
}

static void reset_in_the_middle_ends_it_all(void **state)
{
	struct fixture *f = *state;
	uint32_t head;

	for (enum endpoint_reset how = ENDPOINT_RESET_POWER_ON; how <= ENDPOINT_RESET_PM; how++) {
		spread_one(f);
		start(f, 0, EP_QUEUE_SPLIT);
		reg_set(f, EP_RX_GENERATE, 15);
		assert_true(endpoint_work(&f->endpoint));
		head = f->endpoint.instrument.sent.head;
		endpoint_reset(&f->endpoint, how);
		config_out(f, COMMAND, 2, MEMORY_AND_MASTER);
		assert_false(endpoint_work(&f->endpoint));
		assert_int_equal(f->endpoint.instrument.sent.head, head);
		assert_int_equal(reg(f, EP_RX_NEXT), 0);
		assert_int_equal(reg(f, EP_RX_GENERATE), 0);
		assert_int_equal(reg(f, EP_RX_SPREAD), 4);
		for (size_t at = 0; at < EP_QUEUE_STRIDE; at += 4)
			assert_int_equal(queue(f, 0, at), 0);
	}
	start(f, 0, 0);
	reg_set(f, EP_RX_GENERATE, 15);
	endpoint_disconnect(&f->endpoint, "hung-up");
	/* the client's memory is given back, step by step, and nothing is sent */
	head = f->endpoint.instrument.sent.head;
	while (endpoint_work(&f->endpoint))
		;
	assert_int_equal(f->endpoint.instrument.sent.head, head);
}

static void dma_engine_works_beside_the_queues(void **state)
{
	struct fixture *f = *state;
	uint32_t kinds[2] = { 0, 0 };

	spread_one(f);
	start(f, 0, 0);
	reg_set(f, EP_DMA_DST_LO, MEMORY_IOVA + 0x100000);
	reg_set(f, EP_DMA_LENGTH, 100 * 128);
	reg_set(f, EP_DMA_PATTERN, 0x600df00d);
	reg_set(f, EP_RX_GENERATE, 15);
	reg_set(f, EP_DMA_DOORBELL, EP_DMA_WRITE);
	assert_true(endpoint_work(&f->endpoint));
	for (uint32_t i = 0; i < f->endpoint.instrument.sent.head; i++)
		kinds[slot_kind(f, i) != EP_TLP_DMA]++;
	assert_true(kinds[0] && kinds[1]);
	work(f);
	assert_int_equal(reg(f, EP_DMA_STATUS), EP_DMA_DONE);
	assert_int_equal(queue(f, 0, EP_QUEUE_PACKETS), 15);
	assert_int_equal(get32(f->memory + 0x100000 + 100 * 128 - 4), 0x600df00d);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rings_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(without_the_key_there_are_none),
		TEST(bad_registers_stop_the_queue),
		TEST(without_bus_master_nothing_is_sent),
		TEST(in_d3hot_nothing_is_sent),
		TEST(addresses_without_a_map_stop_the_queue),
		TEST(ring_without_a_map_stops_the_queue),
		TEST(packets_without_a_descriptor_are_dropped),
		TEST(packets_longer_than_the_buffers_are_dropped),
		TEST(orders_beyond_the_limit_are_not_kept),
		TEST(a_stopped_queue_does_not_stop_others),
		TEST(every_packet_arrives_where_its_hash_belongs),
		TEST(packet_that_is_all_header_has_no_payload),
		TEST(ring_wraps),
		TEST(each_kind_carries_its_own_hint),
		TEST(each_queue_has_its_own_entries),
		TEST(tag_changes_in_the_middle_of_a_packet),
		TEST(tag_is_taken_when_a_ring_is_made),
		TEST(tag_is_taken_when_an_entry_is_used),
		TEST(register_changes_in_the_middle_of_a_packet),
		TEST(polling_driver_hears_no_interrupt),
		TEST(packets_of_a_file_come_one_after_the_other),
		TEST(queue_can_be_stopped_and_started_again),
		TEST(reset_in_the_middle_ends_it_all),
		TEST(dma_engine_works_beside_the_queues),
	};

	return cmocka_run_group_tests_name("receive", tests, NULL, NULL);
}
