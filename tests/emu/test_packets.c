// SPDX-License-Identifier: MIT
/* Packets from a file: which files are refused and how, and what comes out of good ones. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "models/packets.h"

static uint8_t file[70000];
static size_t size;

static void put32(uint32_t value)
{
	for (int i = 0; i < 4; i++)
		file[size++] = (uint8_t)(value >> 8 * i);
}

static void put_header(uint32_t magic, uint32_t version)
{
	size = 0;
	put32(magic);
	put32(version);
	put32(0);
	put32(0);
	put32(65535);
	put32(1);
}

/* @said: what the record's header says, of the @length bytes that follow */
static void put_record(uint32_t said, size_t length, uint8_t first)
{
	put32(1700000000);
	put32(5);
	put32(said);
	put32(said + 100); /* it was longer on the wire */
	for (size_t i = 0; i < length; i++)
		file[size++] = (uint8_t)(first + i);
}

static int load(struct packets *packets, char **error)
{
	int fd = memfd_create("pcap", MFD_CLOEXEC), ret;
	char path[32];

	assert_int_equal(write(fd, file, size), size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	*error = NULL;
	ret = packets_load(packets, path, error);
	close(fd);
	return ret;
}

static void assert_refused(const char *why)
{
	struct packets packets;
	char *error;

	if (!load(&packets, &error))
		fail_msg("accepted, but should be refused for: %s", why);
	if (!strstr(error, why))
		fail_msg("refused by '%s', not for: %s", error, why);
	free(error);
	assert_null(packets.file);
}

static void what_is_no_pcap_file_is_refused(void **state)
{
	static const struct {
		uint32_t magic;
		const char *why;
	} magics[] = {
		{ 0, "not a pcap file" },	   { 0x464c457f, "not a pcap file" },
		{ 0x0a0d0d0a, "editcap -F pcap" }, { 0xd4c3b2a1, "big-endian" },
		{ 0x4d3cb2a1, "big-endian" },
	};

	(void)state;
	size = 0;
	assert_refused("not a pcap file");
	for (size_t i = 0; i < sizeof(magics) / sizeof(magics[0]); i++) {
		put_header(magics[i].magic, 0x00040002);
		put_record(60, 60, 0);
		assert_refused(magics[i].why);
	}
	put_header(0xa1b2c3d4, 0x00040003);
	put_record(60, 60, 0);
	assert_refused("version 3");
	for (size_t length = 4; length < 24; length++) {
		put_header(0xa1b2c3d4, 0x00040002);
		size = length;
		assert_refused("header has 24 bytes");
	}
}

static void broken_pcap_files_are_refused(void **state)
{
	(void)state;
	put_header(0xa1b2c3d4, 0x00040002);
	assert_refused("no packet");
	put_record(60, 60, 0);
	put_record(0, 0, 0);
	assert_refused("packet 1 has 0 bytes");
	put_header(0xa1b2c3d4, 0x00040002);
	put_record(9217, 9217, 0);
	assert_refused("packet 0 has 9217 bytes");
	put_header(0xa1b2c3d4, 0x00040002);
	put_record(0xffffffff, 60, 0);
	assert_refused("packet 0 has 4294967295 bytes");
	for (size_t missing = 1; missing < 76; missing++) {
		put_header(0xa1b2c3d4, 0x00040002);
		put_record(60, 60, 0);
		put_record(60, 60, 0);
		size -= missing;
		assert_refused(missing <= 60 ? "ends in packet 1"
					     : "ends in the header of packet 1");
	}
}

static void what_is_no_file_is_refused(void **state)
{
	static const char *const paths[][2] = {
		{ "", "No such file" },
		{ "/nowhere/at.pcap", "No such file" },
		{ "/dev/zero", "not a regular file" },
		{ "/", "not a regular file" },
	};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct packets packets;
		char *error = NULL;

		assert_int_equal(packets_load(&packets, paths[i][0], &error), -1);
		if (!strstr(error, paths[i][1]))
			fail_msg("'%s' was refused by '%s'", paths[i][0], error);
		free(error);
	}
}

static void packets_of_a_file_come_again_and_again(void **state)
{
	static const uint32_t magics[] = { 0xa1b2c3d4, 0xa1b23c4d };
	static struct packet packet;
	struct packets packets;
	char *error;

	(void)state;
	for (size_t m = 0; m < 2; m++) {
		put_header(magics[m], 0x00040002);
		put_record(1, 1, 9);
		put_record(9216, 9216, 1);
		assert_int_equal(load(&packets, &error), 0);
		for (uint32_t n = 0; n < 6; n++) {
			packets_get(&packets, n, &packet);
			assert_int_equal(packet.number, n);
			assert_int_equal(packet.length, n % 2 ? 9216 : 1);
			assert_int_equal(packet.data[0], n % 2 ? 1 : 9);
			if (n % 2)
				assert_int_equal(packet.data[9215], (uint8_t)(1 + 9215));
		}
		packets_free(&packets);
	}
}

static void hash_is_fnv_1a(void **state)
{
	static struct packet packet;
	struct packets packets;
	char *error;

	(void)state;
	put_header(0xa1b2c3d4, 0x00040002);
	put_record(6, 0, 0);
	memcpy(file + size, "foobar", 6);
	size += 6;
	assert_int_equal(load(&packets, &error), 0);
	packets_get(&packets, 0, &packet);
	assert_int_equal(packet.hash, 0xbf9cf968); /* test vector of its authors */
	packets_free(&packets);
}

static void pattern_is_that_of_the_manual(void **state)
{
	const struct packets packets = { 0 };
	static struct packet packet;

	(void)state;
	packets_get(&packets, 0, &packet);
	assert_int_equal(packet.length, 60);
	assert_int_equal(packet.data[59], 59);
	packets_get(&packets, 14, &packet);
	assert_int_equal(packet.length, 1418);
	packets_get(&packets, 15, &packet);
	assert_int_equal(packet.length, 60); /* 15 * 97 = 1455 */
	packets_get(&packets, 0x01020304, &packet);
	assert_int_equal(packet.data[0], 4);
	assert_int_equal(packet.data[1], 3 + 1);
	assert_int_equal(packet.data[6], 2 + 6);
	assert_int_equal(packet.data[7], 1 + 7);
	for (uint32_t n = 0; n < 5000; n++) {
		packets_get(&packets, n, &packet);
		assert_in_range(packet.length, 60, 1514);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_pcap_file_is_refused),
		cmocka_unit_test(broken_pcap_files_are_refused),
		cmocka_unit_test(what_is_no_file_is_refused),
		cmocka_unit_test(packets_of_a_file_come_again_and_again),
		cmocka_unit_test(hash_is_fnv_1a),
		cmocka_unit_test(pattern_is_that_of_the_manual),
	};

	return cmocka_run_group_tests_name("packets", tests, NULL, NULL);
}
