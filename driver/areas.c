// SPDX-License-Identifier: GPL-2.0-only
#include "areas.h"

static u64 down(u64 at, u64 page_size)
{
	return at & ~(page_size - 1);
}

static u64 up(u64 at, u64 page_size)
{
	return down(at + page_size - 1, page_size);
}

static u64 least(u64 a, u64 b)
{
	return a < b ? a : b;
}

/**
 * tph_msix_decode() - decode what the MSI-X capability says (PCIe 6.2, 7.7.2)
 * @vectors: size of the table, 0 without MSI-X
 * @table: Table Offset/BIR
 * @pba: PBA Offset/BIR
 * @msix: receives the result
 */
void tph_msix_decode(u16 vectors, u32 table, u32 pba, struct tph_msix *msix)
{
	*msix = (struct tph_msix){ .vectors = vectors };
	if (!vectors)
		return;

	msix->table_bar = table & PCI_MSIX_TABLE_BIR;
	msix->table.start = table & PCI_MSIX_TABLE_OFFSET;
	msix->table.end = msix->table.start + (u64)vectors * PCI_MSIX_ENTRY_SIZE;
	msix->pba_bar = pba & PCI_MSIX_PBA_BIR;
	msix->pba.start = pba & PCI_MSIX_PBA_OFFSET;
	/* a bit for each vector, in whole quadwords */
	msix->pba.end = msix->pba.start + (u64)(vectors + 63) / 64 * 8;
}

/**
 * tph_msix_fits() - whether the table is where the function says
 * @msix: what it says
 * @bar_size: bytes of @msix->table_bar, 0 if there is no such BAR
 *
 * Return: true if all of the table is in the BAR.
 */
bool tph_msix_fits(const struct tph_msix *msix, u64 bar_size)
{
	return msix->vectors && msix->table.end <= bar_size;
}

/**
 * tph_areas_make() - what of a BAR can be offered for mmap()
 * @msix: where its table and pending bit array are
 * @bar: the BAR
 * @bar_size: its size in bytes
 * @page_size: of the host, a power of two
 * @areas: receives what is left, in ascending order
 *
 * No area touches a page of the table, whose tags have one writer, nor one of the pending bit
 * array: there are virtual machine monitors that refuse a device if one does.
 *
 * Return: number of areas, 0 to TPH_AREAS_MAX.
 */
u32 tph_areas_make(const struct tph_msix *msix, unsigned int bar, u64 bar_size, u64 page_size,
		   struct tph_area areas[TPH_AREAS_MAX])
{
	u64 size = up(bar_size, page_size), at = 0;
	struct tph_area holes[2];
	u32 i, n = 0, count = 0;

	if (msix->vectors && msix->table_bar == bar)
		holes[n++] = msix->table;
	if (msix->vectors && msix->pba_bar == bar)
		holes[n++] = msix->pba;
	if (n == 2 && holes[1].start < holes[0].start) {
		holes[0] = msix->pba;
		holes[1] = msix->table;
	}

	for (i = 0; i < n; i++) {
		u64 start = down(least(holes[i].start, size), page_size);
		u64 end = up(least(holes[i].end, size), page_size);

		if (start > at)
			areas[count++] = (struct tph_area){ at, start };
		if (end > at)
			at = end;
	}
	if (at < size)
		areas[count++] = (struct tph_area){ at, size };
	return count;
}

/**
 * tph_areas_touch_table() - whether a range has a byte of a page that holds the MSI-X table
 * @msix: where the table is
 * @bar: the BAR that @range is in
 * @page_size: of the host, a power of two
 * @range: the range
 *
 * Return: true if it has.
 */
bool tph_areas_touch_table(const struct tph_msix *msix, unsigned int bar, u64 page_size,
			   struct tph_area range)
{
	if (!msix->vectors || msix->table_bar != bar)
		return false;
	return range.start < up(msix->table.end, page_size) &&
	       range.end > down(msix->table.start, page_size);
}
