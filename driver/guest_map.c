// SPDX-License-Identifier: GPL-2.0-only
#include <linux/nospec.h>

#include "guest_map.h"

/**
 * tph_guest_map_entry() - what a value in the virtual table comes to
 * @map: the map
 * @value: the value
 * @width: of the tags in force; TPH_WIDTH_NONE while none are
 *
 * A function that sends 8-bit tags takes them out of the lower byte, so that is what was meant.
 *
 * Return: the slot's entry, or a clear one: for 0, a value beyond the map, a slot without a CPU or one
 * whose CPU has no tag of that width.
 */
struct tph_entry tph_guest_map_entry(const struct tph_guest_map *map, u16 value, u8 width)
{
	const struct tph_entry clear = { .cpu = TPH_NO_CPU };
	const struct tph_entry *slot;

	if (width == TPH_WIDTH_8)
		value &= 0xff;
	if (!value || value > map->count)
		return clear;
	slot = &map->slots[array_index_nospec(value - 1, map->count)];
	if (slot->cpu == TPH_NO_CPU || !tph_tags_valid(&slot->tags, width))
		return clear;
	return *slot;
}

/**
 * tph_guest_map_entries() - what a virtual table comes to
 * @map: the map
 * @table: the table
 * @width: as for tph_guest_map_entry()
 * @entries: receives @table->entries of them
 */
void tph_guest_map_entries(const struct tph_guest_map *map, const struct tph_virtual_table *table,
			   u8 width, struct tph_entry *entries)
{
	u32 i;

	for (i = 0; i < table->entries; i++)
		entries[i] = tph_guest_map_entry(map, table->values[i], width);
}

/**
 * tph_guest_map_revoke() - take slots back
 * @map: the map
 * @lost: says of a slot that has a CPU whether it is taken back
 * @arg: for @lost
 *
 * The entries that came of them are for tph_table_revoke(), by the same @lost.
 *
 * Return: how many were taken back.
 */
u32 tph_guest_map_revoke(struct tph_guest_map *map,
			 bool (*lost)(const struct tph_entry *slot, u32 index, void *arg),
			 void *arg)
{
	u32 i, count = 0;

	for (i = 0; i < map->count; i++) {
		if (map->slots[i].cpu == TPH_NO_CPU || !lost(&map->slots[i], i, arg))
			continue;
		map->slots[i] = (struct tph_entry){ .cpu = TPH_NO_CPU };
		count++;
	}
	return count;
}
