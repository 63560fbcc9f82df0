/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How often a guest can switch the requester off by writing its table. No kernel interfaces here.
 */
#ifndef TPH_BUDGET_H
#define TPH_BUDGET_H

#include <linux/types.h>

#define TPH_BUDGET_CHANGES	16
#define TPH_BUDGET_WINDOW	10000000ULL	/* 10 ms */

/**
 * struct tph_budget - changes of an enabled table that followed one another
 * @last: when the last one was made, in nanoseconds
 * @used: how many there were without a window of rest between; TPH_BUDGET_CHANGES is all
 * @waited: one was put off since the last: that is no rest, even if nothing came of it
 */
struct tph_budget {
	u64 last;
	u32 used;
	bool waited;
};

u64 tph_budget_take(struct tph_budget *budget, u64 now);

#endif
