/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ledger: which CPU each ST entry steers to, and firmware's tags for it in both namespaces.
 * No kernel interfaces here.
 */
#ifndef TPH_LEDGER_H
#define TPH_LEDGER_H

#include <linux/types.h>

#include "capability.h"

#define TPH_NO_CPU	(~0U)

/**
 * struct tph_tags - firmware's answer for one CPU and one memory type
 * @st: 8-bit steering tag
 * @xst: 16-bit extended steering tag
 * @st_valid: @st is one
 * @xst_valid: @xst is one
 *
 * Two namespaces: one is never used in place of the other.
 */
struct tph_tags {
	u16 xst;
	u8 st;
	bool st_valid : 1;
	bool xst_valid : 1;
};

/**
 * struct tph_entry - one ST entry
 * @cpu: host CPU, or TPH_NO_CPU if the entry is clear
 * @tags: that CPU's tags
 * @epoch: the review period in which it was set (lease.c)
 * @lease: which of the device's leases it is held under
 */
struct tph_entry {
	u32 cpu;
	struct tph_tags tags;
	u32 epoch;
	u8 lease;
};

/**
 * struct tph_ledger - all entries of a function
 * @size: number of entries
 * @entries: the entries
 */
struct tph_ledger {
	u32 size;
	struct tph_entry *entries;
};

void tph_tags_decode(u64 answer, bool persistent, struct tph_tags *tags);
bool tph_tags_valid(const struct tph_tags *tags, u8 width);
bool tph_ledger_holds(const struct tph_ledger *ledger, u32 index, u32 count);
void tph_ledger_clear(struct tph_ledger *ledger);
bool tph_entries_valid(const struct tph_entry *entries, u32 count, u8 width);
u16 tph_entry_tag(const struct tph_entry *entry, u8 width);

#endif
