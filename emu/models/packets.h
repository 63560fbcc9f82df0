/* SPDX-License-Identifier: MIT */
/* Packets, and those that a function receives: from a formula, or from a file. */
#ifndef EMU_PACKETS_H
#define EMU_PACKETS_H

#include <stddef.h>
#include <stdint.h>

#define PACKETS_LENGTH_MAX 9216u    /* bytes of one */
#define PACKETS_COUNT_MAX  1048576u /* in a file */
#define PACKETS_FILE_MAX   (64u << 20)

/**
 * struct packet - one packet
 * @number: from 0
 * @hash: of its bytes: FNV-1a, 32 bits
 * @length: in bytes, not 0
 */
struct packet {
	uint32_t number;
	uint32_t hash;
	uint32_t length;
	uint8_t data[PACKETS_LENGTH_MAX];
};

/**
 * struct packets - a file's; all zeros: those of the formula
 * @file: what the file holds, NULL for the formula
 * @records: offset of each packet's record in it
 * @count: records
 */
struct packets {
	uint8_t *file;
	size_t *records;
	size_t count;
};

/**
 * packets_load() - read a pcap file (not pcapng), little endian
 * @path: a regular file
 * @error: receives what is wrong and the way out, to be freed by the caller
 *
 * Return: 0, or -1 with @error set and nothing left to free in @packets.
 */
int packets_load(struct packets *packets, const char *path, char **error);

/** packets_free() - forget the file. */
void packets_free(struct packets *packets);

/** packets_get() - make packet @number; a file's come again and again. */
void packets_get(const struct packets *packets, uint32_t number, struct packet *packet);

/** packets_hash() - as in struct packet. */
uint32_t packets_hash(const uint8_t *data, uint32_t length);

/** packets_queue() - which of @queues, not 0, a packet with that hash is for. */
unsigned int packets_queue(uint32_t hash, unsigned int queues);

#endif /* EMU_PACKETS_H */
