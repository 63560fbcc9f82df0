// SPDX-License-Identifier: MIT
#include <linux/pci_regs.h>

#include "areas.h"
#include "unit.h"

#define KIB(n)	((u64)(n) * 1024)

struct function {
	const char *name;
	u16 vectors;
	u32 table, pba;		/* the registers */
	unsigned int bar;	/* asked about */
	u64 size, page;
	u32 count;
	struct tph_area areas[TPH_AREAS_MAX];
};

static const struct function functions[] = {
	/* four quadwords from 0xff0 on: 16 bytes of them are in the second page */
	{ "BCM57416: 255 vectors, PBA right behind, 4K", 255, 0x4, 0xff4, 4, KIB(8), KIB(4), 0,
	  { { 0, 0 } } },
	{ "the same with 127 vectors", 127, 0x4, 0xff4, 4, KIB(8), KIB(4), 1,
	  { { 0x1000, 0x2000 } } },
	{ "BCM57416, 16K", 255, 0x4, 0xff4, 4, KIB(8), KIB(16), 0, { { 0, 0 } } },
	{ "BCM57416, 64K", 255, 0x4, 0xff4, 4, KIB(8), KIB(64), 0, { { 0, 0 } } },
	{ "BCM57416, another BAR", 255, 0x4, 0xff4, 0, KIB(64), KIB(4), 1, { { 0, 0x10000 } } },
	{ "QL41212H: PBA in the next page", 129, 0x4, 0x1004, 4, KIB(64), KIB(4), 1,
	  { { 0x2000, 0x10000 } } },
	{ "QL41212H, 16K", 129, 0x4, 0x1004, 4, KIB(64), KIB(16), 1, { { 0x4000, 0x10000 } } },
	{ "QL41212H, 64K", 129, 0x4, 0x1004, 4, KIB(64), KIB(64), 0, { { 0, 0 } } },
	{ "in the middle, 4K", 32, 0x5200, 0xd600, 0, KIB(64), KIB(4), 3,
	  { { 0, 0x5000 }, { 0x6000, 0xd000 }, { 0xe000, 0x10000 } } },
	{ "in the middle, 16K", 32, 0x5200, 0xd600, 0, KIB(64), KIB(16), 2,
	  { { 0, 0x4000 }, { 0x8000, 0xc000 } } },
	{ "in the middle, 64K", 32, 0x5200, 0xd600, 0, KIB(64), KIB(64), 0, { { 0, 0 } } },
	{ "PBA in front, 4K", 32, 0xd600, 0x5200, 0, KIB(64), KIB(4), 3,
	  { { 0, 0x5000 }, { 0x6000, 0xd000 }, { 0xe000, 0x10000 } } },
	{ "table over a page boundary", 32, 0x5f80, 0xd600, 0, KIB(64), KIB(4), 3,
	  { { 0, 0x5000 }, { 0x7000, 0xd000 }, { 0xe000, 0x10000 } } },
	{ "table at the end, PBA at the start", 256, 0xf000, 0x0, 0, KIB(64), KIB(4), 1,
	  { { 0x1000, 0xf000 } } },
	{ "table and PBA in one page", 16, 0x2000, 0x2800, 0, KIB(64), KIB(4), 2,
	  { { 0, 0x2000 }, { 0x3000, 0x10000 } } },
	{ "adjoining pages", 256, 0x2000, 0x3000, 0, KIB(64), KIB(4), 2,
	  { { 0, 0x2000 }, { 0x4000, 0x10000 } } },
	{ "PBA within the table's pages", 512, 0x2000, 0x2ff8, 0, KIB(64), KIB(4), 2,
	  { { 0, 0x2000 }, { 0x4000, 0x10000 } } },
	{ "PBA over a page boundary", 128, 0x2000, 0x4ff8, 0, KIB(64), KIB(4), 3,
	  { { 0, 0x2000 }, { 0x3000, 0x4000 }, { 0x6000, 0x10000 } } },
	{ "Hi1822: PBA in the same BAR, 4K", 32, 0x2, 0x4002, 2, KIB(32), KIB(4), 2,
	  { { 0x1000, 0x4000 }, { 0x5000, 0x8000 } } },
	{ "Hi1822, 64K", 32, 0x2, 0x4002, 2, KIB(32), KIB(64), 0, { { 0, 0 } } },
	{ "PBA in another BAR", 16, 0x4, 0x2, 4, KIB(16), KIB(4), 1, { { 0x1000, 0x4000 } } },
	{ "the other BAR", 16, 0x4, 0x2, 2, KIB(16), KIB(4), 1, { { 0x1000, 0x4000 } } },
	{ "all of it", 2048, 0x0, 0x8000, 0, KIB(64), KIB(64), 0, { { 0, 0 } } },
	{ "2048 vectors, 4K", 2048, 0x0, 0x8000, 0, KIB(64), KIB(4), 1, { { 0x9000, 0x10000 } } },
	{ "no MSI-X", 0, 0x5200, 0xd600, 0, KIB(64), KIB(4), 1, { { 0, 0x10000 } } },
	{ "a BAR of less than a page", 4, 0x0, 0x800, 1, 128, KIB(4), 1, { { 0, 0x1000 } } },
	/* what no function should say: the size binds, nothing wraps */
	{ "PBA outside", 16, 0x0, 0xfffffff8, 0, KIB(64), KIB(4), 1, { { 0x1000, 0x10000 } } },
	{ "PBA begins in the last page", 2048, 0x0, 0xfff8, 0, KIB(64), KIB(4), 1,
	  { { 0x8000, 0xf000 } } },
	{ "table outside", 2048, 0xfffffff8, 0x8, 0, KIB(64), KIB(4), 1, { { 0x1000, 0x10000 } } },
};

static void what_is_left_of_a_bar(void **state)
{
	size_t i;
	u32 n;

	(void)state;
	for (i = 0; i < sizeof(functions) / sizeof(*functions); i++) {
		const struct function *f = &functions[i];
		struct tph_area areas[TPH_AREAS_MAX];
		struct tph_msix msix;

		print_message("# %s\n", f->name);
		tph_msix_decode(f->vectors, f->table, f->pba, &msix);
		assert_int_equal(tph_areas_make(&msix, f->bar, f->size, f->page, areas), f->count);
		for (n = 0; n < f->count; n++) {
			assert_int_equal(areas[n].start, f->areas[n].start);
			assert_int_equal(areas[n].end, f->areas[n].end);
			assert_false(tph_areas_touch_table(&msix, f->bar, f->page, areas[n]));
		}
	}
}

static void decoded_registers(void **state)
{
	struct tph_msix msix;

	(void)state;
	tph_msix_decode(65, 0x5203, 0xd605, &msix);
	assert_int_equal(msix.vectors, 65);
	assert_int_equal(msix.table_bar, 3);
	assert_int_equal(msix.table.start, 0x5200);
	assert_int_equal(msix.table.end, 0x5200 + 65 * 16);
	assert_int_equal(msix.pba_bar, 5);
	assert_int_equal(msix.pba.start, 0xd600);
	/* two quadwords: the 65th bit is in the second */
	assert_int_equal(msix.pba.end, 0xd610);
	tph_msix_decode(64, 0, 0xd605, &msix);
	assert_int_equal(msix.pba.end, 0xd608);

	tph_msix_decode(0, 0xffffffff, 0xffffffff, &msix);
	assert_int_equal(msix.table.end, 0);
	assert_false(tph_msix_fits(&msix, KIB(64)));
}

/* To the byte: a table that ends with its BAR is one, and one that does not is none. */
static void a_table_outside_its_bar_is_none(void **state)
{
	struct tph_msix msix;

	(void)state;
	tph_msix_decode(16, 0xff00, 0x8, &msix);
	assert_true(tph_msix_fits(&msix, KIB(64)));
	assert_false(tph_msix_fits(&msix, KIB(64) - 1));
	tph_msix_decode(16, 0xff08, 0x8, &msix);
	assert_false(tph_msix_fits(&msix, KIB(64)));
	tph_msix_decode(17, 0xff00, 0x8, &msix);
	assert_false(tph_msix_fits(&msix, KIB(64)));
	/* beyond four gigabytes: not a small number again */
	tph_msix_decode(2048, 0xfffffff8, 0x8, &msix);
	assert_false(tph_msix_fits(&msix, KIB(64)));
	assert_true(tph_msix_fits(&msix, (u64)1 << 33));
	/* no such BAR */
	tph_msix_decode(1, 0x6, 0x6, &msix);
	assert_false(tph_msix_fits(&msix, 0));
}

/* A range touches the table if it has a byte of a page of it, and nothing else does. */
static void ranges_at_the_table(void **state)
{
	static const struct {
		struct tph_area range;
		bool at_4k, at_64k;
	} ranges[] = {
		{ { 0, 0x5000 }, false, true },
		{ { 0, 0x5001 }, true, true },
		{ { 0x5000, 0x5001 }, true, true },
		{ { 0x5fff, 0x6000 }, true, true },
		{ { 0x6000, 0x7000 }, false, true },
		{ { 0xf000, 0x10000 }, false, true },
		{ { 0x10000, 0x20000 }, false, false },
		{ { 0, 0xffffffffffffffff }, true, true },
	};
	struct tph_msix msix;
	size_t i;

	(void)state;
	tph_msix_decode(32, 0x5200, 0xd600, &msix);
	for (i = 0; i < sizeof(ranges) / sizeof(*ranges); i++) {
		assert_int_equal(tph_areas_touch_table(&msix, 0, KIB(4), ranges[i].range),
				 ranges[i].at_4k);
		assert_int_equal(tph_areas_touch_table(&msix, 0, KIB(64), ranges[i].range),
				 ranges[i].at_64k);
		assert_false(tph_areas_touch_table(&msix, 1, KIB(4), ranges[i].range));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_left_of_a_bar),
		cmocka_unit_test(decoded_registers),
		cmocka_unit_test(a_table_outside_its_bar_is_none),
		cmocka_unit_test(ranges_at_the_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
