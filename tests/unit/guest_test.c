// SPDX-License-Identifier: MIT
/* A guest's table and map: what it may write, and what that comes to. */
#include "unit.h"

#include "guest.h"

#define SLOTS	300

static struct tph_entry slots[SLOTS];
static struct tph_guest guest;
static struct tph_capability cap;
static struct tph_offer offer;

/* Slot i is CPU i, with tags 0x10 + i and 0x1100 + i; CPU 2 has none of 8 bits, CPU 3 none. */
static int setup(void **state)
{
	unsigned int i;

	(void)state;
	memset(&guest, 0, sizeof(guest));
	for (i = 0; i < SLOTS; i++)
		slots[i] = (struct tph_entry){ .cpu = i, .tags = {
			.st = 0x10 + i, .xst = 0x1100 + i,
			.st_valid = i != 2, .xst_valid = true } };
	slots[3].cpu = TPH_NO_CPU;
	cap = (struct tph_capability){ .offset = 0x200, .extent = 12 + 128, .modes = TPH_MODES_ALL,
		.place = TPH_PLACE_CAPABILITY, .entries = 64, .extended = true };
	offer = (struct tph_offer){ .modes = TPH_MODES_ALL, .possible = TPH_MODES_ALL,
		.extended = true, .place = TPH_PLACE_CAPABILITY, .entries = 64 };
	tph_guest_offer(&cap, &offer, &guest.offer);
	guest.map = (struct tph_ledger){ .size = SLOTS, .entries = slots };
	return 0;
}

static void nothing_is_shown_without_a_table(void **state)
{
	struct tph_offer shown;

	(void)state;
	offer.place = TPH_PLACE_NONE;
	offer.entries = 2048;
	cap.place = TPH_PLACE_NONE;
	cap.entries = 0;
	tph_guest_offer(&cap, &offer, &shown);
	assert_int_equal(shown.entries, 0);
	setup(NULL);
	/* device-specific mode alone, or under a policy that has no tags */
	offer.modes = PCI_TPH_CAP_ST_DS;
	tph_guest_offer(&cap, &offer, &shown);
	assert_int_equal(shown.entries, 0);
	assert_int_equal(shown.modes, 0);
	offer.modes = PCI_TPH_CAP_ST_NS;
	tph_guest_offer(&cap, &offer, &shown);
	assert_int_equal(shown.entries, 0);
	/* in the MSI-X table, and no room behind the capability */
	setup(NULL);
	cap.place = offer.place = TPH_PLACE_MSIX;
	for (cap.extent = 0; cap.extent < 14; cap.extent++) {
		tph_guest_offer(&cap, &offer, &shown);
		assert_int_equal(shown.entries, 0);
	}
}

static void msix_table_is_shown_as_far_as_there_is_room(void **state)
{
	struct tph_offer shown;

	(void)state;
	cap.place = offer.place = TPH_PLACE_MSIX;
	cap.entries = offer.entries = 2048;
	cap.extent = 14;
	tph_guest_offer(&cap, &offer, &shown);
	assert_int_equal(shown.entries, 1);
	assert_int_equal(shown.place, TPH_PLACE_CAPABILITY);
	assert_int_equal(shown.modes, PCI_TPH_CAP_ST_NS | PCI_TPH_CAP_ST_IV);
	cap.extent = TPH_CAPABILITY_SIZE_MAX;
	tph_guest_offer(&cap, &offer, &shown);
	assert_int_equal(shown.entries, 64);
	cap.entries = 16;
	tph_guest_offer(&cap, &offer, &shown);
	assert_int_equal(shown.entries, 16);
}

static void write16(unsigned int index, u16 value)
{
	u8 bytes[2] = { value & 0xff, value >> 8 };
	u32 first, last;

	assert_true(tph_guest_write(&guest, PCI_TPH_BASE_SIZEOF + 2 * index, bytes, 2, &first, &last));
	assert_int_equal(first, index);
	assert_int_equal(last, index);
}

static void tags_that_stand_for_nothing(void **state)
{
	static const u16 values[] = { 0, 4, SLOTS + 1, 0x1101, 0xffff };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(values) / sizeof(*values); i++) {
		write16(7, values[i]);
		assert_int_equal(tph_guest_entry(&guest, 7, TPH_WIDTH_16).cpu, TPH_NO_CPU);
		assert_int_equal(tph_guest_entry(&guest, 7, TPH_WIDTH_NONE).cpu, TPH_NO_CPU);
	}
	assert_int_equal(tph_guest_entry(&guest, 64, TPH_WIDTH_16).cpu, TPH_NO_CPU);
	assert_int_equal(tph_guest_entry(&guest, ~0U, TPH_WIDTH_16).cpu, TPH_NO_CPU);
	/* no tag of that width */
	write16(7, 3);
	assert_int_equal(tph_guest_entry(&guest, 7, TPH_WIDTH_8).cpu, TPH_NO_CPU);
	assert_int_equal(tph_guest_entry(&guest, 7, TPH_WIDTH_16).cpu, 2);
	guest.map.size = 0;
	assert_int_equal(tph_guest_entry(&guest, 7, TPH_WIDTH_16).cpu, TPH_NO_CPU);
}

static void eight_bit_tags_are_the_lower_byte(void **state)
{
	(void)state;
	write16(0, 0x0102);
	assert_int_equal(tph_guest_entry(&guest, 0, TPH_WIDTH_8).cpu, 1);
	assert_int_equal(tph_guest_entry(&guest, 0, TPH_WIDTH_16).cpu, 0x101);
	write16(0, 0x0100);
	assert_int_equal(tph_guest_entry(&guest, 0, TPH_WIDTH_8).cpu, TPH_NO_CPU);
	assert_int_equal(tph_guest_entry(&guest, 0, TPH_WIDTH_16).cpu, 0xff);
}

static void writes_keep_to_the_table(void **state)
{
	u8 bytes[TPH_CAPABILITY_SIZE_MAX];
	u32 first = 99, last = 99;
	unsigned int at, count;

	(void)state;
	cap.entries = offer.entries = 5;
	tph_guest_offer(&cap, &offer, &guest.offer);
	memset(bytes, 0xff, sizeof(bytes));
	for (at = 0; at < TPH_CAPABILITY_SIZE_MAX; at++)
		for (count = 0; at + count <= TPH_CAPABILITY_SIZE_MAX; count++) {
			bool any = at + count > 12 && at < 22 && count;

			tph_guest_reset(&guest);
			assert_int_equal(tph_guest_write(&guest, at, bytes, count, &first, &last), any);
			for (unsigned int i = 0; i < TPH_CAPABILITY_SIZE_MAX; i++)
				assert_int_equal(tph_guest_byte(&guest, i),
						 i >= 12 && i < 22 && i >= at && i < at + count ? 0xff : 0);
			for (unsigned int i = 5; i < 64; i++)
				assert_int_equal(guest.values[i], 0);
			if (!any)
				continue;
			assert_int_equal(first, at < 12 ? 0 : (at - 12) / 2);
			assert_int_equal(last, at + count > 22 ? 4 : (at + count - 13) / 2);
		}
}

static void upper_bytes_are_there_with_extended_tags_alone(void **state)
{
	(void)state;
	guest.offer.extended = false;
	write16(1, 0xff02);
	assert_int_equal(guest.values[1], 2);
	assert_int_equal(tph_guest_byte(&guest, 15), 0);
}

static bool odd(const struct tph_entry *entry, u32 index, void *arg)
{
	u32 *asked = arg;

	assert_int_equal(entry->cpu, index);
	++*asked;
	return index % 2;
}

static void lost_slots_are_empty(void **state)
{
	u32 asked = 0;

	(void)state;
	write16(0, 2);
	assert_int_equal(tph_guest_entry(&guest, 0, TPH_WIDTH_16).cpu, 1);
	/* slot 3 is nobody's */
	assert_int_equal(tph_guest_revoke(&guest, odd, &asked), SLOTS / 2 - 1);
	assert_int_equal(asked, SLOTS - 1);
	assert_int_equal(tph_guest_entry(&guest, 0, TPH_WIDTH_16).cpu, TPH_NO_CPU);
	asked = 0;
	assert_int_equal(tph_guest_revoke(&guest, odd, &asked), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(nothing_is_shown_without_a_table, setup),
		cmocka_unit_test_setup(tags_that_stand_for_nothing, setup),
		cmocka_unit_test_setup(writes_keep_to_the_table, setup),
		cmocka_unit_test_setup(msix_table_is_shown_as_far_as_there_is_room, setup),
		cmocka_unit_test_setup(eight_bit_tags_are_the_lower_byte, setup),
		cmocka_unit_test_setup(upper_bytes_are_there_with_extended_tags_alone, setup),
		cmocka_unit_test_setup(lost_slots_are_empty, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
