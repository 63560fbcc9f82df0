// SPDX-License-Identifier: MIT
#include "mapping.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

/** struct memory - one mmap, shared by the mappings that were cut out of one another */
struct memory {
	struct memory *next;
	size_t users;
	void *start;
	size_t size;
};

static struct memory *memory_map(int fd, uint64_t offset, uint64_t size, unsigned int access)
{
	struct memory *memory;
	int prot = 0;

	if (size > SIZE_MAX || offset > INT64_MAX - size) {
		errno = EINVAL;
		return NULL;
	}
	if (access & MAPPING_READ)
		prot |= PROT_READ;
	if (access & MAPPING_WRITE)
		prot |= PROT_WRITE;

	memory = malloc(sizeof(*memory));
	if (!memory)
		return NULL;
	memory->users = 1;
	memory->size = size;
	memory->start = mmap(NULL, size, prot, MAP_SHARED | MAP_NORESERVE, fd, (off_t)offset);
	if (memory->start == MAP_FAILED) {
		int error = errno;

		free(memory);
		errno = error;
		return NULL;
	}
	return memory;
}

static void memory_put(struct iova_map *map, struct memory *memory)
{
	if (!memory || --memory->users)
		return;
	memory->next = map->retired;
	map->retired = memory;
}

bool iova_map_reap(struct iova_map *map, unsigned int most)
{
	for (; map->retired && most; most--) {
		struct memory *memory = map->retired;

		map->retired = memory->next;
		munmap(memory->start, memory->size);
		free(memory);
	}
	return map->retired;
}

static int room_make(struct iova_map *map, size_t count)
{
	size_t room = map->room ? map->room : 16;
	struct mapping *items;

	if (count > MAPPING_COUNT_MAX)
		return -ENOSPC;
	while (room < count)
		room *= 2;
	if (room == map->room)
		return 0;
	items = realloc(map->items, room * sizeof(*items));
	if (!items)
		return -ENOMEM;
	map->items = items;
	map->room = room;
	return 0;
}

/* Index of the first mapping that ends at or after @iova: the only one that can hold it. */
static size_t find(const struct iova_map *map, uint64_t iova)
{
	size_t low = 0, high = map->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (map->items[middle].last < iova)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void insert(struct iova_map *map, size_t at, const struct mapping *item)
{
	memmove(&map->items[at + 1], &map->items[at], (map->count - at) * sizeof(*item));
	map->items[at] = *item;
	map->count++;
}

static bool range_valid(uint64_t iova, uint64_t size)
{
	return size && iova + (size - 1) >= iova;
}

static bool aligned(uint64_t value)
{
	return value % MAPPING_PAGE == 0;
}

int iova_map_add(struct iova_map *map, uint64_t iova, uint64_t size, unsigned int access, int fd,
		 uint64_t offset)
{
	struct mapping item = { .first = iova, .last = iova + (size - 1), .access = access };
	size_t at;
	int ret;

	if (!access || access & ~(MAPPING_READ | MAPPING_WRITE))
		return -EINVAL;
	if (!range_valid(iova, size) || !aligned(iova) || !aligned(size) || !aligned(offset))
		return -EINVAL;
	at = find(map, iova);
	if (at < map->count && map->items[at].first <= item.last)
		return -EEXIST;
	ret = room_make(map, map->count + 1);
	if (ret)
		return ret;
	/* More goes than comes, however often a client maps and unmaps. */
	iova_map_reap(map, 2);
	if (fd >= 0) {
		item.memory = memory_map(fd, offset, size, access);
		if (!item.memory)
			return -errno;
		item.base = item.memory->start;
	}
	insert(map, at, &item);
	return 0;
}

/* Both parts of a mapping that reaches out of [first, last] on that side. */
static void keep_head(struct mapping *item, uint64_t first)
{
	item->last = first - 1;
}

static void keep_tail(struct mapping *item, uint64_t last)
{
	if (item->base)
		item->base += last + 1 - item->first;
	item->first = last + 1;
}

int iova_map_remove(struct iova_map *map, uint64_t iova, uint64_t size)
{
	uint64_t last = iova + (size - 1);
	size_t from, to, end;

	if (!range_valid(iova, size))
		return -EINVAL;

	from = find(map, iova);
	for (end = from; end < map->count && map->items[end].first <= last; end++) {
		const struct mapping *item = &map->items[end];

		if (item->first < iova && !aligned(iova))
			return -EINVAL;
		if (item->last > last && !aligned(last + 1))
			return -EINVAL;
	}
	if (end == from)
		return 0;

	if (map->items[from].first < iova && map->items[from].last > last) {
		struct mapping tail;
		int ret = room_make(map, map->count + 1);

		if (ret)
			return ret;
		tail = map->items[from];
		if (tail.memory)
			tail.memory->users++;
		keep_tail(&tail, last);
		keep_head(&map->items[from], iova);
		insert(map, from + 1, &tail);
		return 0;
	}

	to = end;
	if (map->items[from].first < iova)
		keep_head(&map->items[from++], iova);
	if (to > from && map->items[to - 1].last > last)
		keep_tail(&map->items[--to], last);
	for (size_t i = from; i < to; i++)
		memory_put(map, map->items[i].memory);
	memmove(&map->items[from], &map->items[to], (map->count - to) * sizeof(*map->items));
	map->count -= to - from;
	return 0;
}

void iova_map_clear(struct iova_map *map)
{
	for (size_t i = 0; i < map->count; i++)
		memory_put(map, map->items[i].memory);
	free(map->items);
	*map = (struct iova_map){ .retired = map->retired };
}

void iova_map_fini(struct iova_map *map)
{
	iova_map_clear(map);
	iova_map_reap(map, UINT_MAX);
}

static int locate(const struct iova_map *map, uint64_t iova, size_t length, unsigned int access,
		  uint8_t **where)
{
	size_t at = find(map, iova);
	const struct mapping *item;

	if (!length || at == map->count)
		return -EFAULT;
	item = &map->items[at];
	if (iova < item->first || length - 1 > item->last - iova)
		return -EFAULT;
	if (!item->base)
		return -EFAULT;
	if (!(item->access & access))
		return -EACCES;
	*where = item->base + (iova - item->first);
	return 0;
}

/*
 * The client can shrink the file behind a mapping at any time; touching the memory would then raise
 * SIGBUS. These calls answer EFAULT instead.
 */
int iova_map_read(const struct iova_map *map, uint64_t iova, void *data, size_t length)
{
	struct iovec to = { .iov_base = data, .iov_len = length }, from = { .iov_len = length };
	uint8_t *where;
	int ret = locate(map, iova, length, MAPPING_READ, &where);

	if (ret)
		return ret;
	from.iov_base = where;
	return process_vm_readv(getpid(), &to, 1, &from, 1, 0) == (ssize_t)length ? 0 : -EFAULT;
}

int iova_map_write(const struct iova_map *map, uint64_t iova, const void *data, size_t length)
{
	struct iovec from = { .iov_base = (void *)data, .iov_len = length };
	struct iovec to = { .iov_len = length };
	uint8_t *where;
	int ret = locate(map, iova, length, MAPPING_WRITE, &where);

	if (ret)
		return ret;
	to.iov_base = where;
	return process_vm_writev(getpid(), &from, 1, &to, 1, 0) == (ssize_t)length ? 0 : -EFAULT;
}
