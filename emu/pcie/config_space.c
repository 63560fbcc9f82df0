// SPDX-License-Identifier: MIT
#include "config_space.h"

#include <string.h>

#include "format/bits.h"

void config_define8(struct config_space *config, size_t at, uint8_t value, uint8_t writable)
{
	config->value[at] = config->initial[at] = value;
	config->writable[at] = writable;
}

void config_define16(struct config_space *config, size_t at, uint16_t value, uint16_t writable)
{
	config_define8(config, at, (uint8_t)value, (uint8_t)writable);
	config_define8(config, at + 1, (uint8_t)(value >> 8), (uint8_t)(writable >> 8));
}

void config_define32(struct config_space *config, size_t at, uint32_t value, uint32_t writable)
{
	config_define16(config, at, (uint16_t)value, (uint16_t)writable);
	config_define16(config, at + 2, (uint16_t)(value >> 16), (uint16_t)(writable >> 16));
}

void config_define_scratch(struct config_space *config, size_t at, size_t size)
{
	for (size_t i = 0; i < size; i += 4) {
		config_define32(config, at + i, CONFIG_SCRATCH + (uint32_t)(at + i), UINT32_MAX);
		le32_put(config->sticky + at + i, UINT32_MAX);
	}
}

uint16_t config_get16(const struct config_space *config, size_t at)
{
	return le16_get(config->value + at);
}

uint32_t config_get32(const struct config_space *config, size_t at)
{
	return le32_get(config->value + at);
}

void config_set16(struct config_space *config, size_t at, uint16_t value)
{
	le16_put(config->value + at, value);
}

void config_set32(struct config_space *config, size_t at, uint32_t value)
{
	le32_put(config->value + at, value);
}

void config_write(struct config_space *config, size_t at, const uint8_t *data, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		uint8_t *value = &config->value[at + i];
		uint8_t writable = config->writable[at + i];

		*value = (uint8_t)((*value & ~writable) | (data[i] & writable));
		*value &= (uint8_t) ~(data[i] & config->clear[at + i]);
	}
}

static uint64_t word(const uint8_t *bytes)
{
	uint64_t value;

	memcpy(&value, bytes, sizeof(value));
	return value;
}

void config_reset(struct config_space *config, enum config_reset how)
{
	if (how == CONFIG_RESET_POWER) {
		memcpy(config->value, config->initial, CONFIG_SPACE_SIZE);
		return;
	}
	/* bit by bit, so the order of bytes in a word does not matter */
	for (size_t i = 0; i < CONFIG_SPACE_SIZE; i += sizeof(uint64_t)) {
		uint64_t keep = word(config->sticky + i), value;

		if (how == CONFIG_RESET_FUNCTION)
			keep |= word(config->kept + i);
		value = (word(config->value + i) & keep) | (word(config->initial + i) & ~keep);
		memcpy(config->value + i, &value, sizeof(value));
	}
}
