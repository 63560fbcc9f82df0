/* SPDX-License-Identifier: MIT */
/* Plain memory behind a BAR. */
#ifndef EMU_MEMORY_H
#define EMU_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct bar_memory - all zeros: there is none
 * @bytes: the memory; a reset clears it
 * @written: since the last reset
 */
struct bar_memory {
	uint8_t *bytes;
	size_t size;
	bool written;
};

/** memory_make() - have @size bytes, whole pages. Return: 0 or -ENOMEM. */
int memory_make(struct bar_memory *memory, size_t size);

/** memory_free() - give them back. */
void memory_free(struct bar_memory *memory);

/** memory_write() - write them; the range must be inside. */
void memory_write(struct bar_memory *memory, size_t at, const uint8_t *data, size_t length);

/** memory_reset() - nothing of what a user left in it is there for the next one. */
void memory_reset(struct bar_memory *memory);

#endif /* EMU_MEMORY_H */
