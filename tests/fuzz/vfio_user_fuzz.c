// SPDX-License-Identifier: MIT
/*
 * A client that says anything to the emulated endpoint: bytes, messages that are nearly right, and
 * right ones in any order, with any file descriptors, hanging up at any point. The whole way from
 * the socket to the client's memory is under test: protocol, session, mapping, configuration space,
 * MSI-X, DMA, queues. Beside the sanitizers' verdicts:
 *
 *   - every reply is well formed, an error reply is a header alone; an access succeeds if it is
 *     inside its region, and only then;
 *   - mappings are sorted and do not overlap; read-only bits of configuration space stay;
 *   - a request that the function sends lies in one mapping with the right access, needs bus
 *     mastering, and carries a hint only while the requester is enabled (in half of the inputs
 *     requests without a mapping go to the client, which answers them in all ways);
 *   - a second function gets what arrives there, once and whole; it has a client of its own, that
 *     says as much, in between and at the same time;
 *   - a monitor answers for tags in the MSI-X table, rightly, wrongly, or not at all;
 *   - after the client has gone nothing is left: no descriptor, no mapping, no pending message.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/vfio.h>

#include "format/bits.h"
#include "host/loop.h"
#include "input.h"
#include "keys.h"
#include "models/exerciser.h"
#include "instrument/qmp.h"
#include "pcie/endpoint.h"
#include "pcie/express.h"
#include "pcie/header.h"
#include "pcie/tph.h"
#include "sockets.h"
#include "verdict.h"
#include "wire/protocol.h"
#include "wire/session.h"

#define MEMORY_SIZE	0x8000
#define OFFERED_FDS	6
#define SENT_FDS_MAX	20		/* more than a message may have */
#define WORK_MAX	4		/* turns of the DMA engine after each event */
#define EVENTS_MAX	100000		/* far more than one input can be worth */
#define OPERATIONS_MAX	200
#define LOGGED		16		/* an input of so many, by its size, writes the log */
#define COMPARED	16		/* and compares what it leaves with what it found */
#define LARGE_BAR	2		/* memory of more than a message, in half of the inputs */

static const char *const functions[] = {
	"st-table=cap,entries=8,modes=nost+iv+ds,width=16,vectors=4,queues=2",
	"st-table=msix,modes=nost+iv+ds,width=16,vectors=16,queues=16",
	"st-table=none,modes=nost+ds,width=8,vectors=2048",
	"tph=off,vectors=1",
	"st-table=cap,entries=5,modes=nost+iv,width=8,tph-at=0x100,flr=off,vectors=3",
};

/**
 * struct talker - the other end of a session, and the function
 * @endpoint: of @function
 * @session: NULL after the server has ended it
 * @fd: our end, -1 after we have left
 * @id: of the next message
 * @in: what came from the server and is no whole reply yet
 * @have: bytes of it
 * @last: header of the last reply
 * @came: a client of it has been there
 * @astray: raw bytes were sent, so a message of ours may be taken for something else
 * @sent: requests of the function that are judged
 * @asked: header of the last command of the server
 * @access: what it asks for
 */
struct talker {
	struct function *function;
	struct endpoint *endpoint;
	struct session *session;
	int fd;
	uint16_t id;
	uint8_t in[sizeof(struct vfu_header) + VFU_PAYLOAD_MAX];
	size_t have;
	struct vfu_header last;
	bool came, astray;
	uint32_t sent;
	struct vfu_header asked;
	struct vfu_dma_access access;
};

/* The second function has memory that requests of the first may arrive in. */
static struct talker talkers[2], *now = &talkers[0];
static struct loop loop;
static struct log log_of_all;

static struct endpoint *other_function(void)
{
	return talkers[now == &talkers[0]].endpoint;
}

/**
 * struct monitor - what a function with tags in its MSI-X table asks
 * @listener: -1 before the first use
 * @fd: the connection, -1 without
 */
static struct {
	char path[64];
	int listener;
	int fd;
	struct qmp *qmp;
} monitor = { .listener = -1, .fd = -1 };

/* Descriptors of many kinds, the same for every input: the server's are the only new ones. */
static int offered[OFFERED_FDS];
static uint8_t *memory; /* what the first of them is */
static int nowhere;	/* for the log */

static void remove_monitor(void)
{
	unlink(monitor.path);
}

static void offer_once(void)
{
	static bool done;
	int ends[2], fd;

	if (done)
		return;
	done = true;
	fd = memfd_create("fuzz", MFD_CLOEXEC);
	must(fd >= 0 && !ftruncate(fd, MEMORY_SIZE) && !pipe2(ends, O_CLOEXEC | O_NONBLOCK),
	     "no descriptors: %s", strerror(errno));
	memory = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	must(memory != MAP_FAILED, "no memory: %s", strerror(errno));
	offered[0] = fd;
	nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
	must(nowhere >= 0, "no log: %s", strerror(errno));
	offered[1] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	offered[2] = eventfd(0, EFD_CLOEXEC);
	offered[3] = ends[1];
	offered[4] = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	offered[5] = ends[0];
	snprintf(monitor.path, sizeof(monitor.path), "/tmp/vfio-user-fuzz-%d", (int)getpid());
	{
		struct sockaddr_un address = { .sun_family = AF_UNIX };

		strcpy(address.sun_path, monitor.path);
		unlink(address.sun_path);
		monitor.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		must(monitor.listener >= 0 &&
			     !bind(monitor.listener, (struct sockaddr *)&address,
				   sizeof(address)) &&
			     !listen(monitor.listener, 4), "no monitor: %s", strerror(errno));
		atexit(remove_monitor);
	}
	for (int i = 0; i < OFFERED_FDS; i++)
		must(offered[i] >= 0, "descriptor %d: %s", i, strerror(errno));
}

/* The lowest number that is free: one that leaks takes it. To list /proc would cost more. */
static int free_fd(void)
{
	int fd = dup(offered[0]);

	must(fd >= 0, "dup: %s", strerror(errno));
	close(fd);
	return fd;
}

/* Those that have no number of the kernel's. */
static unsigned int sockets(void)
{
	return sockets_open ? sockets_open() : 0;
}

static void ended(void *owner)
{
	struct talker *talker = owner;
	struct session *session = talker->session;

	talker->session = NULL;
	session_close(session);
}

static void come(void)
{
	int ends[2];

	must(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends),
	     "socketpair: %s", strerror(errno));
	now->fd = ends[0];
	now->have = 0;
	now->came = true;
	now->astray = false;
	now->session = session_open(&loop, now->endpoint, ends[1], ended, now);
	must(now->session, "no session");
}

static void check_reply(const struct vfu_header *header)
{
	must((header->flags & VFU_TYPE_MASK) == VFU_TYPE_REPLY, "reply with flags 0x%x",
	     header->flags);
	must(!(header->flags & ~(VFU_TYPE_MASK | VFU_ERROR)), "reply with flags 0x%x",
	     header->flags);
	must(!!(header->flags & VFU_ERROR) == !!header->error, "reply with flags 0x%x and error %u",
	     header->flags, header->error);
	must(!header->error || header->size == sizeof(*header), "error reply of %u bytes",
	     header->size);
}

static uint32_t limit(const struct endpoint *endpoint, bool write)
{
	return write ? express_payload_size(&endpoint->config)
		     : express_read_request_size(&endpoint->config);
}

static void check_command(const struct vfu_header *header, const uint8_t *payload)
{
	bool write = header->command == VFU_DMA_WRITE;

	must(now->endpoint->knobs.p2p, "a command without p2p");
	must(write || header->command == VFU_DMA_READ, "command %u", header->command);
	must(header->size >= sizeof(*header) + sizeof(now->access), "command of %u bytes",
	     header->size);
	memcpy(&now->access, payload, sizeof(now->access));
	must(now->access.count && now->access.count <= limit(now->endpoint, write),
	     "request of %llu bytes", (unsigned long long)now->access.count);
	must(now->access.address / TLP_PAGE ==
		     (now->access.address + now->access.count - 1) / TLP_PAGE,
	     "request of %llu bytes at 0x%llx", (unsigned long long)now->access.count,
	     (unsigned long long)now->access.address);
	must(header->size == sizeof(*header) + sizeof(now->access) +
				     (write ? now->access.count : 0),
	     "command of %u bytes", header->size);
	now->asked = *header;
}

/* Takes in what the server has sent, so that it never waits for us. */
static void drain_one(void)
{
	struct vfu_header header;
	ssize_t n;

	if (now->fd < 0)
		return;

	while ((n = recv(now->fd, now->in + now->have, sizeof(now->in) - now->have,
			 MSG_DONTWAIT)) > 0) {
		now->have += (size_t)n;
		while (now->have >= sizeof(header)) {
			memcpy(&header, now->in, sizeof(header));
			must(header.size >= sizeof(header) && header.size <= sizeof(now->in),
			     "reply of %u bytes", header.size);
			if (now->have < header.size)
				break;
			if ((header.flags & VFU_TYPE_MASK) == VFU_TYPE_COMMAND) {
				check_command(&header, now->in + sizeof(header));
			} else {
				check_reply(&header);
				now->last = header;
			}
			now->have -= header.size;
			memmove(now->in, now->in + header.size, now->have);
		}
	}
}

static void for_each(void (*act)(void))
{
	struct talker *was = now;

	for (now = talkers; now < talkers + 2; now++)
		if (now->fd >= 0 || now->session)
			act();
	now = was;
}

static void drain(void)
{
	for_each(drain_one);
}

static const struct mapping *find(uint64_t address, uint32_t length)
{
	const struct iova_map *map = &now->endpoint->map;

	for (size_t i = 0; i < map->count; i++)
		if (address >= map->items[i].first && address + (length - 1) <= map->items[i].last)
			return &map->items[i];
	return NULL;
}

static void check_request(const uint32_t *slot)
{
	const struct endpoint *endpoint = now->endpoint;
	uint64_t address = slot[EP_TLP_ADDR_LO / 4] | (uint64_t)slot[EP_TLP_ADDR_HI / 4] << 32;
	uint32_t flags = slot[EP_TLP_FLAGS / 4], length = slot[EP_TLP_LENGTH / 4];
	bool write = (flags & EP_TLP_TYPE_MASK) == EP_TLP_MWR;
	const struct mapping *mapping = find(address, length);
	uint32_t control = tph_control(&endpoint->knobs, &endpoint->config);

	must(length && address / MAPPING_PAGE == (address + length - 1) / MAPPING_PAGE,
	     "request of %u bytes at 0x%llx", length, (unsigned long long)address);
	/* what went by the client is recorded at its end, when much may have changed */
	if (endpoint->knobs.p2p)
		return;
	must(length <= limit(endpoint, write), "request of %u bytes", length);
	must(mapping && mapping->access & (write ? MAPPING_WRITE : MAPPING_READ),
	     "request of %u bytes at 0x%llx without a mapping", length,
	     (unsigned long long)address);
	must(header_bus_master(&endpoint->config), "request without bus mastering");
	must(!(flags & EP_TLP_TH) || tph_control_on(control), "hint with control 0x%x", control);
}

static void work_one(void)
{
	struct trace *trace = &now->endpoint->instrument.sent;

	for (int i = 0; i < WORK_MAX; i++) {
		const uint32_t before = now->sent;
		bool more = endpoint_work(now->endpoint);

		for (; now->sent != trace->head; now->sent++)
			check_request(trace->slots[now->sent % EP_TRACE_SLOTS]);
		/* one that sends nothing drops packets, and could for long */
		if (!more || now->sent == before)
			break;
	}
}

static void work(void)
{
	for_each(work_one);
}

static void check_mappings(void)
{
	const struct iova_map *map = &now->endpoint->map;

	must(map->count <= MAPPING_COUNT_MAX && map->count <= map->room, "%zu maps", map->count);
	for (size_t i = 0; i < map->count; i++) {
		must(map->items[i].first <= map->items[i].last, "mapping %zu is empty", i);
		must(!i || map->items[i - 1].last < map->items[i].first, "mapping %zu overlaps", i);
	}
}

static uint64_t word(const uint8_t *bytes, size_t at)
{
	uint64_t value;

	memcpy(&value, bytes + at, sizeof(value));
	return value;
}

static void check_endpoint(void)
{
	const struct config_space *config = &now->endpoint->config;
	const struct msix *msix = &now->endpoint->msix;
	unsigned int pending = 0;

	for (size_t i = 0; i < CONFIG_SPACE_SIZE; i += sizeof(uint64_t))
		must(!((word(config->value, i) ^ word(config->initial, i)) &
		       ~(word(config->writable, i) | word(config->clear, i))),
		     "bytes from 0x%zx of configuration space are %016llx", i,
		     (unsigned long long)word(config->value, i));
	for (unsigned int i = 0; i < msix->count; i++) {
		pending += msix->vectors[i].pending;
		must(i < msix->touched || (msix->vectors[i].eventfd < 0 &&
					   !msix->vectors[i].written && !msix->vectors[i].masked &&
					   !msix->vectors[i].pending), "vector %u is used", i);
		must(msix->vectors[i].eventfd < 0 ||
			     fcntl(msix->vectors[i].eventfd, F_GETFD) >= 0,
		     "vector %u has lost its eventfd", i);
	}
	must(pending == msix->pending, "%u pending messages, counted %u", pending, msix->pending);
}

/* Lets the server handle all that it has. */
static void serve(void)
{
	struct epoll_event event;
	int n;

	for (int i = 0;; i++) {
		must(i < EVENTS_MAX, "the server does not come to rest");
		drain();
		n = epoll_wait(loop.epoll, &event, 1, 0);
		must(n >= 0, "epoll_wait: %s", strerror(errno));
		if (!n)
			break;
		((struct watch *)event.data.ptr)->ready(event.data.ptr, event.events);
		work();
	}
	work();
	drain();
}

static void leave(void)
{
	if (now->fd < 0)
		return;
	close(now->fd);
	now->fd = -1;
	if (now->session)
		serve();
	must(!now->session, "the session outlives the client");
	must(!now->endpoint->map.count && !now->endpoint->msix.pending,
	     "%zu maps and %u messages are left", now->endpoint->map.count,
	     now->endpoint->msix.pending);
	for (unsigned int i = 0; i < now->endpoint->msix.count; i++)
		must(now->endpoint->msix.vectors[i].eventfd < 0, "vector %u keeps its eventfd", i);
}

static void send_bytes(const void *bytes, size_t size, struct input *input, unsigned int fd_count)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(SENT_FDS_MAX * sizeof(int))];
	} control = { .bytes = { 0 } };
	struct iovec iov = { .iov_base = (void *)bytes, .iov_len = size };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (!size)
		return;
	if (fd_count > SENT_FDS_MAX)
		fd_count = SENT_FDS_MAX;
	if (fd_count) {
		uint8_t which = take8(input);

		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		for (unsigned int i = 0; i < fd_count; i++)
			memcpy(CMSG_DATA(&control.align) + i * sizeof(int),
			       &offered[which % OFFERED_FDS], sizeof(int));
		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
	}
	/* the server reads on, so the socket is never full for long */
	while (iov.iov_len) {
		ssize_t n = sendmsg(now->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN && now->session) {
			serve();
			continue;
		}
		if (n <= 0)
			break;
		iov.iov_base = (uint8_t *)iov.iov_base + n;
		iov.iov_len -= (size_t)n;
		message.msg_control = NULL;
		message.msg_controllen = 0;
	}
	serve();
}

static void send_message(unsigned int command, uint32_t flags, const void *payload, size_t size,
			 struct input *input, unsigned int fd_count)
{
	static uint8_t bytes[sizeof(struct vfu_header) + VFU_PAYLOAD_MAX + 64];
	struct vfu_header header = {
		.id = now->id++,
		.command = (uint16_t)command,
		.size = (uint32_t)(sizeof(header) + size),
		.flags = flags,
	};

	memcpy(bytes, &header, sizeof(header));
	memcpy(bytes + sizeof(header), payload, size);
	send_bytes(bytes, sizeof(header) + size, input, fd_count);
}

static void send_version(struct input *input)
{
	static const char text[] = "{\"capabilities\":{\"max_msg_fds\":8,\"pgsizes\":4096}}";
	uint8_t payload[sizeof(struct vfu_version) + sizeof(text)];
	const struct vfu_version version = { VFU_MAJOR, VFU_MINOR };

	memcpy(payload, &version, sizeof(version));
	memcpy(payload + sizeof(version), text, sizeof(text));
	send_message(VFU_VERSION, VFU_TYPE_COMMAND, payload, sizeof(payload), input, 0);
}

static void send_anything(struct input *input)
{
	static uint8_t bytes[256];
	size_t size = take8(input);
	unsigned int fd_count = take8(input);

	take(input, bytes, size);
	now->astray = now->astray || size;
	send_bytes(bytes, size, input, fd_count & 0x80 ? fd_count & 0x1f : 0);
}

static void send_any_message(struct input *input)
{
	static uint8_t payload[VFU_PAYLOAD_MAX + 64];
	unsigned int command = take8(input) % 20, fd_count = take8(input);
	uint32_t flags = take8(input);
	size_t filled = take8(input), size = filled;

	/* large ones are mostly zeros, which the input need not hold */
	if (flags & 0x80)
		size = take16(input) + (size_t)(flags & 0x40);
	memset(payload, 0, size);
	take(input, payload, filled < size ? filled : size);
	send_message(command, flags & 0x3f, payload, size, input,
		     fd_count & 0x80 ? fd_count & 0x1f : 0);
}

static void send_access(struct input *input, unsigned int region, uint64_t at, const void *data,
			uint32_t count)
{
	struct vfu_region_access access = { .offset = at, .region = region, .count = count };
	uint8_t payload[sizeof(access) + 256];

	memcpy(payload, &access, sizeof(access));
	if (data)
		memcpy(payload + sizeof(access), data, count);
	send_message(data ? VFU_REGION_WRITE : VFU_REGION_READ, VFU_TYPE_COMMAND, payload,
		     sizeof(access) + (data ? count : 0), input, 0);
}

static void access_region(struct input *input)
{
	static const unsigned int regions[] = {
		VFIO_PCI_CONFIG_REGION_INDEX, LARGE_BAR, EP_BAR, MSIX_BAR,
	};
	uint8_t how = take8(input), data[256];
	uint32_t at = take16(input), count = how & 4 ? take8(input) : 1U << (how >> 3 & 3);
	unsigned int region = regions[how & 3];
	size_t size;
	bool inside;

	/* a read has no data to bring, so it can ask for anything */
	if ((how & 0xe0) == 0x60)
		count = (uint32_t)take16(input) << (count & 15);

	if (region == VFIO_PCI_CONFIG_REGION_INDEX)
		at %= CONFIG_SPACE_SIZE;
	take(input, data, how & 0x80 ? count : 0);
	now->last = (struct vfu_header){ .size = 0 };
	send_access(input, region, at, how & 0x80 ? data : NULL, count);
	if (now->astray || !now->session || !now->last.size)
		return;
	size = region == VFIO_PCI_CONFIG_REGION_INDEX ? CONFIG_SPACE_SIZE :
						       endpoint_bar_size(now->endpoint, region);
	inside = count && count <= VFU_TRANSFER_MAX && at < size && count <= size - at;
	must(now->last.error == (inside ? 0 : EINVAL), "%u bytes at 0x%x of region %u: error %u",
	     count, at, region, now->last.error);
}

static void map(struct input *input)
{
	struct vfu_dma_map request = { .argsz = sizeof(request) };
	uint8_t how = take8(input);

	request.flags = how & 3;
	request.address = (uint64_t)take8(input) * MAPPING_PAGE;
	request.size = (uint64_t)take8(input) * MAPPING_PAGE;
	request.offset = (uint64_t)(how >> 2 & 3) * MAPPING_PAGE;
	/* the end of the address space */
	if (how & 0x40)
		request.address = 0 - request.address;
	send_message(VFU_DMA_MAP, VFU_TYPE_COMMAND, &request, sizeof(request), input,
		     !(how & 0x80));
}

static void unmap(struct input *input)
{
	struct vfu_dma_unmap request = { .argsz = sizeof(request) };
	uint8_t how = take8(input);

	request.address = (uint64_t)take8(input) * MAPPING_PAGE;
	request.size = (uint64_t)take8(input) * MAPPING_PAGE;
	if (how & 1)
		request = (struct vfu_dma_unmap){ .argsz = sizeof(request),
						  .flags = VFIO_DMA_UNMAP_FLAG_ALL };
	if (how & 2)
		request.size = UINT64_MAX - request.address;
	send_message(VFU_DMA_UNMAP, VFU_TYPE_COMMAND, &request, sizeof(request), input, 0);
}

static void set_irqs(struct input *input)
{
	uint8_t bools[sizeof(struct vfio_irq_set) + 256] = { 0 };
	uint8_t count = take8(input), how = take8(input);
	struct vfio_irq_set set = {
		.argsz = sizeof(set) + (how & 1 ? count : 0),
		.flags = how & 1 ? VFIO_IRQ_SET_DATA_BOOL :
			 how & 2 ? VFIO_IRQ_SET_DATA_EVENTFD : VFIO_IRQ_SET_DATA_NONE,
		.index = VFIO_PCI_MSIX_IRQ_INDEX,
		.start = take8(input),
		.count = count,
	};

	set.flags |= VFIO_IRQ_SET_ACTION_MASK << (how >> 2 & 3);
	if (how & 1)
		take(input, bools + sizeof(set), count);
	memcpy(bools, &set, sizeof(set));
	send_message(VFU_DEVICE_SET_IRQS, VFU_TYPE_COMMAND, bools, set.argsz, input,
		     how & 2 && how & 0x80 ? count : 0);
}

static void write_register(struct input *input, uint32_t at, uint32_t value)
{
	uint8_t bytes[4];

	le32_put(bytes, value);
	send_access(input, EP_BAR, at, bytes, sizeof(bytes));
}

/* To the last command of the server, if it waits for an answer; or some time later. */
static void answer_command(struct input *input)
{
	uint8_t how = take8(input), payload[sizeof(now->access) + TLP_PAGE] = { 0 };
	bool write = now->asked.command == VFU_DMA_WRITE;
	size_t size = write ? 0 : sizeof(now->access) + now->access.count;
	struct vfu_header header = now->asked;

	memcpy(payload, &now->access, sizeof(now->access));
	/* what it does arrives before, at the right place or not */
	for (uint32_t at = 0; how & 1 && at < now->endpoint->port.flight.tlp.length; at += 8) {
		uint64_t place = (now->access.address + at) % other_function()->knobs.memory_size;

		if (place + 8 > other_function()->knobs.memory_size)
			break;
		if (write)
			fabric_write(&other_function()->port, 2, place,
				     now->endpoint->port.flight.data + at, 8);
		else
			fabric_read(&other_function()->port, 2, place, 8);
		if (how & 2)
			fabric_settle(&other_function()->port);
	}
	if (how & 4)
		endpoint_reset(how & 8 ? other_function() : now->endpoint, ENDPOINT_RESET_FLR);
	if (how & 0x10)
		header.id++;
	header.flags = VFU_TYPE_REPLY | (how & 0x20 ? VFU_ERROR : 0);
	header.error = how & 0x20 ? take8(input) : 0;
	size = how & 0x40 ? take8(input) : how & 0x20 ? 0 : size;
	header.size = (uint32_t)(sizeof(header) + size);
	for (int i = 0; i < (how & 0x80 ? 2 : 1) && now->session; i++) {
		uint8_t bytes[sizeof(header) + sizeof(payload)];

		memcpy(bytes, &header, sizeof(header));
		memcpy(bytes + sizeof(header), payload, size);
		send_bytes(bytes, sizeof(header) + size, input, 0);
	}
}

/* The descriptors of transmit queues, wherever in the memory a ring turns out to be. */
static void write_descriptors(struct input *input)
{
	uint8_t descriptor[EP_TXD_WRITTEN] = { 0 };

	le32_put(descriptor + EP_DESCRIPTOR_PAYLOAD, (uint32_t)take8(input) << 12 | take8(input));
	le32_put(descriptor + EP_DESCRIPTOR_HEADER, (uint32_t)take8(input) << 12 | take8(input));
	le32_put(descriptor + EP_TXD_LENGTH, take32(input));
	for (size_t page = 0; page < MEMORY_SIZE; page += TLP_PAGE)
		for (size_t i = 0; i < 4; i++)
			memcpy(memory + page + i * EP_DESCRIPTOR_SIZE, descriptor,
			       sizeof(descriptor));
}

/* A queue of either direction, and packets for it. */
static void run_queue(struct input *input)
{
	const uint8_t which = take8(input), how = take8(input);
	const size_t queue = EP_RXQ + which % (2 * EP_QUEUE_MAX) * EP_QUEUE_STRIDE;

	if (queue >= EP_TXQ)
		write_descriptors(input);
	write_register(input, queue + EP_QUEUE_BASE_LO,
		       (uint32_t)take8(input) << 12 | (how & 0x30));
	write_register(input, queue + EP_QUEUE_SIZE, how & 8 ? take32(input) : 4);
	write_register(input, queue + EP_QUEUE_BUFFER, take16(input));
	write_register(input, queue + EP_QUEUE_HEADER, take8(input));
	write_register(input, queue + EP_QUEUE_VECTOR, take8(input));
	write_register(input, queue + EP_QUEUE_HINT_PAYLOAD, take32(input));
	write_register(input, queue + EP_QUEUE_CONTROL, how & 7);
	write_register(input, queue + EP_QUEUE_TAIL, take8(input));
	write_register(input, EP_RX_SPREAD, take8(input) % (EP_QUEUE_MAX + 1));
	write_register(input, EP_RX_GENERATE, how & 0x40 ? take32(input) : how >> 7);
}

/* The other function's client has the word, from here on. */
static void change_talker(struct input *input)
{
	(void)input;
	now = &talkers[now == &talkers[0]];
}

/* The monitor says something: its greeting, an answer to what it was asked, or anything. */
static void monitor_speaks(struct input *input)
{
	uint8_t how = take8(input), any[32];
	char asked[512] = "", text[256], *at, *id;
	ssize_t n;

	if (monitor.fd < 0)
		monitor.fd = accept4(monitor.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (monitor.fd < 0)
		return;
	n = recv(monitor.fd, asked, sizeof(asked) - 1, 0);
	if (!n || how & 0x80) {
		close(monitor.fd);
		monitor.fd = -1;
		serve();
		return;
	}
	at = strstr(asked, "xp /1wx 0x");
	id = at ? strstr(at, "\"id\":") : NULL;
	if (how & 1)
		snprintf(text, sizeof(text), "{\"QMP\":{}}\n");
	else if (how & 2)
		snprintf(text, sizeof(text), "{\"return\":{}}\n");
	else
		snprintf(text, sizeof(text), "{\"return\":\"%016llx: 0x%08x\\r\\n\",\"id\":%lu}\n",
			 at ? strtoull(at + 10, NULL, 16) : 0, take32(input),
			 id ? strtoul(id + 5, NULL, 10) : 0);
	if (how & 4) {
		take(input, any, sizeof(any));
		text[any[0] % strlen(text)] = (char)any[1];
	}
	send(monitor.fd, text, how & 8 ? strlen(text) / 2 : strlen(text), MSG_NOSIGNAL);
	serve();
}

/* A whole DMA command, for one register at a time takes a fuzzer long to find. */
static void run_dma(struct input *input)
{
	uint8_t how = take8(input);
	/* memory decode, without and with bus mastering */
	const uint8_t command_register[] = { how & 0x20 ? 0x02 : 0x06, 0x00 };

	if (how & 0x80)
		send_access(input, VFIO_PCI_CONFIG_REGION_INDEX, 4, command_register, 2);
	if (how & 0x40) {
		const uint8_t control[] = { take8(input), take8(input) };

		send_access(input, VFIO_PCI_CONFIG_REGION_INDEX,
			    now->endpoint->knobs.tph_at % CONFIG_SPACE_SIZE + 8, control, 2);
	}
	write_register(input, EP_DMA_SRC_LO, (uint32_t)take8(input) << 12 | take8(input) << 4);
	write_register(input, EP_DMA_DST_LO, (uint32_t)take8(input) << 12 | take8(input) << 4);
	write_register(input, EP_DMA_LENGTH, take16(input));
	write_register(input, EP_DMA_HINT, take32(input));
	write_register(input, EP_DMA_VECTOR, take8(input));
	write_register(input, EP_DMA_DOORBELL, how & 7);
	if (how & 0x08)
		run_queue(input);
	if (how & 0x10 && now->session)
		answer_command(input);
}

static void hang_up_and_come(struct input *input)
{
	bool negotiate = take8(input) & 1;

	leave();
	come();
	if (negotiate)
		send_version(input);
}

static void (*const operations[])(struct input *input) = {
	send_anything, send_any_message, access_region, map, unmap, set_irqs, run_dma,
	hang_up_and_come,
};

#define RARE 0xf8u /* a byte from here on: what needs no more of them, so that stored inputs stay */

static void operate(struct input *input)
{
	const uint8_t which = take8(input);

	if (which < RARE)
		operations[which % ARRAY_SIZE(operations)](input);
	else if (which & 1)
		change_talker(input);
	else
		monitor_speaks(input);
}

/*
 * Functions, which are made once: to make one takes as long as some inputs. What the last client
 * left is gone: session_close() has seen to that.
 */
static struct function {
	const char *text;
	struct endpoint endpoint, fresh;
	struct exerciser model;
} known[2 * ARRAY_SIZE(functions) + 1];

static void forget_trace(struct trace *trace)
{
	memset(trace->slots, 0, sizeof(trace->slots[0]) *
	       (trace->head < EP_TRACE_SLOTS ? trace->head : EP_TRACE_SLOTS));
	trace->head = 0;
}

/* What outlives clients by design, so that an input finds none of another's. */
static void forget(struct endpoint *endpoint)
{
	iova_map_fini(&endpoint->map);
	forget_trace(&endpoint->instrument.sent);
	forget_trace(&endpoint->instrument.received);
	/* finish() has seen that it is over: the next one begins with other values */
	endpoint->port.flight = (struct flight){ 0 };
	endpoint->instrument.select = 0;
	endpoint->descriptors_told = false;
	counters_clear(&endpoint->instrument.counters);
	endpoint->port.fabric = NULL;
	endpoint->port.next = NULL;
	endpoint->tags.monitor = NULL;
}

static const struct exerciser *model_of(const struct function *function)
{
	return function->endpoint.knobs.model_state;
}

static struct function *find_function(const char *text, unsigned int number)
{
	struct function *function = known;
	struct knobs knobs;
	char *error;

	while (function->text && strcmp(function->text, text))
		function++;
	if (function->text)
		return function;
	must(!knobs_parse(&knobs, &exerciser_model, text, number, &error), "%s: %s", text, error);
	must(!endpoint_init(&function->endpoint, &knobs, &log_of_all, NULL), "no endpoint");
	endpoint_connect(&function->endpoint);
	endpoint_disconnect(&function->endpoint, "none");
	forget(&function->endpoint);
	function->fresh = function->endpoint;
	function->model = *model_of(function);
	function->text = strdup(text);
	return function;
}

static void begin(struct talker *talker, const char *text, unsigned int number, struct qmp *qmp)
{
	struct function *function = find_function(text, number);

	talker->function = function;
	talker->endpoint = &function->endpoint;
	talker->endpoint->tags.monitor = qmp;
	talker->fd = -1;
	talker->came = false;
	talker->id = 0;
	talker->sent = 0;
	talker->asked = (struct vfu_header){ .command = VFU_DMA_WRITE };
	talker->access = (struct vfu_dma_access){ 0 };
}

/* The next client finds what the first one found. */
static void check_fresh(const struct function *function)
{
	const struct endpoint *endpoint = &function->endpoint;
	const uint8_t *bytes = (const uint8_t *)endpoint;
	const uint8_t *fresh = (const uint8_t *)&function->fresh;
	const struct msix_vector *vectors = endpoint->msix.vectors;

	for (size_t i = 0; memcmp(bytes, fresh, sizeof(*endpoint)) && i < sizeof(*endpoint); i++)
		must(bytes[i] == fresh[i], "byte 0x%zx of the endpoint is 0x%02x, and was 0x%02x",
		     i, bytes[i], fresh[i]);
	must(!memcmp(model_of(function), &function->model, sizeof(function->model)),
	     "the model is not as it was");
	for (unsigned int i = 0; i < endpoint->msix.count; i++)
		must(!memcmp(vectors[i].entry, vectors[endpoint->msix.count - 1].entry,
			     sizeof(vectors[i].entry)) && vectors[i].eventfd < 0 &&
		     !vectors[i].written && !vectors[i].masked && !vectors[i].pending,
		     "vector %u is not as it was", i);
	for (size_t i = 0; endpoint->memory.bytes && i < endpoint->knobs.memory_size; i += 8)
		must(!word(endpoint->memory.bytes, i), "memory at 0x%zx keeps something", i);
}

static void finish(struct talker *talker)
{
	now = talker;
	check_endpoint();
	leave();
	must(now->endpoint->port.flight.state == FLIGHT_NONE &&
	     !now->endpoint->port.flight.completer, "a request is left");
	must(queues_are_idle(&model_of(talker->function)->queues), "packets are left");
	if (!now->came)
		endpoint_disconnect(now->endpoint, "none");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	const uint8_t enable[] = { 6, 0 };
	const struct instrument *watched;
	struct fabric fabric = { 0 };
	bool second = false;
	char text[256];
	uint8_t how;
	unsigned int before;
	int fds;

	offer_once();
	fds = free_fd();
	before = sockets();
	memset(memory, 0, MEMORY_SIZE);

	how = take8(&input);
	snprintf(text, sizeof(text), "socket=/nowhere,%s%s", functions[how % ARRAY_SIZE(functions)],
		 how & 0x40 ? ",p2p=on,memory-bar=2,memory-size=1M" : "");
	/* to write lines takes as long as all else: some inputs do */
	line_free(&log_of_all.line);
	log_of_all = (struct log){ .sink.fd = size % LOGGED ? -1 : nowhere, .verbose = true };
	must(!loop_init(&loop), "no loop");
	if (how & 0x20) {
		monitor.qmp = qmp_open(&loop, monitor.path, 5000);
		must(monitor.qmp, "no client of the monitor");
	}
	begin(&talkers[0], text, 0, monitor.qmp);
	begin(&talkers[1], "socket=/nowhere,memory-bar=2,completer=8", 1, NULL);
	fabric_join(&fabric, &talkers[0].endpoint->port);
	fabric_join(&fabric, &talkers[1].endpoint->port);
	endpoint_config_write(talkers[1].endpoint, 4, enable, sizeof(enable));

	now = &talkers[0];
	come();
	if (how & 0x80)
		send_version(&input);
	for (int i = 0; i < OPERATIONS_MAX && input.left; i++) {
		if (now->session)
			operate(&input);
		else
			hang_up_and_come(&input);
		second = second || now == &talkers[1];
		check_mappings();
	}
	/* its own client may have cleared the count */
	watched = &talkers[1].endpoint->instrument;
	must(second || watched->received.head == watched->counters.received,
	     "%u requests, counted %u", watched->received.head, watched->counters.received);
	finish(&talkers[0]);
	finish(&talkers[1]);
	forget(talkers[0].endpoint);
	forget(talkers[1].endpoint);
	if (size % COMPARED == 0) {
		check_fresh(talkers[0].function);
		check_fresh(talkers[1].function);
	}
	qmp_close(monitor.qmp);
	monitor.qmp = NULL;
	if (monitor.fd >= 0)
		close(monitor.fd);
	monitor.fd = -1;
	/* connections that nobody has accepted */
	while ((monitor.fd = accept4(monitor.listener, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		close(monitor.fd);
	loop_fini(&loop);
	must(free_fd() == fds, "descriptor %d was free before, %d is after", fds, free_fd());
	must(sockets() == before, "%u sockets were open before, %u are after", before, sockets());
	return 0;
}
