// SPDX-License-Identifier: MIT
/* What the user is told of a BAR with the ST table in it, and that it is so. */
#include <errno.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "guest.h"

#define PAGE		0x1000u
#define ENTRY_SIZE	16u

/* The endpoints of the VM "error" (tests/vm/suites). */
#define EP_MIDDLE	"0000:02:00.0"	/* table in BAR 0, over a page boundary */
#define EP_START	"0000:03:00.0"	/* table at the start of BAR 4 */

struct answer {
	struct vfio_region_info info;
	/* struct vfio_region_info_cap_sparse_mmap */
	struct {
		struct vfio_info_cap_header header;
		uint32_t nr_areas, reserved;
		struct vfio_region_sparse_mmap_area areas[2];
	} sparse;
};

static void region(struct guest *g, uint32_t index, struct answer *answer)
{
	*answer = (struct answer){ .info = { .argsz = sizeof(*answer), .index = index } };
	assert_int_equal(ioctl(g->fd, VFIO_DEVICE_GET_REGION_INFO, answer), 0);
}

static bool mappable(struct guest *g, uint64_t at, uint64_t size)
{
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, g->fd, (off_t)at);

	if (map == MAP_FAILED) {
		assert_int_equal(errno, EINVAL);
		return false;
	}
	munmap(map, size);
	return true;
}

/* The areas have every page of the BAR but those of the table, and each can be mapped whole. */
static void check_bar(const char *bdf, uint32_t expected_areas)
{
	struct guest *g = guest_open(bdf);
	uint64_t start, end, at, bar;
	uint32_t table, vectors, i;
	struct answer answer;
	uint8_t msix = 0, cap;

	for (cap = guest_config(g, PCI_CAPABILITY_LIST, 1); cap; cap = guest_config(g, cap + 1, 1))
		if (guest_config(g, cap, 1) == PCI_CAP_ID_MSIX)
			msix = cap;
	table = guest_config(g, msix + PCI_MSIX_TABLE, 4);
	vectors = 1 + (guest_config(g, msix + PCI_MSIX_FLAGS, 2) & PCI_MSIX_FLAGS_QSIZE);
	start = (table & PCI_MSIX_TABLE_OFFSET) / PAGE * PAGE;
	end = ((table & PCI_MSIX_TABLE_OFFSET) + vectors * ENTRY_SIZE + PAGE - 1) / PAGE * PAGE;
	bar = (uint64_t)(table & PCI_MSIX_TABLE_BIR) << 40;

	region(g, table & PCI_MSIX_TABLE_BIR, &answer);
	assert_true(answer.info.flags & VFIO_REGION_INFO_FLAG_MMAP);
	assert_true(answer.info.flags & VFIO_REGION_INFO_FLAG_CAPS);
	assert_int_equal(answer.info.cap_offset, offsetof(struct answer, sparse));
	assert_int_equal(answer.sparse.header.id, VFIO_REGION_INFO_CAP_SPARSE_MMAP);
	assert_int_equal(answer.sparse.header.version, 1);
	assert_int_equal(answer.sparse.header.next, 0);
	assert_int_equal(answer.sparse.nr_areas, expected_areas);

	at = 0;
	for (i = 0; i < expected_areas; i++) {
		const struct vfio_region_sparse_mmap_area *area = &answer.sparse.areas[i];

		if (at == start)
			at = end;
		assert_int_equal(area->offset, at);
		assert_int_not_equal(area->size, 0);
		assert_true(mappable(g, bar + area->offset, area->size));
		at += area->size;
	}
	assert_int_equal(at, answer.info.size);
	for (at = start; at < end; at += PAGE)
		assert_false(mappable(g, bar + at, PAGE));
	guest_close(g);
}

static void a_table_in_the_middle_leaves_two_areas(void **state)
{
	(void)state;
	check_bar(EP_MIDDLE, 2);
}

static void a_table_at_the_start_leaves_one_area(void **state)
{
	(void)state;
	check_bar(EP_START, 1);
}

/* "The MSI-X table can be mapped" would invite to what is refused. */
static void msix_is_not_called_mappable(void **state)
{
	struct guest *g = guest_open(EP_START);
	struct answer answer;

	(void)state;
	region(g, VFIO_PCI_BAR4_REGION_INDEX, &answer);
	assert_int_not_equal(answer.sparse.header.id, VFIO_REGION_INFO_CAP_MSIX_MAPPABLE);
	/* without room for capabilities the size that they need */
	memset(&answer, 0, sizeof(answer));
	answer.info.argsz = sizeof(answer.info);
	answer.info.index = VFIO_PCI_BAR4_REGION_INDEX;
	assert_int_equal(ioctl(g->fd, VFIO_DEVICE_GET_REGION_INFO, &answer), 0);
	assert_true(answer.info.argsz > sizeof(answer.info));
	assert_int_equal(answer.info.cap_offset, 0);
	guest_close(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_table_in_the_middle_leaves_two_areas),
		cmocka_unit_test(a_table_at_the_start_leaves_one_area),
		cmocka_unit_test(msix_is_not_called_mappable),
	};

	guest_driver("policy=iv-st");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
