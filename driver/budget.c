// SPDX-License-Identifier: GPL-2.0-only
#include "budget.h"

/**
 * tph_budget_take() - make one change, or wait
 * @budget: the budget, all zero at first
 * @now: nanoseconds, which never go back
 *
 * Whoever makes what was put off asks again: somebody else's may have been the batch of this window.
 * After a batch nothing is left until a window of rest, so that a guest that goes on has one batch a
 * window, and none between.
 *
 * Return: 0 if the change can be made now, and counts; otherwise in how many nanoseconds all that
 * have come meanwhile can be, in one batch.
 */
u64 tph_budget_take(struct tph_budget *budget, u64 now)
{
	if (now - budget->last >= TPH_BUDGET_WINDOW) {
		if (budget->waited) {
			*budget = (struct tph_budget){ .last = now, .used = TPH_BUDGET_CHANGES };
			return 0;
		}
		budget->used = 0;
	}
	if (budget->used == TPH_BUDGET_CHANGES) {
		budget->waited = true;
		return TPH_BUDGET_WINDOW - (now - budget->last);
	}
	budget->last = now;
	budget->used++;
	return 0;
}
