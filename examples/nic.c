// SPDX-License-Identifier: MIT
#include "nic.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/pci_regs.h>
#include <linux/vfio.h>

#define RING		32u
#define HEADER		54u		/* Ethernet, IPv4 and TCP */
#define HEADER_BUFFER	64u
#define BUFFER		2048u

/* a queue's memory, as the device sees it from IOVA + its number * QUEUE_MEMORY on */
#define IOVA		0x1000000u
#define TRANSMIT_AT	0x800u
#define HEADERS_AT	0x1000u
#define PAYLOADS_AT	0x2000u
#define QUEUE_MEMORY	(PAYLOADS_AT + RING * BUFFER)

/* EP_RXD_* */
struct descriptor {
	uint64_t payload, header;
	uint32_t number, hash, length, status;
};

/* EP_TXD_* */
struct transmit_descriptor {
	uint64_t payload, header;
	uint32_t length, number, hash, status;
};

static int complain(const char *what, int error)
{
	fprintf(stderr, "steered-rx: %s: %s\n", what, strerror(error));
	return -1;
}

static uint32_t get(const struct nic *nic, uint32_t at)
{
	return nic->registers[at / 4];
}

static void put(const struct nic *nic, uint32_t at, uint32_t value)
{
	nic->registers[at / 4] = value;
}

/* @rings: EP_RXQ or EP_TXQ */
static uint32_t ring_register(uint32_t rings, unsigned int queue, uint32_t at)
{
	return rings + queue * EP_QUEUE_STRIDE + at;
}

static uint8_t *queue_memory(const struct nic *nic, unsigned int queue)
{
	return nic->memory + (size_t)queue * QUEUE_MEMORY;
}

static struct descriptor *descriptor(const struct nic *nic, unsigned int queue, unsigned int i)
{
	return (struct descriptor *)queue_memory(nic, queue) + i;
}

static struct transmit_descriptor *transmit_descriptor(const struct nic *nic, unsigned int queue,
						       unsigned int i)
{
	return (struct transmit_descriptor *)(queue_memory(nic, queue) + TRANSMIT_AT) + i;
}

/* ---- open ---- */

static int map_registers(struct nic *nic, int fd)
{
	struct vfio_region_info bar = { .argsz = sizeof(bar), .index = VFIO_PCI_BAR0_REGION_INDEX };
	struct vfio_region_info config = { .argsz = sizeof(config),
					   .index = VFIO_PCI_CONFIG_REGION_INDEX };
	const uint16_t command = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	void *mapped;

	if (ioctl(fd, VFIO_DEVICE_GET_REGION_INFO, &bar) ||
	    ioctl(fd, VFIO_DEVICE_GET_REGION_INFO, &config))
		return complain("region info", errno);
	if (pwrite(fd, &command, sizeof(command), (off_t)config.offset + PCI_COMMAND) !=
	    sizeof(command))
		return complain("bus master enable", EIO);
	mapped = mmap(NULL, bar.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)bar.offset);
	if (mapped == MAP_FAILED)
		return complain("registers", errno);
	nic->registers = mapped;
	nic->registers_size = bar.size;
	if (get(nic, EP_ID) != EP_ID_VALUE)
		return complain("not an emulated endpoint", ENODEV);
	nic->known = get(nic, EP_RX_SOURCE) == EP_RX_PATTERN;
	nic->traced = nic_position(nic);
	return 0;
}

/* @has: its ST entries, or how many CPUs at once can be asked for tags */
static int check_size(const struct nic *nic, uint32_t has)
{
	const uint32_t entries = nic->queues * NIC_ENTRIES;

	if (get(nic, EP_QUEUES) >= nic->queues && has >= entries)
		return 0;
	fprintf(stderr, "steered-rx: %u queues need a device with so many, and this one has %u; "
		"and %u ST entries, of which it has %u\n", nic->queues, get(nic, EP_QUEUES), entries,
		has);
	return -1;
}

/* An ST table in the MSI-X table has tags for vectors in use alone. These stay silent. */
static int use_vectors(const struct nic *nic, int fd)
{
	const uint32_t count = nic->queues * NIC_ENTRIES;
	const uint32_t size = (uint32_t)(sizeof(struct vfio_irq_set) + count * sizeof(int));
	struct vfio_irq_set *set = calloc(1, size);
	int events[EP_QUEUE_MAX * NIC_ENTRIES], ret;
	uint32_t made = 0;

	if (!set)
		return complain("MSI-X vectors", errno);
	*set = (struct vfio_irq_set){
		.argsz = size,
		.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = VFIO_PCI_MSIX_IRQ_INDEX,
		.count = count,
	};
	while (made < count && (events[made] = eventfd(0, EFD_CLOEXEC)) >= 0)
		made++;
	memcpy(set->data, events, made * sizeof(int));
	/* a vector less is not what was asked for: all or none */
	ret = made < count || ioctl(fd, VFIO_DEVICE_SET_IRQS, set) ?
	      complain("MSI-X vectors", errno) : 0;
	while (made)
		close(events[--made]);
	free(set);
	return ret;
}

static void put_hint(const struct nic *nic, uint32_t at, uint32_t hint, enum tph_hint ph)
{
	put(nic, at, hint | (uint32_t)ph << EP_HINT_PH_SHIFT);
}

/* @hints: for each of the queue's entries, where its tag comes from */
static void put_hints(const struct nic *nic, unsigned int queue, const uint32_t hints[NIC_ENTRIES])
{
	static const uint32_t rings[] = { EP_RXQ, EP_TXQ };
	static const enum nic_entry descriptors[] = { NIC_ENTRY_DESCRIPTOR, NIC_ENTRY_SENT };

	for (unsigned int i = 0; i < 2; i++) {
		put_hint(nic, ring_register(rings[i], queue, EP_QUEUE_HINT_DESCRIPTOR),
			 hints[descriptors[i]], TPH_HINT_TARGET_PRIORITY);
		put_hint(nic, ring_register(rings[i], queue, EP_QUEUE_HINT_HEADER),
			 hints[NIC_ENTRY_HEADER], TPH_HINT_TARGET_PRIORITY);
		put_hint(nic, ring_register(rings[i], queue, EP_QUEUE_HINT_PAYLOAD),
			 hints[NIC_ENTRY_PAYLOAD], TPH_HINT_TARGET);
	}
}

/* What the device sends for a queue carries the tag of that entry of the queue. */
static uint32_t entry_hint(unsigned int queue, enum nic_entry entry)
{
	return (queue * NIC_ENTRIES + entry) | EP_HINT_ENTRY << EP_HINT_SOURCE_SHIFT;
}

static void use_entries(const struct nic *nic)
{
	for (unsigned int i = 0; i < nic->queues; i++) {
		uint32_t hints[NIC_ENTRIES];

		for (unsigned int entry = 0; entry < NIC_ENTRIES; entry++)
			hints[entry] = entry_hint(i, (enum nic_entry)entry);
		put_hints(nic, i, hints);
	}
}

void nic_place(const struct nic *nic, unsigned int queue, const uint16_t tags[NIC_ENTRIES])
{
	uint32_t hints[NIC_ENTRIES];

	for (unsigned int entry = 0; entry < NIC_ENTRIES; entry++)
		hints[entry] = tags[entry] | EP_HINT_TAG << EP_HINT_SOURCE_SHIFT;
	put_hints(nic, queue, hints);
}

static int give_memory(struct nic *nic, struct tph_device *device)
{
	const size_t length = (size_t)nic->queues * QUEUE_MEMORY;
	void *mapped = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			    0);
	int ret;

	if (mapped == MAP_FAILED)
		return complain("memory", errno);
	nic->memory = mapped;
	ret = tph_map(device, nic->memory, length, IOVA, TPH_ACCESS_BOTH);
	return ret ? complain("map memory", -ret) : 0;
}

/* What is mapped for the device goes with its I/O address space. */
static int give_up(struct nic *nic)
{
	if (nic->memory)
		munmap(nic->memory, (size_t)nic->queues * QUEUE_MEMORY);
	if (nic->registers)
		munmap((void *)nic->registers, nic->registers_size);
	*nic = (struct nic){ 0 };
	return -1;
}

int nic_open(struct nic *nic, struct tph_device *device, unsigned int queues)
{
	const int fd = tph_device_fd(device);
	struct tph_state state;
	int ret;

	ret = tph_read_state(device, &state);
	if (ret)
		return complain("steering", -ret);
	*nic = (struct nic){
		.queues = queues,
		.table = state.table != TPH_TABLE_NONE,
		.width = state.width_max,
	};
	if (map_registers(nic, fd) || check_size(nic, state.entries) || give_memory(nic, device))
		return give_up(nic);
	if (nic->table)
		use_entries(nic);
	if (state.table == TPH_TABLE_MSIX && use_vectors(nic, fd))
		return give_up(nic);
	put(nic, EP_RX_SPREAD, queues);
	return 0;
}

/* ---- rings ---- */

static void start_ring(const struct nic *nic, uint32_t rings, unsigned int queue, uint64_t iova,
		       uint32_t control)
{
	put(nic, ring_register(rings, queue, EP_QUEUE_BASE_LO), (uint32_t)iova);
	put(nic, ring_register(rings, queue, EP_QUEUE_BASE_HI), (uint32_t)(iova >> 32));
	put(nic, ring_register(rings, queue, EP_QUEUE_SIZE), RING);
	put(nic, ring_register(rings, queue, EP_QUEUE_BUFFER), BUFFER);
	put(nic, ring_register(rings, queue, EP_QUEUE_HEADER), HEADER);
	put(nic, ring_register(rings, queue, EP_QUEUE_CONTROL), control);
}

void nic_start(const struct nic *nic, unsigned int queue)
{
	const uint64_t iova = IOVA + (uint64_t)queue * QUEUE_MEMORY;

	for (unsigned int i = 0; i < RING; i++)
		*descriptor(nic, queue, i) = (struct descriptor){
			.header = iova + HEADERS_AT + i * HEADER_BUFFER,
			.payload = iova + PAYLOADS_AT + i * BUFFER,
		};
	start_ring(nic, EP_RXQ, queue, iova, EP_QUEUE_ENABLE | EP_QUEUE_SPLIT);
	start_ring(nic, EP_TXQ, queue, iova + TRANSMIT_AT, EP_QUEUE_ENABLE);
	nic_doorbell(nic, queue, 0);
}

bool nic_next(const struct nic *nic, unsigned int queue, unsigned int next,
	      struct nic_packet *packet)
{
	const struct descriptor *d = descriptor(nic, queue, next);
	const uint8_t *memory = queue_memory(nic, queue);

	if (!(__atomic_load_n(&d->status, __ATOMIC_ACQUIRE) & EP_DESCRIPTOR_DONE))
		return false;
	*packet = (struct nic_packet){
		.number = d->number,
		.hash = d->hash,
		.header = memory + HEADERS_AT + (size_t)next * HEADER_BUFFER,
		.header_length = d->length >> 16,
		.payload = memory + PAYLOADS_AT + (size_t)next * BUFFER,
		.payload_length = d->length & 0xffff,
	};
	return true;
}

unsigned int nic_after(unsigned int next)
{
	return (next + 1) % RING;
}

void nic_forward(const struct nic *nic, unsigned int queue, unsigned int next,
		 const struct nic_packet *packet)
{
	const struct descriptor *received = descriptor(nic, queue, next);

	*transmit_descriptor(nic, queue, next) = (struct transmit_descriptor){
		.payload = received->payload,
		.header = received->header,
		.length = packet->header_length << 16 | packet->payload_length,
	};
}

void nic_send(const struct nic *nic, unsigned int queue, unsigned int next)
{
	__atomic_thread_fence(__ATOMIC_RELEASE);
	put(nic, ring_register(EP_TXQ, queue, EP_QUEUE_TAIL), next);
}

int nic_sent(const struct nic *nic, unsigned int queue, unsigned int next)
{
	const struct transmit_descriptor *d = transmit_descriptor(nic, queue, next);

	if (!(__atomic_load_n(&d->status, __ATOMIC_ACQUIRE) & EP_DESCRIPTOR_DONE))
		return 0;
	return d->hash == descriptor(nic, queue, next)->hash ? 1 : -1;
}

void nic_give_back(const struct nic *nic, unsigned int queue, unsigned int next)
{
	descriptor(nic, queue, next)->status = 0;
}

void nic_doorbell(const struct nic *nic, unsigned int queue, unsigned int next)
{
	__atomic_thread_fence(__ATOMIC_RELEASE);
	put(nic, ring_register(EP_RXQ, queue, EP_QUEUE_TAIL), (next + RING - 1) % RING);
}

/* ---- packets ---- */

/* doc/emulated-endpoint.md has the formula. */
static bool follows_pattern(const struct nic_packet *packet)
{
	const uint32_t n = packet->number, length = packet->header_length + packet->payload_length;

	if (length != 60 + (uint64_t)n * 97 % 1455)
		return false;
	for (uint32_t i = 0; i < length; i++) {
		uint8_t byte = i < packet->header_length ? packet->header[i] :
							   packet->payload[i - packet->header_length];

		if (byte != (uint8_t)((n >> 8 * (i % 4)) + i))
			return false;
	}
	return true;
}

static uint32_t fnv_1a(uint32_t hash, const uint8_t *data, uint32_t length)
{
	for (uint32_t i = 0; i < length; i++)
		hash = (hash ^ data[i]) * 0x01000193;
	return hash;
}

bool nic_is_right(const struct nic *nic, unsigned int queue, const struct nic_packet *packet)
{
	uint32_t hash = 0x811c9dc5;

	if (packet->header_length > HEADER || packet->payload_length > BUFFER)
		return false;
	hash = fnv_1a(hash, packet->header, packet->header_length);
	hash = fnv_1a(hash, packet->payload, packet->payload_length);
	return hash == packet->hash && (hash ^ hash >> 16) % nic->queues == queue &&
	       (!nic->known || follows_pattern(packet));
}

void nic_generate(const struct nic *nic, uint32_t count)
{
	put(nic, EP_RX_GENERATE, count);
}

static int check_ring(const struct nic *nic, uint32_t rings, unsigned int queue)
{
	uint32_t status = get(nic, ring_register(rings, queue, EP_QUEUE_STATUS));
	uint32_t drops = get(nic, ring_register(rings, queue, EP_QUEUE_DROPS));

	if (status == EP_QUEUE_RUNNING && !drops)
		return 0;
	fprintf(stderr, "steered-rx: queue %u, %s ring: status %u, fault %u, %u packets dropped\n",
		queue, rings == EP_TXQ ? "transmit" : "receive", status,
		get(nic, ring_register(rings, queue, EP_QUEUE_FAULT)), drops);
	return -1;
}

int nic_check(const struct nic *nic)
{
	for (unsigned int i = 0; i < nic->queues; i++)
		if (check_ring(nic, EP_RXQ, i) || check_ring(nic, EP_TXQ, i))
			return -1;
	return 0;
}

/* ---- the trace ---- */

uint32_t nic_position(const struct nic *nic)
{
	return get(nic, EP_TRACE_HEAD);
}

uint32_t nic_requests(const struct nic *nic, unsigned int queue)
{
	return get(nic, ring_register(EP_RXQ, queue, EP_QUEUE_TLPS)) +
	       get(nic, ring_register(EP_TXQ, queue, EP_QUEUE_TLPS));
}

void nic_trace(struct nic *nic, void (*show)(unsigned int queue, bool tagged, uint16_t tag))
{
	const uint32_t head = nic_position(nic);

	for (; nic->traced != head; nic->traced++) {
		uint32_t slot = EP_TRACE + nic->traced % EP_TRACE_SLOTS * EP_TRACE_STRIDE;
		uint32_t flags = get(nic, slot + EP_TLP_FLAGS);

		if ((flags & EP_TLP_KIND_MASK) >> EP_TLP_KIND_SHIFT != EP_TLP_FETCH)
			show(flags >> EP_TLP_QUEUE_SHIFT, flags & EP_TLP_TH,
			     (uint16_t)get(nic, slot + EP_TLP_ST));
	}
}
