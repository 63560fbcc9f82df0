// SPDX-License-Identifier: MIT
#include "protocol.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <json-c/json.h>

#include "format/bits.h"
#include "host/mapping.h"

#define JSON_DEPTH_MAX 8

int vfu_channel_init(struct vfu_channel *channel, int fd, struct closer *closer)
{
	*channel = (struct vfu_channel){ .fd = fd, .closer = closer };
	channel->payload = malloc(VFU_PAYLOAD_MAX);
	channel->out = malloc(sizeof(struct vfu_header) + VFU_PAYLOAD_MAX);
	if (!channel->payload || !channel->out) {
		vfu_channel_fini(channel);
		return -ENOMEM;
	}
	return 0;
}

void vfu_channel_fini(struct vfu_channel *channel)
{
	vfu_next(channel);
	/* The client knows at once; with the socket goes what it has queued there, descriptors too. */
	shutdown(channel->fd, SHUT_RDWR);
	closer_take(channel->closer, channel->fd);
	free(channel->payload);
	free(channel->out);
}

/* Keeps the descriptors of one recvmsg(); all of them, so that none leaks. */
static int take_fds(struct vfu_channel *channel, struct msghdr *message)
{
	int ret = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		size_t count;
		int fd;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(fd);
		for (size_t i = 0; i < count; i++) {
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			if (channel->fd_count < VFU_FDS_MAX) {
				channel->fds[channel->fd_count++] = fd;
			} else {
				closer_take(channel->closer, fd);
				ret = -EPROTO;
			}
		}
	}
	/* Cut off although there was room for all of them: we may have no more open. */
	if (message->msg_flags & MSG_CTRUNC)
		ret = -EMFILE;
	return ret;
}

static int receive_bytes(struct vfu_channel *channel, void *to, size_t want)
{
	union {
		struct cmsghdr align;
		/* for all: the kernel closes what there is no room for, and we would wait for it */
		char bytes[CMSG_SPACE(VFU_FDS_SENT * sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = to, .iov_len = want };
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t n = recvmsg(channel->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	int ret;

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	ret = take_fds(channel, &message);
	if (ret)
		return ret;
	if (!n)
		return -ENODATA;
	channel->have += (size_t)n;
	return (int)n;
}

int vfu_receive(struct vfu_channel *channel)
{
	const size_t head = sizeof(channel->header);
	int ret;

	if (channel->have < head) {
		ret = receive_bytes(channel, (uint8_t *)&channel->header + channel->have,
				    head - channel->have);
		if (ret <= 0 || channel->have < head)
			return ret < 0 ? ret : 0;
		if (channel->header.size < head || channel->header.size - head > VFU_PAYLOAD_MAX)
			return -EMSGSIZE;
	}
	if (channel->have < channel->header.size) {
		ret = receive_bytes(channel, channel->payload + (channel->have - head),
				    channel->header.size - channel->have);
		if (ret < 0)
			return ret;
	}
	return channel->have == channel->header.size;
}

size_t vfu_payload_size(const struct vfu_channel *channel)
{
	return channel->header.size - sizeof(channel->header);
}

void vfu_next(struct vfu_channel *channel)
{
	for (unsigned int i = 0; i < channel->fd_count; i++)
		if (channel->fds[i] >= 0)
			closer_take(channel->closer, channel->fds[i]);
	channel->fd_count = 0;
	channel->have = 0;
}

void *vfu_reply_payload(struct vfu_channel *channel)
{
	return channel->out + sizeof(struct vfu_header);
}

void vfu_reply(struct vfu_channel *channel, int error, size_t size)
{
	struct vfu_header header = {
		.id = channel->header.id,
		.command = channel->header.command,
		.size = (uint32_t)(sizeof(header) + (error ? 0 : size)),
		.flags = VFU_TYPE_REPLY | (error ? VFU_ERROR : 0),
		.error = (uint32_t)error,
	};

	memcpy(channel->out, &header, sizeof(header));
	channel->out_size = header.size;
	channel->out_done = 0;
}

void vfu_command(struct vfu_channel *channel, uint16_t id, enum vfu_command command, size_t size)
{
	struct vfu_header header = {
		.id = id,
		.command = (uint16_t)command,
		.size = (uint32_t)(sizeof(header) + size),
		.flags = VFU_TYPE_COMMAND,
	};

	memcpy(channel->out, &header, sizeof(header));
	channel->out_size = header.size;
	channel->out_done = 0;
}

int vfu_flush(struct vfu_channel *channel)
{
	while (channel->out_done < channel->out_size) {
		ssize_t n =
			send(channel->fd, channel->out + channel->out_done,
			     channel->out_size - channel->out_done, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		channel->out_done += (size_t)n;
	}
	channel->out_size = channel->out_done = 0;
	return 1;
}

struct offer {
	const char *name;
	int64_t value;
};

/* Numbers that we answer with; a client that cannot live with them disconnects. */
static const struct offer offers[] = {
	{ "max_msg_fds", VFU_FDS_MAX },
	{ "max_data_xfer_size", VFU_TRANSFER_MAX },
	{ "max_dma_maps", MAPPING_COUNT_MAX },
	{ "pgsizes", MAPPING_PAGE },
};

static int capabilities_answer(struct json_object *theirs, struct json_object *ours,
			       size_t *transfer_max)
{
	struct json_object *value;

	for (size_t i = 0; i < ARRAY_SIZE(offers); i++) {
		if (!json_object_object_get_ex(theirs, offers[i].name, &value))
			continue;
		if (!json_object_is_type(value, json_type_int) || json_object_get_int64(value) < 0)
			return EINVAL;
		json_object_object_add(ours, offers[i].name,
				       json_object_new_int64(offers[i].value));
	}
	if (json_object_object_get_ex(theirs, "max_data_xfer_size", &value))
		*transfer_max = (size_t)json_object_get_int64(value);
	if (json_object_object_get_ex(theirs, "pgsizes", &value) &&
	    !(json_object_get_int64(value) & MAPPING_PAGE))
		return EINVAL;
	if (json_object_object_get_ex(theirs, "write_multiple", &value)) {
		if (!json_object_is_type(value, json_type_boolean))
			return EINVAL;
		json_object_object_add(ours, "write_multiple", json_object_get(value));
	}
	return 0;
}

static int json_answer(const char *text, size_t size, struct json_object *answer,
		       size_t *transfer_max)
{
	struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH_MAX);
	struct json_object *theirs, *capabilities, *ours;
	int ret = EINVAL;

	if (!tokener)
		return ENOMEM;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	theirs = json_tokener_parse_ex(tokener, text, (int)size);
	if (json_tokener_get_error(tokener) == json_tokener_success &&
	    json_tokener_get_parse_end(tokener) == size &&
	    json_object_is_type(theirs, json_type_object)) {
		ret = 0;
		if (json_object_object_get_ex(theirs, "capabilities", &capabilities)) {
			ours = json_object_new_object();
			json_object_object_add(answer, "capabilities", ours);
			ret = json_object_is_type(capabilities, json_type_object)
				      ? capabilities_answer(capabilities, ours, transfer_max)
				      : EINVAL;
		}
	}
	json_object_put(theirs);
	json_tokener_free(tokener);
	return ret;
}

int vfu_negotiate(const void *request, size_t size, void *reply, size_t *reply_size,
		  size_t *transfer_max)
{
	struct json_object *answer;
	struct vfu_version version;
	const char *text = (const char *)request + sizeof(version);
	int ret;

	if (size < sizeof(version))
		return EINVAL;
	*transfer_max = VFU_TRANSFER_DEFAULT;
	memcpy(&version, request, sizeof(version));
	size -= sizeof(version);
	if (version.major != VFU_MAJOR)
		return ENOTSUP;
	if (version.minor > VFU_MINOR)
		version.minor = VFU_MINOR;
	if (size && (text[size - 1] || strlen(text) != size - 1))
		return EINVAL;

	memcpy(reply, &version, sizeof(version));
	*reply_size = sizeof(version);
	if (!size)
		return 0;

	answer = json_object_new_object();
	ret = json_answer(text, size - 1, answer, transfer_max);
	if (!ret) {
		const char *out = json_object_to_json_string_ext(answer, JSON_C_TO_STRING_PLAIN);

		strcpy((char *)reply + sizeof(version), out);
		*reply_size += strlen(out) + 1;
	}
	json_object_put(answer);
	return ret;
}
