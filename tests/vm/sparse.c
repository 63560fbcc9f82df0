// SPDX-License-Identifier: MIT
/*
 * What a user is told to map of a BAR whose MSI-X table is the ST table: whole pages, none of them
 * with a part of the table or of the PBA, which other VMMs take for the rule. Wherever these two are.
 */
#include <errno.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <linux/pci_regs.h>

#include "guest.h"

#define PAGE		4096u
#define ENTRY_SIZE	16u
#define AREAS_MAX	8

/* The devices of the VM "sparse" (tests/vm/run) */
#define EP_BROADCOM	"0000:01:00.0"	/* 8 KiB: a table that ends in the PBA's first page */
#define EP_APART	"0000:02:00.0"	/* 64 KiB: table at 0x5200, PBA at 0xd600 */
#define EP_ENDS		"0000:03:00.0"	/* 64 KiB: table at the start, PBA in the last page */
#define EP_TURNED	"0000:04:00.0"	/* 16 KiB: PBA at the start, table behind */
#define EP_SHARED	"0000:05:00.0"	/* 16 KiB: both in the second page */
#define EP_OTHER	"0000:06:00.0"	/* the ST table is elsewhere */

struct answer {
	struct vfio_region_info info;
	/* struct vfio_region_info_cap_sparse_mmap */
	struct {
		struct vfio_info_cap_header header;
		uint32_t nr_areas, reserved;
		struct vfio_region_sparse_mmap_area areas[AREAS_MAX];
	} sparse;
};

/* Where table and PBA are, as configuration space says. */
struct place {
	uint32_t bar;
	uint64_t table, table_end, pba, pba_end;
};

static struct place place_of(struct guest *g)
{
	uint32_t vectors, reg;
	uint8_t msix = 0, cap;
	struct place place;

	for (cap = guest_config(g, PCI_CAPABILITY_LIST, 1); cap; cap = guest_config(g, cap + 1, 1))
		if (guest_config(g, cap, 1) == PCI_CAP_ID_MSIX)
			msix = cap;
	assert_int_not_equal(msix, 0);
	vectors = 1 + (guest_config(g, msix + PCI_MSIX_FLAGS, 2) & PCI_MSIX_FLAGS_QSIZE);
	reg = guest_config(g, msix + PCI_MSIX_TABLE, 4);
	place.bar = reg & PCI_MSIX_TABLE_BIR;
	place.table = reg & PCI_MSIX_TABLE_OFFSET;
	place.table_end = place.table + vectors * ENTRY_SIZE;
	reg = guest_config(g, msix + PCI_MSIX_PBA, 4);
	assert_int_equal(reg & PCI_MSIX_PBA_BIR, place.bar);
	place.pba = reg & PCI_MSIX_PBA_OFFSET;
	place.pba_end = place.pba + (vectors + 63) / 64 * 8;
	return place;
}

static bool meets(uint64_t page, uint64_t from, uint64_t to)
{
	return page < to && from < page + PAGE;
}

static bool told(const struct answer *answer, uint64_t page)
{
	uint32_t i;

	for (i = 0; i < answer->sparse.nr_areas; i++)
		if (meets(page, answer->sparse.areas[i].offset,
			  answer->sparse.areas[i].offset + answer->sparse.areas[i].size))
			return true;
	return false;
}

/* Whole pages in rising order, not one page twice, all of them to be mapped. */
static void check_areas(struct guest *g, const struct answer *answer, uint64_t bar)
{
	uint64_t end = 0;
	uint32_t i;

	for (i = 0; i < answer->sparse.nr_areas; i++) {
		const struct vfio_region_sparse_mmap_area *area = &answer->sparse.areas[i];

		assert_true(area->offset >= end);
		assert_true(area->size && area->offset % PAGE == 0 && area->size % PAGE == 0);
		end = area->offset + area->size;
		assert_true(end <= answer->info.size);
		assert_true(guest_mappable(g, bar + area->offset, area->size));
	}
}

static void check(const char *bdf, uint32_t areas)
{
	struct guest *g = guest_open(bdf);
	const struct place place = place_of(g);
	const uint64_t bar = (uint64_t)place.bar << 40;
	struct answer answer = { .info = { .argsz = sizeof(answer), .index = place.bar } };
	uint64_t page;

	assert_int_equal(ioctl(g->fd, VFIO_DEVICE_GET_REGION_INFO, &answer), 0);
	assert_true(answer.info.argsz <= sizeof(answer));
	if (areas) {
		assert_true(answer.info.flags & VFIO_REGION_INFO_FLAG_MMAP);
		assert_true(answer.info.flags & VFIO_REGION_INFO_FLAG_CAPS);
		assert_int_equal(answer.info.cap_offset, offsetof(struct answer, sparse));
		assert_int_equal(answer.sparse.header.id, VFIO_REGION_INFO_CAP_SPARSE_MMAP);
		assert_int_equal(answer.sparse.header.version, 1);
		assert_int_equal(answer.sparse.header.next, 0);
	} else {
		assert_int_equal(answer.info.flags & VFIO_REGION_INFO_FLAG_MMAP, 0);
		answer.sparse.nr_areas = 0;
	}
	for (page = 0; page < answer.info.size; page += PAGE) {
		bool taken = meets(page, place.table, place.table_end) ||
			     meets(page, place.pba, place.pba_end);

		if (told(&answer, page) == taken)
			fail_msg("%s: the page at %#llx is %stold of", bdf,
				 (unsigned long long)page, taken ? "" : "not ");
		if (meets(page, place.table, place.table_end))
			assert_false(guest_mappable(g, bar + page, PAGE));
	}
	assert_int_equal(answer.sparse.nr_areas, areas);
	check_areas(g, &answer, bar);
	guest_close(g);
}

static void a_table_that_ends_in_the_page_of_the_pba(void **state)
{
	(void)state;
	check(EP_BROADCOM, 0);
}

static void a_table_and_a_pba_apart(void **state)
{
	(void)state;
	check(EP_APART, 3);
}

static void a_table_and_a_pba_at_the_ends(void **state)
{
	(void)state;
	check(EP_ENDS, 1);
}

static void a_pba_before_the_table(void **state)
{
	(void)state;
	check(EP_TURNED, 2);
}

static void both_in_one_page(void **state)
{
	(void)state;
	check(EP_SHARED, 2);
}

/* Who has no tags in there is told what stock vfio-pci tells: all of it, table included. */
static void without_tags_in_it_the_bar_is_as_any_other(void **state)
{
	struct guest *g = guest_open(EP_OTHER);
	const struct place place = place_of(g);
	struct answer answer = { .info = { .argsz = sizeof(answer), .index = place.bar } };

	(void)state;
	assert_int_equal(ioctl(g->fd, VFIO_DEVICE_GET_REGION_INFO, &answer), 0);
	assert_true(answer.info.flags & VFIO_REGION_INFO_FLAG_MMAP);
	assert_int_equal(answer.sparse.header.id, VFIO_REGION_INFO_CAP_MSIX_MAPPABLE);
	assert_true(guest_mappable(g, (uint64_t)place.bar << 40, answer.info.size));
	guest_close(g);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, guest_close_all)
	const struct CMUnitTest tests[] = {
		TEST(a_table_that_ends_in_the_page_of_the_pba),
		TEST(a_table_and_a_pba_apart),
		TEST(a_table_and_a_pba_at_the_ends),
		TEST(a_pba_before_the_table),
		TEST(both_in_one_page),
		TEST(without_tags_in_it_the_bar_is_as_any_other),
	};

	guest_driver("policy=iv-st");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
