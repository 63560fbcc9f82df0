/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The map of a guest's virtual tags to host CPUs. Each is held like an entry of the ledger. No kernel
 * interfaces here.
 */
#ifndef TPH_GUEST_MAP_H
#define TPH_GUEST_MAP_H

#include <linux/types.h>

#include "ledger.h"
#include "virtual_table.h"

/**
 * struct tph_guest_map - which host CPU each virtual tag stands for
 * @count: virtual tags 1 .. @count are in the map; 0 if there is none
 * @slots: that of virtual tag v at v - 1; one without a CPU is clear
 */
struct tph_guest_map {
	u32 count;
	struct tph_entry *slots;
};

struct tph_entry tph_guest_map_entry(const struct tph_guest_map *map, u16 value, u8 width);
void tph_guest_map_entries(const struct tph_guest_map *map, const struct tph_virtual_table *table,
			   u8 width, struct tph_entry *entries);
u32 tph_guest_map_revoke(struct tph_guest_map *map,
			 bool (*lost)(const struct tph_entry *slot, u32 index, void *arg),
			 void *arg);

#endif
