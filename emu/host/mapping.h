/* SPDX-License-Identifier: MIT */
/* The I/O address map that the client gives to a device: IOVA ranges backed by its memory. */
#ifndef EMU_MAPPING_H
#define EMU_MAPPING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAPPING_PAGE	  4096u
#define MAPPING_COUNT_MAX 65535u /* the protocol's default for max_dma_maps */

/* What all functions of the process share: addresses of its own, and mmaps (vm.max_map_count). */
#define MAPPING_SPACE_MAX (1ULL << 45)
#define MAPPING_FILES_ALL 32768u
#define MAPPING_FILES_MAX 256u /* of one function: each has a descriptor, too */

#define MAPPING_READ  1u
#define MAPPING_WRITE 2u

struct closer;
struct memory;

/**
 * struct mapping - a range of I/O addresses
 * @first: first address
 * @last: last address, so that a range may end with the address space
 * @access: MAPPING_READ, MAPPING_WRITE
 * @memory: what the client shared, NULL if it gave no file descriptor
 * @offset: of @first in the file
 */
struct mapping {
	uint64_t first;
	uint64_t last;
	unsigned int access;
	struct memory *memory;
	uint64_t offset;
};

/**
 * struct iova_map - mappings, sorted, never overlapping; all zeros is an empty map
 * @memories: what they are of: one mmap for a file, however many mappings there are
 * @retired: memory that nothing maps to any more, to be given back by iova_map_reap(): to give back
 *	gigabytes at once would keep other functions waiting
 * @files: how many of both there are
 * @space: bytes of addresses that they take
 * @resident: blocks of them that have pages
 * @files_max, @space_max, @resident_max: iova_map_share()
 * @closer: closes files
 */
struct iova_map {
	struct mapping *items;
	size_t count;
	size_t room;
	struct memory *memories;
	struct memory *retired;
	unsigned int files;
	uint64_t space;
	unsigned int files_max;
	uint64_t space_max;
	unsigned int resident;
	unsigned int resident_max;
	struct closer *closer;
};

/** iova_map_share() - have the share of one of @count maps of mmaps and of addresses. */
void iova_map_share(struct iova_map *map, unsigned int count);

/**
 * iova_map_add() - add a mapping
 * @fd: file that backs it (the caller keeps and closes it), or -1 for none. One in memory, or on a
 *	disk: of others somebody may keep us waiting
 * @offset: of the first byte in @fd
 *
 * Return: 0; -EINVAL: not page aligned, empty, beyond the end of the address space, bad @access;
 * -EEXIST: overlaps a mapping; -ENOSPC: too many, or of too many files, or too far apart; -ENODEV:
 * not such a file; else from mmap().
 */
int iova_map_add(struct iova_map *map, uint64_t iova, uint64_t size, unsigned int access, int fd,
		 uint64_t offset);

/**
 * iova_map_remove() - make a range of addresses inaccessible
 *
 * The range may cover any number of mappings, or none: with a vIOMMU clients unmap wide ranges that
 * match no single map. A mapping that reaches out of the range is cut and keeps its other part.
 *
 * Return: 0: nothing in the range is mapped any more; otherwise nothing has changed. -EINVAL:
 * empty, beyond the end of the address space, or it would cut a mapping inside a page; -ENOSPC: the
 * cut makes too many mappings; -ENOMEM.
 */
int iova_map_remove(struct iova_map *map, uint64_t iova, uint64_t size);

/** iova_map_clear() - remove everything. */
void iova_map_clear(struct iova_map *map);

/** iova_map_reap() - give back memory, in up to @most steps. Return: whether there is more. */
bool iova_map_reap(struct iova_map *map, unsigned int most);

/** iova_map_fini() - remove everything, and give all memory back. */
void iova_map_fini(struct iova_map *map);

/**
 * iova_map_read() - copy from the client's memory
 *
 * The range must not cross a page (no TLP does).
 *
 * Return: 0; -EFAULT: not mapped, or no memory behind it; -EACCES: mapped without read access.
 */
int iova_map_read(struct iova_map *map, uint64_t iova, void *data, size_t length);

/** iova_map_write() - copy to the client's memory; as iova_map_read(). */
int iova_map_write(struct iova_map *map, uint64_t iova, const void *data, size_t length);

#endif /* EMU_MAPPING_H */
