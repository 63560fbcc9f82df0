// SPDX-License-Identifier: MIT
/*
 * What of a BAR can be mapped beside an MSI-X table: every table, every pending bit array, every
 * size of BAR to 2^62 and of page to 2^30.
 */
#include "areas.h"
#include "proof.h"

static bool whole(u64 at, u64 page_size)
{
	return !(at & (page_size - 1));
}

/* Whether one page has a byte of an area. */
static bool touches(u64 page, u64 page_size, struct tph_area area)
{
	return area.start < page + page_size && area.end > page;
}

int main(void)
{
	u64 page_size = 1ULL << (nondet_u8() & 31), bar_size = nondet_u64(), page, size;
	u32 table = nondet_u32(), pba = nondet_u32(), count, i;
	struct tph_area areas[TPH_AREAS_MAX], range;
	u8 bar = nondet_u8() & 7;
	struct tph_msix msix;
	bool offered = false, taboo;
	u16 vectors = nondet_u16();

	ASSUME(page_size <= 1ULL << 30 && bar_size <= 1ULL << 62 && vectors <= 2048);
	tph_msix_decode(vectors, table, pba, &msix);
	/* The table has 16 bytes a vector, the pending bit array a bit, in whole quadwords. */
	PROVE("msix-is-decoded", !vectors || (msix.table_bar == (table & 7) &&
	      msix.table.start == (table & ~7U) && msix.table.end - msix.table.start == vectors * 16 &&
	      msix.pba.start == (pba & ~7U) && (msix.pba.end - msix.pba.start) * 8 >= vectors &&
	      (msix.pba.end - msix.pba.start) * 8 < vectors + 64U &&
	      (msix.pba.end - msix.pba.start) % 8 == 0));
	/* A table fits if its last byte is in the BAR. */
	PROVE("fits-is-exact", tph_msix_fits(&msix, bar_size) ==
	      (vectors && msix.table.end <= bar_size));

	count = tph_areas_make(&msix, bar, bar_size, page_size, areas);
	size = (bar_size + page_size - 1) & ~(page_size - 1);
	/* Three areas at most, in order, not empty, in whole pages of the BAR. */
	PROVE("areas-are-pages", count <= TPH_AREAS_MAX);
	for (i = 0; i < count; i++)
		PROVE("areas-are-pages", areas[i].start < areas[i].end && areas[i].end <= size &&
		      whole(areas[i].start, page_size) && whole(areas[i].end, page_size) &&
		      (!i || areas[i - 1].end <= areas[i].start));

	/* any page of the BAR */
	page = nondet_u64();
	ASSUME(whole(page, page_size) && page < size);
	taboo = vectors && ((msix.table_bar == bar && touches(page, page_size, msix.table)) ||
			    (msix.pba_bar == bar && touches(page, page_size, msix.pba)));
	for (i = 0; i < count; i++)
		offered |= touches(page, page_size, areas[i]);
	/* A page is offered exactly if it has no byte of the table and none of the array. */
	PROVE("offered-is-free", offered != taboo);

	range = (struct tph_area){ nondet_u64(), nondet_u64() };
	/* A range that is said to have a byte of such a page has one. */
	PROVE("found-is-there", !tph_areas_touch_table(&msix, bar, page_size, range) ||
	      (vectors && msix.table_bar == bar &&
	       range.start < ((msix.table.end + page_size - 1) & ~(page_size - 1)) &&
	       range.end > (msix.table.start & ~(page_size - 1))));
	ASSUME(range.start <= page && range.end >= page + page_size);
	/* Whoever asks for a range with a page of the table is found out. */
	PROVE("table-is-found", !vectors || msix.table_bar != bar ||
	      !touches(page, page_size, msix.table) ||
	      tph_areas_touch_table(&msix, bar, page_size, range));
	if (count == 3)
		REACHED("areas");
	return 0;
}
