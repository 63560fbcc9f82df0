// SPDX-License-Identifier: MIT
/* mmap() of the pages that hold the MSI-X table, to write tags there. */
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "attack.h"

#define PAGE	0x1000u

/* Map @length bytes from @at on; if that works, use it on @entry. */
static bool through(struct guest *g, uint64_t at, size_t length, unsigned int entry)
{
	void *map = map_bar0(g, at, length);

	if (map == MAP_FAILED)
		return sends_any_tag(g, entry);
	put_tag(g, map, at, entry, OTHER_TAG);
	return sends_tag(g, entry, OTHER_TAG);
}

static bool table_page(const struct attack *attack, bool ours)
{
	return through(attack_open(attack->bdf, ours), TABLE_PAGE, PAGE, 0);
}

static bool second_page(const struct attack *attack, bool ours)
{
	return through(attack_open(attack->bdf, ours), TABLE_PAGE + PAGE, PAGE, 8);
}

/* A range that begins before the table. What is before it alone can be had. */
static bool overlap_in_front(const struct attack *attack, bool ours)
{
	struct guest *g = attack_open(attack->bdf, ours);
	void *neighbour = map_bar0(g, 0, TABLE_PAGE);

	assert_ptr_not_equal(neighbour, MAP_FAILED);
	assert_int_equal(*(volatile uint32_t *)neighbour, EP_ID_VALUE);
	return through(g, TABLE_PAGE - PAGE, 2 * PAGE, 0);
}

static bool overlap_behind(const struct attack *attack, bool ours)
{
	struct guest *g = attack_open(attack->bdf, ours);

	assert_ptr_not_equal(map_bar0(g, TABLE_PAGE + 2 * PAGE, PAGE), MAP_FAILED);
	return through(g, TABLE_PAGE + PAGE, 2 * PAGE, 15);
}

static bool whole_bar(const struct attack *attack, bool ours)
{
	return through(attack_open(attack->bdf, ours), 0, EP_BAR_SIZE, 0);
}

/* An offset whose region is BAR 0 and whose end lies far beyond it. */
static bool huge_range(const struct attack *attack, bool ours)
{
	struct guest *g = attack_open(attack->bdf, ours);

	return through(g, 0, 1ul << 32, 0) || through(g, TABLE_PAGE, (1ul << 40) - TABLE_PAGE, 0) ||
	       through(g, (1ull << 40) - PAGE, EP_BAR_SIZE, 0);
}

static bool after_a_reset(const struct attack *attack, bool ours)
{
	struct guest *g = attack_open_disabled(attack->bdf);
	uint32_t command = guest_config(g, PCI_COMMAND, 2);

	assert_int_equal(ioctl(g->fd, VFIO_DEVICE_RESET), 0);
	guest_config_write(g, PCI_COMMAND, 2, command);
	attack_enable(g, ours);
	return through(g, TABLE_PAGE, PAGE, 0);
}

/* Mapped before there is anything to protect, used afterwards. */
static bool mapped_before(const struct attack *attack, bool ours)
{
	struct guest *g;
	void *map;

	act_as_root();
	g = guest_open(attack->bdf);
	act_as_user();
	map = map_bar0(g, TABLE_PAGE, PAGE);
	vectors_on(g);
	attack_enable(g, ours);
	if (map == MAP_FAILED)
		return sends_any_tag(g, 0);
	put_tag(g, map, TABLE_PAGE, 0, OTHER_TAG);
	return sends_tag(g, 0, OTHER_TAG);
}

static bool read_only_first(const struct attack *attack, bool ours)
{
	struct guest *g = attack_open(attack->bdf, ours);
	void *map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, g->fd, TABLE_PAGE);

	if (map == MAP_FAILED || mprotect(map, PAGE, PROT_READ | PROT_WRITE))
		return sends_any_tag(g, 0);
	put_tag(g, map, TABLE_PAGE, 0, OTHER_TAG);
	return sends_tag(g, 0, OTHER_TAG);
}

/* Grow a mapping of the page in front over the table. */
static bool by_mremap(const struct attack *attack, bool ours)
{
	struct guest *g = attack_open(attack->bdf, ours);
	void *map = map_bar0(g, TABLE_PAGE - PAGE, PAGE);

	assert_ptr_not_equal(map, MAP_FAILED);
	map = mremap(map, PAGE, 2 * PAGE, MREMAP_MAYMOVE);
	if (map == MAP_FAILED)
		return sends_any_tag(g, 0);
	put_tag(g, map, TABLE_PAGE - PAGE, 0, OTHER_TAG);
	return sends_tag(g, 0, OTHER_TAG);
}

/* Move the window of a mapping of the page in front onto the table. */
static bool by_remap_file_pages(const struct attack *attack, bool ours)
{
	struct guest *g = attack_open(attack->bdf, ours);
	void *map = map_bar0(g, TABLE_PAGE - PAGE, PAGE);

	assert_ptr_not_equal(map, MAP_FAILED);
	if (syscall(SYS_remap_file_pages, map, PAGE, 0, TABLE_PAGE / PAGE, 0))
		return sends_any_tag(g, 0);
	put_tag(g, map, TABLE_PAGE, 0, OTHER_TAG);
	return sends_tag(g, 0, OTHER_TAG);
}

#define ATTACK(name, run, stock) { name, run, AT_MSIX, stock, NULL, "attack/mapping.c" }

const struct attack mapping_attacks[] = {
	ATTACK("mmap-table-page", table_page, STOCK_OPEN),
	ATTACK("mmap-second-table-page", second_page, STOCK_OPEN),
	ATTACK("mmap-overlap-in-front", overlap_in_front, STOCK_OPEN),
	ATTACK("mmap-overlap-behind", overlap_behind, STOCK_OPEN),
	ATTACK("mmap-whole-bar", whole_bar, STOCK_OPEN),
	ATTACK("mmap-huge-range", huge_range, STOCK_CLOSED),
	ATTACK("mmap-after-reset", after_a_reset, STOCK_OPEN),
	ATTACK("mmap-before-vectors", mapped_before, STOCK_OPEN),
	ATTACK("mmap-read-only-mprotect", read_only_first, STOCK_OPEN),
	ATTACK("mremap-from-neighbour", by_mremap, STOCK_CLOSED),
	ATTACK("remap-file-pages", by_remap_file_pages, STOCK_OPEN),
	{ 0 }
};
