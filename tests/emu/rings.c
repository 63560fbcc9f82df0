// SPDX-License-Identifier: MIT
#include "rings.h"

void restart(struct fixture *f, const char *keys)
{
	remake(f, keys);
	config_out(f, COMMAND, 2, MEMORY_AND_MASTER);
}

int rings_setup(void **state)
{
	if (fixture_setup(state))
		return -1;
	restart(*state, "queues=4");
	return 0;
}

uint32_t get32(const uint8_t *bytes)
{
	return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
	       (uint32_t)bytes[3] << 24;
}

void put32(uint8_t *bytes, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		bytes[i] = (uint8_t)(value >> 8 * i);
}

uint8_t *ring(struct fixture *f, unsigned int q, unsigned int i)
{
	return f->memory + (size_t)q * QUEUE_SIZE + RING_AT + (size_t)i * 32;
}

uint32_t hint(unsigned int entry, unsigned int ph)
{
	return entry | EP_HINT_ENTRY << EP_HINT_SOURCE_SHIFT | ph << EP_HINT_PH_SHIFT;
}

void work(struct fixture *f)
{
	for (int i = 0; endpoint_work(&f->endpoint); i++)
		assert_true(i < 10000);
}

uint32_t pattern(uint32_t n, uint8_t *data)
{
	uint32_t length = 60 + n * 97 % 1455;
	uint8_t number[4];

	put32(number, n);
	for (uint32_t i = 0; i < length; i++)
		data[i] = (uint8_t)(number[i % 4] + i);
	return length;
}

uint32_t fnv(const uint8_t *data, uint32_t length)
{
	uint32_t hash = 0x811c9dc5;

	for (uint32_t i = 0; i < length; i++)
		hash = (hash ^ data[i]) * 0x01000193;
	return hash;
}

unsigned int slot_kind(struct fixture *f, uint32_t i)
{
	return (slot(f, i)[EP_TLP_FLAGS / 4] & EP_TLP_KIND_MASK) >> EP_TLP_KIND_SHIFT;
}
