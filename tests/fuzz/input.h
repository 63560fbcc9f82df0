/* SPDX-License-Identifier: MIT */
/* The fuzzer's bytes, taken one after the other; what is not there any more reads as zero. */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct input {
	const uint8_t *at;
	size_t left;
};

static inline void take(struct input *input, void *to, size_t size)
{
	size_t n = size < input->left ? size : input->left;

	memset(to, 0, size);
	if (!n)
		return;
	memcpy(to, input->at, n);
	input->at += n;
	input->left -= n;
}

static inline uint8_t take8(struct input *input)
{
	uint8_t value;

	take(input, &value, sizeof(value));
	return value;
}

static inline uint16_t take16(struct input *input)
{
	uint16_t value;

	take(input, &value, sizeof(value));
	return value;
}

static inline uint32_t take32(struct input *input)
{
	uint32_t value;

	take(input, &value, sizeof(value));
	return value;
}

static inline uint64_t take64(struct input *input)
{
	uint64_t value;

	take(input, &value, sizeof(value));
	return value;
}

#endif
