// SPDX-License-Identifier: MIT
#include "memory.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define GUARD 4096u /* behind it is a page that nobody may touch */

int memory_make(struct bar_memory *memory, size_t size)
{
	uint8_t *bytes = mmap(NULL, size + GUARD, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (bytes == MAP_FAILED)
		return -ENOMEM;
	if (mprotect(bytes, size, PROT_READ | PROT_WRITE)) {
		munmap(bytes, size + GUARD);
		return -ENOMEM;
	}
	*memory = (struct bar_memory){ .bytes = bytes, .size = size };
	return 0;
}

void memory_free(struct bar_memory *memory)
{
	if (memory->bytes)
		munmap(memory->bytes, memory->size + GUARD);
	*memory = (struct bar_memory){ 0 };
}

void memory_write(struct bar_memory *memory, size_t at, const uint8_t *data, size_t length)
{
	memcpy(memory->bytes + at, data, length);
	memory->written = true;
}

/*
 * The pages go, which takes no longer than it took to use them: writing zeros to all of it would
 * keep other functions waiting.
 */
void memory_reset(struct bar_memory *memory)
{
	if (memory->written && madvise(memory->bytes, memory->size, MADV_DONTNEED))
		memset(memory->bytes, 0, memory->size);
	memory->written = false;
}
