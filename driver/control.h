/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The TPH Requester Control register as the user sees it: what is in force, and what a write asks
 * for. No kernel interfaces here.
 */
#ifndef TPH_CONTROL_H
#define TPH_CONTROL_H

#include <linux/types.h>

#include "capability.h"

/**
 * struct tph_control - mode and width of the requester
 * @mode: PCI_TPH_ST_*_MODE
 * @width: TPH_WIDTH_NONE (disabled), TPH_WIDTH_8 or TPH_WIDTH_16
 */
struct tph_control {
	u8 mode;
	u8 width;
};

static inline bool tph_control_same(struct tph_control a, struct tph_control b)
{
	return a.mode == b.mode && a.width == b.width;
}

/* Whether requests carry tags out of the ST table. */
static inline bool tph_control_tagged(struct tph_control control)
{
	return control.width != TPH_WIDTH_NONE && control.mode != PCI_TPH_ST_NS_MODE;
}

u32 tph_control_register(struct tph_control control);
u32 tph_control_merge(u32 reg, unsigned int start, const u8 *bytes, unsigned int count);
struct tph_control tph_control_request(const struct tph_offer *offer, struct tph_control now,
				       u32 reg);
u8 tph_view_byte(const struct tph_offer *offer, struct tph_control control, unsigned int at);

#endif
