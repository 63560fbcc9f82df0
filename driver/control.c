// SPDX-License-Identifier: GPL-2.0-only
#include "control.h"

/* Requester enable, PCIe 6.2, 7.9.13.3. */
#define REQUESTER_SHIFT	8

/**
 * tph_control_register() - encode the control register
 * @control: mode and width
 *
 * Return: the value of the TPH Requester Control register, for hardware and user alike.
 */
u32 tph_control_register(struct tph_control control)
{
	return control.mode | (u32)control.width << REQUESTER_SHIFT;
}

/**
 * tph_control_merge() - put the bytes of a partial write into the register
 * @reg: its value before
 * @start: first byte of the register that is written, 0..3
 * @bytes: what is written
 * @count: how many bytes; @start + @count must not pass 4
 *
 * Return: the value that a write of the whole register would have had.
 */
u32 tph_control_merge(u32 reg, unsigned int start, const u8 *bytes, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		unsigned int shift = (start + i) * 8;

		reg = (reg & ~(0xffU << shift)) | (u32)bytes[i] << shift;
	}
	return reg;
}

/**
 * tph_control_request() - what a write to the control register comes to
 * @offer: what is offered
 * @now: what is in force
 * @reg: the value written
 *
 * Requester enable 10b is reserved and taken as 00b; 11b falls to 01b where extended tags are not
 * on offer. A mode that is not on offer is not taken: with it nothing is enabled that was not, and
 * enable 00b still disables.
 *
 * Return: what shall be in force.
 */
struct tph_control tph_control_request(const struct tph_offer *offer, struct tph_control now,
				       u32 reg)
{
	struct tph_control ask = {
		.mode = reg & PCI_TPH_CTRL_MODE_SEL_MASK,
		.width = (reg & PCI_TPH_CTRL_REQ_EN_MASK) >> REQUESTER_SHIFT,
	};

	if (ask.width == TPH_WIDTH_RESERVED)
		ask.width = TPH_WIDTH_NONE;
	if (ask.width == TPH_WIDTH_16 && !offer->extended)
		ask.width = TPH_WIDTH_8;

	if (!(offer->modes & (1U << ask.mode))) {
		if (ask.width != TPH_WIDTH_NONE)
			return now;
		ask.mode = now.mode;
	}
	return ask;
}

/**
 * tph_view_byte() - one byte of the capability that the user sees
 * @offer: what is offered
 * @control: what is in force
 * @at: offset in the capability, from its capability register on (PCI_TPH_CAP)
 *
 * The ST table reads as zero: tags do not leave the kernel this way.
 *
 * Return: the byte.
 */
u8 tph_view_byte(const struct tph_offer *offer, struct tph_control control, unsigned int at)
{
	u32 reg = 0;

	if (offer->modes && at >= PCI_TPH_CAP && at < PCI_TPH_CTRL)
		reg = tph_offer_register(offer);
	else if (offer->modes && at >= PCI_TPH_CTRL && at < PCI_TPH_CTRL + 4)
		reg = tph_control_register(control);

	return reg >> (at % 4 * 8) & 0xff;
}
