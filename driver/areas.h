/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where a function's MSI-X table and its pending bit array are, and what of a BAR is left beside
 * them. No kernel interfaces here: the same lines run in the unit tests.
 */
#ifndef TPH_AREAS_H
#define TPH_AREAS_H

#include <linux/pci_regs.h>
#include <linux/types.h>

/* Two holes leave three areas at most. */
#define TPH_AREAS_MAX	3

/**
 * struct tph_area - bytes of a BAR
 * @start: the first one
 * @end: the one behind the last
 */
struct tph_area {
	u64 start;
	u64 end;
};

/**
 * struct tph_msix - decoded registers of the MSI-X capability
 * @vectors: entries of the table, 0 without MSI-X
 * @table_bar: the table's BAR, 6 and 7 are reserved
 * @pba_bar: the BAR of the pending bit array
 * @table: where the table is in its BAR
 * @pba: where the pending bit array is in its BAR
 */
struct tph_msix {
	u16 vectors;
	u8 table_bar;
	u8 pba_bar;
	struct tph_area table;
	struct tph_area pba;
};

void tph_msix_decode(u16 vectors, u32 table, u32 pba, struct tph_msix *msix);
bool tph_msix_fits(const struct tph_msix *msix, u64 bar_size);
u32 tph_areas_make(const struct tph_msix *msix, unsigned int bar, u64 bar_size, u64 page_size,
		   struct tph_area areas[TPH_AREAS_MAX]);
bool tph_areas_touch_table(const struct tph_msix *msix, unsigned int bar, u64 page_size,
			   struct tph_area range);

#endif
