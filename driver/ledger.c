// SPDX-License-Identifier: GPL-2.0-only
#include "ledger.h"

/*
 * The answer of the "Query Cache Locality TPH Features" _DSM (PCI Firmware 3.3 ECN): 32 bits for
 * volatile memory, then 32 for persistent memory, each with two valid bits, the 8-bit tag and the
 * 16-bit tag.
 */
#define ANSWER_ST_VALID		(1U << 0)
#define ANSWER_XST_VALID	(1U << 1)
#define ANSWER_ST_SHIFT		8
#define ANSWER_XST_SHIFT	16

/**
 * tph_tags_decode() - take the tags for one memory type out of firmware's answer
 * @answer: the 64-bit answer
 * @persistent: persistent memory, else volatile
 * @tags: receives the tags
 */
void tph_tags_decode(u64 answer, bool persistent, struct tph_tags *tags)
{
	u32 half = persistent ? answer >> 32 : answer & 0xffffffff;

	tags->st_valid = half & ANSWER_ST_VALID;
	tags->xst_valid = half & ANSWER_XST_VALID;
	tags->st = half >> ANSWER_ST_SHIFT & 0xff;
	tags->xst = half >> ANSWER_XST_SHIFT;
}

/**
 * tph_tags_valid() - whether there is a tag of a width
 * @tags: a CPU's tags
 * @width: TPH_WIDTH_8 or TPH_WIDTH_16; anything else asks for either
 *
 * Tag 0 says "no preference" (PCIe 6.2, 6.17.1): firmware that calls it valid has told nothing.
 *
 * Return: true if there is.
 */
bool tph_tags_valid(const struct tph_tags *tags, u8 width)
{
	bool st = tags->st_valid && tags->st;
	bool xst = tags->xst_valid && tags->xst;

	if (width == TPH_WIDTH_8)
		return st;
	if (width == TPH_WIDTH_16)
		return xst;
	return st || xst;
}

/**
 * tph_ledger_holds() - whether a range of entries exists
 * @ledger: the ledger
 * @index: first entry
 * @count: number of entries
 *
 * Return: true if there is at least one entry and none beyond the end, for any values.
 */
bool tph_ledger_holds(const struct tph_ledger *ledger, u32 index, u32 count)
{
	return count && index < ledger->size && count <= ledger->size - index;
}

/**
 * tph_ledger_clear() - clear every entry
 * @ledger: the ledger
 */
void tph_ledger_clear(struct tph_ledger *ledger)
{
	u32 i;

	for (i = 0; i < ledger->size; i++)
		ledger->entries[i] = (struct tph_entry){ .cpu = TPH_NO_CPU };
}

/**
 * tph_entries_valid() - whether entries can be in force at a width
 * @entries: the entries
 * @count: how many
 * @width: as for tph_tags_valid()
 *
 * Return: true if every entry is clear or has a tag of that width.
 */
bool tph_entries_valid(const struct tph_entry *entries, u32 count, u8 width)
{
	u32 i;

	for (i = 0; i < count; i++)
		if (entries[i].cpu != TPH_NO_CPU && !tph_tags_valid(&entries[i].tags, width))
			return false;
	return true;
}

/**
 * tph_entry_tag() - the tag that the hardware gets for an entry
 * @entry: the entry
 * @width: TPH_WIDTH_8 or TPH_WIDTH_16
 *
 * Return: the tag, or 0 (no preference) for an entry that is clear or has none of that width.
 */
u16 tph_entry_tag(const struct tph_entry *entry, u8 width)
{
	if (entry->cpu == TPH_NO_CPU || !tph_tags_valid(&entry->tags, width))
		return 0;
	return width == TPH_WIDTH_16 ? entry->tags.xst : entry->tags.st;
}
