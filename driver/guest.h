/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest that steers by itself: the ST table that it writes, with steering tags of its own, and what
 * these stand for. No kernel interfaces here.
 */
#ifndef TPH_GUEST_H
#define TPH_GUEST_H

#include <linux/types.h>

#include "capability.h"
#include "ledger.h"

/* An ST table in the capability has no more, and that is where a guest is shown it. */
#define TPH_GUEST_ENTRIES_MAX	TPH_CAPABILITY_ENTRIES_MAX

/**
 * struct tph_guest - a guest's view, and what is behind it
 * @offer: what it is shown: the device's, with the ST table in the capability; @offer.entries is 0
 *	where it cannot be shown one
 * @map: the host CPU, tags and lease of each virtual tag 1 .. @map.size; none without a map
 * @values: virtual ST table: what the guest wrote
 */
struct tph_guest {
	struct tph_offer offer;
	struct tph_ledger map;
	u16 values[TPH_GUEST_ENTRIES_MAX];
};

static inline bool tph_guest_mapped(const struct tph_guest *guest)
{
	return guest->map.size;
}

void tph_guest_offer(const struct tph_capability *cap, const struct tph_offer *offer,
		     struct tph_offer *shown);
struct tph_entry tph_guest_entry(const struct tph_guest *guest, u32 index, u8 width);
u8 tph_guest_byte(const struct tph_guest *guest, unsigned int at);
bool tph_guest_write(struct tph_guest *guest, unsigned int at, const u8 *bytes, unsigned int count,
		     u32 *first, u32 *last);
u32 tph_guest_revoke(struct tph_guest *guest,
		     bool (*lost)(const struct tph_entry *entry, u32 index, void *arg), void *arg);
void tph_guest_reset(struct tph_guest *guest);

#endif
