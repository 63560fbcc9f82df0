// SPDX-License-Identifier: MIT
#include "client.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FDS_MAX 64u /* more than the server takes */

int client_connect(struct client *client, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	/* A server that does not answer is a failure, not a hang. */
	const struct timeval patience = { .tv_sec = 5 };

	strcpy(address.sun_path, path);
	client->id = 0x4000;
	client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (client->fd < 0)
		return -errno;
	setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(client->fd, (struct sockaddr *)&address, sizeof(address))) {
		int ret = -errno;

		client_close(client);
		return ret;
	}
	return 0;
}

void client_close(struct client *client)
{
	if (client->fd >= 0)
		close(client->fd);
	client->fd = -1;
}

int client_send(struct client *client, const void *bytes, size_t size, const int *fds,
		unsigned int fd_count)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
	} control = { .bytes = { 0 } };
	struct iovec iov = { .iov_base = (void *)bytes, .iov_len = size };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fd_count) {
		struct cmsghdr *header = &control.align;

		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		memcpy(CMSG_DATA(header), fds, fd_count * sizeof(int));
		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
	}
	while (iov.iov_len) {
		ssize_t n = sendmsg(client->fd, &message, MSG_NOSIGNAL);

		if (n < 0)
			return -errno;
		iov.iov_base = (uint8_t *)iov.iov_base + n;
		iov.iov_len -= (size_t)n;
		message.msg_control = NULL;
		message.msg_controllen = 0;
	}
	return 0;
}

static int receive_whole(struct client *client, void *to, size_t size)
{
	for (size_t have = 0; have < size;) {
		ssize_t n = recv(client->fd, (uint8_t *)to + have, size - have, 0);

		if (!n || (n < 0 && errno == ECONNRESET))
			return CLIENT_CLOSED;
		if (n < 0)
			return -errno;
		have += (size_t)n;
	}
	return 0;
}

int client_receive(struct client *client)
{
	struct vfu_header header;
	int ret = receive_whole(client, &header, sizeof(header));

	if (ret)
		return ret;
	if (header.size < sizeof(header) || header.size - sizeof(header) > sizeof(client->reply))
		return -EBADMSG;
	client->reply_size = header.size - sizeof(header);
	ret = receive_whole(client, client->reply, client->reply_size);
	if (ret)
		return ret;
	if ((header.flags & VFU_TYPE_MASK) != VFU_TYPE_REPLY || header.id != client->id)
		return -EBADMSG;
	if (!(header.flags & VFU_ERROR))
		return header.error ? -EBADMSG : 0;
	/* An error reply is a header and says why. */
	return client->reply_size || !header.error ? -EBADMSG : (int)header.error;
}

int client_post(struct client *client, unsigned int command, uint32_t flags, const void *payload,
		size_t size, const int *fds, unsigned int fd_count)
{
	static _Thread_local uint8_t bytes[sizeof(struct vfu_header) + VFU_PAYLOAD_MAX];
	struct vfu_header header = {
		.id = ++client->id,
		.command = (uint16_t)command,
		.size = (uint32_t)(sizeof(header) + size),
		.flags = flags,
	};

	memcpy(bytes, &header, sizeof(header));
	if (size)
		memcpy(bytes + sizeof(header), payload, size);
	return client_send(client, bytes, sizeof(header) + size, fds, fd_count);
}

int client_call(struct client *client, unsigned int command, const void *payload, size_t size,
		const int *fds, unsigned int fd_count)
{
	int ret = client_post(client, command, VFU_TYPE_COMMAND, payload, size, fds, fd_count);

	if (ret)
		return ret == -EPIPE || ret == -ECONNRESET ? CLIENT_CLOSED : ret;
	return client_receive(client);
}

int client_version(struct client *client)
{
	static const char text[] =
		"{\"capabilities\": {\"max_msg_fds\": 16, \"max_data_xfer_size\": 1048576, "
		"\"pgsizes\": 4096, \"max_dma_maps\": 65535, \"write_multiple\": true, "
		"\"migration\": {\"pgsize\": 4096, \"max_bitmap_size\": 268435456}}}";
	uint8_t payload[sizeof(struct vfu_version) + sizeof(text)];
	const struct vfu_version version = { VFU_MAJOR, VFU_MINOR };

	memcpy(payload, &version, sizeof(version));
	memcpy(payload + sizeof(version), text, sizeof(text));
	return client_call(client, VFU_VERSION, payload, sizeof(payload), NULL, 0);
}

int client_read(struct client *client, unsigned int region, uint64_t at, void *data, uint32_t count)
{
	const struct vfu_region_access access = { .offset = at, .region = region, .count = count };
	int ret = client_call(client, VFU_REGION_READ, &access, sizeof(access), NULL, 0);

	if (ret)
		return ret;
	if (client->reply_size != sizeof(access) + count ||
	    memcmp(client->reply, &access, sizeof(access)))
		return -EBADMSG;
	memcpy(data, client->reply + sizeof(access), count);
	return 0;
}

int client_write(struct client *client, unsigned int region, uint64_t at, const void *data,
		 uint32_t count)
{
	const struct vfu_region_access access = { .offset = at, .region = region, .count = count };
	static _Thread_local uint8_t payload[VFU_PAYLOAD_MAX];
	int ret;

	memcpy(payload, &access, sizeof(access));
	memcpy(payload + sizeof(access), data, count);
	ret = client_call(client, VFU_REGION_WRITE, payload, sizeof(access) + count, NULL, 0);
	if (ret)
		return ret;
	if (client->reply_size != sizeof(access) || memcmp(client->reply, &access, sizeof(access)))
		return -EBADMSG;
	return 0;
}
