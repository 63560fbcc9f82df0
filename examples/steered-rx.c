// SPDX-License-Identifier: MIT
/*
 * A poll-mode receiver in userspace, whose queues follow their threads: one queue and one thread a
 * CPU, and what the device writes for a queue (descriptors, headers, payload: an ST entry each) is
 * steered to the CPU that its thread runs on. A thread that finds itself on another CPU moves its
 * entries there, between two polls, with packets coming in.
 *
 *   steered-rx [--cpus 0,1,2,4] [--packets N] [--move] 0000:01:00.0
 *
 * The device is the emulated endpoint (tph-emu with queues=N, doc/emulated-endpoint.md); what is
 * its own are the registers, in endpoint_regs.h. It generates its packets itself, so this program
 * orders them, and knows what must be in each. Its trace of requests tells which tags were on them.
 */
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/pci_regs.h>
#include <linux/vfio.h>

#include "tph.h"

#include "../emu/endpoint_regs.h"

#define RING		32u		/* descriptors; one less is the device's at a time */
#define BATCH		16u		/* packets under way: fewer TLPs than the trace has slots */
#define HEADER		54u		/* Ethernet, IPv4 and TCP */
#define HEADER_BUFFER	64u
#define BUFFER		2048u

/* a queue's memory, as the device sees it from IOVA + its number * QUEUE_MEMORY on */
#define IOVA		0x1000000u
#define HEADERS_AT	0x1000u
#define PAYLOADS_AT	0x2000u
#define QUEUE_MEMORY	(PAYLOADS_AT + RING * BUFFER)

#define TAGS_MAX	8
#define NO_HINT		UINT32_MAX

/* The ST entries of a queue, from its number * ENTRIES on. */
enum entry { ENTRY_DESCRIPTOR, ENTRY_HEADER, ENTRY_PAYLOAD, ENTRIES };

struct descriptor {
	uint64_t payload, header;
	uint32_t number, hash, length, status;
};

struct queue {
	unsigned int number;
	struct tph_device *steering;	/* a handle of its own: it serves one thread */
	uint8_t *memory;
	pthread_t thread;
	unsigned int start_cpu;
	unsigned int cpu;		/* that its entries steer to */
	unsigned int next;		/* descriptor to look at */
	uint32_t expected;		/* the next packet's number is no lower */
	uint64_t bytes;
	atomic_uint packets;
	struct { uint32_t tag, writes; } tags[TAGS_MAX];
};

static struct queue queues[EP_RXQ_MAX];
static unsigned int queue_count;
static uint32_t packet_count = 512;
static bool moving;

static volatile uint32_t *registers;
static uint32_t traced;			/* TLPs of the trace that were looked at */
static pthread_barrier_t ready;
static atomic_bool stop, failed;

static int complain(const char *what, int error)
{
	if (!error)
		return 0;
	fprintf(stderr, "steered-rx: %s: %s\n", what, strerror(-error));
	atomic_store(&failed, true);
	return error;
}

static uint32_t get(uint32_t at)
{
	return registers[at / 4];
}

static void put(uint32_t at, uint32_t value)
{
	registers[at / 4] = value;
}

static uint32_t queue_register(const struct queue *queue, uint32_t at)
{
	return EP_RXQ + queue->number * EP_RXQ_STRIDE + at;
}

/* ---- the device: registers, memory, rings ---- */

static int map_device(struct tph_device *device)
{
	struct vfio_region_info bar = { .argsz = sizeof(bar), .index = VFIO_PCI_BAR0_REGION_INDEX };
	struct vfio_region_info config = { .argsz = sizeof(config),
					   .index = VFIO_PCI_CONFIG_REGION_INDEX };
	const uint16_t command = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	const int fd = tph_device_fd(device);
	void *mapped;

	if (ioctl(fd, VFIO_DEVICE_GET_REGION_INFO, &bar) ||
	    ioctl(fd, VFIO_DEVICE_GET_REGION_INFO, &config))
		return complain("region info", -errno);
	if (pwrite(fd, &command, sizeof(command), (off_t)config.offset + PCI_COMMAND) !=
	    sizeof(command))
		return complain("bus master enable", -EIO);
	mapped = mmap(NULL, bar.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)bar.offset);
	if (mapped == MAP_FAILED)
		return complain("registers", -errno);
	registers = mapped;
	return 0;
}

static int check_device(struct tph_device *device)
{
	struct tph_state state;

	if (complain("steering", tph_probe(device)) ||
	    complain("steering", tph_read_state(device, &state)))
		return -1;
	if (get(EP_ID) != EP_ID_VALUE)
		return complain("not an emulated endpoint", -ENODEV);
	if (get(EP_QUEUES) >= queue_count && state.entries >= queue_count * ENTRIES)
		return 0;
	fprintf(stderr, "steered-rx: %u queues need as many of the device, which has %u, and %u ST "
		"entries, of which it has %u\n", queue_count, get(EP_QUEUES),
		queue_count * ENTRIES, state.entries);
	return -1;
}

/* IOMMU_IOAS_MAP, which the headers of older distributions lack */
static int map_for_dma(struct tph_device *device, void *memory, uint64_t length)
{
	struct {
		uint32_t size, flags, ioas_id, reserved;
		uint64_t user_va, length, iova;
	} map = {
		.size = sizeof(map),
		.flags = 7,		/* fixed IOVA, writable, readable */
		.ioas_id = tph_ioas(device),
		.user_va = (uintptr_t)memory,
		.length = length,
		.iova = IOVA,
	};

	return ioctl(tph_iommu_fd(device), _IO(';', 0x85), &map) ? -errno : 0;
}

static int give_memory(struct tph_device *device)
{
	const size_t length = (size_t)queue_count * QUEUE_MEMORY;
	uint8_t *memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			       -1, 0);

	if (memory == MAP_FAILED)
		return complain("memory", -errno);
	for (unsigned int i = 0; i < queue_count; i++)
		queues[i].memory = memory + (size_t)i * QUEUE_MEMORY;
	return complain("map memory", map_for_dma(device, memory, length));
}

static struct descriptor *descriptor(const struct queue *queue, unsigned int i)
{
	return (struct descriptor *)queue->memory + i;
}

/* What the device writes for the queue carries the tag of that entry of the queue. */
static uint32_t hint(const struct queue *queue, enum entry entry, enum tph_hint ph)
{
	return (queue->number * ENTRIES + entry) | EP_HINT_ENTRY << EP_HINT_SOURCE_SHIFT |
	       (uint32_t)ph << EP_HINT_PH_SHIFT;
}

static void start_ring(const struct queue *queue)
{
	const uint64_t iova = IOVA + (uint64_t)queue->number * QUEUE_MEMORY;

	for (unsigned int i = 0; i < RING; i++)
		*descriptor(queue, i) = (struct descriptor){
			.header = iova + HEADERS_AT + i * HEADER_BUFFER,
			.payload = iova + PAYLOADS_AT + i * BUFFER,
		};
	put(queue_register(queue, EP_RXQ_BASE_LO), (uint32_t)iova);
	put(queue_register(queue, EP_RXQ_BASE_HI), (uint32_t)(iova >> 32));
	put(queue_register(queue, EP_RXQ_SIZE), RING);
	put(queue_register(queue, EP_RXQ_BUFFER), BUFFER);
	put(queue_register(queue, EP_RXQ_HEADER), HEADER);
	put(queue_register(queue, EP_RXQ_HINT_DESCRIPTOR),
	    hint(queue, ENTRY_DESCRIPTOR, TPH_HINT_TARGET_PRIORITY));
	put(queue_register(queue, EP_RXQ_HINT_HEADER),
	    hint(queue, ENTRY_HEADER, TPH_HINT_TARGET_PRIORITY));
	put(queue_register(queue, EP_RXQ_HINT_PAYLOAD),
	    hint(queue, ENTRY_PAYLOAD, TPH_HINT_TARGET));
	put(queue_register(queue, EP_RXQ_CONTROL), EP_RXQ_ENABLE | EP_RXQ_SPLIT);
	put(queue_register(queue, EP_RXQ_TAIL), RING - 1);
}

/* ---- a queue's thread: steer, poll, check ---- */

/* The positions in the device's sequence of TLPs bound when the tags changed: see tests/vm. */
static int steer(struct queue *queue, unsigned int cpu)
{
	const uint32_t cpus[ENTRIES] = { cpu, cpu, cpu };
	uint32_t before = get(EP_TRACE_HEAD), after;
	char what[48];
	int ret;

	ret = tph_set(queue->steering, TPH_MEMORY_VOLATILE, queue->number * ENTRIES, ENTRIES, cpus);
	after = get(EP_TRACE_HEAD);
	if (ret) {
		snprintf(what, sizeof(what), "queue %u: steer to CPU %u", queue->number, cpu);
		return complain(what, ret);
	}
	queue->cpu = cpu;
	printf("queue %u steers to CPU %u: set between TLP %u and %u\n", queue->number, cpu, before,
	       after);
	return 0;
}

/* The pattern of the device's packets, from its manual. */
static uint8_t pattern(uint32_t number, uint32_t i)
{
	return (uint8_t)((number >> 8 * (i % 4)) + i);
}

static bool is_right(const struct queue *queue, unsigned int i)
{
	const struct descriptor *d = descriptor(queue, i);
	const uint8_t *header = queue->memory + HEADERS_AT + (size_t)i * HEADER_BUFFER;
	const uint8_t *payload = queue->memory + PAYLOADS_AT + (size_t)i * BUFFER;
	const uint32_t header_length = d->length >> 16;
	const uint32_t length = header_length + (d->length & 0xffff);
	const bool known = get(EP_RX_SOURCE) == EP_RX_PATTERN;
	uint32_t hash = 0x811c9dc5;

	if (header_length > HEADER_BUFFER || length - header_length > BUFFER)
		return false;
	if (known && length != 60 + d->number * 97 % 1455)
		return false;
	for (uint32_t at = 0; at < length; at++) {
		uint8_t byte = at < header_length ? header[at] : payload[at - header_length];

		if (known && byte != pattern(d->number, at))
			return false;
		hash = (hash ^ byte) * 0x01000193;
	}
	return hash == d->hash && (hash ^ hash >> 16) % queue_count == queue->number &&
	       d->number >= queue->expected;
}

/* Takes what has come, and gives the descriptors back. */
static int poll_queue(struct queue *queue)
{
	unsigned int taken = 0;
	struct descriptor *d;

	for (; d = descriptor(queue, queue->next),
	       __atomic_load_n(&d->status, __ATOMIC_ACQUIRE) & EP_RXD_DONE; taken++) {
		if (!is_right(queue, queue->next)) {
			fprintf(stderr, "steered-rx: queue %u: packet %u is not what was sent, or "
				"not in order\n", queue->number, d->number);
			return -1;
		}
		queue->expected = d->number + 1;
		queue->bytes += (d->length >> 16) + (d->length & 0xffff);
		d->status = 0;
		queue->next = (queue->next + 1) % RING;
	}
	if (taken) {
		atomic_thread_fence(memory_order_release);
		put(queue_register(queue, EP_RXQ_TAIL), (queue->next + RING - 1) % RING);
		atomic_fetch_add(&queue->packets, taken);
	}
	return 0;
}

static void *run_queue(void *argument)
{
	struct queue *queue = argument;
	bool good = !steer(queue, (unsigned int)sched_getcpu());

	start_ring(queue);
	pthread_barrier_wait(&ready);
	while (good && !atomic_load(&stop)) {
		unsigned int cpu = (unsigned int)sched_getcpu();

		good = (cpu == queue->cpu || !steer(queue, cpu)) && !poll_queue(queue);
	}
	if (!good)
		atomic_store(&failed, true);
	return NULL;
}

/* ---- the main thread: start the others, order packets, look at the trace ---- */

static cpu_set_t one_cpu(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return set;
}

static int start_queue(struct tph_device *device, struct queue *queue)
{
	cpu_set_t set = one_cpu(queue->start_cpu);
	pthread_attr_t attributes;
	int ret;

	if (complain("handle", tph_from_fd(tph_device_fd(device), &queue->steering)))
		return -1;
	pthread_attr_init(&attributes);
	pthread_attr_setaffinity_np(&attributes, sizeof(set), &set);
	ret = pthread_create(&queue->thread, &attributes, run_queue, queue);
	pthread_attr_destroy(&attributes);
	return complain("start a thread on its CPU", -ret);
}

/* Each thread to the CPU of the next one; they find out by themselves. */
static void move_threads(void)
{
	for (unsigned int i = 0; i < queue_count; i++) {
		cpu_set_t set = one_cpu(queues[(i + 1) % queue_count].start_cpu);

		complain("move a thread",
			 -pthread_setaffinity_np(queues[i].thread, sizeof(set), &set));
	}
}

static void count_tag(struct queue *queue, uint32_t tag)
{
	for (unsigned int i = 0; i < TAGS_MAX; i++) {
		if (queue->tags[i].writes && queue->tags[i].tag != tag)
			continue;
		queue->tags[i].tag = tag;
		queue->tags[i].writes++;
		return;
	}
}

static void read_trace(void)
{
	const uint32_t head = get(EP_TRACE_HEAD);

	for (; traced != head; traced++) {
		uint32_t slot = EP_TRACE + traced % EP_TRACE_SLOTS * EP_TRACE_STRIDE;
		uint32_t flags = get(slot + EP_TLP_FLAGS);

		if ((flags & EP_TLP_TYPE_MASK) == EP_TLP_MWR)
			count_tag(&queues[flags >> EP_TLP_QUEUE_SHIFT],
				  flags & EP_TLP_TH ? get(slot + EP_TLP_ST) : NO_HINT);
	}
}

static uint32_t received(void)
{
	uint32_t sum = 0;

	for (unsigned int i = 0; i < queue_count; i++)
		sum += atomic_load(&queues[i].packets);
	return sum;
}

static int check_queues(void)
{
	for (unsigned int i = 0; i < queue_count; i++) {
		uint32_t status = get(queue_register(&queues[i], EP_RXQ_STATUS));
		uint32_t drops = get(queue_register(&queues[i], EP_RXQ_DROPS));

		if (status == EP_RXQ_RUNNING && !drops)
			continue;
		fprintf(stderr, "steered-rx: queue %u: status %u, fault %u, %u packets dropped\n", i,
			status, get(queue_register(&queues[i], EP_RXQ_FAULT)), drops);
		return -1;
	}
	return atomic_load(&failed) ? -1 : 0;
}

static int receive_all(void)
{
	for (uint32_t ordered = 0; ordered < packet_count;) {
		uint32_t left = packet_count - ordered, batch = left < BATCH ? left : BATCH;

		put(EP_RX_GENERATE, batch);
		if (moving && ordered <= packet_count / 2 && ordered + batch > packet_count / 2)
			move_threads();
		ordered += batch;
		while (received() < ordered)
			if (check_queues())
				return -1;
		read_trace();
	}
	return check_queues();
}

static void report(const struct queue *queue)
{
	printf("queue %u: CPU %u, %u packets, %llu bytes, %u TLPs; writes by tag:", queue->number,
	       queue->cpu, atomic_load(&queue->packets), (unsigned long long)queue->bytes,
	       get(queue_register(queue, EP_RXQ_TLPS)));
	for (unsigned int i = 0; i < TAGS_MAX && queue->tags[i].writes; i++) {
		if (queue->tags[i].tag == NO_HINT)
			printf(" none");
		else
			printf(" 0x%04x", queue->tags[i].tag);
		printf(" (%u)", queue->tags[i].writes);
	}
	printf("\n");
}

static int run(struct tph_device *device)
{
	unsigned int started = 0;
	int ret = -1;

	if (map_device(device) || check_device(device) || give_memory(device))
		return -1;
	traced = get(EP_TRACE_HEAD);
	put(EP_RX_SPREAD, queue_count);
	pthread_barrier_init(&ready, NULL, queue_count + 1);
	while (started < queue_count && !start_queue(device, &queues[started]))
		started++;
	if (started < queue_count)
		return -1;		/* the others wait for this thread, and end with it */
	pthread_barrier_wait(&ready);
	if (!complain("enable", tph_enable(device, TPH_MODE_INTERRUPT_VECTOR, TPH_WIDTH_WIDEST)))
		ret = receive_all();
	atomic_store(&stop, true);
	for (unsigned int i = 0; i < queue_count; i++) {
		pthread_join(queues[i].thread, NULL);
		report(&queues[i]);
		tph_close(queues[i].steering);
	}
	return atomic_load(&failed) ? -1 : ret;
}

/* ---- the command line ---- */

static int number(const char *text, char **end, unsigned long max, unsigned long *value)
{
	errno = 0;
	*value = strtoul(text, end, 10);
	return errno || *end == text || *text < '0' || *text > '9' || *value > max ? -1 : 0;
}

static int parse_cpus(const char *text)
{
	unsigned long cpu;
	char *end;

	for (queue_count = 0; queue_count < EP_RXQ_MAX; text = end + 1) {
		if (number(text, &end, CPU_SETSIZE - 1, &cpu) || (*end && *end != ','))
			return -1;
		queues[queue_count].number = queue_count;
		queues[queue_count++].start_cpu = (unsigned int)cpu;
		if (!*end)
			return 0;
	}
	return -1;
}

static int parse(int argc, char **argv)
{
	static const struct option options[] = {
		{ "cpus", required_argument, NULL, 'c' },
		{ "packets", required_argument, NULL, 'p' },
		{ "move", no_argument, NULL, 'm' },
		{ NULL, 0, NULL, 0 },
	};
	unsigned long count;
	char *end;
	int option;

	parse_cpus("0,1");
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'c' && !parse_cpus(optarg))
			continue;
		if (option == 'p' && !number(optarg, &end, 1u << 20, &count) && !*end && count) {
			packet_count = (uint32_t)count;
			continue;
		}
		if (option != 'm')
			return -1;
		moving = true;
	}
	return optind + 1 == argc ? 0 : -1;
}

int main(int argc, char **argv)
{
	struct tph_device *device;
	int ret;

	if (parse(argc, argv)) {
		fprintf(stderr, "usage: steered-rx [--cpus 0,1,...] [--packets N] [--move] BDF\n"
			"1 to %u CPUs, a queue for each; 1 to 1048576 packets\n", EP_RXQ_MAX);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (complain(argv[optind], tph_open(argv[optind], &device)))
		return 1;
	ret = run(device);
	tph_close(device);
	if (!ret)
		printf("all %u packets arrived, each whole, in order, where it belongs\n",
		       packet_count);
	return ret ? 1 : 0;
}
