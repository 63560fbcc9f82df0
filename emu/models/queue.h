/* SPDX-License-Identifier: MIT */
/* One queue of the exerciser, of either direction: a ring of descriptors in the client's memory. */
#ifndef EMU_QUEUE_H
#define EMU_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tph_emu.h>

#include "endpoint_regs.h"

/** struct queue_setup - the registers that enabling a queue takes */
struct queue_setup {
	uint64_t base;
	uint32_t size;
	uint32_t buffer;
	uint32_t header;
	uint32_t vector;
};

/** struct queue_hints - the registers that each request looks at: EP_DMA_HINT for each kind */
struct queue_hints {
	uint32_t descriptor;
	uint32_t header;
	uint32_t payload;
};

#define QUEUE_ENTRIES_MAX 2048u /* of an ST table */

/** enum queue_latch - key latch: when a queue takes the tag of an entry */
enum queue_latch {
	QUEUE_LATCH_NONE,  /* each request looks */
	QUEUE_LATCH_RING,  /* the first of a kind since the queue was enabled */
	QUEUE_LATCH_ENTRY, /* the first of any queue since the function was reset */
};

/** struct queue_latches - what all queues have; @entries: by the entry */
struct queue_latches {
	enum queue_latch when;
	struct tph_emu_latch entries[QUEUE_ENTRIES_MAX];
};

/**
 * struct queue - one queue
 * @number: which of its direction
 * @transmit: its packets leave; otherwise they arrive
 * @setup: registers
 * @run: what @setup was when the queue was enabled
 * @hints: registers
 * @latches: of all queues
 * @latch: of its own, by kind
 * @control: EP_QUEUE_CONTROL
 * @split: EP_QUEUE_SPLIT when the queue was enabled
 * @status: EP_QUEUE_STATUS
 * @fault: EP_QUEUE_FAULT
 * @head: EP_QUEUE_HEAD
 * @tail: EP_QUEUE_TAIL
 * @under_way: a packet of it is
 * @done: bytes of that packet that are through
 * @unannounced: packets are done that no interrupt has told of
 */
struct queue {
	unsigned int number;
	bool transmit;
	struct queue_setup setup;
	struct queue_setup run;
	struct queue_hints hints;
	struct queue_latches *latches;
	struct tph_emu_latch latch[TPH_EMU_PAYLOAD + 1];
	uint32_t control;
	bool split;
	uint32_t status;
	uint32_t fault;
	uint32_t head;
	uint32_t tail;
	uint32_t packets;
	uint32_t bytes;
	uint32_t tlps;
	uint32_t drops;
	bool under_way;
	uint32_t done;
	bool unannounced;
};

/** queue_read() - read a register at an offset in EP_QUEUE_STRIDE; undefined ones are 0. */
uint32_t queue_read(const struct queue *queue, size_t at);

/** queue_write() - write one; read-only and undefined ones ignore it. */
void queue_write(struct tph_emu *emu, struct queue *queue, size_t at, uint32_t value);

/** queue_has_descriptor() - runs, and a descriptor is the device's. */
bool queue_has_descriptor(const struct queue *queue);

/** queue_descriptor() - IOVA of the descriptor at the head. */
uint64_t queue_descriptor(const struct queue *queue);

/** queue_drop() - give up the packet under way. */
void queue_drop(struct queue *queue);

/**
 * queue_fault() - stop the queue and drop its packet under way
 * @reason: EP_FAULT_*
 * @request: the one that could not be sent, NULL if it did not come to one
 */
void queue_fault(struct tph_emu *emu, struct queue *queue, uint32_t reason,
		 const struct tph_emu_request *request);

/**
 * queue_send() - send a request of the packet under way
 * @request: type, kind, address, data, length
 *
 * Return: as tph_emu_send(); a fault has stopped the queue then.
 */
int queue_send(struct tph_emu *emu, struct queue *queue, struct tph_emu_request *request);

/** queue_advance() - the packet under way, of @bytes, is done: on to the next descriptor. */
void queue_advance(struct tph_emu *emu, struct queue *queue, uint32_t bytes);

#endif /* EMU_QUEUE_H */
