// SPDX-License-Identifier: MIT
/* Firmware's answers and the entries of the ledger: every answer, every range, every entry. */
#include "ledger.h"
#include "proof.h"

#define SIZE	4

static void decode(void)
{
	u64 answer = nondet_u64();
	bool persistent = nondet_bool();
	u32 half = persistent ? answer >> 32 : answer & 0xffffffff;
	struct tph_tags tags;

	tph_tags_decode(answer, persistent, &tags);
	/* PCI Firmware 3.3 ECN: bits 0, 1, 15:8 and 31:16 of the memory type's half, and no others. */
	PROVE("answer-is-decoded", tags.st_valid == (half & 1) && tags.xst_valid == (half >> 1 & 1) &&
	      tags.st == (half >> 8 & 0xff) && tags.xst == half >> 16);
	/* A tag that firmware does not call valid, or that is 0, is none. */
	PROVE("invalid-is-no-tag", tph_tags_valid(&tags, TPH_WIDTH_8) == ((half & 1) && tags.st) &&
	      tph_tags_valid(&tags, TPH_WIDTH_16) == ((half & 2) && tags.xst) &&
	      tph_tags_valid(&tags, TPH_WIDTH_NONE) == (((half & 1) && tags.st) ||
							((half & 2) && tags.xst)));
	REACHED("decode");
}

static struct tph_entry nondet_entry(void)
{
	struct tph_entry entry = {
		.cpu = nondet_u32(), .epoch = nondet_u32(), .lease = nondet_u8(),
		.tags = { nondet_u16(), nondet_u8(), nondet_bool(), nondet_bool() },
	};

	return entry;
}

static void tag(void)
{
	struct tph_entry entry = nondet_entry();
	u8 width = nondet_bool() ? TPH_WIDTH_8 : TPH_WIDTH_16;
	u16 tag = tph_entry_tag(&entry, width);

	/* An entry that is clear gives hardware no tag. */
	PROVE("clear-is-no-tag", entry.cpu != TPH_NO_CPU || !tag);
	/* Two namespaces: a tag of one is never used in place of the other. */
	PROVE("namespaces-apart", !tag ||
	      (width == TPH_WIDTH_8 ? entry.tags.st_valid && tag == entry.tags.st :
				      entry.tags.xst_valid && tag == entry.tags.xst));
	/* An entry that counts as valid at a width is clear or has a tag there. */
	PROVE("valid-has-a-tag", tph_entries_valid(&entry, 1, width) ==
	      (entry.cpu == TPH_NO_CPU || tag));
	if (tag)
		REACHED("tag");
}

static void range(void)
{
	struct tph_entry entries[SIZE];
	struct tph_ledger ledger = { nondet_u32(), entries };
	u32 index = nondet_u32(), count = nondet_u32(), i;
	u32 some = nondet_u32() % (SIZE + 1);
	u64 end = (u64)index + count;
	u8 width = nondet_u8();
	bool all = true;

	/* A range exists if it has an entry and no end beyond the ledger's, for any numbers. */
	PROVE("range-is-exact", tph_ledger_holds(&ledger, index, count) ==
	      (count && end <= ledger.size));

	ledger.size = SIZE;
	for (i = 0; i < SIZE; i++) {
		entries[i] = nondet_entry();
		all &= i >= some || tph_entries_valid(&entries[i], 1, width);
	}
	/* Entries are valid if each of them is. */
	PROVE("valid-is-each", tph_entries_valid(entries, some, width) == all);
	tph_ledger_clear(&ledger);
	for (i = 0; i < SIZE; i++)
		PROVE("clear-is-clear", entries[i].cpu == TPH_NO_CPU && !entries[i].tags.st_valid &&
		      !entries[i].tags.xst_valid);
	REACHED("range");
}

int main(void)
{
	decode();
	tag();
	range();
	return 0;
}
