// SPDX-License-Identifier: MIT
/* The attachment to an I/O address space: steering ends with it, whatever the group's DMA does. */
#include <unistd.h>

#include "attack.h"
#include "tph.h"

/*
 * Two functions of one group. Linux blocks the group's DMA when the last one is detached, so the
 * detached first one goes on writing to memory. On stock the tag is one that the user writes, to
 * MSI-X; such a pair is not steered on ours.
 */
static bool detached_in_a_group(const struct attack *attack, bool ours)
{
	struct guest *g = attack_open(ours ? AT_CAP_PAIR : attack->bdf, ours);

	companion_open(g, ours ? AT_CAP_PAIR_1 : AT_PAIR_1);
	get_his_tag(g, ours);
	assert_int_equal(detach(g->fd), 0);
	return sends_tag(g, 0, HIS_TAG);
}

/* SET and enable while detached. */
static bool set_while_detached(const struct attack *attack, bool ours)
{
	struct guest *g = attack_open(attack->bdf, ours);

	(void)ours;
	companion_open(g, AT_CAP_PAIR_1);
	get_his_tag(g, true);
	assert_int_equal(detach(g->fd), 0);
	if (!st_set_one(g, 0, HIS_CPU))
		return true;
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	return guest_dma(g, EP_DMA_WRITE, hint_entry(0, 2)).th;
}

static bool back_with_the_next_attach(const struct attack *attack, bool ours)
{
	struct guest *g = attack_open(attack->bdf, ours);

	get_his_tag(g, ours);
	assert_int_equal(detach(g->fd), 0);
	assert_int_equal(attach(g->fd, tph_ioas(g->tph)), 0);
	if (ours)
		control(g, TPH_CTRL_IV | TPH_CTRL_16);
	return sends_tag(g, 0, HIS_TAG);
}

const struct attack attach_attacks[] = {
	{ "keep-over-detach-in-group", detached_in_a_group, AT_PAIR, STOCK_OPEN, NULL,
	  "attack/attach.c" },
	{ "set-while-detached", set_while_detached, AT_CAP_PAIR, STOCK_WITHOUT, "n/a: has no SET",
	  "attack/attach.c" },
	{ "keep-over-reattach", back_with_the_next_attach, AT_MSIX, STOCK_OPEN, NULL,
	  "attack/attach.c" },
	{ 0 }
};
