// SPDX-License-Identifier: MIT
/*
 * Attacks a tph-emu from all its sides while a client that behaves measures what is left for it.
 *
 * Four functions are attacked, each by a thread that is a client of it: random and mutated
 * messages, floods whose answers nobody reads, requests that make thousands of lines, maps,
 * descriptors by the hundred, some of which take long to close or to signal. One more thread opens connections that say nothing, and the reader of
 * the log (a pipe) stops to read now and then. A fifth function belongs to the client that behaves.
 *
 * It fails if the emulator ends, tears a line of the log, keeps descriptors, grows, or does not end
 * within a second of SIGTERM while it is attacked; and, with --goal, if the 99th percentile of the
 * latency is above that.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/vfio.h>

#include "client.h"
#include "endpoint_regs.h"

#define ATTACKED	  4
#define FUNCTIONS	  (ATTACKED + 1)
#define GOOD		  ATTACKED
#define CONFIG		  VFIO_PCI_CONFIG_REGION_INDEX
#define PAGE		  4096u
#define SILENT_MAX	  64
#define PEERS		  4
#define LINGER_S	  1
#define KEPT_S		  35 /* a client that says nothing more has its place for 30 */
#define WATCHERS	  120 /* times as many copies of an eventfd */
#define FILES		  300 /* more than a function may have */
#define PLACES		  (1u << 20) /* pages of a file that has hardly any */
#define FDS_MAX		  64
#define BUCKETS		  4096
#define BUCKET_US	  20
#define END_MS		  1000
#define GROWTH_KB	  8192
#define MESSAGE_MAX	  (sizeof(struct vfu_header) + VFU_PAYLOAD_MAX)
#define WRITE_ONE	  sizeof(struct vfu_region_write_one)
#define MULTI_MAX	  ((VFU_PAYLOAD_MAX - 8) / WRITE_ONE)

static const char *const keys[FUNCTIONS] = {
	"memory-bar=2,memory-size=16M,queues=4",
	"st-table=msix,vectors=2048",
	"p2p=on,memory-bar=2,memory-size=1M,aer=on",
	"st-table=cap,entries=64,queues=16,vectors=16",
	"vectors=1",
};

static char directory[] = "/tmp/tph-hostile-XXXXXX";
static char sockets[FUNCTIONS][64];
static char log_path[64];
static pid_t emulator;
static atomic_bool attacking;
static atomic_bool reading;
static atomic_ulong messages, connections, torn, lines;
static int memory_fd, event_fd, sparse_fd, watched_fd, listener;

static void die(const char *what)
{
	fprintf(stderr, "hostile: %s: %s\n", what, strerror(errno));
	if (emulator > 0)
		kill(emulator, SIGKILL);
	exit(2);
}

static int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* ---- chance: each thread has a state of its own ---- */

static uint64_t draw(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static uint32_t below(uint64_t *state, uint32_t bound)
{
	return (uint32_t)(draw(state) >> 11) % bound;
}

/* ---- messages ---- */

/** struct attack - a thread and its function; @peers: the last of @met that read nothing */
struct attack {
	int function;
	uint64_t chance;
	int fd;
	int gift; /* the first descriptor of the next message, if there is one */
	int peers[PEERS];
	unsigned int met;
	uint16_t id;
	uint8_t bytes[MESSAGE_MAX + 64];
};

static void message(struct attack *a, unsigned int command, uint32_t flags, const void *payload,
		    size_t size)
{
	struct vfu_header header = {
		.id = a->id++,
		.command = (uint16_t)command,
		.size = (uint32_t)(sizeof(header) + size),
		.flags = flags,
	};

	memcpy(a->bytes, &header, sizeof(header));
	if (payload)
		memcpy(a->bytes + sizeof(header), payload, size);
}

/* Sends a->bytes as far as there is room within 50 ms. Return: whether all of it is gone. */
static bool post(struct attack *a, size_t size, unsigned int fd_count)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
	} control = { .bytes = { 0 } };
	struct iovec iov = { .iov_base = a->bytes, .iov_len = size };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct pollfd room = { .fd = a->fd, .events = POLLOUT };

	if (fd_count) {
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		for (unsigned int i = 0; i < fd_count; i++)
			memcpy(CMSG_DATA(&control.align) + i * sizeof(int),
			       a->gift >= 0		? &a->gift
			       : below(&a->chance, 4) ? &event_fd
						      : &memory_fd,
			       sizeof(int));
		m.msg_control = control.bytes;
		m.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
	}
	while (iov.iov_len) {
		ssize_t n = sendmsg(a->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN && poll(&room, 1, 50) == 1)
			continue;
		if (n < 0)
			return false;
		iov.iov_base = (uint8_t *)iov.iov_base + n;
		iov.iov_len -= (size_t)n;
		m.msg_control = NULL;
		m.msg_controllen = 0;
	}
	messages++;
	return true;
}

static void drain(struct attack *a)
{
	static _Thread_local uint8_t sink[65536];
	struct pollfd one = { .fd = a->fd, .events = POLLIN };

	while (poll(&one, 1, 0) == 1 && recv(a->fd, sink, sizeof(sink), MSG_DONTWAIT) > 0)
		;
}

static void access_at(struct attack *a, unsigned int region, uint64_t at, const void *data,
		      uint32_t count, uint32_t flags)
{
	uint8_t payload[sizeof(struct vfu_region_access) + 64];
	const struct vfu_region_access access = { .offset = at, .region = region, .count = count };

	memcpy(payload, &access, sizeof(access));
	if (data)
		memcpy(payload + sizeof(access), data, count);
	message(a, data ? VFU_REGION_WRITE : VFU_REGION_READ, flags, payload,
		sizeof(access) + (data ? count : 0));
}

static bool write32(struct attack *a, unsigned int region, uint64_t at, uint32_t value)
{
	access_at(a, region, at, &value, 4, VFU_NO_REPLY);
	return post(a, sizeof(struct vfu_header) + sizeof(struct vfu_region_access) + 4, 0);
}

/* A message that is right, of a random kind; its size. */
static size_t right_message(struct attack *a, unsigned int *fds)
{
	static const unsigned int regions[] = { 0, 2, 4, CONFIG };
	const unsigned int region = regions[below(&a->chance, 4)];
	const struct vfu_dma_map map = {
		.argsz = sizeof(map), .flags = 3, .address = below(&a->chance, 4096) * PAGE,
		.size = (1 + below(&a->chance, 16)) * PAGE,
	};
	const struct vfu_dma_unmap unmap = {
		.argsz = sizeof(unmap), .address = map.address, .size = map.size,
	};
	const struct vfio_irq_set irqs = {
		.argsz = sizeof(irqs), .index = VFIO_PCI_MSIX_IRQ_INDEX,
		.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
		.start = below(&a->chance, 128) * VFU_FDS_MAX, .count = VFU_FDS_MAX,
	};
	uint32_t info[8] = { 32, 0, below(&a->chance, 10) };
	const uint64_t value = draw(&a->chance);
	const uint32_t flags = below(&a->chance, 3) ? VFU_TYPE_COMMAND : VFU_NO_REPLY;

	switch (below(&a->chance, 8)) {
	case 0:
		*fds = 1;
		message(a, VFU_DMA_MAP, flags, &map, sizeof(map));
		return sizeof(struct vfu_header) + sizeof(map);
	case 1:
		message(a, VFU_DMA_UNMAP, flags, &unmap, sizeof(unmap));
		return sizeof(struct vfu_header) + sizeof(unmap);
	case 2:
		*fds = VFU_FDS_MAX;
		message(a, VFU_DEVICE_SET_IRQS, flags, &irqs, sizeof(irqs));
		return sizeof(struct vfu_header) + sizeof(irqs);
	case 3:
		message(a, VFU_DEVICE_GET_INFO + below(&a->chance, 4), flags, info, sizeof(info));
		return sizeof(struct vfu_header) + sizeof(info);
	case 4:
		access_at(a, region, below(&a->chance, 0x10000), &value, 8, flags);
		return sizeof(struct vfu_header) + sizeof(struct vfu_region_access) + 8;
	case 5:
		access_at(a, region, 0, NULL, 1u << below(&a->chance, 25), flags);
		return sizeof(struct vfu_header) + sizeof(struct vfu_region_access);
	case 6:
		message(a, VFU_DEVICE_RESET, flags, NULL, 0);
		return sizeof(struct vfu_header);
	default:
		access_at(a, CONFIG, 0x110 + 4 * below(&a->chance, 40), &value, 4, flags);
		return sizeof(struct vfu_header) + sizeof(struct vfu_region_access) + 4;
	}
}

/* ---- attacks: each returns whether the connection is still good ---- */

static bool one_right(struct attack *a)
{
	unsigned int fds = 0;
	size_t size = right_message(a, &fds);

	return post(a, size, fds);
}

static bool one_mutated(struct attack *a)
{
	unsigned int fds = 0;
	size_t size = right_message(a, &fds);

	/* The size in the header mostly stays, so that the stream goes on. */
	for (uint32_t i = 1 + below(&a->chance, 4); i; i--) {
		uint32_t at = below(&a->chance, (uint32_t)size);

		if (at < 4 || at > 7 || !below(&a->chance, 16))
			a->bytes[at] ^= (uint8_t)(1u << below(&a->chance, 8));
	}
	return post(a, size, below(&a->chance, 8) ? fds : below(&a->chance, FDS_MAX));
}

/* As many as are soon done, else the slow attacks take all the time. */
static bool attack_right(struct attack *a)
{
	bool good = true;

	for (uint32_t i = below(&a->chance, 200); i && good && attacking; i--) {
		good = one_right(a);
		drain(a);
	}
	return good;
}

static bool attack_mutated(struct attack *a)
{
	bool good = true;

	for (uint32_t i = below(&a->chance, 50); i && good && attacking; i--) {
		good = one_mutated(a);
		drain(a);
	}
	return good;
}

static bool attack_random(struct attack *a)
{
	size_t size = below(&a->chance, 256);

	for (size_t i = 0; i < size; i++)
		a->bytes[i] = (uint8_t)draw(&a->chance);
	return post(a, size, 0);
}

static bool attack_flood(struct attack *a)
{
	for (uint32_t i = below(&a->chance, 2000); i && attacking; i--) {
		access_at(a, CONFIG, 0, NULL, PAGE, VFU_TYPE_COMMAND);
		if (!post(a, sizeof(struct vfu_header) + sizeof(struct vfu_region_access), 0))
			break;
	}
	/* and nobody reads the answers */
	poll(NULL, 0, (int)below(&a->chance, 50));
	return !below(&a->chance, 2);
}

/* Thousands of lines for one message. */
static bool attack_log(struct attack *a)
{
	const uint64_t count = 1 + below(&a->chance, MULTI_MAX);
	uint8_t *payload = a->bytes + sizeof(struct vfu_header);

	for (size_t i = 0; i < count; i++) {
		struct vfu_region_write_one one = {
			.offset = 0x118, .region = CONFIG, .count = 4, .data = { 1, 3 },
		};

		memcpy(payload + 8 + i * sizeof(one), &one, sizeof(one));
	}
	message(a, VFU_REGION_WRITE_MULTI, VFU_NO_REPLY, NULL, 8 + count * WRITE_ONE);
	memcpy(payload, &count, sizeof(count));
	return post(a, sizeof(struct vfu_header) + 8 + count * WRITE_ONE, 0);
}

/* Every vector that there is, all at once. */
static bool attack_interrupts(struct attack *a)
{
	const struct vfio_irq_set set = {
		.argsz = sizeof(set), .index = VFIO_PCI_MSIX_IRQ_INDEX,
		.flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER,
		.count = a->function == 1 ? 2048 : 16,
	};

	if (!write32(a, CONFIG, 4, 6) || !write32(a, CONFIG, 0x50, 0x80000000))
		return false;
	message(a, VFU_DEVICE_SET_IRQS, VFU_NO_REPLY, &set, sizeof(set));
	return post(a, sizeof(struct vfu_header) + sizeof(set), 0);
}

/* A transfer as long as they get, that every write to configuration space begins again. */
static bool attack_dma(struct attack *a)
{
	const struct vfu_dma_map map = {
		.argsz = sizeof(map), .flags = 3, .address = 0x10000000, .size = 256 * PAGE,
	};

	message(a, VFU_DMA_MAP, VFU_NO_REPLY, &map, sizeof(map));
	return post(a, sizeof(struct vfu_header) + sizeof(map), 1) && write32(a, CONFIG, 4, 6) &&
	       write32(a, 0, EP_DMA_DST_LO, 0x10000000) &&
	       write32(a, 0, EP_DMA_SRC_LO, 0x10000000) &&
	       write32(a, 0, EP_DMA_LENGTH, 0x100000) &&
	       write32(a, 0, EP_DMA_REPEAT, below(&a->chance, 2) ? ~0u : 0) &&
	       write32(a, 0, EP_DMA_DOORBELL, 1 + below(&a->chance, 3));
}

/* Maps by the thousand. */
static bool attack_maps(struct attack *a)
{
	for (uint32_t i = 0; i < 2000 && attacking; i++) {
		const struct vfu_dma_map map = {
			.argsz = sizeof(map), .flags = 3, .size = PAGE,
			.address = 0x40000000 + (uint64_t)2 * i * PAGE,
		};

		message(a, VFU_DMA_MAP, VFU_NO_REPLY, &map, sizeof(map));
		if (!post(a, sizeof(struct vfu_header) + sizeof(map), 1))
			return false;
	}
	return true;
}

/* As far apart as there are pages, and of as many files as there may be, and some. */
static bool attack_places(struct attack *a)
{
	bool good = true;

	for (uint32_t i = 0; i < 1000 + FILES && attacking && good; i++) {
		const bool file = i >= 1000;
		const struct vfu_dma_map map = {
			.argsz = sizeof(map), .flags = 1 + below(&a->chance, 3), .size = PAGE,
			.address = 0x80000000 + (uint64_t)below(&a->chance, PLACES) * PAGE,
			.offset = file ? 0 : (uint64_t)below(&a->chance, PLACES) * PAGE,
		};

		a->gift = file ? memfd_create("one", MFD_CLOEXEC) : sparse_fd;
		message(a, VFU_DMA_MAP, VFU_NO_REPLY, &map, sizeof(map));
		good = post(a, sizeof(struct vfu_header) + sizeof(map), 1);
		if (file)
			close(a->gift);
	}
	a->gift = -1;
	return good;
}

/* A connection whose close(2) waits for its peer, who does not read. */
static int lingering(struct attack *a)
{
	const struct linger linger = { .l_onoff = 1, .l_linger = LINGER_S };
	int *peer = &a->peers[a->met % PEERS];
	struct sockaddr_in address;
	socklen_t size = sizeof(address);
	static const char bytes[65536];
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (a->met++ >= PEERS)
		close(*peer);
	if (getsockname(listener, (struct sockaddr *)&address, &size) ||
	    connect(fd, (struct sockaddr *)&address, size) ||
	    (*peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) < 0)
		die("no connection");
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	while (send(fd, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		;
	return fd;
}

/* With a message that is right, with one that has too many, or with one that is not received. */
static bool attack_linger(struct attack *a)
{
	const unsigned int count = 1 + below(&a->chance, 3) * (FDS_MAX / 2 - 1);
	unsigned int fds = 0;
	size_t size = right_message(a, &fds);
	bool good;

	/* not so often that the function does nothing else */
	if (below(&a->chance, 40))
		return true;
	a->gift = lingering(a);
	if (a->gift < 0)
		return true;
	good = post(a, below(&a->chance, 2) ? size : size / 2, count);
	close(a->gift);
	a->gift = -1;
	return good && below(&a->chance, 2);
}

/* The client is in its own message, which never ends, and leaves: nobody sees that. */
static bool attack_inside(struct attack *a)
{
	unsigned int fds = 0;
	size_t size = right_message(a, &fds);

	/* the function is lost for long */
	if (below(&a->chance, 2000))
		return true;
	a->gift = a->fd;
	post(a, size / 2, 1);
	a->gift = -1;
	return false;
}

/* An eventfd that is slow to signal, since many watch it. */
static bool attack_watched(struct attack *a)
{
	const struct vfio_irq_set set = {
		.argsz = sizeof(set), .index = VFIO_PCI_MSIX_IRQ_INDEX,
		.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
		.count = VFU_FDS_MAX,
	};
	bool good;

	a->gift = watched_fd;
	message(a, VFU_DEVICE_SET_IRQS, VFU_NO_REPLY, &set, sizeof(set));
	good = post(a, sizeof(struct vfu_header) + sizeof(set), VFU_FDS_MAX);
	a->gift = -1;
	return good && attack_interrupts(a);
}

static bool attack_half(struct attack *a)
{
	unsigned int fds = 0;
	size_t size = right_message(a, &fds);

	post(a, size / 2, fds);
	poll(NULL, 0, (int)below(&a->chance, 10));
	return false;
}

static bool (*const attacks[])(struct attack *a) = {
	attack_right, attack_right, attack_right, attack_mutated, attack_mutated, attack_mutated,
	attack_random, attack_flood, attack_log, attack_interrupts, attack_dma, attack_maps,
	attack_half, attack_places, attack_linger, attack_inside, attack_watched,
};

static bool come(struct attack *a)
{
	struct client client;

	if (client_connect(&client, sockets[a->function]))
		return false;
	connections++;
	if (below(&a->chance, 16) && client_version(&client)) {
		client_close(&client);
		return false;
	}
	a->fd = client.fd;
	return true;
}

/* What they take of the processor is not what is measured. */
static void stand_back(void)
{
	setpriority(PRIO_PROCESS, (id_t)gettid(), 10);
}

static void *attack_run(void *context)
{
	struct attack *a = context;

	stand_back();
	while (attacking) {
		if (!come(a)) {
			poll(NULL, 0, 1);
			continue;
		}
		for (uint32_t i = below(&a->chance, 400); i && attacking; i--) {
			if (!attacks[below(&a->chance, sizeof(attacks) / sizeof(attacks[0]))](a))
				break;
			if (below(&a->chance, 8))
				drain(a);
		}
		close(a->fd);
	}
	return NULL;
}

/* Who says nothing: on every socket, more than there are places. */
static void *silent_run(void *context)
{
	struct client silent[SILENT_MAX];

	(void)context;
	stand_back();
	while (attacking) {
		for (int i = 0; i < SILENT_MAX; i++) {
			silent[i].fd = -1;
			if (!client_connect(&silent[i], sockets[i % ATTACKED]))
				connections++;
		}
		poll(NULL, 0, 20);
		for (int i = 0; i < SILENT_MAX; i++)
			client_close(&silent[i]);
	}
	return NULL;
}

/* Reads the log; every few seconds not for a while. Whole lines begin and end with braces. */
static void *log_run(void *context)
{
	static char bytes[65536];
	uint64_t chance = 88172645463325252u;
	int fd = *(int *)context;
	char last = '\n';
	ssize_t n;

	while (reading) {
		struct pollfd one = { .fd = fd, .events = POLLIN };

		if (attacking && !below(&chance, 20000))
			poll(NULL, 0, (int)(500 + below(&chance, 1500)));
		if (poll(&one, 1, 100) != 1)
			continue;
		n = read(fd, bytes, sizeof(bytes));
		if (n <= 0)
			break;
		for (ssize_t i = 0; i < n; i++) {
			if (last == '\n' ? bytes[i] != '{' : bytes[i] == '\n' && last != '}')
				torn++;
			lines += bytes[i] == '\n';
			last = bytes[i];
		}
	}
	return NULL;
}

/* ---- the emulator ---- */

static void emulator_start(const char *program, const char *errors)
{
	char functions[FUNCTIONS][160], line[8];
	char *argv[2 * FUNCTIONS + 6] = { (char *)program };
	int ready[2], count = 1;

	for (int i = 0; i < FUNCTIONS; i++) {
		snprintf(sockets[i], sizeof(sockets[i]), "%s/%d", directory, i);
		snprintf(functions[i], sizeof(functions[i]), "socket=%s,%s", sockets[i], keys[i]);
		argv[count++] = "--function";
		argv[count++] = functions[i];
	}
	argv[count++] = "--log";
	argv[count++] = log_path;
	argv[count++] = "--ready-fd";
	argv[count++] = "3";
	if (pipe2(ready, O_CLOEXEC))
		die("pipe");
	emulator = fork();
	if (!emulator) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(open(errors, O_WRONLY | O_CREAT | O_TRUNC, 0600), STDERR_FILENO);
		dup2(ready[1], 3);
		execv(program, argv);
		_exit(127);
	}
	close(ready[1]);
	if (emulator < 0 || read(ready[0], line, sizeof(line)) != 6)
		die("the emulator does not start");
	close(ready[0]);
}

static unsigned int open_fds(void)
{
	unsigned int count = 0;
	DIR *folder;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)emulator);
	folder = opendir(path);
	while (folder && readdir(folder))
		count++;
	if (folder)
		closedir(folder);
	return count > 2 ? count - 2 : 0;
}

static long resident_kb(void)
{
	char path[32], line[128];
	long kb = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)emulator);
	file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "VmRSS: %ld", &kb) == 1)
			break;
	if (file)
		fclose(file);
	return kb;
}

/* ---- the client that behaves ---- */

/** struct latency - of one kind of question */
struct latency {
	unsigned long buckets[BUCKETS + 1];
	unsigned long samples;
	int64_t longest_us;
};

static struct latency reads, echoes;
static int echo_fd;

static void count(struct latency *latency, int64_t us)
{
	latency->buckets[us / BUCKET_US < BUCKETS ? us / BUCKET_US : BUCKETS]++;
	latency->samples++;
	latency->longest_us = us > latency->longest_us ? us : latency->longest_us;
}

/* A process that nobody attacks and that only echoes: what the machine itself takes. */
static void echo_start(void)
{
	int ends[2];
	char byte;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		die("socketpair");
	if (!fork()) {
		close(ends[1]);
		while (read(ends[0], &byte, 1) == 1 && write(ends[0], &byte, 1) == 1)
			;
		_exit(0);
	}
	close(ends[0]);
	echo_fd = ends[1];
}

static void sample(struct client *good)
{
	int64_t start = now_us();
	uint32_t value;
	char byte = 0;

	if (client_read(good, 0, EP_ID, &value, 4)) {
		errno = ECONNRESET;
		die("the client that behaves has no answer");
	}
	count(&reads, now_us() - start);
	start = now_us();
	if (write(echo_fd, &byte, 1) != 1 || read(echo_fd, &byte, 1) != 1)
		die("no echo");
	count(&echoes, now_us() - start);
}

static double percentile_ms(const struct latency *latency, double share)
{
	unsigned long left = (unsigned long)((double)latency->samples * share), i = 0;

	while (i < BUCKETS && latency->buckets[i] <= left)
		left -= latency->buckets[i++];
	return (double)(i + 1) * BUCKET_US / 1000;
}

static void tell(int64_t seconds, long *peak_kb)
{
	printf("# %5lld s: %lu reads, p50 %.2f ms, p99 %.2f ms, max %.1f ms (an echo: p50 %.2f, "
	       "p99 %.2f, max %.1f); now %ld KiB (peak %ld), %u descriptors; %lu messages, "
	       "%lu connections, %lu lines\n",
	       (long long)seconds, reads.samples, percentile_ms(&reads, .5),
	       percentile_ms(&reads, .99), (double)reads.longest_us / 1000,
	       percentile_ms(&echoes, .5), percentile_ms(&echoes, .99),
	       (double)echoes.longest_us / 1000, resident_kb(), *peak_kb, open_fds(),
	       (unsigned long)messages, (unsigned long)connections, (unsigned long)lines);
	fflush(stdout);
	*peak_kb = 0;
}

/** struct run - what one is to be */
struct run {
	const char *program;
	int64_t seconds;
	double goal_ms;
	bool flat;
	uint64_t seed;
};

static pthread_t threads[ATTACKED + 1];
static struct attack attackers[ATTACKED];

static void attack_begin(uint64_t seed)
{
	attacking = true;
	for (int i = 0; i < ATTACKED; i++) {
		attackers[i].function = i;
		attackers[i].gift = -1;
		attackers[i].chance = (seed + (uint64_t)i + 1) * 0x9e3779b97f4a7c15u;
		if (pthread_create(&threads[i], NULL, attack_run, &attackers[i]))
			die("no thread");
	}
	if (pthread_create(&threads[ATTACKED], NULL, silent_run, NULL))
		die("no thread");
}

static void attack_end(void)
{
	attacking = false;
	for (int i = 0; i <= ATTACKED; i++)
		pthread_join(threads[i], NULL);
}

static int checks, failures;

static void check(bool good, const char *what, double value, const char *unit)
{
	printf("%sok %d - %s: %.2f %s\n", good ? "" : "not ", ++checks, what, value, unit);
	failures += !good;
}

static void watch_often(int fd)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int copies[WATCHERS];

	for (int i = 0; i < WATCHERS; i++)
		copies[i] = dup(fd);
	/* these stay open until the end */
	for (int i = 0; i < WATCHERS; i++) {
		const int watcher = epoll_create1(EPOLL_CLOEXEC);

		/* as many as the system lets there be */
		for (int k = 0; k < WATCHERS; k++)
			epoll_ctl(watcher, EPOLL_CTL_ADD, copies[k], &event);
	}
	for (int i = 0; i < WATCHERS; i++)
		close(copies[i]);
}

static int listen_somewhere(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, 128))
		die("no listener");
	return fd;
}

/* @first_kb, @last_kb: the most that it had in the first and in the last fifth of the time. */
static void measure(const struct run *run, struct client *good, long *first_kb, long *last_kb)
{
	const int64_t start = now_us(), total = run->seconds * 1000000;
	const int64_t every = run->seconds >= 240 ? 60 : run->seconds / 4 ? run->seconds / 4 : 1;
	int64_t told = 0, looked = 0, at;
	long peak = 0;

	*first_kb = *last_kb = 0;
	while ((at = now_us() - start) < total) {
		sample(good);
		poll(NULL, 0, 1);
		if (at - looked >= 50000) {
			const long kb = resident_kb();

			looked = at;
			peak = kb > peak ? kb : peak;
			if (at < total / 5)
				*first_kb = kb > *first_kb ? kb : *first_kb;
			else if (at > total - total / 5)
				*last_kb = kb > *last_kb ? kb : *last_kb;
		}
		if (at / 1000000 - told >= every) {
			told = at / 1000000;
			tell(told, &peak);
		}
	}
	tell(run->seconds, &peak);
}

static bool sanitizer_spoke(const char *path)
{
	char line[512];
	bool spoke = false;
	FILE *file = fopen(path, "r");

	while (file && fgets(line, sizeof(line), file)) {
		if (strstr(line, "Sanitizer") || strstr(line, "runtime error"))
			spoke = true;
		printf("# %s", line);
	}
	if (file)
		fclose(file);
	return spoke;
}

static int attack_it(const struct run *run)
{
	unsigned int fds, left = 0;
	long first_kb, last_kb;
	struct client good;
	pthread_t reader;
	int64_t start, ms;
	char errors[64];
	int log_fd, status, present = 0;

	if (!mkdtemp(directory))
		die(directory);
	snprintf(log_path, sizeof(log_path), "%s/log", directory);
	snprintf(errors, sizeof(errors), "%s/errors", directory);
	memory_fd = memfd_create("hostile", MFD_CLOEXEC);
	event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	watched_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	sparse_fd = memfd_create("sparse", MFD_CLOEXEC);
	listener = listen_somewhere();
	if (memory_fd < 0 || event_fd < 0 || watched_fd < 0 ||
	    ftruncate(sparse_fd, (off_t)PLACES * PAGE) || ftruncate(memory_fd, 256 * PAGE) ||
	    mkfifo(log_path, 0600))
		die("no descriptors");
	watch_often(watched_fd);
	log_fd = open(log_path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	reading = true;
	if (log_fd < 0 || pthread_create(&reader, NULL, log_run, &log_fd))
		die(log_path);
	echo_start();
	emulator_start(run->program, errors);
	if (client_connect(&good, sockets[GOOD]) || client_version(&good) ||
	    client_write(&good, CONFIG, 4, &(uint16_t){ 2 }, 2))
		die("no client");
	fds = open_fds();
	printf("TAP version 13\n1..%d\n", run->flat + 5 + (run->goal_ms > 0));
	printf("# start: %ld KiB, %u descriptors, seed %llu\n", resident_kb(), fds,
	       (unsigned long long)run->seed);
	attack_begin(run->seed);
	measure(run, &good, &first_kb, &last_kb);
	attack_end();
	/* who is in a message of its own keeps a function for so long: see attack_inside() */
	for (start = now_us(); (left = open_fds()) != fds && now_us() - start < KEPT_S * 1000000LL;)
		poll(NULL, 0, 20);

	attack_begin(run->seed + 1);
	poll(NULL, 0, 300);
	start = now_us();
	kill(emulator, SIGTERM);
	if (waitpid(emulator, &status, 0) != emulator)
		die("waitpid");
	ms = (now_us() - start) / 1000;
	attack_end();
	reading = false;
	pthread_join(reader, NULL);
	for (int i = 0; i < FUNCTIONS; i++)
		present += !access(sockets[i], F_OK);

	/* 1: lines are missing, as the reader of the log stops now and then */
	check(WIFEXITED(status) && WEXITSTATUS(status) <= 1 && !sanitizer_spoke(errors),
	      "it survives", status, "is its wait status");
	check(!torn, "lines of the log are whole", (double)torn, "torn");
	check(left == fds, "descriptors are flat", (double)left - fds, "more");
	check(ms < END_MS, "SIGTERM ends it while it is attacked", (double)ms, "ms");
	check(!present, "its sockets are removed", present, "left");
	if (run->flat)
		check(last_kb <= first_kb + GROWTH_KB, "memory is flat",
		      (double)(last_kb - first_kb), "KiB more in the last fifth than in the first");
	if (run->goal_ms > 0)
		check(percentile_ms(&reads, .99) < run->goal_ms, "register reads are fast",
		      percentile_ms(&reads, .99), "ms is the 99th percentile");
	client_close(&good);
	close(echo_fd);
	unlink(errors);
	unlink(log_path);
	rmdir(directory);
	return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}

static void usage(void)
{
	fputs("usage: hostile [--seconds N] [--seed N] [--goal MS] [--flat] PATH-OF-TPH-EMU\n"
	      "  --seconds N  how long it is attacked (10)\n"
	      "  --seed N     of the attackers' dice (1)\n"
	      "  --goal MS    fail if the 99th percentile of the latency is not below it\n"
	      "  --flat       fail if its memory grows (not for a sanitizer's build)\n", stderr);
	exit(2);
}

static unsigned long number_of(const char *text)
{
	char *end;
	unsigned long value = strtoul(text ? text : "", &end, 10);

	if (!text || !value || *end)
		usage();
	return value;
}

int main(int argc, char **argv)
{
	struct run run = { .seconds = 10, .seed = 1 };

	signal(SIGPIPE, SIG_IGN);
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--seconds"))
			run.seconds = (int64_t)number_of(argv[++i]);
		else if (!strcmp(argv[i], "--seed"))
			run.seed = number_of(argv[++i]);
		else if (!strcmp(argv[i], "--goal"))
			run.goal_ms = (double)number_of(argv[++i]);
		else if (!strcmp(argv[i], "--flat"))
			run.flat = true;
		else if (*argv[i] == '-' || run.program)
			usage();
		else
			run.program = argv[i];
	}
	if (!run.program)
		usage();
	return attack_it(&run);
}
