/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ST table that a guest writes and reads back. Its values are the guest's own: what they mean is
 * for guest_map.h. No kernel interfaces here.
 */
#ifndef TPH_VIRTUAL_TABLE_H
#define TPH_VIRTUAL_TABLE_H

#include <linux/types.h>

#include "capability.h"

/**
 * struct tph_virtual_table - what a guest wrote
 * @entries: how many there are, TPH_CAPABILITY_ENTRIES_MAX at most; 0 if there is no such table
 * @extended: entries have an upper byte
 * @values: by entry
 */
struct tph_virtual_table {
	u16 entries;
	bool extended;
	u16 values[TPH_CAPABILITY_ENTRIES_MAX];
};

u8 tph_virtual_table_byte(const struct tph_virtual_table *table, unsigned int at);
void tph_virtual_table_write(struct tph_virtual_table *table, unsigned int at, const u8 *bytes,
			     unsigned int count);
void tph_virtual_table_clear(struct tph_virtual_table *table);

#endif
