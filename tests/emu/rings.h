/* SPDX-License-Identifier: MIT */
/* Rings of descriptors in the fixture's memory, and what the manual says of packets. */
#ifndef TESTS_EMU_RINGS_H
#define TESTS_EMU_RINGS_H

#include "fixture.h"

/* where each queue has what, from MEMORY_IOVA on */
#define QUEUE_SIZE    0x40000u
#define RING_AT	      0x0u
#define HEADERS_AT    0x2000u
#define PAYLOADS_AT   0x10000u
#define HEADER_STRIDE 0x100u
#define BUFFER_STRIDE 0x800u
#define RING	      16u

/** rings_setup() - for cmocka: an endpoint with four queues, that may send. */
int rings_setup(void **state);

/** restart() - another endpoint, that may send. */
void restart(struct fixture *f, const char *keys);

/** get32() - four bytes of memory, little endian */
uint32_t get32(const uint8_t *bytes);

/** put32() - write them. */
void put32(uint8_t *bytes, uint32_t value);

/** ring() - descriptor @i of queue @q */
uint8_t *ring(struct fixture *f, unsigned int q, unsigned int i);

/** hint() - EP_DMA_HINT for an ST entry */
uint32_t hint(unsigned int entry, unsigned int ph);

/** work() - until the endpoint has nothing to do */
void work(struct fixture *f);

/** pattern() - packet @n of the manual, stated once more. Return: its length. */
uint32_t pattern(uint32_t n, uint8_t *data);

/** fnv() - the manual's hash, stated once more */
uint32_t fnv(const uint8_t *data, uint32_t length);

/** slot_kind() - EP_TLP_KIND of TLP @i that was sent */
unsigned int slot_kind(struct fixture *f, uint32_t i);

#endif /* TESTS_EMU_RINGS_H */
