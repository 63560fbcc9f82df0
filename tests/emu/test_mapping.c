// SPDX-License-Identifier: MIT
/* The I/O address map. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/mapping.h"

#define PAGE 4096u
#define RW   (MAPPING_READ | MAPPING_WRITE)

struct fixture {
	struct iova_map map;
	int fd;
	uint8_t *memory;
};

#define MEMORY_SIZE (64 * PAGE)

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->fd = memfd_create("memory", MFD_CLOEXEC);
	if (ftruncate(f->fd, MEMORY_SIZE))
		return -1;
	f->memory = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, f->fd, 0);
	*state = f;
	return f->memory == MAP_FAILED ? -1 : 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	iova_map_fini(&f->map);
	munmap(f->memory, MEMORY_SIZE);
	close(f->fd);
	free(f);
	return 0;
}

static void add(struct fixture *f, uint64_t iova, uint64_t pages, uint64_t offset)
{
	assert_int_equal(iova_map_add(&f->map, iova, pages * PAGE, RW, f->fd, offset), 0);
}

static bool mapped(struct fixture *f, uint64_t iova)
{
	uint8_t byte;

	return iova_map_read(&f->map, iova, &byte, 1) == 0;
}

static void bad_ranges_are_refused(void **state)
{
	static const struct {
		uint64_t iova, size, offset;
		unsigned int access;
		int error;
	} bad[] = {
		{ 0, 0, 0, RW, -EINVAL },
		{ 1, PAGE, 0, RW, -EINVAL },
		{ 0, PAGE - 1, 0, RW, -EINVAL },
		{ 0, PAGE, 5, RW, -EINVAL },
		{ 0, PAGE, 0, 0, -EINVAL },
		{ 0, PAGE, 0, 4, -EINVAL },
		{ UINT64_MAX - PAGE + 1, 2 * PAGE, 0, RW, -EINVAL },
		{ 0, UINT64_MAX - PAGE + 1, 0, RW, -EINVAL },
		{ 0, PAGE, UINT64_MAX - PAGE + 1, RW, -EINVAL },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int ret = iova_map_add(&f->map, bad[i].iova, bad[i].size, bad[i].access, f->fd,
				       bad[i].offset);

		if (bad[i].size == UINT64_MAX - PAGE + 1)
			assert_true(ret < 0); /* no such file; the system says how */
		else
			assert_int_equal(ret, bad[i].error);
		assert_int_equal(f->map.count, 0);
	}
}

static void unmappable_descriptor_is_refused(void **state)
{
	struct fixture *f = *state;
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	assert_true(iova_map_add(&f->map, 0, PAGE, RW, ends[0], 0) < 0);
	assert_int_equal(f->map.count, 0);
	close(ends[0]);
	close(ends[1]);
}

static void overlaps_are_refused(void **state)
{
	struct fixture *f = *state;

	add(f, 0x10000, 4, 0);
	assert_int_equal(iova_map_add(&f->map, 0x10000, PAGE, RW, f->fd, 0), -EEXIST);
	assert_int_equal(iova_map_add(&f->map, 0x13000, PAGE, RW, f->fd, 0), -EEXIST);
	assert_int_equal(iova_map_add(&f->map, 0xf000, 2 * PAGE, RW, f->fd, 0), -EEXIST);
	assert_int_equal(iova_map_add(&f->map, 0, 0x100000, RW, -1, 0), -EEXIST);
	assert_int_equal(f->map.count, 1);
	add(f, 0x14000, 1, 0);
	add(f, 0xf000, 1, 0);
	assert_int_equal(f->map.count, 3);
}

static void access_is_checked(void **state)
{
	struct fixture *f = *state;
	uint32_t word = 0x12345678;

	assert_int_equal(iova_map_add(&f->map, 0x1000, PAGE, MAPPING_READ, f->fd, 0), 0);
	assert_int_equal(iova_map_add(&f->map, 0x2000, PAGE, MAPPING_WRITE, f->fd, PAGE), 0);
	assert_int_equal(iova_map_add(&f->map, 0x3000, PAGE, RW, -1, 0), 0);

	assert_int_equal(iova_map_write(&f->map, 0x1000, &word, 4), -EACCES);
	assert_int_equal(iova_map_read(&f->map, 0x2000, &word, 4), -EACCES);
	assert_int_equal(iova_map_read(&f->map, 0x3000, &word, 4), -EFAULT);
	assert_int_equal(iova_map_read(&f->map, 0x4000, &word, 4), -EFAULT);
	assert_int_equal(iova_map_read(&f->map, 0x0fff, &word, 1), -EFAULT);
	/* across the end */
	assert_int_equal(iova_map_write(&f->map, 0x2ffe, &word, 4), -EFAULT);
	assert_int_equal(iova_map_read(&f->map, 0x1000, &word, 0), -EFAULT);
	assert_int_equal(f->memory[0], 0);

	assert_int_equal(iova_map_write(&f->map, 0x2ffc, &word, 4), 0);
	assert_int_equal(f->memory[PAGE + 0xffc], 0x78);
	f->memory[7] = 0x5a;
	assert_int_equal(iova_map_read(&f->map, 0x1007, &word, 1), 0);
	assert_int_equal(word & 0xff, 0x5a);
}

static void shrunk_file_faults_and_does_not_kill(void **state)
{
	struct fixture *f = *state;
	uint32_t word = 1;

	add(f, 0, 64, 0);
	assert_int_equal(iova_map_write(&f->map, 63 * PAGE, &word, 4), 0);
	assert_int_equal(ftruncate(f->fd, PAGE), 0);
	assert_int_equal(iova_map_write(&f->map, 63 * PAGE, &word, 4), -EFAULT);
	assert_int_equal(iova_map_read(&f->map, 63 * PAGE, &word, 4), -EFAULT);
	assert_int_equal(iova_map_write(&f->map, 0, &word, 4), 0);
}

/* A file that cannot get smaller is touched; what is behind its end is not, and it may grow later. */
static void sealed_file_is_touched_as_far_as_it_goes(void **state)
{
	struct fixture *f = *state;
	int fd = memfd_create("sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	uint8_t bytes[4096], back[4096];

	assert_int_equal(ftruncate(fd, 8 * 4096), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	assert_int_equal(iova_map_add(&f->map, 0, 8 * 4096, MAPPING_READ | MAPPING_WRITE, fd, 0), 0);
	memset(bytes, 0x5a, sizeof(bytes));
	assert_int_equal(iova_map_write(&f->map, 4096 + 100, bytes, sizeof(bytes)), 0);
	assert_int_equal(pread(fd, back, sizeof(back), 4096 + 100), sizeof(back));
	assert_memory_equal(back, bytes, sizeof(bytes));
	memset(bytes, 0xa5, sizeof(bytes));
	assert_int_equal(pwrite(fd, bytes, sizeof(bytes), 7 * 4096), sizeof(bytes));
	assert_int_equal(iova_map_read(&f->map, 7 * 4096, back, sizeof(back)), 0);
	assert_memory_equal(back, bytes, sizeof(bytes));
	/* a hole is no end */
	assert_int_equal(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 8 * 4096), 0);
	assert_int_equal(iova_map_read(&f->map, 7 * 4096, back, 1), 0);
	assert_int_equal(back[0], 0);
	assert_int_equal(ftruncate(fd, 4096), -1);
	assert_int_equal(errno, EPERM);

	/* another map of it, that reaches farther */
	assert_int_equal(iova_map_add(&f->map, 0x100000, 8 * 4096, MAPPING_READ | MAPPING_WRITE, fd,
				      4 * 4096),
			 0);
	assert_int_equal(iova_map_write(&f->map, 0x100000 + 4 * 4096, bytes, 1), -EFAULT);
	assert_int_equal(iova_map_read(&f->map, 0x100000 + 7 * 4096, back, 1), -EFAULT);
	assert_int_equal(iova_map_write(&f->map, 0x100000, bytes, 1), 0);
	assert_int_equal(iova_map_write(&f->map, 0, bytes, 1), 0);
	assert_int_equal(ftruncate(fd, 12 * 4096), 0);
	assert_int_equal(iova_map_write(&f->map, 0x100000 + 4 * 4096, bytes, 1), 0);
	close(fd);
}

/* Sealed too late: it was mapped when it could still shrink, and then it did. */
static void file_that_shrinks_before_it_is_sealed(void **state)
{
	struct fixture *f = *state;
	int fd = memfd_create("late", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	uint8_t byte = 1;

	assert_int_equal(ftruncate(fd, 8 * 4096), 0);
	assert_int_equal(iova_map_add(&f->map, 0, 8 * 4096, MAPPING_READ | MAPPING_WRITE, fd, 0), 0);
	assert_int_equal(ftruncate(fd, 4096), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	assert_int_equal(iova_map_write(&f->map, 4096, &byte, 1), -EFAULT);
	/* and a second map of that is none more steady */
	assert_int_equal(iova_map_add(&f->map, 0x100000, 8 * 4096, MAPPING_READ | MAPPING_WRITE, fd,
				      0),
			 0);
	assert_int_equal(iova_map_write(&f->map, 0x100000 + 4096, &byte, 1), -EFAULT);
	assert_int_equal(iova_map_write(&f->map, 0x100000, &byte, 1), 0);
	close(fd);
}

static void bad_unmaps_change_nothing(void **state)
{
	struct fixture *f = *state;

	add(f, 0x10000, 4, 0);
	assert_int_equal(iova_map_remove(&f->map, 0x10000, 0), -EINVAL);
	assert_int_equal(iova_map_remove(&f->map, 0x11000, UINT64_MAX), -EINVAL);
	/* cuts inside a page, at either end */
	assert_int_equal(iova_map_remove(&f->map, 0x10800, 0x10000), -EINVAL);
	assert_int_equal(iova_map_remove(&f->map, 0, 0x10801), -EINVAL);
	assert_int_equal(f->map.count, 1);
	for (uint64_t at = 0x10000; at < 0x14000; at += PAGE)
		assert_true(mapped(f, at));
}

static void wide_unmaps_remove_all_or_nothing_there_is(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(iova_map_remove(&f->map, 0, UINT64_MAX), 0);
	add(f, 0x10000, 1, 0);
	add(f, 0x20000, 2, PAGE);
	add(f, UINT64_MAX - PAGE + 1, 1, 0);
	assert_int_equal(iova_map_remove(&f->map, 0x11000, 0xf000), 0);
	assert_int_equal(f->map.count, 3);
	/* odd bounds do not matter where they cut nothing */
	assert_int_equal(iova_map_remove(&f->map, 0x123, 0x50000), 0);
	assert_int_equal(f->map.count, 1);
	assert_false(mapped(f, 0x10000));
	assert_false(mapped(f, 0x20000));
	assert_true(mapped(f, UINT64_MAX));
	assert_int_equal(iova_map_remove(&f->map, 1ULL << 63, 1ULL << 63), 0);
	assert_int_equal(f->map.count, 0);
}

static void partial_unmaps_cut(void **state)
{
	struct fixture *f = *state;
	uint8_t byte;

	for (unsigned int page = 0; page < 64; page++)
		f->memory[page * PAGE] = (uint8_t)page;
	add(f, 0x10000, 8, 0);	      /* pages 0..7 */
	add(f, 0x18000, 8, 8 * PAGE); /* pages 8..15 */

	/* out of the middle, then head and tail of two */
	assert_int_equal(iova_map_remove(&f->map, 0x12000, PAGE), 0);
	assert_int_equal(f->map.count, 3);
	assert_int_equal(iova_map_remove(&f->map, 0x16000, 4 * PAGE), 0);
	assert_int_equal(f->map.count, 3);

	for (unsigned int page = 0; page < 16; page++) {
		bool gone = page == 2 || (page >= 6 && page < 10);

		assert_int_equal(mapped(f, 0x10000 + page * PAGE), !gone);
		if (gone)
			continue;
		assert_int_equal(iova_map_read(&f->map, 0x10000 + page * PAGE, &byte, 1), 0);
		assert_int_equal(byte, page);
	}
	/* what was cut out can be mapped anew */
	add(f, 0x12000, 1, 20 * PAGE);
	assert_int_equal(iova_map_read(&f->map, 0x12000, &byte, 1), 0);
	assert_int_equal(byte, 20);
}

static void number_of_maps_is_bounded(void **state)
{
	struct fixture *f = *state;

	for (uint64_t i = 0; i < MAPPING_COUNT_MAX - 1; i++)
		assert_int_equal(iova_map_add(&f->map, i * 2 * PAGE, PAGE, RW, -1, 0), 0);
	assert_int_equal(iova_map_add(&f->map, 1ULL << 40, 8 * PAGE, RW, -1, 0), 0);
	assert_int_equal(iova_map_add(&f->map, 1ULL << 50, PAGE, RW, -1, 0), -ENOSPC);
	/* a cut would make one too many: refused, and nothing has changed */
	assert_int_equal(iova_map_remove(&f->map, (1ULL << 40) + PAGE, PAGE), -ENOSPC);
	assert_int_equal(f->map.count, MAPPING_COUNT_MAX);
	assert_int_equal(iova_map_add(&f->map, (1ULL << 40) + PAGE, PAGE, RW, -1, 0), -EEXIST);
	assert_int_equal(iova_map_remove(&f->map, 0, UINT64_MAX), 0);
	assert_int_equal(f->map.count, 0);
}

/* ---- what they take of the process ---- */

static unsigned int mmaps(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned int count = 0;
	int c;

	assert_non_null(maps);
	while ((c = getc(maps)) != EOF)
		count += c == '\n';
	fclose(maps);
	return count;
}

static int sparse(uint64_t size)
{
	int fd = memfd_create("sparse", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	return fd;
}

static void assert_number(struct fixture *f, uint64_t iova, uint32_t number)
{
	uint32_t found = 0;

	assert_int_equal(iova_map_read(&f->map, iova, &found, sizeof(found)), 0);
	assert_int_equal(found, number);
}

#define MANY 5000u

/* Page by page, in any order, with gaps: one mmap of the file for all, and all are right. */
static void maps_of_a_file_share_an_mmap(void **state)
{
	static const uint32_t steps[] = { 1, 7919, MANY - 1 };
	const int fd = sparse(2ULL * MANY * PAGE);
	struct fixture *f = *state;

	for (uint32_t i = 0; i < 2 * MANY; i++)
		assert_int_equal(pwrite(fd, &i, sizeof(i), (off_t)i * PAGE), sizeof(i));
	for (size_t round = 0; round < 6; round++) {
		const unsigned int before = mmaps();
		const uint32_t step = steps[round % 3];

		/* not all of the file at once: the share of one of many is small */
		iova_map_share(&f->map, round < 3 ? 1 : 1 << 14);
		for (uint32_t i = 0, page = 0; i < MANY; i++, page = (page + step) % MANY)
			assert_int_equal(iova_map_add(&f->map, (uint64_t)page * PAGE, PAGE, RW, fd,
						      2ULL * page * PAGE),
					 0);
		while (iova_map_reap(&f->map, 1))
			;
		assert_int_equal(f->map.count, MANY);
		/* the allocator has some, too */
		assert_true(mmaps() < before + 20);
		for (uint32_t page = 0; page < MANY; page += 13)
			assert_number(f, page * PAGE, 2 * page);
		/* each is unmapped for itself, and then the rest */
		for (uint32_t page = 0; page < MANY; page += 2)
			assert_int_equal(iova_map_remove(&f->map, page * PAGE, PAGE), 0);
		for (uint32_t page = 0; page < MANY; page += 101) {
			assert_int_equal(mapped(f, page * PAGE), page % 2);
			if (page % 2)
				assert_number(f, page * PAGE, 2 * page);
		}
		iova_map_clear(&f->map);
		while (iova_map_reap(&f->map, 1))
			;
		assert_int_equal(f->map.files + f->map.space, 0);
		assert_true(mmaps() < before + 20);
	}
	close(fd);
}

static void share_of_a_map_is_bounded(void **state)
{
	struct fixture *f = *state;
	int fds[33], far;

	iova_map_share(&f->map, 1024);
	for (unsigned int i = 0; i < 33; i++)
		fds[i] = sparse(PAGE);
	for (unsigned int i = 0; i < 32; i++)
		assert_int_equal(iova_map_add(&f->map, i * PAGE, PAGE, RW, fds[i], 0), 0);
	/* a file too many; one that there is already is none */
	assert_int_equal(iova_map_add(&f->map, 32 * PAGE, PAGE, RW, fds[32], 0), -ENOSPC);
	assert_int_equal(iova_map_add(&f->map, 32 * PAGE, PAGE, RW, fds[3], 0), 0);
	assert_int_equal(iova_map_remove(&f->map, 0, PAGE), 0);
	assert_false(iova_map_reap(&f->map, 1));
	assert_int_equal(iova_map_add(&f->map, 0, PAGE, RW, fds[32], 0), 0);
	iova_map_clear(&f->map);
	while (iova_map_reap(&f->map, 1))
		;

	/* addresses of this process: 32 GiB are the share */
	far = sparse(1ULL << 40);
	assert_int_equal(iova_map_add(&f->map, 0, PAGE, RW, far, 0), 0);
	assert_int_equal(iova_map_add(&f->map, 1 << 30, PAGE, RW, far, 1ULL << 36), -ENOSPC);
	assert_int_equal(iova_map_add(&f->map, 1 << 30, PAGE, RW, far, 1ULL << 34), 0);
	assert_int_equal(iova_map_add(&f->map, 1 << 20, PAGE, RW, f->fd, 0), 0);
	assert_int_equal(f->map.count, 3);
	assert_true(mapped(f, 0) && mapped(f, 1 << 30) && mapped(f, 1 << 20));
	for (unsigned int i = 0; i < 33; i++)
		close(fds[i]);
	close(far);
}

/* However much of a file is accessed, few pages of it stay in the tables of this process. */
static void pages_of_a_process_are_bounded(void **state)
{
	const uint64_t size = 12ULL << 30, step = 2 << 20;
	struct fixture *f = *state;
	const int fd = sparse(size);
	unsigned long shared = 0;
	char line[128];
	FILE *status;

	assert_int_equal(iova_map_add(&f->map, 0, size, RW, fd, 0), 0);
	for (int round = 0; round < 2; round++)
		for (uint32_t i = 0; i < size / step; i++) {
			const uint32_t number = i + 1;

			if (round)
				assert_number(f, i * step, number);
			else
				assert_int_equal(iova_map_write(&f->map, i * step, &number, 4), 0);
		}
	status = fopen("/proc/self/status", "r");
	while (status && fgets(line, sizeof(line), status))
		sscanf(line, "RssShmem: %lu", &shared);
	assert_non_null(status);
	fclose(status);
	/* a page of each of 2048 blocks, and not of 6144; the kernel's count is not exact */
	if (shared < 2048 * 3 || shared > 2048 * 6)
		fail_msg("%lu KiB are in its tables", shared);
	close(fd);
}

/* Who answers for others may not answer. */
static void files_of_no_memory_and_no_disk_are_refused(void **state)
{
	static const char *const paths[] = { "/proc/version", "/dev/zero", "/sys/kernel/notes",
					     "/" };
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		const int fd = open(paths[i], O_RDONLY | O_CLOEXEC);

		assert_true(fd >= 0);
		assert_int_equal(iova_map_add(&f->map, 0, PAGE, MAPPING_READ, fd, 0), -ENODEV);
		close(fd);
	}
	assert_int_equal(f->map.count + f->map.files, 0);
}

/* Random maps and unmaps against one flag per page. */
static void map_agrees_with_a_plain_model(void **state)
{
	bool model[64] = { false };
	struct fixture *f = *state;
	uint32_t seed = 12345;

	for (int round = 0; round < 4000; round++) {
		unsigned int first, pages;
		bool clash = false;
		int ret;

		seed = seed * 1103515245 + 12345;
		first = seed >> 16 & 63;
		pages = 1 + (seed >> 22 & 15);
		if (first + pages > 64)
			pages = 64 - first;
		for (unsigned int i = first; i < first + pages; i++)
			clash |= model[i];
		if (seed >> 30 & 1) {
			ret = iova_map_add(&f->map, first * PAGE, pages * PAGE, RW, f->fd,
					   first * PAGE);
			assert_int_equal(ret, clash ? -EEXIST : 0);
			for (unsigned int i = first; !clash && i < first + pages; i++)
				model[i] = true;
		} else {
			assert_int_equal(iova_map_remove(&f->map, first * PAGE, pages * PAGE), 0);
			for (unsigned int i = first; i < first + pages; i++)
				model[i] = false;
		}
		for (unsigned int i = 0; i < 64; i++)
			assert_int_equal(mapped(f, i * PAGE), model[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(bad_ranges_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(unmappable_descriptor_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(overlaps_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(access_is_checked, setup, teardown),
		cmocka_unit_test_setup_teardown(shrunk_file_faults_and_does_not_kill, setup,
						teardown),
		cmocka_unit_test_setup_teardown(sealed_file_is_touched_as_far_as_it_goes, setup,
						teardown),
		cmocka_unit_test_setup_teardown(file_that_shrinks_before_it_is_sealed, setup,
						teardown),
		cmocka_unit_test_setup_teardown(bad_unmaps_change_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(wide_unmaps_remove_all_or_nothing_there_is, setup,
						teardown),
		cmocka_unit_test_setup_teardown(partial_unmaps_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(number_of_maps_is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(maps_of_a_file_share_an_mmap, setup, teardown),
		cmocka_unit_test_setup_teardown(share_of_a_map_is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(pages_of_a_process_are_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(files_of_no_memory_and_no_disk_are_refused, setup,
						teardown),
		cmocka_unit_test_setup_teardown(map_agrees_with_a_plain_model, setup, teardown),
	};

	return cmocka_run_group_tests_name("mapping", tests, NULL, NULL);
}
