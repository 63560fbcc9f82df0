/* SPDX-License-Identifier: MIT */
/*
 * vfio-user on the wire: messages over a stream socket, with file descriptors beside them.
 * The protocol is specified in QEMU's docs/interop/vfio-user.rst.
 */
#ifndef EMU_PROTOCOL_H
#define EMU_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/closer.h"

enum vfu_command {
	VFU_VERSION = 1,
	VFU_DMA_MAP = 2,
	VFU_DMA_UNMAP = 3,
	VFU_DEVICE_GET_INFO = 4,
	VFU_DEVICE_GET_REGION_INFO = 5,
	VFU_DEVICE_GET_REGION_IO_FDS = 6,
	VFU_DEVICE_GET_IRQ_INFO = 7,
	VFU_DEVICE_SET_IRQS = 8,
	VFU_REGION_READ = 9,
	VFU_REGION_WRITE = 10,
	VFU_DMA_READ = 11,
	VFU_DMA_WRITE = 12,
	VFU_DEVICE_RESET = 13,
	VFU_REGION_WRITE_MULTI = 15,
	VFU_DEVICE_FEATURE = 16,
	VFU_MIG_DATA_READ = 17,
	VFU_MIG_DATA_WRITE = 18,
};

#define VFU_MAJOR 0
#define VFU_MINOR 1

/* Header flags */
#define VFU_TYPE_MASK	 0xfu
#define VFU_TYPE_COMMAND 0x0u
#define VFU_TYPE_REPLY	 0x1u
#define VFU_NO_REPLY	 0x10u
#define VFU_ERROR	 0x20u

struct vfu_header {
	uint16_t id;
	uint16_t command;
	uint32_t size; /* of the whole message */
	uint32_t flags;
	uint32_t error;
};

struct vfu_version {
	uint16_t major;
	uint16_t minor;
	/* then optional JSON with its terminating NUL */
};

struct vfu_dma_map {
	uint32_t argsz;
	uint32_t flags;
	uint64_t offset;
	uint64_t address;
	uint64_t size;
};

struct vfu_dma_unmap {
	uint32_t argsz;
	uint32_t flags;
	uint64_t address;
	uint64_t size;
};

struct vfu_region_access {
	uint64_t offset;
	uint32_t region;
	uint32_t count;
	/* then the data */
};

/* Both ways of VFU_DMA_READ and VFU_DMA_WRITE */
struct vfu_dma_access {
	uint64_t address;
	uint64_t count;
	/* then the data */
};

struct vfu_region_write_one {
	uint64_t offset;
	uint32_t region;
	uint32_t count;
	uint8_t data[8];
};

struct vfu_region_io_fds {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t count;
};

#define VFU_TRANSFER_MAX 0x10000u /* data of one message, our max_data_xfer_size */
#define VFU_PAYLOAD_MAX	 (sizeof(struct vfu_region_access) + VFU_TRANSFER_MAX)
#define VFU_FDS_MAX	 16u
#define VFU_FDS_SENT	 253u /* the kernel lets no more come with one message */
#define VFU_TRANSFER_DEFAULT 0x100000u /* of a client that names no max_data_xfer_size */

/**
 * struct vfu_channel - one end of a connection
 * @fd: nonblocking stream socket
 * @closer: closes it, and what came by it
 * @header: of the message that is coming in or has come in
 * @payload: its payload
 * @have: bytes of header and payload so far
 * @fds: descriptors that came with it; whoever keeps one puts -1 in its place
 * @fd_count: how many there are
 * @out: message on its way
 * @out_size: bytes of it
 * @out_done: bytes of it that are sent
 */
struct vfu_channel {
	int fd;
	struct closer *closer;
	struct vfu_header header;
	uint8_t *payload;
	size_t have;
	int fds[VFU_FDS_MAX];
	unsigned int fd_count;
	uint8_t *out;
	size_t out_size;
	size_t out_done;
};

/** vfu_channel_init() - @fd is owned from here on, also on failure. Return: 0 or -ENOMEM. */
int vfu_channel_init(struct vfu_channel *channel, int fd, struct closer *closer);

/** vfu_channel_fini() - close the connection and every descriptor that nobody kept. */
void vfu_channel_fini(struct vfu_channel *channel);

/**
 * vfu_receive() - take in what is there of a message
 *
 * Return: 1: a message is complete; 0: more has to come; -EMSGSIZE: its size is impossible (the
 * header is there, to answer it); -EPROTO: more descriptors than a message may have; -EMFILE: more
 * than this process may have; -ENODATA: the stream has ended; else -errno of the socket.
 */
int vfu_receive(struct vfu_channel *channel);

/** vfu_payload_size() - of the message that has come in. */
size_t vfu_payload_size(const struct vfu_channel *channel);

/** vfu_next() - done with the message: close what nobody kept, be ready for another. */
void vfu_next(struct vfu_channel *channel);

/** vfu_reply_payload() - where to put the payload of a reply, VFU_PAYLOAD_MAX bytes. */
void *vfu_reply_payload(struct vfu_channel *channel);

/**
 * vfu_reply() - begin to send the reply to the message that has come in
 * @error: 0, or a positive errno: then no payload is sent
 * @size: bytes at vfu_reply_payload()
 */
void vfu_reply(struct vfu_channel *channel, int error, size_t size);

/**
 * vfu_command() - begin to send a command of our own, when nothing else is on its way
 * @size: bytes at vfu_reply_payload()
 */
void vfu_command(struct vfu_channel *channel, uint16_t id, enum vfu_command command, size_t size);

/** vfu_flush() - send more of the message. Return: 1: all is sent; 0: socket full; else -errno. */
int vfu_flush(struct vfu_channel *channel);

/**
 * vfu_negotiate() - answer a VFU_VERSION message
 * @request: its payload
 * @size: bytes of it
 * @reply: receives the payload to answer with
 * @reply_size: receives its size
 * @transfer_max: receives how much data a message to the client may have
 *
 * The answer names no capability that the client did not name.
 *
 * Return: 0, or a positive errno to answer with.
 */
int vfu_negotiate(const void *request, size_t size, void *reply, size_t *reply_size,
		  size_t *transfer_max);

#endif /* EMU_PROTOCOL_H */
