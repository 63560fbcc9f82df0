/* SPDX-License-Identifier: MIT */
/* A vfio-user client for tests: says anything, right or wrong, and tells what came back. */
#ifndef TESTS_EMU_CLIENT_H
#define TESTS_EMU_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include "wire/protocol.h"

#define CLIENT_CLOSED (-1) /* the server closed the connection */

/** struct client - one connection; @reply and @reply_size: payload of the last reply */
struct client {
	int fd;
	uint16_t id;
	_Alignas(8) uint8_t reply[VFU_PAYLOAD_MAX];
	size_t reply_size;
};

/** client_connect() - connect, without a word. Return: 0 or -errno. */
int client_connect(struct client *client, const char *path);

/** client_close() - hang up. */
void client_close(struct client *client);

/** client_send() - send @size bytes as they are, with descriptors. Return: 0 or -errno. */
int client_send(struct client *client, const void *bytes, size_t size, const int *fds,
		unsigned int fd_count);

/**
 * client_receive() - wait for a reply to the last message
 *
 * Return: 0; a positive errno of an error reply; CLIENT_CLOSED; or a negative errno below that if
 * what came is no proper reply.
 */
int client_receive(struct client *client);

/** client_post() - send a command. Return: 0 or -errno. */
int client_post(struct client *client, unsigned int command, uint32_t flags, const void *payload,
		size_t size, const int *fds, unsigned int fd_count);

/** client_call() - client_post() and client_receive(). */
int client_call(struct client *client, unsigned int command, const void *payload, size_t size,
		const int *fds, unsigned int fd_count);

/** client_version() - negotiate with the capabilities of QEMU 11.1. Return: as client_receive(). */
int client_version(struct client *client);

/** client_read() - read a region. Return: as client_receive(). */
int client_read(struct client *client, unsigned int region, uint64_t at, void *data,
		uint32_t count);

/** client_write() - write a region. Return: as client_receive(). */
int client_write(struct client *client, unsigned int region, uint64_t at, const void *data,
		 uint32_t count);

#endif /* TESTS_EMU_CLIENT_H */
