// SPDX-License-Identifier: MIT
#include "session.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <linux/vfio.h>

#include "format/bits.h"
#include "host/eventfd.h"
#include "protocol.h"

#define IRQ_TYPES (VFIO_PCI_MSIX_IRQ_INDEX + 1) /* no error and no request interrupt */

#define STEPS_AT_ONCE 32 /* of one request; then it is other functions' and clients' turn */
#define REST_MS 30000 /* until all of a message that has begun must have come, or have gone */
#define SILENCE_MS 5000 /* until a client must have negotiated; it begins with that */

struct session;

/**
 * struct job - a request of many steps, which is answered after the last; NULL: there is none
 * @step: carries out one; the request is still in channel.payload
 * @at: the next one
 * @count: how many there are
 * @cost: of those of this turn, in such as send nothing
 * @reply_size: bytes of the answer
 */
struct job {
	void (*step)(struct session *session, uint32_t at);
	uint32_t at;
	uint32_t count;
	uint32_t cost;
	size_t reply_size;
};

/**
 * struct session - a client
 * @negotiated: versions are agreed on; nothing else is answered before
 * @closing: close once the reply is out, for this reason; NULL: do not
 * @paused: nothing is received, for the closer of the function is busy
 * @silence: set until versions are agreed on
 * @rest: set while a message has begun, @begun, and not come whole. A client that has gone can be a
 *	descriptor in its own message, so that nobody tells of its end
 * @unread: set while one of ours has begun to go, @going, and not gone whole: likewise, the client
 *	can be in a message that waits for its answer to be read
 * @reason: why it ends, for the log
 * @job: the request that is being carried out; nothing is received meanwhile
 * @carrier: for commands of our own
 * @transfer_max: how much data such a command may have
 * @asked: one is not answered yet
 * @asked_id: its id
 * @asked_tlp: the request that it stands for
 */
struct session {
	struct loop *loop;
	struct endpoint *endpoint;
	struct vfu_channel channel;
	struct watch watch;
	bool negotiated;
	const char *closing;
	bool paused;
	struct alarm silence;
	struct alarm rest;
	bool begun;
	struct alarm unread;
	bool going;
	const char *reason;
	struct job job;
	struct carrier carrier;
	size_t transfer_max;
	bool asked;
	uint16_t asked_id;
	struct tlp asked_tlp;
	session_ended *ended;
	void *owner;
};

static size_t region_size(const struct session *session, uint32_t index)
{
	if (index == VFIO_PCI_CONFIG_REGION_INDEX)
		return CONFIG_SPACE_SIZE;
	return index <= VFIO_PCI_BAR5_REGION_INDEX ? endpoint_bar_size(session->endpoint, index)
						   : 0;
}

static int handle_version(struct session *session, size_t *reply_size)
{
	struct vfu_channel *channel = &session->channel;
	int error;

	if (session->negotiated)
		return EINVAL;
	error = vfu_negotiate(channel->payload, vfu_payload_size(channel),
			      vfu_reply_payload(channel), reply_size, &session->transfer_max);
	if (error) {
		session->closing = "version";
		return error;
	}
	session->negotiated = true;
	session->endpoint->port.carrier = &session->carrier;
	loop_clear_alarm(session->loop, &session->silence);
	return 0;
}

static void log_map(struct session *session, const char *event, uint64_t address, uint64_t size,
		    int error)
{
	struct instrument *instrument = &session->endpoint->instrument;
	struct line *line;

	if (!instrument->log->verbose)
		return;
	line = instrument_event(instrument, event);
	line_hex(line, "address", address, 1);
	line_hex(line, "size", size, 1);
	line_number(line, "maps", session->endpoint->map.count);
	line_number(line, "error", (uint64_t)error);
	instrument_write_line(instrument, line);
}

/* What the client, or who started it, cannot see from an error number. */
static void log_map_refused(struct session *session, const struct vfu_dma_map *request, int error)
{
	struct instrument *instrument = &session->endpoint->instrument;
	struct line *line;

	if (error != ENOSPC && error != ENODEV)
		return;
	line = instrument_event(instrument, "map-refused");
	line_hex(line, "address", request->address, 1);
	line_hex(line, "size", request->size, 1);
	line_string(line, "reason", error == ENODEV ? "file" : "limit");
	instrument_write_line(instrument, line);
}

static int handle_dma_map(struct session *session, size_t *reply_size)
{
	struct vfu_channel *channel = &session->channel;
	struct vfu_dma_map request;
	unsigned int access = 0;
	int error;

	memcpy(&request, channel->payload, sizeof(request));
	*reply_size = 0;
	if (request.argsz < sizeof(request) ||
	    request.flags & ~(VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE))
		return EINVAL;
	if (request.flags & VFIO_DMA_MAP_FLAG_READ)
		access |= MAPPING_READ;
	if (request.flags & VFIO_DMA_MAP_FLAG_WRITE)
		access |= MAPPING_WRITE;
	error = -iova_map_add(&session->endpoint->map, request.address, request.size, access,
			      channel->fd_count ? channel->fds[0] : -1, request.offset);
	log_map(session, "map", request.address, request.size, error);
	log_map_refused(session, &request, error);
	return error;
}

static int handle_dma_unmap(struct session *session, size_t *reply_size)
{
	struct iova_map *map = &session->endpoint->map;
	struct vfu_channel *channel = &session->channel;
	struct vfu_dma_unmap request;
	int error = 0;

	memcpy(&request, channel->payload, sizeof(request));
	if (request.argsz < sizeof(request) || request.flags & ~VFIO_DMA_UNMAP_FLAG_ALL)
		return EINVAL;
	if (request.flags & VFIO_DMA_UNMAP_FLAG_ALL) {
		if (request.address || request.size)
			return EINVAL;
		iova_map_clear(map);
	} else {
		error = -iova_map_remove(map, request.address, request.size);
	}
	log_map(session, "unmap", request.address, request.size, error);
	memcpy(vfu_reply_payload(channel), &request, sizeof(request));
	*reply_size = sizeof(request);
	return error;
}

static int handle_get_info(struct session *session, size_t *reply_size)
{
	struct vfu_channel *channel = &session->channel;
	uint32_t *info = vfu_reply_payload(channel);

	*reply_size = 16;
	if (le32_get(channel->payload) < *reply_size)
		return EINVAL;
	info[0] = (uint32_t)*reply_size;
	info[1] = VFIO_DEVICE_FLAGS_RESET | VFIO_DEVICE_FLAGS_PCI;
	info[2] = VFIO_PCI_NUM_REGIONS;
	info[3] = IRQ_TYPES;
	return 0;
}

static int handle_get_region_info(struct session *session, size_t *reply_size)
{
	struct vfu_channel *channel = &session->channel;
	struct vfio_region_info info;

	memcpy(&info, channel->payload, sizeof(info));
	if (info.argsz < sizeof(info) || info.index >= VFIO_PCI_NUM_REGIONS)
		return EINVAL;
	info = (struct vfio_region_info){
		.argsz = sizeof(info),
		.index = info.index,
		.size = region_size(session, info.index),
	};
	if (info.size)
		info.flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
	memcpy(vfu_reply_payload(channel), &info, sizeof(info));
	*reply_size = sizeof(info);
	return 0;
}

static int handle_get_region_io_fds(struct session *session, size_t *reply_size)
{
	struct vfu_region_io_fds request;

	memcpy(&request, session->channel.payload, sizeof(request));
	*reply_size = 0;
	if (request.argsz < sizeof(request) || request.index >= VFIO_PCI_NUM_REGIONS)
		return EINVAL;
	/* Every access has to be seen, so no region has such descriptors. */
	return ENOTSUP;
}

static unsigned int irq_count(const struct session *session, uint32_t index)
{
	return index == VFIO_PCI_MSIX_IRQ_INDEX ? session->endpoint->msix.count : 0;
}

static int handle_get_irq_info(struct session *session, size_t *reply_size)
{
	struct vfu_channel *channel = &session->channel;
	struct vfio_irq_info info;

	memcpy(&info, channel->payload, sizeof(info));
	if (info.argsz < sizeof(info) || info.index >= IRQ_TYPES)
		return EINVAL;
	info = (struct vfio_irq_info){
		.argsz = sizeof(info),
		.index = info.index,
		.count = irq_count(session, info.index),
	};
	if (info.count)
		info.flags = VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_MASKABLE;
	memcpy(vfu_reply_payload(channel), &info, sizeof(info));
	*reply_size = sizeof(info);
	return 0;
}

static int irqs_assign(struct session *session, const struct vfio_irq_set *set)
{
	struct vfu_channel *channel = &session->channel;
	struct msix *msix = &session->endpoint->msix;

	if (channel->fd_count && channel->fd_count != set->count)
		return EINVAL;
	for (unsigned int i = 0; i < channel->fd_count; i++)
		if (!eventfd_is(channel->fds[i]))
			return EINVAL;
	for (uint32_t i = 0; i < set->count; i++) {
		msix_assign(msix, set->start + i, channel->fd_count ? channel->fds[i] : -1);
		if (channel->fd_count)
			channel->fds[i] = -1;
	}
	return 0;
}

static void irqs_act(struct session *session, uint32_t at)
{
	const uint8_t *bools = session->channel.payload + sizeof(struct vfio_irq_set);
	struct endpoint *endpoint = session->endpoint;
	struct vfio_irq_set set;

	memcpy(&set, session->channel.payload, sizeof(set));
	if (set.flags & VFIO_IRQ_SET_DATA_BOOL && !bools[at])
		return;
	if (set.flags & VFIO_IRQ_SET_ACTION_TRIGGER) {
		endpoint_interrupt(endpoint, set.start + at);
	} else {
		msix_mask(&endpoint->msix, set.start + at, set.flags & VFIO_IRQ_SET_ACTION_MASK);
		endpoint_interrupts_flush(endpoint);
	}
}

static bool single_bit(uint32_t bits)
{
	return bits && !(bits & (bits - 1));
}

static int handle_set_irqs(struct session *session, size_t *reply_size)
{
	const uint32_t known = VFIO_IRQ_SET_DATA_TYPE_MASK | VFIO_IRQ_SET_ACTION_TYPE_MASK;
	struct vfu_channel *channel = &session->channel;
	struct vfio_irq_set set;
	size_t data;
	int error = 0;

	memcpy(&set, channel->payload, sizeof(set));
	*reply_size = 0;
	data = vfu_payload_size(channel) - sizeof(set);
	if (set.argsz != vfu_payload_size(channel) || set.index >= IRQ_TYPES)
		return EINVAL;
	if (set.flags & ~known || !single_bit(set.flags & VFIO_IRQ_SET_DATA_TYPE_MASK) ||
	    !single_bit(set.flags & VFIO_IRQ_SET_ACTION_TYPE_MASK))
		return EINVAL;
	if (set.start > irq_count(session, set.index) ||
	    set.count > irq_count(session, set.index) - set.start)
		return EINVAL;
	if (data != (set.flags & VFIO_IRQ_SET_DATA_BOOL ? set.count : 0))
		return EINVAL;
	if (channel->fd_count && !(set.flags & VFIO_IRQ_SET_DATA_EVENTFD))
		return EINVAL;

	if (!set.count) {
		if (set.start ||
		    set.flags != (VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER))
			return EINVAL;
		for (unsigned int i = 0; i < irq_count(session, set.index); i++)
			msix_assign(&session->endpoint->msix, i, -1);
		return 0;
	}
	if (set.flags & VFIO_IRQ_SET_DATA_EVENTFD) {
		/* Nothing tells a client that the guest masked a vector; it knows before we do. */
		if (!(set.flags & VFIO_IRQ_SET_ACTION_TRIGGER))
			return ENOTSUP;
		error = irqs_assign(session, &set);
	} else {
		session->job = (struct job){ .step = irqs_act, .count = set.count };
	}
	endpoint_interrupts_flush(session->endpoint);
	return error;
}

static bool access_valid(const struct session *session, const struct vfu_region_access *access)
{
	size_t size = region_size(session, access->region);

	/* A region can be larger than a message: what bounds its data bounds an access, too. */
	return access->count && access->count <= VFU_TRANSFER_MAX && access->offset < size &&
	       access->count <= size - access->offset;
}

static void region_write(struct session *session, const struct vfu_region_access *access,
			 const uint8_t *data)
{
	if (access->region == VFIO_PCI_CONFIG_REGION_INDEX) {
		fabric_settle(&session->endpoint->port);
		session->job.cost += endpoint_settle(session->endpoint);
		endpoint_config_write(session->endpoint, access->offset, data, access->count);
	} else {
		fabric_write(&session->endpoint->port, access->region, access->offset, data,
			     access->count);
	}
}

static int handle_region_read(struct session *session, size_t *reply_size)
{
	struct vfu_channel *channel = &session->channel;
	uint8_t *reply = vfu_reply_payload(channel);
	struct vfu_region_access access;

	memcpy(&access, channel->payload, sizeof(access));
	if (!access_valid(session, &access))
		return EINVAL;
	memcpy(reply, &access, sizeof(access));
	if (access.region == VFIO_PCI_CONFIG_REGION_INDEX) {
		endpoint_config_read(session->endpoint, access.offset, reply + sizeof(access),
				     access.count);
	} else {
		endpoint_bar_read(session->endpoint, access.region, access.offset,
				  reply + sizeof(access), access.count);
		fabric_read(&session->endpoint->port, access.region, access.offset, access.count);
	}
	*reply_size = sizeof(access) + access.count;
	return 0;
}

static int handle_region_write(struct session *session, size_t *reply_size)
{
	struct vfu_channel *channel = &session->channel;
	struct vfu_region_access access;

	memcpy(&access, channel->payload, sizeof(access));
	if (!access_valid(session, &access) ||
	    access.count != vfu_payload_size(channel) - sizeof(access))
		return EINVAL;
	region_write(session, &access, channel->payload + sizeof(access));
	memcpy(vfu_reply_payload(channel), &access, sizeof(access));
	*reply_size = sizeof(access);
	return 0;
}

static struct vfu_region_write_one write_one(const struct session *session, uint32_t at)
{
	struct vfu_region_write_one one;

	memcpy(&one, session->channel.payload + sizeof(uint64_t) + at * sizeof(one), sizeof(one));
	return one;
}

static void multi_act(struct session *session, uint32_t at)
{
	const struct vfu_region_write_one one = write_one(session, at);
	const struct vfu_region_access access = { one.offset, one.region, one.count };

	region_write(session, &access, one.data);
}

static int handle_region_write_multi(struct session *session, size_t *reply_size)
{
	struct vfu_channel *channel = &session->channel;
	const size_t room = vfu_payload_size(channel) - sizeof(uint64_t);
	struct vfu_region_write_one one;
	uint64_t count;

	memcpy(&count, channel->payload, sizeof(count));
	if (room % sizeof(one) || count != room / sizeof(one))
		return EINVAL;

	/* Checked whole before the first is done. */
	for (uint32_t i = 0; i < count; i++) {
		one = write_one(session, i);
		if (one.count > sizeof(one.data) ||
		    !access_valid(session, &(struct vfu_region_access){ one.offset, one.region,
									one.count }))
			return EINVAL;
	}
	session->job = (struct job){ .step = multi_act, .count = (uint32_t)count };
	*reply_size = sizeof(count);
	return 0;
}

static int handle_reset(struct session *session, size_t *reply_size)
{
	*reply_size = 0;
	endpoint_reset(session->endpoint, ENDPOINT_RESET_DEVICE);
	return 0;
}

/**
 * struct handler - how to treat a command
 * @min: smallest payload
 * @max: largest payload
 * @fds: most file descriptors that may come with it
 * @run: answers 0 or a positive errno, and how many bytes it put at vfu_reply_payload()
 */
struct handler {
	size_t min;
	size_t max;
	unsigned int fds;
	int (*run)(struct session *session, size_t *reply_size);
};

#define EXACTLY(size)  .min = (size), .max = (size)
/* These structures grow from kernel to kernel: a client may know more of them than we do. */
#define AT_LEAST(size) .min = (size), .max = VFU_PAYLOAD_MAX

/* clang-format off */
static const struct handler handlers[] = {
	[VFU_VERSION] = { sizeof(struct vfu_version), 4096, 0, handle_version },
	[VFU_DMA_MAP] = { EXACTLY(sizeof(struct vfu_dma_map)), 1, handle_dma_map },
	[VFU_DMA_UNMAP] = { EXACTLY(sizeof(struct vfu_dma_unmap)), 0, handle_dma_unmap },
	[VFU_DEVICE_GET_INFO] = { AT_LEAST(16), 0, handle_get_info },
	[VFU_DEVICE_GET_REGION_INFO] = { AT_LEAST(sizeof(struct vfio_region_info)), 0,
					 handle_get_region_info },
	[VFU_DEVICE_GET_REGION_IO_FDS] = { AT_LEAST(sizeof(struct vfu_region_io_fds)), 0,
					   handle_get_region_io_fds },
	[VFU_DEVICE_GET_IRQ_INFO] = { AT_LEAST(sizeof(struct vfio_irq_info)), 0,
				      handle_get_irq_info },
	[VFU_DEVICE_SET_IRQS] = { sizeof(struct vfio_irq_set),
				  sizeof(struct vfio_irq_set) + KNOBS_VECTORS_MAX, VFU_FDS_MAX,
				  handle_set_irqs },
	[VFU_REGION_READ] = { EXACTLY(sizeof(struct vfu_region_access)), 0, handle_region_read },
	[VFU_REGION_WRITE] = { sizeof(struct vfu_region_access), VFU_PAYLOAD_MAX, 0,
			       handle_region_write },
	[VFU_DEVICE_RESET] = { EXACTLY(0), 0, handle_reset },
	[VFU_REGION_WRITE_MULTI] = { sizeof(uint64_t), VFU_PAYLOAD_MAX, 0,
				     handle_region_write_multi },
};
/* clang-format on */

static int dispatch(struct session *session, size_t *reply_size)
{
	struct vfu_channel *channel = &session->channel;
	const struct handler *handler;
	size_t size = vfu_payload_size(channel);

	if (!session->negotiated && channel->header.command != VFU_VERSION) {
		session->closing = "not-negotiated";
		return EINVAL;
	}
	if (channel->header.command >= ARRAY_SIZE(handlers))
		return ENOTSUP;
	handler = &handlers[channel->header.command];
	if (!handler->run)
		return ENOTSUP;
	if (size < handler->min || size > handler->max || channel->fd_count > handler->fds)
		return EINVAL;
	if (channel->header.command != VFU_REGION_WRITE &&
	    channel->header.command != VFU_REGION_WRITE_MULTI)
		fabric_settle(&session->endpoint->port);
	endpoint_settle(session->endpoint);
	return handler->run(session, reply_size);
}

static void end(struct session *session, const char *reason)
{
	session->reason = reason;
	session->ended(session->owner);
}

static void too_long_silent(struct alarm *alarm)
{
	end(alarm->owner, "silent");
}

/* What only the one who started us can cure. */
static void no_descriptor_left(struct session *session)
{
	struct endpoint *endpoint = session->endpoint;
	struct rlimit limit = { 0 };

	if (endpoint->descriptors_told)
		return;
	endpoint->descriptors_told = true;
	getrlimit(RLIMIT_NOFILE, &limit);
	fprintf(stderr,
		"tph-emu: function %s: its client's descriptors are more than the %llu that may be "
		"open, so the connection is closed; raise the limit (ulimit -n) or give fewer "
		"vectors\n",
		endpoint->knobs.name, (unsigned long long)limit.rlim_cur);
}

static void broken(struct session *session, int error)
{
	if (error == -EMFILE)
		no_descriptor_left(session);
	end(session, error == -EMFILE						     ? "descriptor-limit"
		     : error == -EPROTO						     ? "descriptors"
		     : error == -EMSGSIZE					     ? "message-size"
		     : error == -ENODATA || error == -ECONNRESET || error == -EPIPE ? "hung-up"
										     : "socket");
}

static void send_out(struct session *session)
{
	int ret = vfu_flush(&session->channel);

	if (ret < 0) {
		broken(session, ret);
		return;
	}
	if (ret && session->closing) {
		end(session, session->closing);
		return;
	}
	if (ret)
		loop_clear_alarm(session->loop, &session->unread);
	else if (!session->going)
		loop_set_alarm(session->loop, &session->unread, REST_MS);
	session->going = !ret;
	/* Nothing is read before this message is out: what a client can queue is bounded. */
	loop_change(session->loop, &session->watch, ret && !session->job.step ? EPOLLIN : EPOLLOUT);
}

static void reply(struct session *session, int error, size_t size)
{
	struct vfu_channel *channel = &session->channel;

	if (!(channel->header.flags & VFU_NO_REPLY))
		vfu_reply(channel, error, size);
	vfu_next(channel);
	send_out(session);
}

/* Goes on with the request; between its steps others have their turn, and our own commands. */
static void job_continue(struct session *session)
{
	struct job *job = &session->job;

	for (job->cost = 0; job->cost < STEPS_AT_ONCE && job->at < job->count; job->cost++)
		job->step(session, job->at++);
	if (job->at < job->count) {
		loop_change(session->loop, &session->watch, EPOLLOUT);
		return;
	}
	job->step = NULL;
	/* The answer to a write of many has their count, which the request begins with. */
	memcpy(vfu_reply_payload(&session->channel), session->channel.payload, job->reply_size);
	reply(session, 0, job->reply_size);
}

static struct session *session_of(struct carrier *carrier)
{
	return (struct session *)((char *)carrier - offsetof(struct session, carrier));
}

/* What cannot be sent at once goes with the events; a client that has left is noticed there. */
static int carrier_send(struct carrier *carrier, const struct tlp *tlp, const void *data)
{
	const struct vfu_dma_access access = { .address = tlp->address, .count = tlp->length };
	struct session *session = session_of(carrier);
	struct vfu_channel *channel = &session->channel;
	const bool write = tlp->type == TLP_MEMORY_WRITE;
	uint8_t *payload = vfu_reply_payload(channel);

	if (session->asked || channel->out_size)
		return -EAGAIN;
	if (tlp->length > session->transfer_max)
		return -EMSGSIZE;
	memcpy(payload, &access, sizeof(access));
	if (write)
		memcpy(payload + sizeof(access), data, tlp->length);
	session->asked = true;
	session->asked_id++;
	session->asked_tlp = *tlp;
	vfu_command(channel, session->asked_id, write ? VFU_DMA_WRITE : VFU_DMA_READ,
		    sizeof(access) + (write ? tlp->length : 0));
	loop_change(session->loop, &session->watch, EPOLLOUT);
	return 0;
}

static bool carrier_unread(struct carrier *carrier)
{
	struct session *session = session_of(carrier);
	struct pollfd one = { .fd = session->watch.fd, .events = POLLIN };

	/* nobody is to wait for what is not read before others' descriptors are closed */
	return !session->paused && (session->channel.have || poll(&one, 1, 0) == 1);
}

/* Takes the answer to our command; false if it is none. */
static bool answer(struct session *session)
{
	struct vfu_channel *channel = &session->channel;
	const struct vfu_header *header = &channel->header;
	const struct tlp *tlp = &session->asked_tlp;
	const bool write = tlp->type == TLP_MEMORY_WRITE;
	const size_t size = vfu_payload_size(channel);
	struct vfu_dma_access access;
	int error = 0;

	if (!session->asked || header->id != session->asked_id ||
	    header->command != (write ? VFU_DMA_WRITE : VFU_DMA_READ) || channel->fd_count)
		return false;
	if (header->flags & VFU_ERROR) {
		if (size)
			return false;
		error = header->error && header->error <= INT_MAX ? (int)header->error : EIO;
	} else if (!write || size) {
		/* QEMU answers a write with the header alone, others repeat address and count. */
		if (size != sizeof(access) + (write ? 0 : tlp->length))
			return false;
		memcpy(&access, channel->payload, sizeof(access));
		if (access.address != tlp->address || access.count != tlp->length)
			return false;
	}
	session->asked = false;
	fabric_answered(&session->endpoint->port, error,
			write || error ? NULL : channel->payload + sizeof(access));
	return true;
}

static void session_ready(struct watch *watch, uint32_t events)
{
	struct session *session = watch->owner;
	struct vfu_channel *channel = &session->channel;
	size_t reply_size = 0;
	int ret, error;

	if (channel->out_size) {
		if (events & (EPOLLERR | EPOLLHUP) && !(events & EPOLLOUT))
			end(session, "hung-up");
		else
			send_out(session);
		return;
	}

	if (session->job.step) {
		if (events & (EPOLLERR | EPOLLHUP) && !(events & EPOLLOUT))
			end(session, "hung-up");
		else
			job_continue(session);
		return;
	}

	if (closer_await(&session->endpoint->closer)) {
		session->paused = true;
		loop_remove(session->loop, &session->watch);
		return;
	}
	ret = vfu_receive(channel);
	if (!ret) {
		if (channel->have && !session->begun)
			loop_set_alarm(session->loop, &session->rest, REST_MS);
		session->begun |= channel->have;
		return;
	}
	loop_clear_alarm(session->loop, &session->rest);
	session->begun = false;
	if (ret == -EMSGSIZE && (channel->header.flags & VFU_TYPE_MASK) == VFU_TYPE_COMMAND) {
		/* Where the next message would begin is not known. */
		session->closing = "message-size";
		error = EMSGSIZE;
	} else if (ret < 0) {
		broken(session, ret);
		return;
	} else if ((channel->header.flags & VFU_TYPE_MASK) != VFU_TYPE_COMMAND) {
		/* It must not be answered; and one that answers nothing is the end of trust. */
		if ((channel->header.flags & VFU_TYPE_MASK) != VFU_TYPE_REPLY || !answer(session))
			end(session, "reply");
		else
			vfu_next(channel);
		return;
	} else {
		error = dispatch(session, &reply_size);
		session->job.reply_size = reply_size;
	}
	if (session->job.step)
		job_continue(session);
	else
		reply(session, error, reply_size);
}

struct session *session_open(struct loop *loop, struct endpoint *endpoint, int fd,
			     session_ended *ended, void *owner)
{
	struct session *session = calloc(1, sizeof(*session));

	if (!session) {
		closer_take(&endpoint->closer, fd);
		return NULL;
	}
	*session = (struct session){
		.loop = loop,
		.endpoint = endpoint,
		.watch = { .fd = fd, .ready = session_ready, .owner = session },
		.silence = { .ring = too_long_silent, .owner = session },
		.rest = { .ring = too_long_silent, .owner = session },
		.unread = { .ring = too_long_silent, .owner = session },
		.reason = "stopped",
		.carrier = { .send = carrier_send, .unread = carrier_unread },
		.ended = ended,
		.owner = owner,
	};
	if (vfu_channel_init(&session->channel, fd, &endpoint->closer)) {
		free(session);
		return NULL;
	}
	if (loop_add(loop, &session->watch, EPOLLIN)) {
		vfu_channel_fini(&session->channel);
		free(session);
		return NULL;
	}
	loop_set_alarm(loop, &session->silence, SILENCE_MS);
	endpoint_connect(endpoint);
	return session;
}

bool session_hung_up(const struct session *session)
{
	struct pollfd one = { .fd = session->watch.fd };

	return poll(&one, 1, 0) == 1 && one.revents & POLLHUP;
}

void session_resume(struct session *session)
{
	const bool busy = session->channel.out_size || session->job.step;

	if (!session->paused)
		return;
	session->paused = false;
	if (loop_add(session->loop, &session->watch, busy ? EPOLLOUT : EPOLLIN))
		end(session, "memory");
}

void session_close(struct session *session)
{
	loop_clear_alarm(session->loop, &session->silence);
	loop_clear_alarm(session->loop, &session->rest);
	loop_clear_alarm(session->loop, &session->unread);
	if (!session->paused)
		loop_remove(session->loop, &session->watch);
	/* Who sees its connection closed finds the reason in the log. */
	endpoint_disconnect(session->endpoint, session->reason);
	vfu_channel_fini(&session->channel);
	free(session);
}
