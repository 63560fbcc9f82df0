/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The function's ST table and control register: everything that is written to hardware is written
 * from here, all or nothing. No kernel interfaces here; hardware is reached through
 * struct tph_table_ops.
 */
#ifndef TPH_TABLE_H
#define TPH_TABLE_H

#include <linux/types.h>

#include "capability.h"
#include "control.h"
#include "ledger.h"

struct tph_table;

/**
 * struct tph_table_ops - the way to hardware; each call returns 0 or a negative errno
 * @read: read a dword of configuration space
 * @write: write 2 or 4 bytes of configuration space
 * @write_vector: write the tag of an MSI-X table entry; where the vector is not allocated, 0 is
 *	written, with success
 * @ready: -EIO while the ST table cannot be written (one in the MSI-X table, memory decode off)
 */
struct tph_table_ops {
	int (*read)(struct tph_table *table, u16 offset, u32 *value);
	int (*write)(struct tph_table *table, u16 offset, u8 bytes, u32 value);
	int (*write_vector)(struct tph_table *table, u16 index, u16 tag);
	int (*ready)(struct tph_table *table);
};

/**
 * struct tph_table - a function's steering state
 * @ops: the way to hardware
 * @cap: the function's capability
 * @ledger: what the entries are
 * @wanted: what the user has enabled, and what the control register reads back
 * @live: what hardware's control register holds
 * @adrift: hardware may hold more than @live says, until a write that disables the requester has
 *	succeeded: one failed, or the function was reset, and some come out of that enabled
 * @written: the width in which the hardware table is known to hold the ledger, TPH_WIDTH_NONE if it
 *	is not; what else happened to the function since is for tph_table_doubt()
 * @holds: while not 0, hardware may not be touched (a reset, or vectors that come and go): changes
 *	go to the ledger and to @wanted, and reach hardware at the last release
 *
 * Invariants, whenever no call is under way:
 *   1. live is wanted, or live.width is TPH_WIDTH_NONE (held, or not ready after a hold). Hardware
 *	is what live says, unless adrift, and that lasts while held alone, or after a failed write.
 *   2. If live carries tags, the hardware table holds tph_entry_tag() of every ledger entry in the
 *      width of live.
 *   3. If wanted carries tags, every ledger entry is valid in the width of wanted.
 */
struct tph_table {
	const struct tph_table_ops *ops;
	const struct tph_capability *cap;
	struct tph_ledger ledger;
	struct tph_control wanted;
	struct tph_control live;
	bool adrift;
	u8 written;
	unsigned int holds;
};

int tph_table_commit(struct tph_table *table, u32 index, u32 count,
		     const struct tph_entry *entries);
bool tph_table_differs(const struct tph_table *table, u32 index, u32 count,
		       const struct tph_entry *entries);
u32 tph_table_revoke(struct tph_table *table,
		     bool (*lost)(const struct tph_entry *entry, u32 index, void *arg), void *arg,
		     bool defer);
int tph_table_control(struct tph_table *table, struct tph_control control);
int tph_table_hold(struct tph_table *table);
int tph_table_release(struct tph_table *table);
int tph_table_release_kept(struct tph_table *table);
void tph_table_doubt(struct tph_table *table);
int tph_table_sync(struct tph_table *table);
void tph_table_off(struct tph_table *table);
int tph_table_scrub(struct tph_table *table);
int tph_table_quiet(struct tph_table *table);

#endif
