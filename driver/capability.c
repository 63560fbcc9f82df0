// SPDX-License-Identifier: GPL-2.0-only
#include <linux/errno.h>

#include "capability.h"

/* Of 8 bytes at least; what the PCI core takes for the longest chain as well. */
#define CHAIN_MAX	((PCI_CFG_SPACE_EXP_SIZE - PCI_CFG_SPACE_SIZE) / 8)

/**
 * tph_capability_room() - how many bytes a capability can have
 * @offset: offset of an extended capability in configuration space
 * @config_size: bytes of configuration space
 * @read: reads a dword of it, 0 or a negative errno
 * @arg: for @read
 *
 * Up to whichever capability comes next by offset, for chains are not ordered: the one that the
 * next pointer names may come before this one, or far behind a neighbour.
 *
 * Return: bytes from @offset on that no other capability has; 0 if that cannot be told.
 */
u16 tph_capability_room(u16 offset, u16 config_size,
			int (*read)(void *arg, u16 at, u32 *value), void *arg)
{
	u16 at = PCI_CFG_SPACE_SIZE, end = config_size;
	unsigned int hops;
	u32 header;

	for (hops = 0; hops < CHAIN_MAX && at >= PCI_CFG_SPACE_SIZE; hops++) {
		if (at + sizeof(header) > config_size)
			break;
		if (read(arg, at, &header) || header == ~0U)
			return 0;
		if (at > offset && at < end)
			end = at;
		at = PCI_EXT_CAP_NEXT(header);
	}
	return offset < end ? end - offset : 0;
}

/**
 * tph_capability_decode() - decode the TPH Requester capability register
 * @offset: offset of the capability in configuration space, 0 if there is none
 * @reg: its capability register (PCIe 6.2, 7.9.13.2)
 * @room: bytes from @offset on that no other capability has, tph_capability_room()
 * @msix_entries: size of the function's MSI-X table, 0 without MSI-X
 * @cap: receives the result
 *
 * A table that cannot be where the register says (reserved location, more than 64 entries in the
 * capability, entries that would reach into the next capability or beyond configuration space, in
 * an MSI-X table that is not there) counts as none, and with it Interrupt Vector mode: nothing is
 * ever written outside the capability. The bound is exact, real functions fit to the byte.
 */
void tph_capability_decode(u16 offset, u32 reg, u16 room, u16 msix_entries,
			   struct tph_capability *cap)
{
	u32 entries = ((reg & PCI_TPH_CAP_ST_MASK) >> PCI_TPH_CAP_ST_SHIFT) + 1;

	*cap = (struct tph_capability){};
	if (!offset || room < PCI_TPH_BASE_SIZEOF)
		return;

	cap->offset = offset;
	cap->length = PCI_TPH_BASE_SIZEOF;
	cap->extent = room < TPH_CAPABILITY_SIZE_MAX ? room : TPH_CAPABILITY_SIZE_MAX;
	cap->modes = reg & TPH_MODES_ALL;
	cap->extended = reg & PCI_TPH_CAP_EXT_TPH;

	switch (reg & PCI_TPH_CAP_LOC_MASK) {
	case PCI_TPH_LOC_CAP:
		if (entries > TPH_CAPABILITY_ENTRIES_MAX ||
		    PCI_TPH_BASE_SIZEOF + entries * 2 > room)
			break;
		cap->place = TPH_PLACE_CAPABILITY;
		cap->entries = entries;
		cap->length += (entries * 2 + 3) & ~3U;
		break;
	case PCI_TPH_LOC_MSIX:
		if (!msix_entries || msix_entries > TPH_MSIX_ENTRIES_MAX)
			break;
		cap->place = TPH_PLACE_MSIX;
		cap->entries = msix_entries;
		break;
	}

	if (cap->place == TPH_PLACE_NONE)
		cap->modes &= ~PCI_TPH_CAP_ST_IV;
}

/**
 * tph_offer_make() - decide what of a capability the user is offered
 * @cap: the function's capability
 * @platform: the way to the CPUs
 * @policy: what the operator allows
 * @offer: receives the result
 *
 * @offer->steering and @offer->tags keep apart what cannot be (-EOPNOTSUPP) and what may not be
 * (-EPERM): the latter only where another policy would allow it.
 */
void tph_offer_make(const struct tph_capability *cap, const struct tph_platform *platform,
		    enum tph_policy policy, struct tph_offer *offer)
{
	u8 tagged = PCI_TPH_CAP_ST_IV | PCI_TPH_CAP_ST_DS;
	u8 completer = platform->completer;

	*offer = (struct tph_offer){ .steering = -EOPNOTSUPP, .tags = -EOPNOTSUPP };
	if (!cap->offset)
		return;

	offer->entries = cap->place == TPH_PLACE_NONE ? TPH_MSIX_ENTRIES_MAX : cap->entries;

	if (platform->root_integrated)
		completer = TPH_WIDTH_16;
	/* 10b is reserved: a completer that says so has said nothing */
	if (!platform->allowed || completer == TPH_WIDTH_NONE || completer == TPH_WIDTH_RESERVED)
		return;

	offer->extended = cap->extended && completer == TPH_WIDTH_16 && platform->prefixes;
	offer->modes = cap->modes;
	/* an interrupt vector's tag can only come from firmware */
	if (!platform->firmware)
		offer->modes &= ~PCI_TPH_CAP_ST_IV;

	offer->possible = offer->modes;
	if (platform->firmware && offer->modes & tagged)
		offer->steering = 0;
	/* whoever knows a tag can send it in device-specific mode */
	if (!offer->steering)
		offer->tags = policy == TPH_POLICY_DS_ST ? 0 : -EPERM;

	if (policy == TPH_POLICY_NO_ST)
		offer->modes &= ~tagged;
	else if (policy == TPH_POLICY_IV_ST)
		offer->modes &= ~PCI_TPH_CAP_ST_DS;
	/* a table that a neighbour can write is one whose user is trusted with any tag */
	if (policy != TPH_POLICY_DS_ST && cap->place == TPH_PLACE_MSIX && platform->shared)
		offer->modes &= ~PCI_TPH_CAP_ST_IV;

	if (!offer->steering && !(offer->modes & tagged))
		offer->steering = -EPERM;
	if (offer->modes & tagged)
		offer->place = cap->place;
}

/**
 * tph_offer_register() - the capability register that the user sees
 * @offer: what is offered
 *
 * Return: the value of the virtual TPH Requester Capability register.
 */
u32 tph_offer_register(const struct tph_offer *offer)
{
	u32 reg = offer->modes;

	if (offer->extended)
		reg |= PCI_TPH_CAP_EXT_TPH;
	if (offer->place == TPH_PLACE_NONE)
		return reg;

	reg |= offer->place == TPH_PLACE_MSIX ? PCI_TPH_LOC_MSIX : PCI_TPH_LOC_CAP;
	return reg | (u32)(offer->entries - 1) << PCI_TPH_CAP_ST_SHIFT;
}
