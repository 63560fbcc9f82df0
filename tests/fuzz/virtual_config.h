/* SPDX-License-Identifier: MIT */
/*
 * The user's accesses to the virtual capability, cut to the control register as driver/config.c
 * cuts them.
 */
#ifndef FUZZ_VIRTUAL_CONFIG_H
#define FUZZ_VIRTUAL_CONFIG_H

#include "control.h"

/**
 * virtual_config_write() - what a write asks for
 * @offer: what is offered
 * @now: what is in force
 * @at: first byte, from the capability's header on, not below PCI_TPH_CAP
 * @bytes: what is written
 * @count: how many bytes
 *
 * Return: what shall be in force.
 */
static inline struct tph_control virtual_config_write(const struct tph_offer *offer,
						      struct tph_control now, unsigned int at,
						      const u8 *bytes, unsigned int count)
{
	unsigned int start = at > PCI_TPH_CTRL ? at : PCI_TPH_CTRL;
	unsigned int end = at + count < PCI_TPH_CTRL + 4 ? at + count : PCI_TPH_CTRL + 4;

	if (start >= end)
		return now;
	return tph_control_request(offer, now,
				   tph_control_merge(tph_control_register(now),
						     start - PCI_TPH_CTRL, bytes + (start - at),
						     end - start));
}

#endif
