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

/* The endpoints of the VM "region" (tests/vm/suites); the pending bit array is in the last page. */
#define EP_MIDDLE	"0000:02:00.0"	/* table in BAR 0, over a page boundary */
#define EP_START	"0000:03:00.0"	/* table at the start of BAR 4 */

struct answer {
	struct vfio_region_info info;
	/* struct vfio_region_info_cap_sparse_mmap */
	struct {
		struct vfio_info_cap_header header;
		uint32_t nr_areas, reserved;
		struct vfio_region_sparse_mmap_area areas[3];
	} sparse;
};

static void region(struct guest *g, uint32_t index, struct answer *answer)
{
	*answer = (struct answer){ .info = { .argsz = sizeof(*answer), .index = index } };
	assert_int_equal(ioctl(g->fd, VFIO_DEVICE_GET_REGION_INFO, answer), 0);
}

struct pages {
	uint64_t start, end;
};

static struct pages pages_of(uint64_t at, uint64_t size)
{
	return (struct pages){ at / PAGE * PAGE, (at + size + PAGE - 1) / PAGE * PAGE };
}

static bool within(struct pages pages, uint64_t at)
{
	return at >= pages.start && at < pages.end;
}

/*
 * The areas have every page of the BAR but those of the table and of the pending bit array, and each
 * can be mapped whole. The table's pages cannot be mapped; the array's can, as with stock vfio-pci.
 */
static void check_bar(const char *bdf, uint32_t expected_areas)
{
	struct guest *g = guest_open(bdf);
	uint32_t word, vectors, index, area = 0;
	struct pages table, pba;
	struct answer answer;
	uint8_t msix = 0, cap;
	uint64_t at, bar;

	for (cap = guest_config(g, PCI_CAPABILITY_LIST, 1); cap; cap = guest_config(g, cap + 1, 1))
		if (guest_config(g, cap, 1) == PCI_CAP_ID_MSIX)
			msix = cap;
	vectors = 1 + (guest_config(g, msix + PCI_MSIX_FLAGS, 2) & PCI_MSIX_FLAGS_QSIZE);
	word = guest_config(g, msix + PCI_MSIX_TABLE, 4);
	index = word & PCI_MSIX_TABLE_BIR;
	table = pages_of(word & PCI_MSIX_TABLE_OFFSET, vectors * ENTRY_SIZE);
	word = guest_config(g, msix + PCI_MSIX_PBA, 4);
	assert_int_equal(word & PCI_MSIX_PBA_BIR, index);
	pba = pages_of(word & PCI_MSIX_PBA_OFFSET, (vectors + 63) / 64 * 8);
	bar = (uint64_t)index << 40;

	region(g, index, &answer);
	assert_true(answer.info.flags & VFIO_REGION_INFO_FLAG_MMAP);
	assert_true(answer.info.flags & VFIO_REGION_INFO_FLAG_CAPS);
	assert_int_equal(answer.info.cap_offset, offsetof(struct answer, sparse));
	assert_int_equal(answer.sparse.header.id, VFIO_REGION_INFO_CAP_SPARSE_MMAP);
	assert_int_equal(answer.sparse.header.version, 1);
	assert_int_equal(answer.sparse.header.next, 0);
	assert_int_equal(answer.sparse.nr_areas, expected_areas);

	for (at = 0; at < answer.info.size; at += PAGE) {
		const struct vfio_region_sparse_mmap_area *a = &answer.sparse.areas[area];
		bool offered = area < expected_areas && at >= a->offset;

		assert_int_equal(offered, !within(table, at) && !within(pba, at));
		assert_int_equal(guest_mappable(g, bar + at, PAGE), !within(table, at));
		if (!offered)
			continue;
		if (at == a->offset)
			assert_true(guest_mappable(g, bar + a->offset, a->size));
		if (at + PAGE == a->offset + a->size)
			area++;
	}
	assert_int_equal(area, expected_areas);
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
