// SPDX-License-Identifier: MIT
/*
 * A poll-mode receiver in userspace, whose queues follow their threads: one queue and one thread a
 * CPU, and what the device writes for a queue (descriptors, headers, payload: an ST entry each, or
 * without an ST table a tag each) is steered to the CPU that its thread runs on. A thread that finds
 * itself on another CPU moves its entries there, between two polls, with packets coming in. With
 * --forward each packet goes out again from the buffers that it came in, and so the device's reads
 * of them carry hints, too.
 *
 *   steered-rx [--cpus 0,1,2,4] [--packets N] [--move] [--forward] 0000:01:00.0
 *
 * The device is the emulated endpoint (tph-emu with queues=N), and nic.c has what is its own. It
 * generates packets on order, so this program orders them, and knows what must be in each; the
 * device's trace of its requests then tells which tags were on them.
 */
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tph.h"

#include "nic.h"

#define TAGS_MAX	8
#define NO_HINT		UINT32_MAX

struct queue {
	unsigned int number;
	struct tph_device *steering;	/* a handle of its own: it serves one thread */
	pthread_t thread;
	unsigned int start_cpu;
	unsigned int cpu;		/* that its entries steer to */
	unsigned int next;		/* descriptor to look at */
	unsigned int oldest;		/* the first that the device has not back */
	uint32_t expected;		/* the next packet's number is no lower */
	uint64_t bytes;
	atomic_uint packets;
	struct { uint32_t tag, requests; } tags[TAGS_MAX];
};

static struct nic nic;
static struct queue queues[EP_QUEUE_MAX];
static unsigned int queue_count;
static uint32_t packet_count = 512;
static bool moving, forwarding;

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

/* ---- a queue's thread: steer, poll ---- */

/* The kernel has no ST table to put the tags into. Policy ds-st lets the driver do it. */
static int place(const struct queue *queue)
{
	uint16_t tags[NIC_ENTRIES];
	int ret = tph_get_tags(queue->steering, nic.width, queue->number * NIC_ENTRIES,
			       NIC_ENTRIES, tags);

	if (!ret)
		nic_place(&nic, queue->number, tags);
	return ret;
}

/*
 * The device's count of requests before and after tells where the change lies among them: from the
 * second on, all that is sent for this queue is for @cpu.
 */
static int steer(struct queue *queue, unsigned int cpu)
{
	const uint32_t cpus[NIC_ENTRIES] = { cpu, cpu, cpu, cpu };
	uint32_t before = nic_position(&nic), after;
	char what[48];
	int ret;

	ret = tph_set(queue->steering, TPH_MEMORY_VOLATILE, queue->number * NIC_ENTRIES,
		      NIC_ENTRIES, cpus);
	if (!ret && !nic.table)
		ret = place(queue);
	after = nic_position(&nic);
	if (ret) {
		snprintf(what, sizeof(what), "queue %u: steer to CPU %u", queue->number, cpu);
		return complain(what, ret);
	}
	queue->cpu = cpu;
	printf("queue %u steers to CPU %u: set between TLP %u and %u\n", queue->number, cpu, before,
	       after);
	return 0;
}

/* Here a real receiver would do something with it. */
static int take(struct queue *queue, const struct nic_packet *packet)
{
	if (packet->number < queue->expected || !nic_is_right(&nic, queue->number, packet)) {
		fprintf(stderr, "steered-rx: queue %u: packet %u is not what was sent, not for this "
			"queue, or not in order\n", queue->number, packet->number);
		return -1;
	}
	queue->expected = packet->number + 1;
	queue->bytes += packet->header_length + packet->payload_length;
	return 0;
}

static int poll_received(struct queue *queue)
{
	const unsigned int first = queue->next;
	struct nic_packet packet;

	while (nic_next(&nic, queue->number, queue->next, &packet)) {
		if (take(queue, &packet))
			return -1;
		if (forwarding)
			nic_forward(&nic, queue->number, queue->next, &packet);
		queue->next = nic_after(queue->next);
	}
	if (forwarding && queue->next != first)
		nic_send(&nic, queue->number, queue->next);
	return 0;
}

/* Those that are done with go back to the device. */
static int return_buffers(struct queue *queue)
{
	const unsigned int first = queue->oldest;
	unsigned int count = 0;

	for (; queue->oldest != queue->next; count++) {
		int sent = forwarding ? nic_sent(&nic, queue->number, queue->oldest) : 1;

		if (sent < 0) {
			fprintf(stderr, "steered-rx: queue %u: a packet was not sent as it came\n",
				queue->number);
			return -1;
		}
		if (!sent)
			break;
		nic_give_back(&nic, queue->number, queue->oldest);
		queue->oldest = nic_after(queue->oldest);
	}
	if (queue->oldest != first)
		nic_doorbell(&nic, queue->number, queue->oldest);
	atomic_fetch_add(&queue->packets, count);
	return 0;
}

static void *run_queue(void *argument)
{
	struct queue *queue = argument;
	bool good = !steer(queue, (unsigned int)sched_getcpu());

	nic_start(&nic, queue->number);
	pthread_barrier_wait(&ready);
	while (good && !atomic_load(&stop)) {
		unsigned int cpu = (unsigned int)sched_getcpu();

		good = (cpu == queue->cpu || !steer(queue, cpu)) && !poll_received(queue) &&
		       !return_buffers(queue);
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

/* The main thread stays free to run anywhere, so the process may target all of the CPUs. */
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

static void count_tag(unsigned int queue, bool tagged, uint16_t tag)
{
	const uint32_t value = tagged ? tag : NO_HINT;

	for (unsigned int i = 0; i < TAGS_MAX; i++) {
		if (queues[queue].tags[i].requests && queues[queue].tags[i].tag != value)
			continue;
		queues[queue].tags[i].tag = value;
		queues[queue].tags[i].requests++;
		return;
	}
}

static uint32_t received(void)
{
	uint32_t sum = 0;

	for (unsigned int i = 0; i < queue_count; i++)
		sum += atomic_load(&queues[i].packets);
	return sum;
}

static int check(void)
{
	return nic_check(&nic) || atomic_load(&failed) ? -1 : 0;
}

static int receive_all(void)
{
	for (uint32_t ordered = 0; ordered < packet_count;) {
		uint32_t left = packet_count - ordered, batch = left < NIC_BATCH ? left : NIC_BATCH;

		nic_generate(&nic, batch);
		if (moving && ordered <= packet_count / 2 && ordered + batch > packet_count / 2)
			move_threads();
		ordered += batch;
		while (received() < ordered)
			if (check())
				return -1;
		nic_trace(&nic, count_tag);
	}
	return check();
}

static void report(const struct queue *queue)
{
	printf("queue %u: CPU %u, %u packets, %llu bytes, %u TLPs; requests by tag:", queue->number,
	       queue->cpu, atomic_load(&queue->packets), (unsigned long long)queue->bytes,
	       nic_requests(&nic, queue->number));
	for (unsigned int i = 0; i < TAGS_MAX && queue->tags[i].requests; i++) {
		if (queue->tags[i].tag == NO_HINT)
			printf(" none");
		else
			printf(" 0x%04x", queue->tags[i].tag);
		printf(" (%u)", queue->tags[i].requests);
	}
	printf("\n");
}

static int run(struct tph_device *device)
{
	int ret = -1;

	if (complain("steering", tph_probe(device)) || nic_open(&nic, device, queue_count))
		return -1;
	pthread_barrier_init(&ready, NULL, queue_count + 1);
	for (unsigned int i = 0; i < queue_count; i++)
		if (start_queue(device, &queues[i]))
			exit(1);	/* the others wait at the barrier, and end with the process */
	pthread_barrier_wait(&ready);
	if (!complain("enable", tph_enable(device, nic.table ? TPH_MODE_INTERRUPT_VECTOR :
							       TPH_MODE_DEVICE_SPECIFIC,
					   TPH_WIDTH_WIDEST)))
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
	return errno || *text < '0' || *text > '9' || *value > max ? -1 : 0;
}

static int parse_cpus(const char *text)
{
	unsigned long cpu;
	char *end;

	for (queue_count = 0; queue_count < EP_QUEUE_MAX; text = end + 1) {
		if (number(text, &end, CPU_SETSIZE - 1, &cpu) || (*end && *end != ','))
			return -1;
		queues[queue_count].number = queue_count;
		queues[queue_count++].start_cpu = (unsigned int)cpu;
		if (!*end)
			return 0;
	}
	return -1;
}

static int parse_packets(const char *text)
{
	unsigned long count;
	char *end;

	if (number(text, &end, 1u << 20, &count) || *end || !count)
		return -1;
	packet_count = (uint32_t)count;
	return 0;
}

static int parse(int argc, char **argv)
{
	static const struct option options[] = {
		{ "cpus", required_argument, NULL, 'c' },
		{ "packets", required_argument, NULL, 'p' },
		{ "move", no_argument, NULL, 'm' },
		{ "forward", no_argument, NULL, 'f' },
		{ NULL, 0, NULL, 0 },
	};
	int option, ret = parse_cpus("0,1");

	while (!ret && (option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'c')
			ret = parse_cpus(optarg);
		else if (option == 'p')
			ret = parse_packets(optarg);
		else if (option == 'm')
			moving = true;
		else if (option == 'f')
			forwarding = true;
		else
			ret = -1;
	}
	return ret || optind + 1 != argc ? -1 : 0;
}

int main(int argc, char **argv)
{
	struct tph_device *device;
	int ret;

	if (parse(argc, argv)) {
		fprintf(stderr, "usage: steered-rx [--cpus 0,1,...] [--packets N] [--move] [--forward] BDF\n"
			"1 to %u CPUs, a queue for each; 1 to 1048576 packets\n", EP_QUEUE_MAX);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (complain(argv[optind], tph_open(argv[optind], &device)))
		return 1;
	ret = run(device);
	tph_close(device);
	if (!ret)
		printf("all %u packets arrived, each whole, in order, where it belongs%s\n",
		       packet_count, forwarding ? ", and went out again" : "");
	return ret ? 1 : 0;
}
