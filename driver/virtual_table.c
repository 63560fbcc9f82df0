// SPDX-License-Identifier: GPL-2.0-only
#include <linux/nospec.h>

#include "virtual_table.h"

static bool has(const struct tph_virtual_table *table, unsigned int at)
{
	return at / 2 < table->entries && (at % 2 == 0 || table->extended);
}

/**
 * tph_virtual_table_byte() - one byte of the table
 * @table: the table
 * @at: which, from its start
 *
 * Return: the byte; 0 beyond the end, and for an upper byte that entries do not have.
 */
u8 tph_virtual_table_byte(const struct tph_virtual_table *table, unsigned int at)
{
	if (!has(table, at))
		return 0;
	return table->values[array_index_nospec(at / 2, TPH_CAPABILITY_ENTRIES_MAX)] >> at % 2 * 8;
}

/**
 * tph_virtual_table_write() - put bytes into the table
 * @table: the table
 * @at: the first byte, from the table's start
 * @bytes: what is written
 * @count: how many; those beyond the end, and upper bytes that entries do not have, are dropped
 */
void tph_virtual_table_write(struct tph_virtual_table *table, unsigned int at, const u8 *bytes,
			     unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count && at < 2 * TPH_CAPABILITY_ENTRIES_MAX; i++, at++) {
		u16 *value = &table->values[array_index_nospec(at / 2, TPH_CAPABILITY_ENTRIES_MAX)];
		unsigned int shift = at % 2 * 8;

		if (has(table, at))
			*value = (*value & ~(0xffU << shift)) | (u32)bytes[i] << shift;
	}
}

/**
 * tph_virtual_table_clear() - as after a reset: every entry 0
 * @table: the table
 */
void tph_virtual_table_clear(struct tph_virtual_table *table)
{
	u32 i;

	for (i = 0; i < TPH_CAPABILITY_ENTRIES_MAX; i++)
		table->values[i] = 0;
}
