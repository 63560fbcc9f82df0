// SPDX-License-Identifier: MIT
#include "mapping.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "closer.h"
#include "file.h"

#define BLOCK	       (2u << 20) /* what a table of pages is for */
#define BLOCKS_AT_ONCE 8u	  /* that have pages in them; taking these out takes time */
#define GREEDY	       64u	  /* files that a share has room for as a whole */
#define RESIDENT_MAX   2048u	  /* such blocks: the end of the process takes them out, too */

/**
 * struct memory - one mmap of a file, for all mappings of it with that access
 * @users: mappings
 * @device, @inode: which file
 * @fd: a descriptor of the very file that is mapped: whoever closes the last one frees what it has,
 *	locks and all, and that is the closer
 * @offset: in the file, of @start
 * @unit: what the file's memory comes in
 * @steady: none of it can go away, so it can be touched
 * @reaped: bytes that are unmapped already
 * @touched: bits of blocks that have been accessed
 * @resident: how many are
 * @hand: the block that is the next to go if there are too many
 */
struct memory {
	struct memory *next;
	size_t users;
	dev_t device;
	ino_t inode;
	unsigned int access;
	int fd;
	uint8_t *start;
	uint64_t offset;
	size_t size;
	size_t unit;
	bool steady;
	size_t reaped;
	uint64_t *touched;
	unsigned int resident;
	size_t hand;
};

void iova_map_share(struct iova_map *map, unsigned int count)
{
	map->space_max = MAPPING_SPACE_MAX / count;
	map->files_max = MAPPING_FILES_ALL / count;
	if (map->files_max > MAPPING_FILES_MAX)
		map->files_max = MAPPING_FILES_MAX;
	if (!map->files_max)
		map->files_max = 1;
	map->resident_max = RESIDENT_MAX / count;
	if (!map->resident_max)
		map->resident_max = 1;
}

static uint64_t space_max(const struct iova_map *map)
{
	return map->space_max ? map->space_max : MAPPING_SPACE_MAX;
}

static unsigned int files_max(const struct iova_map *map)
{
	return map->files_max ? map->files_max : MAPPING_FILES_MAX;
}

static uint64_t round_up(uint64_t value, uint64_t unit)
{
	return (value + unit - 1) / unit * unit;
}

/** struct extent - a part of a file */
struct extent {
	uint64_t from;
	uint64_t to;
};

/* Another mmap, of @extent; @fd is not kept. */
static struct memory *memory_make(struct iova_map *map, const struct memory *like, int fd,
				  struct extent extent, uint64_t steady_size)
{
	const uint64_t size = extent.to - extent.from;
	struct memory *memory;
	int prot = 0;

	errno = ENOSPC;
	if (map->files >= files_max(map) || size > space_max(map) ||
	    map->space > space_max(map) - size)
		return NULL;
	if (like->access & MAPPING_READ)
		prot |= PROT_READ;
	if (like->access & MAPPING_WRITE)
		prot |= PROT_WRITE;
	memory = malloc(sizeof(*memory));
	if (!memory)
		return NULL;
	*memory = *like;
	memory->hand = 0;
	memory->offset = extent.from;
	memory->size = size;
	memory->steady = extent.to <= steady_size;
	memory->touched = calloc(size / BLOCK / 64 + 1, sizeof(*memory->touched));
	if (!memory->touched)
		goto err_free;
	memory->start = mmap(NULL, size, prot, MAP_SHARED | MAP_NORESERVE, fd, (off_t)extent.from);
	if (memory->start == MAP_FAILED)
		goto err_free;
	/* a process that is made later on is not to keep it, see closer.h */
	madvise(memory->start, size, MADV_DONTFORK);
	map->files++;
	map->space += size;
	return memory;

err_free:
	/* free() keeps errno */
	free(memory->touched);
	free(memory);
	return NULL;
}

static void memory_retire(struct iova_map *map, struct memory *memory)
{
	struct memory **at = &map->memories;

	while (*at != memory)
		at = &(*at)->next;
	*at = memory->next;
	memory->next = map->retired;
	map->retired = memory;
}

static void memory_put(struct iova_map *map, struct memory *memory)
{
	if (memory && !--memory->users)
		memory_retire(map, memory);
}

/* All of the file if that is not much, so that it needs no other later; else what is needed. */
static struct memory *memory_map(struct iova_map *map, const struct memory *like, int fd,
				 struct extent needed, uint64_t file_size, uint64_t steady_size)
{
	const struct extent whole = {
		.to = file_size > needed.to ? file_size : needed.to,
	};
	struct memory *memory = NULL;

	if (whole.to <= space_max(map) / GREEDY)
		memory = memory_make(map, like, fd, whole, steady_size);
	return memory ? memory : memory_make(map, like, fd, needed, steady_size);
}

/* One that is not large enough goes, and its mappings are of the new one. */
static void memory_replace(struct iova_map *map, struct memory *old, struct memory *new)
{
	for (size_t i = 0; i < map->count; i++)
		if (map->items[i].memory == old)
			map->items[i].memory = new;
	new->users = old->users;
	old->users = 0;
	memory_retire(map, old);
}

static struct memory *memory_get(struct iova_map *map, int fd, uint64_t offset, uint64_t size,
				 unsigned int access)
{
	struct memory like = { .access = access, .fd = -1 }, *old = map->memories, *memory;
	uint64_t steady_size = 0;
	struct extent needed;
	struct stat status;
	int seals;

	errno = EINVAL;
	if (size > INT64_MAX / 2 || offset > INT64_MAX / 2 - size)
		return NULL;
	/* before its size is looked at, which cannot get less from then on */
	seals = fcntl(fd, F_GET_SEALS);
	/* not before it is known that this asks nobody */
	if ((!file_in_memory(fd) && !file_on_disk(fd)) || fstat(fd, &status) ||
	    !S_ISREG(status.st_mode)) {
		errno = ENODEV;
		return NULL;
	}
	like.device = status.st_dev;
	like.inode = status.st_ino;
	like.unit = MAPPING_PAGE;
	if (status.st_blksize > MAPPING_PAGE && !(status.st_blksize & (status.st_blksize - 1)))
		like.unit = (size_t)status.st_blksize;
	/* huge pages can run out when they are touched, and that raises SIGBUS, too */
	if (seals >= 0 && seals & F_SEAL_SHRINK && like.unit == MAPPING_PAGE)
		steady_size = (uint64_t)status.st_size;
	while (old && (old->device != like.device || old->inode != like.inode ||
		       old->access != access))
		old = old->next;
	needed.from = offset / like.unit * like.unit;
	needed.to = round_up(offset + size, like.unit);
	if (old && needed.from >= old->offset && needed.to <= old->offset + old->size) {
		old->users++;
		return old;
	}
	if (old) {
		needed.from = needed.from < old->offset ? needed.from : old->offset;
		if (needed.to < old->offset + old->size)
			needed.to = old->offset + old->size;
	}
	like.fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (like.fd < 0)
		return NULL;
	memory = memory_map(map, &like, fd, needed,
			    round_up((uint64_t)status.st_size, like.unit), steady_size);
	if (!memory) {
		const int error = errno;

		closer_take(map->closer, like.fd);
		errno = error;
		return NULL;
	}
	if (old)
		memory_replace(map, old, memory);
	memory->users++;
	memory->next = map->memories;
	map->memories = memory;
	return memory;
}

/* How far from what is unmapped already there are few blocks with pages. */
static size_t reach(const struct memory *memory)
{
	const size_t blocks = (memory->size - 1) / BLOCK + 1;
	size_t block = memory->reaped / BLOCK, end;
	unsigned int found = 0;

	for (; block < blocks && found < BLOCKS_AT_ONCE; block++) {
		if (block % 64 == 0)
			while (block + 64 < blocks && !memory->touched[block / 64])
				block += 64;
		found += memory->touched[block / 64] >> block % 64 & 1;
	}
	end = block < blocks ? round_up(block * BLOCK, memory->unit) : memory->size;
	return end < memory->size ? end : memory->size;
}

bool iova_map_reap(struct iova_map *map, unsigned int most)
{
	for (; map->retired && most; most--) {
		struct memory *memory = map->retired;
		const size_t end = reach(memory);

		munmap(memory->start + memory->reaped, end - memory->reaped);
		memory->reaped = end;
		if (end < memory->size)
			continue;
		map->retired = memory->next;
		map->files--;
		map->space -= memory->size;
		map->resident -= memory->resident;
		closer_take(map->closer, memory->fd);
		free(memory->touched);
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
	/* However often a client maps and unmaps, what it does not use any more goes. */
	iova_map_reap(map, 2);
	if (fd >= 0) {
		item.memory = memory_get(map, fd, offset, size, access);
		if (!item.memory)
			return -errno;
		item.offset = offset;
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
	item->offset += last + 1 - item->first;
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
	map->items = NULL;
	map->count = map->room = 0;
}

void iova_map_fini(struct iova_map *map)
{
	iova_map_clear(map);
	iova_map_reap(map, UINT_MAX);
}

static size_t block_count(const struct memory *memory)
{
	return (memory->size - 1) / BLOCK + 1;
}

/* The next block from @hand on that has pages: they stay in the file. */
static void let_go(struct iova_map *map, struct memory *memory)
{
	const size_t blocks = block_count(memory);
	size_t block = memory->hand, at;

	for (;; block++) {
		if (block >= blocks)
			block = 0;
		if (block % 64 == 0 && !memory->touched[block / 64])
			block += 63;
		else if (memory->touched[block / 64] >> block % 64 & 1)
			break;
	}
	at = block * BLOCK;
	madvise(memory->start + at, memory->size - at < BLOCK ? memory->size - at : BLOCK,
		MADV_DONTNEED);
	memory->touched[block / 64] &= ~(1ULL << block % 64);
	memory->hand = block + 1;
	memory->resident--;
	map->resident--;
}

static void touch(struct iova_map *map, struct memory *memory, size_t block)
{
	const unsigned int most = map->resident_max ? map->resident_max : RESIDENT_MAX;
	const uint64_t bit = 1ULL << block % 64;
	struct memory *full = memory;

	if (memory->touched[block / 64] & bit)
		return;
	if (map->resident >= most) {
		if (!full->resident)
			for (full = map->memories; full && !full->resident;)
				full = full->next;
		if (full)
			let_go(map, full);
	}
	memory->touched[block / 64] |= bit;
	memory->resident++;
	map->resident++;
}

/* Where that is, with the memory that it is in, as locate() has found it. */
struct place {
	struct memory *memory;
	uint8_t *at;
};

static int locate(struct iova_map *map, uint64_t iova, size_t length, unsigned int access,
		  struct place *place)
{
	size_t at = find(map, iova);
	const struct mapping *item;
	uint64_t offset;

	if (!length || at == map->count)
		return -EFAULT;
	item = &map->items[at];
	if (iova < item->first || length - 1 > item->last - iova)
		return -EFAULT;
	if (!item->memory)
		return -EFAULT;
	if (!(item->access & access))
		return -EACCES;
	offset = item->offset + (iova - item->first) - item->memory->offset;
	touch(map, item->memory, offset / BLOCK);
	*place = (struct place){ .memory = item->memory, .at = item->memory->start + offset };
	return 0;
}

/*
 * The client can shrink the file behind a mapping at any time, if it is not sealed against that;
 * touching the memory would then raise SIGBUS. These calls answer EFAULT instead.
 */
int iova_map_read(struct iova_map *map, uint64_t iova, void *data, size_t length)
{
	struct iovec to = { .iov_base = data, .iov_len = length }, from = { .iov_len = length };
	struct place place;
	int ret = locate(map, iova, length, MAPPING_READ, &place);

	if (ret)
		return ret;
	if (place.memory->steady) {
		memcpy(data, place.at, length);
		/* what is read next may be what this was to tell of */
		atomic_thread_fence(memory_order_acquire);
		return 0;
	}
	from.iov_base = place.at;
	return process_vm_readv(getpid(), &to, 1, &from, 1, 0) == (ssize_t)length ? 0 : -EFAULT;
}

int iova_map_write(struct iova_map *map, uint64_t iova, const void *data, size_t length)
{
	struct iovec from = { .iov_base = (void *)data, .iov_len = length };
	struct iovec to = { .iov_len = length };
	struct place place;
	int ret = locate(map, iova, length, MAPPING_WRITE, &place);

	if (ret)
		return ret;
	if (place.memory->steady) {
		/* this may be what tells of all that was written before */
		atomic_thread_fence(memory_order_release);
		memcpy(place.at, data, length);
		return 0;
	}
	to.iov_base = place.at;
	return process_vm_writev(getpid(), &from, 1, &to, 1, 0) == (ssize_t)length ? 0 : -EFAULT;
}
