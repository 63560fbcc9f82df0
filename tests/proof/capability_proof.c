// SPDX-License-Identifier: MIT
/*
 * What a function says of itself, and what is offered of it: every register, every chain of
 * capabilities, every platform and policy.
 */
#include <linux/errno.h>

#include "capability.h"
#include "proof.h"

/* ---- the chain: each read gives anything, also at a place where it gave something else ---- */

static u16 watched;	/* one capability's offset, any: was it met? */
static bool met;
static bool inside = true;

static int read_header(void *arg, u16 at, u32 *value)
{
	inside &= at >= PCI_CFG_SPACE_SIZE && at % 4 == 0 && at <= PCI_CFG_SPACE_EXP_SIZE - 4;
	met |= at == watched;
	*value = nondet_u32();
	return nondet_bool() ? -EIO : 0;
}

static void room(void)
{
	u16 offset = nondet_u16(), size = nondet_bool() ? PCI_CFG_SPACE_EXP_SIZE :
							   PCI_CFG_SPACE_SIZE, room;

	ASSUME(offset >= PCI_CFG_SPACE_SIZE && offset % 4 == 0 && offset < PCI_CFG_SPACE_EXP_SIZE);
	watched = nondet_u16();
	room = tph_capability_room(offset, size, read_header, NULL);
	/* The chain is read within extended configuration space, by dwords. */
	PROVE("chain-stays-inside", inside);
	/* The room of a capability ends within configuration space. */
	PROVE("room-ends-inside", !room || offset + room <= size);
	/* It ends before every other capability that the chain has behind it. */
	PROVE("room-ends-before-neighbours", !met || watched <= offset || !room ||
	      offset + room <= watched);
	if (room && met && watched > offset)
		REACHED("room");
}

/* ---- the registers ---- */

static struct tph_capability decode(void)
{
	u16 offset = nondet_u16(), room = nondet_u16(), vectors = nondet_u16();
	struct tph_capability cap;
	u32 reg = nondet_u32(), said = (reg >> 16 & 0x7ff) + 1;

	ASSUME(!offset || (offset >= PCI_CFG_SPACE_SIZE && offset + room <= PCI_CFG_SPACE_EXP_SIZE));
	tph_capability_decode(offset, reg, room, vectors, &cap);
	/* The capability, with its table, is within its room: nothing is written outside. */
	PROVE("capability-in-its-room", !cap.offset || (cap.extent <= room &&
	      cap.extent <= TPH_CAPABILITY_SIZE_MAX &&
	      (cap.place != TPH_PLACE_CAPABILITY ||
	       PCI_TPH_BASE_SIZEOF + cap.entries * 2 <= cap.extent)));
	/* A table has entries: 1 to 64 in the capability, as many as vectors in MSI-X; none has none. */
	PROVE("entries-of-the-place",
	      cap.place == TPH_PLACE_CAPABILITY ? cap.entries >= 1 && cap.entries <= 64 :
	      cap.place == TPH_PLACE_MSIX ? cap.entries == vectors && vectors && vectors <= 2048 :
	      !cap.entries);
	/* It says what the register says, of a table that can be where that says. */
	PROVE("decode-is-exact", !cap.offset == (!offset || room < PCI_TPH_BASE_SIZEOF) &&
	      (!cap.offset || (cap.offset == offset &&
	       cap.extended == !!(reg & PCI_TPH_CAP_EXT_TPH) &&
	       cap.modes == (reg & TPH_MODES_ALL & (cap.place == TPH_PLACE_NONE ?
						    ~(u32)PCI_TPH_CAP_ST_IV : ~0U)) &&
	       (cap.place == TPH_PLACE_CAPABILITY) ==
	       ((reg & PCI_TPH_CAP_LOC_MASK) == PCI_TPH_LOC_CAP && said <= 64 &&
		PCI_TPH_BASE_SIZEOF + said * 2 <= room) &&
	       (cap.place == TPH_PLACE_MSIX) ==
	       ((reg & PCI_TPH_CAP_LOC_MASK) == PCI_TPH_LOC_MSIX && vectors && vectors <= 2048) &&
	       (cap.place != TPH_PLACE_CAPABILITY || cap.entries == said))));
	/* The length has the table, to the dword. */
	PROVE("length-is-exact", !cap.offset || (cap.length % 4 == 0 &&
	      cap.length - PCI_TPH_BASE_SIZEOF - (cap.place == TPH_PLACE_CAPABILITY ?
						  cap.entries * 2 : 0) < 4U));
	/* Without a table there is no Interrupt Vector mode, and no mode that there is none of. */
	PROVE("modes-of-the-place", !(cap.modes & ~TPH_MODES_ALL) &&
	      (cap.place != TPH_PLACE_NONE || !(cap.modes & PCI_TPH_CAP_ST_IV)));
	/* A capability that is not there says nothing. */
	PROVE("none-says-nothing", cap.offset || (!cap.modes && cap.place == TPH_PLACE_NONE));
	if (cap.place == TPH_PLACE_CAPABILITY)
		REACHED("decode");
	return cap;
}

static void make_offer(struct tph_capability cap)
{
	struct tph_platform platform = {
		nondet_bool(), nondet_bool(), nondet_u8() & 3, nondet_bool(), nondet_bool(),
		nondet_bool(),
	};
	u8 tagged = PCI_TPH_CAP_ST_IV | PCI_TPH_CAP_ST_DS;
	enum tph_policy policy = nondet_u8() % 3;
	struct tph_offer offer;

	tph_offer_make(&cap, &platform, policy, &offer);
	/* Never more than the function has. */
	PROVE("offer-is-had", !(offer.modes & ~cap.modes) && !(offer.possible & ~cap.modes) &&
	      !(offer.modes & ~offer.possible) && (!offer.extended || cap.extended));
	/* Under no-st no mode that carries a tag. */
	PROVE("no-st-is-none", policy != TPH_POLICY_NO_ST || !(offer.modes & tagged));
	/* Device Specific mode and tags to read under ds-st alone. */
	PROVE("ds-is-trusted", policy == TPH_POLICY_DS_ST ||
	      (!(offer.modes & PCI_TPH_CAP_ST_DS) && offer.tags));
	/* A table that a neighbour can write is for those alone who are trusted with any tag. */
	PROVE("shared-table-is-trusted", policy == TPH_POLICY_DS_ST || !platform.shared ||
	      cap.place != TPH_PLACE_MSIX || !(offer.modes & PCI_TPH_CAP_ST_IV));
	/* Nothing where the kernel was told so, or nobody completes. */
	PROVE("platform-allows", (platform.allowed && (platform.root_integrated ||
	      platform.completer == TPH_WIDTH_8 || platform.completer == TPH_WIDTH_16)) ||
	      (!offer.modes && offer.steering && offer.tags));
	/* Extended tags only where all of the way takes them. */
	PROVE("extended-all-the-way", !offer.extended || (platform.prefixes &&
	      (platform.root_integrated || platform.completer == TPH_WIDTH_16)));
	/* Entries can be set exactly where a mode that carries tags can be had, and firmware has tags. */
	PROVE("settable-is-usable", !offer.steering == (offer.modes & tagged && platform.firmware) &&
	      (offer.steering ? offer.steering == -EPERM || offer.steering == -EOPNOTSUPP :
				!!offer.entries));
	/* "May not" is said only where another policy would allow it. */
	PROVE("eperm-is-policy", (offer.steering != -EPERM && offer.tags != -EPERM) ||
	      (offer.possible & tagged && platform.firmware));
	/* A vector's tag comes from firmware. */
	PROVE("iv-needs-firmware", platform.firmware || !(offer.possible & PCI_TPH_CAP_ST_IV));
	/* The user sees the table where it is, if a mode has a use for it. */
	PROVE("place-is-had", offer.place == (offer.modes & tagged ? cap.place : TPH_PLACE_NONE));
	/* The register that the user sees says the offer, and no more. */
	PROVE("register-is-offer",
	      (tph_offer_register(&offer) & TPH_MODES_ALL) == offer.modes &&
	      !(tph_offer_register(&offer) & PCI_TPH_CAP_EXT_TPH) == !offer.extended &&
	      (tph_offer_register(&offer) & PCI_TPH_CAP_LOC_MASK) ==
	      (offer.place == TPH_PLACE_MSIX ? PCI_TPH_LOC_MSIX :
	       offer.place == TPH_PLACE_CAPABILITY ? PCI_TPH_LOC_CAP : PCI_TPH_LOC_NONE) &&
	      (offer.place == TPH_PLACE_NONE || (tph_offer_register(&offer) & PCI_TPH_CAP_ST_MASK) >>
	       PCI_TPH_CAP_ST_SHIFT == offer.entries - 1U));
	if (!offer.steering)
		REACHED("offer");
}

int main(void)
{
#ifdef CHAIN
	room();
#else
	make_offer(decode());
#endif
	return 0;
}
