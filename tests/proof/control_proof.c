// SPDX-License-Identifier: MIT
/* The control register: every value and mask that a user can write, under every offer. */
#include "control.h"
#include "proof.h"

static bool encoded(struct tph_control c)
{
	return c.mode <= PCI_TPH_ST_DS_MODE && c.width <= TPH_WIDTH_16 && c.width != TPH_WIDTH_RESERVED;
}

static bool allowed(const struct tph_offer *offer, struct tph_control c)
{
	return c.width == TPH_WIDTH_NONE ||
	       (offer->modes >> c.mode & 1 && (c.width != TPH_WIDTH_16 || offer->extended));
}

static void request(void)
{
	struct tph_offer offer = {
		.modes = nondet_u8(), .extended = nondet_bool(), .entries = nondet_u16(),
		.place = nondet_u8() % 3,
	};
	struct tph_control now = { nondet_u8(), nondet_u8() }, then;
	u32 reg = nondet_u32();
	u8 width = reg >> 8 & 3, mode = reg & 7;

	ASSUME(!(offer.modes & ~TPH_MODES_ALL) && encoded(now) && allowed(&offer, now));
	then = tph_control_request(&offer, now, reg);
	/* Whatever is written, what comes of it is a mode and a width; 10b is none. */
	PROVE("request-is-encoded", encoded(then));
	/* Nothing is enabled that is not on offer, neither a mode nor extended tags. */
	PROVE("request-is-on-offer", allowed(&offer, then));
	/* 00b, and 10b as it, always disables. */
	PROVE("off-is-off", width == TPH_WIDTH_8 || width == TPH_WIDTH_16 ||
	      then.width == TPH_WIDTH_NONE);
	/* What is enabled is the mode that was asked for, or nothing has changed. */
	PROVE("request-or-as-before", then.width == TPH_WIDTH_NONE || then.mode == mode ||
	      tph_control_same(then, now));
	/* What is on offer is had, in the mode and width that were asked for, or as 8 bits for 16. */
	PROVE("request-is-exact", offer.modes >> mode & 1 ?
	      then.mode == mode && then.width == (width == TPH_WIDTH_RESERVED ? TPH_WIDTH_NONE :
						  width == TPH_WIDTH_16 && !offer.extended ?
						  TPH_WIDTH_8 : width) :
	      then.mode == now.mode && (then.width == TPH_WIDTH_NONE || then.width == now.width));
	/* The register reads back as mode and width, and as nothing else. */
	PROVE("register-is-encoded", tph_control_register(then) == (then.mode | then.width << 8));
	if (then.width == TPH_WIDTH_16)
		REACHED("request");
}

static void merge(void)
{
	u32 reg = nondet_u32(), start = nondet_u32(), count = nondet_u32(), i, merged;
	u8 bytes[4];

	for (i = 0; i < 4; i++)
		bytes[i] = nondet_u8();
	ASSUME(start < 4 && count <= 4 - start);
	merged = tph_control_merge(reg, start, bytes, count);
	/* A write of some bytes changes these and no others. */
	for (i = 0; i < 4; i++)
		PROVE("merge-is-exact", (merged >> 8 * i & 0xff) ==
		      (i >= start && i - start < count ? bytes[i - start] : (reg >> 8 * i & 0xff)));
	REACHED("merge");
}

static void view(void)
{
	struct tph_offer offer = {
		.modes = nondet_u8(), .extended = nondet_bool(), .entries = nondet_u16(),
		.place = nondet_u8() % 3,
	};
	struct tph_control control = { nondet_u8(), nondet_u8() };
	u32 at = nondet_u32();
	u8 byte;

	ASSUME(!(offer.modes & ~TPH_MODES_ALL) && encoded(control) && at >= PCI_TPH_CAP);
	ASSUME(offer.entries && offer.entries <= TPH_MSIX_ENTRIES_MAX);
	byte = tph_view_byte(&offer, control, at);
	/* The ST table reads as zero: no tag leaves the kernel this way. */
	PROVE("table-reads-zero", at < PCI_TPH_BASE_SIZEOF || !byte);
	/* Before it are the two registers, of what is offered and what is in force. */
	PROVE("view-is-exact", !offer.modes || at >= PCI_TPH_BASE_SIZEOF ||
	      byte == ((at < PCI_TPH_CTRL ? tph_offer_register(&offer) :
			tph_control_register(control)) >> at % 4 * 8 & 0xff));
	/* Where nothing is offered there is nothing to read. */
	PROVE("hidden-reads-zero", offer.modes || !byte);
	if (byte && at >= PCI_TPH_CTRL)
		REACHED("view");
}

int main(void)
{
	request();
	merge();
	view();
	return 0;
}
