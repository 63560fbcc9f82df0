// SPDX-License-Identifier: MIT
#include "control.h"
#include "unit.h"

static struct tph_offer offer_with(u8 modes, bool extended)
{
	return (struct tph_offer){ .modes = modes, .extended = extended,
				   .place = TPH_PLACE_CAPABILITY, .entries = 64 };
}

/* Every value of the ten bits that mean something, from every state, against what the spec says. */
static void no_request_enables_what_is_not_offered(void **state)
{
	u8 modes, mode, width;
	int extended;
	u32 reg;

	(void)state;
	for (modes = 0; modes <= TPH_MODES_ALL; modes++)
	for (extended = 0; extended <= 1; extended++)
	for (mode = 0; mode <= 2; mode++)
	for (width = 0; width <= 3; width++)
	for (reg = 0; reg < 0x400; reg++) {
		struct tph_offer offer = offer_with(modes, extended);
		struct tph_control now = { mode, width };
		struct tph_control got;

		/* only what could be in force */
		if (width == 2 || (width && !(modes & (1 << mode))) || (width == 3 && !extended))
			continue;

		got = tph_control_request(&offer, now, reg | 0xfffffc00);
		assert_int_not_equal(got.width, TPH_WIDTH_RESERVED);
		if (got.width)
			assert_true(modes & (1 << got.mode));
		if (got.width == TPH_WIDTH_16)
			assert_true(extended);
		/* disabling always works */
		if ((reg >> 8) == 0 || (reg >> 8) == 2)
			assert_int_equal(got.width, TPH_WIDTH_NONE);
		/* a mode that is not offered enables nothing that was not enabled */
		if (!(modes & (1 << (reg & 7))) && reg >> 8 && reg >> 8 != 2)
			assert_true(tph_control_same(got, now));
	}
}

static void what_is_offered_is_taken(void **state)
{
	struct tph_offer offer = offer_with(TPH_MODES_ALL, true);
	struct tph_control off = { 0 };
	struct tph_control got;

	(void)state;
	got = tph_control_request(&offer, off, 0x301);
	assert_int_equal(got.mode, 1);
	assert_int_equal(got.width, TPH_WIDTH_16);
	assert_int_equal(tph_control_register(got), 0x301);

	offer.extended = false;
	got = tph_control_request(&offer, off, 0x302);
	assert_int_equal(tph_control_register(got), 0x102);
}

static void partial_writes_merge(void **state)
{
	const u8 bytes[4] = { 0x11, 0x22, 0x33, 0x44 };
	unsigned int start, count, i;

	(void)state;
	for (start = 0; start < 4; start++)
		for (count = 0; count <= 4 - start; count++) {
			u32 got = tph_control_merge(0xddccbbaa, start, bytes, count);

			for (i = 0; i < 4; i++) {
				u8 was = 0xaa + 0x11 * i;
				u8 byte = got >> (8 * i);

				assert_int_equal(byte, i >= start && i < start + count ?
							       bytes[i - start] : was);
			}
		}
}

static void view_shows_no_tag(void **state)
{
	struct tph_offer offer = offer_with(TPH_MODES_ALL, true);
	struct tph_control control = { 1, TPH_WIDTH_16 };
	unsigned int at;
	u32 cap = 0, ctrl = 0;

	(void)state;
	for (at = 4; at < 12 + 128; at++) {
		u8 byte = tph_view_byte(&offer, control, at);

		if (at < 8)
			cap |= (u32)byte << (8 * (at - 4));
		else if (at < 12)
			ctrl |= (u32)byte << (8 * (at - 8));
		else
			assert_int_equal(byte, 0);
	}
	assert_int_equal(cap, tph_offer_register(&offer));
	assert_int_equal(ctrl, 0x301);

	offer.modes = 0;
	for (at = 4; at < 12 + 128; at++)
		assert_int_equal(tph_view_byte(&offer, control, at), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_request_enables_what_is_not_offered),
		cmocka_unit_test(what_is_offered_is_taken),
		cmocka_unit_test(partial_writes_merge),
		cmocka_unit_test(view_shows_no_tag),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
