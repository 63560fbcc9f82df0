/* SPDX-License-Identifier: MIT */
/*
 * The emulated endpoint as a NIC whose queues are pairs of a receive and a transmit ring: registers,
 * memory, rings. What is here knows emu/endpoint_regs.h and nothing of threads or CPUs; of steering
 * it knows which ST entry is for what.
 */
#ifndef NIC_H
#define NIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tph.h"

#include "../emu/endpoint_regs.h"

#define NIC_BATCH 8u /* packets under way: fewer than a ring takes, and TLPs than the trace does */

/* The ST entries of a queue, from its number * NIC_ENTRIES on. */
enum nic_entry {
	NIC_ENTRY_DESCRIPTOR,
	NIC_ENTRY_HEADER,
	NIC_ENTRY_PAYLOAD,
	NIC_ENTRY_SENT,	/* descriptors of the transmit ring */
	NIC_ENTRIES
};

/**
 * struct nic - the device
 * @registers: BAR 0
 * @memory: of all queues, as the device sees it
 * @queues: how many are used
 * @table: it has an ST table; without one each queue's tags are in its registers
 * @width: of the tags there
 * @known: the packets are those of the manual's formula, not of a file
 * @traced: requests in the device's trace that nic_trace() has shown
 */
struct nic {
	volatile uint32_t *registers;
	size_t registers_size;
	uint8_t *memory;
	unsigned int queues;
	bool table;
	enum tph_width width;
	bool known;
	uint32_t traced;
};

/** struct nic_packet - one that was received, as long as its descriptor was not given back */
struct nic_packet {
	uint32_t number, hash;
	const uint8_t *header, *payload;
	uint32_t header_length, payload_length;
};

/** nic_open() - make the device ready. Return: 0, or -1, and what is wrong is on stderr. */
int nic_open(struct nic *nic, struct tph_device *device, unsigned int queues);

/** nic_place() - without an ST table: put tags into the queue's registers, running or not. */
void nic_place(const struct nic *nic, unsigned int queue, const uint16_t tags[NIC_ENTRIES]);

/** nic_start() - let queue @queue run, with all of its receive descriptors the device's. */
void nic_start(const struct nic *nic, unsigned int queue);

/** nic_next() - look at descriptor @next. Return: whether a packet is there. */
bool nic_next(const struct nic *nic, unsigned int queue, unsigned int next,
	      struct nic_packet *packet);

/** nic_after() - the descriptor after @next. */
unsigned int nic_after(unsigned int next);

/** nic_forward() - put the packet in descriptor @next, as it is, into the transmit ring. */
void nic_forward(const struct nic *nic, unsigned int queue, unsigned int next,
		 const struct nic_packet *packet);

/** nic_send() - tell the device of packets put there, up to @next, which is none of them. */
void nic_send(const struct nic *nic, unsigned int queue, unsigned int next);

/**
 * nic_sent() - look whether the packet of descriptor @next has been sent
 *
 * Return: 1 if so, 0 if not yet, -1 if something else was sent.
 */
int nic_sent(const struct nic *nic, unsigned int queue, unsigned int next);

/** nic_give_back() - descriptor @next and its buffers are done with. */
void nic_give_back(const struct nic *nic, unsigned int queue, unsigned int next);

/** nic_doorbell() - tell the device of descriptors given back, up to @next. */
void nic_doorbell(const struct nic *nic, unsigned int queue, unsigned int next);

/** nic_is_right() - whether a packet is what the device sends, and was sent to @queue. */
bool nic_is_right(const struct nic *nic, unsigned int queue, const struct nic_packet *packet);

/** nic_generate() - let @count packets come. */
void nic_generate(const struct nic *nic, uint32_t count);

/** nic_check() - look for faults and drops. Return: 0, or -1, and what is wrong is on stderr. */
int nic_check(const struct nic *nic);

/** nic_position() - how many requests the device has sent so far. */
uint32_t nic_position(const struct nic *nic);

/** nic_requests() - how many it has sent for a queue's rings, reads of descriptors among them. */
uint32_t nic_requests(const struct nic *nic, unsigned int queue);

/**
 * nic_trace() - show each request since the last call: its queue, whether it has a tag, and which.
 * Reads of descriptors are left out: they never have one.
 */
void nic_trace(struct nic *nic, void (*show)(unsigned int queue, bool tagged, uint16_t tag));

#endif /* NIC_H */
