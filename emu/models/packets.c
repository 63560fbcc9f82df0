// SPDX-License-Identifier: MIT
#include "packets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/bits.h"
#include "format/pcap.h"

#define PATTERN_SHORTEST 60u
#define PATTERN_LONGEST	 1514u
#define PATTERN_STRIDE	 97u
#define BYTES_AT_ONCE	 8u /* a multiple of 4 */

#define HASH_FIRST 2166136261u /* FNV-1a of 32 bits */
#define HASH_PRIME 16777619u

_Static_assert(PATTERN_LONGEST + BYTES_AT_ONCE <= PACKETS_LENGTH_MAX, "no room behind a packet");

static int refuse(char **error, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int refuse(char **error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (vasprintf(error, format, args) < 0)
		abort();
	va_end(args);
	return -1;
}

/* @size receives how much; the memory is the caller's. */
static int read_whole(const char *path, uint8_t **data, size_t *size, char **error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), ret = 0;
	struct stat stat;
	size_t done = 0;

	if (fd < 0 || fstat(fd, &stat)) {
		ret = refuse(error, "cannot be opened: %s", strerror(errno));
		goto out;
	}
	if (!S_ISREG(stat.st_mode) || stat.st_size > (off_t)PACKETS_FILE_MAX) {
		ret = refuse(error, "not a regular file of up to %u MiB", PACKETS_FILE_MAX >> 20);
		goto out;
	}
	*size = (size_t)stat.st_size;
	*data = malloc(*size + 1);
	if (!*data)
		abort();
	while (done < *size) {
		ssize_t n = read(fd, *data + done, *size - done);

		if (n <= 0) {
			ret = refuse(error, "cannot be read: %s",
				     n ? strerror(errno) : "it shrinks");
			free(*data);
			goto out;
		}
		done += (size_t)n;
	}
out:
	if (fd >= 0)
		close(fd);
	return ret;
}

static int check_header(const uint8_t *data, size_t size, char **error)
{
	const uint32_t magic = size >= 4 ? le32_get(data) : 0;

	if (magic == PCAP_MAGIC_NG)
		return refuse(error, "a pcapng file; 'editcap -F pcap' makes a pcap file of it");
	if (magic == PCAP_MAGIC_MICRO_BIG || magic == PCAP_MAGIC_NANO_BIG)
		return refuse(error, "a big-endian pcap file; 'editcap -F pcap' on a little-endian "
				     "machine converts it");
	if (magic != PCAP_MAGIC_MICRO && magic != PCAP_MAGIC_NANO)
		return refuse(error, "not a pcap file: it does not begin with 0xa1b2c3d4");
	if (size < PCAP_FILE_HEADER)
		return refuse(error,
			      "a pcap file's header has %u bytes, and this one ends after %zu",
			      PCAP_FILE_HEADER, size);
	if (le16_get(data + PCAP_VERSION_AT) != PCAP_VERSION_MAJOR)
		return refuse(error, "pcap version %u; only version %u is known",
			      le16_get(data + PCAP_VERSION_AT), PCAP_VERSION_MAJOR);
	return 0;
}

static int add_record(struct packets *packets, size_t *room, size_t at, char **error)
{
	if (packets->count == PACKETS_COUNT_MAX)
		return refuse(error, "more than %u packets", PACKETS_COUNT_MAX);
	if (packets->count == *room) {
		*room = *room ? 2 * *room : 64;
		packets->records = reallocarray(packets->records, *room, sizeof(*packets->records));
		if (!packets->records)
			abort();
	}
	packets->records[packets->count++] = at;
	return 0;
}

static int find_records(struct packets *packets, size_t size, char **error)
{
	size_t at = PCAP_FILE_HEADER, room = 0;
	uint32_t length;

	for (; at < size; at += PCAP_RECORD_HEADER + length) {
		if (size - at < PCAP_RECORD_HEADER)
			return refuse(error, "the file ends in the header of packet %zu",
				      packets->count);
		length = le32_get(packets->file + at + PCAP_CAPTURED_AT);
		if (!length || length > PACKETS_LENGTH_MAX)
			return refuse(error, "packet %zu has %u bytes, and 1 to %u are possible",
				      packets->count, length, PACKETS_LENGTH_MAX);
		if (size - at - PCAP_RECORD_HEADER < length)
			return refuse(error, "the file ends in packet %zu: %zu of its %u bytes",
				      packets->count, size - at - PCAP_RECORD_HEADER, length);
		if (add_record(packets, &room, at, error))
			return -1;
	}
	if (!packets->count)
		return refuse(error, "no packet is in it");
	return 0;
}

int packets_load(struct packets *packets, const char *path, char **error)
{
	size_t size = 0;

	*packets = (struct packets){ 0 };
	if (read_whole(path, &packets->file, &size, error)) {
		packets->file = NULL;
		return -1;
	}
	if (check_header(packets->file, size, error) || find_records(packets, size, error)) {
		packets_free(packets);
		return -1;
	}
	return 0;
}

void packets_free(struct packets *packets)
{
	free(packets->file);
	free(packets->records);
	*packets = (struct packets){ 0 };
}

static void make(struct packet *packet)
{
	const uint32_t n = packet->number;

	packet->length = PATTERN_SHORTEST + (uint32_t)((uint64_t)n * PATTERN_STRIDE %
						       (PATTERN_LONGEST - PATTERN_SHORTEST + 1));
	/* some at a time; the last ones may be of no packet, and there is room for them */
	for (uint32_t i = 0; i < packet->length; i += BYTES_AT_ONCE) {
		uint8_t bytes[BYTES_AT_ONCE];

		for (uint32_t j = 0; j < BYTES_AT_ONCE; j++)
			bytes[j] = (uint8_t)((n >> 8 * (j % 4)) + i + j);
		memcpy(packet->data + i, bytes, sizeof(bytes));
	}
}

static void take(const struct packets *packets, struct packet *packet)
{
	const uint8_t *record = packets->file + packets->records[packet->number % packets->count];

	packet->length = le32_get(record + PCAP_CAPTURED_AT);
	memcpy(packet->data, record + PCAP_RECORD_HEADER, packet->length);
}

void packets_get(const struct packets *packets, uint32_t number, struct packet *packet)
{
	packet->number = number;
	if (packets->file)
		take(packets, packet);
	else
		make(packet);
	packet->hash = packets_hash(packet->data, packet->length);
}

uint32_t packets_hash(const uint8_t *data, uint32_t length)
{
	uint32_t hash = HASH_FIRST, i = 0;

	for (; i + BYTES_AT_ONCE <= length; i += BYTES_AT_ONCE) {
		uint8_t bytes[BYTES_AT_ONCE];

		memcpy(bytes, data + i, sizeof(bytes));
		for (uint32_t j = 0; j < BYTES_AT_ONCE; j++)
			hash = (hash ^ bytes[j]) * HASH_PRIME;
	}
	for (; i < length; i++)
		hash = (hash ^ data[i]) * HASH_PRIME;
	return hash;
}

unsigned int packets_queue(uint32_t hash, unsigned int queues)
{
	return (hash ^ hash >> 16) % queues;
}
