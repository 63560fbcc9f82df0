/* SPDX-License-Identifier: MIT */
/* Small helpers for bit fields and little-endian bytes. */
#ifndef EMU_BITS_H
#define EMU_BITS_H

#include <stddef.h>
#include <stdint.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

static inline uint16_t le16_get(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] | bytes[1] << 8);
}

static inline uint32_t le32_get(const uint8_t *bytes)
{
	return le16_get(bytes) | (uint32_t)le16_get(bytes + 2) << 16;
}

static inline uint64_t le64_get(const uint8_t *bytes)
{
	return le32_get(bytes) | (uint64_t)le32_get(bytes + 4) << 32;
}

static inline void le16_put(uint8_t *bytes, uint16_t value)
{
	bytes[0] = (uint8_t)value;
	bytes[1] = (uint8_t)(value >> 8);
}

static inline void le32_put(uint8_t *bytes, uint32_t value)
{
	le16_put(bytes, (uint16_t)value);
	le16_put(bytes + 2, (uint16_t)(value >> 16));
}

#endif /* EMU_BITS_H */
