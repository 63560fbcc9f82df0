// SPDX-License-Identifier: MIT
#include <linux/errno.h>

#include "capability.h"
#include "unit.h"

#define AT	0x148
#define CONFIG	4096
#define IV_DS	(PCI_TPH_CAP_ST_NS | PCI_TPH_CAP_ST_IV | PCI_TPH_CAP_ST_DS)
#define SIZE(n)	(((u32)(n) - 1) << PCI_TPH_CAP_ST_SHIFT)

static const struct tph_platform ideal = {
	.allowed = true, .completer = TPH_WIDTH_16, .prefixes = true, .firmware = true,
};

static struct tph_capability decode(u16 at, u32 reg, u16 msix)
{
	struct tph_capability cap;

	memset(&cap, 0xa5, sizeof(cap));
	tph_capability_decode(at, reg, CONFIG, msix, &cap);
	return cap;
}

static void no_capability_is_nothing(void **state)
{
	struct tph_capability cap = decode(0, 0xffffffff, 16);

	(void)state;
	assert_int_equal(cap.offset, 0);
	assert_int_equal(cap.modes, 0);
	assert_int_equal(cap.entries, 0);
	assert_int_equal(cap.length, 0);
}

static void capability_past_the_end_is_nothing(void **state)
{
	(void)state;
	assert_int_equal(decode(CONFIG - 8, IV_DS, 16).offset, 0);
	assert_int_equal(decode(CONFIG - 12, IV_DS, 16).offset, CONFIG - 12);
}

/* Each of these tables is not where the register says. */
static void table_in_the_wrong_place_is_no_table(void **state)
{
	static const struct {
		u16 at;
		u32 reg;
		u16 msix;
	} wrong[] = {
		{ AT, IV_DS | PCI_TPH_LOC_CAP | SIZE(65), 16 },
		{ AT, IV_DS | PCI_TPH_LOC_CAP | SIZE(2048), 16 },
		{ CONFIG - 12 - 126, IV_DS | PCI_TPH_LOC_CAP | SIZE(64), 16 },
		{ AT, IV_DS | PCI_TPH_LOC_MSIX | SIZE(8), 0 },
		{ AT, IV_DS | PCI_TPH_LOC_MSIX | SIZE(8), 2049 },
		{ AT, IV_DS | PCI_TPH_CAP_LOC_MASK | SIZE(8), 16 },
		{ AT, IV_DS | PCI_TPH_LOC_NONE | SIZE(8), 16 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		struct tph_capability cap = decode(wrong[i].at, wrong[i].reg, wrong[i].msix);

		assert_int_equal(cap.place, TPH_PLACE_NONE);
		assert_int_equal(cap.entries, 0);
		assert_int_equal(cap.length, 12);
		/* interrupt vector mode is nothing without a table */
		assert_int_equal(cap.modes, PCI_TPH_CAP_ST_NS | PCI_TPH_CAP_ST_DS);
	}
}

static void tables_of_all_sizes(void **state)
{
	u32 n;

	(void)state;
	for (n = 1; n <= 64; n++) {
		struct tph_capability cap = decode(AT, IV_DS | PCI_TPH_LOC_CAP | SIZE(n), 0);

		assert_int_equal(cap.place, TPH_PLACE_CAPABILITY);
		assert_int_equal(cap.entries, n);
		assert_true(cap.length >= 12 + 2 * n && cap.length <= 14 + 2 * n);
		assert_int_equal(cap.length % 4, 0);
	}
	for (n = 1; n <= 2048; n++)
		assert_int_equal(decode(AT, IV_DS | PCI_TPH_LOC_MSIX, n).entries, n);
}

static struct tph_offer offer_of(u32 reg, struct tph_platform platform, enum tph_policy policy)
{
	struct tph_capability cap = decode(AT, reg, 16);
	struct tph_offer offer;

	memset(&offer, 0xa5, sizeof(offer));
	tph_offer_make(&cap, &platform, policy, &offer);
	return offer;
}

#define FULL	(IV_DS | PCI_TPH_CAP_EXT_TPH | PCI_TPH_LOC_CAP | SIZE(64))

static void nothing_without_a_completer(void **state)
{
	struct tph_platform platform = ideal;
	struct tph_offer offer;
	u8 completer;

	(void)state;
	for (completer = 0; completer <= 3; completer++) {
		platform.completer = completer;
		offer = offer_of(FULL, platform, TPH_POLICY_DS_ST);
		if (completer == TPH_WIDTH_NONE || completer == TPH_WIDTH_RESERVED) {
			assert_int_equal(offer.modes, 0);
			assert_int_equal(offer.steering, -EOPNOTSUPP);
			assert_int_equal(tph_offer_register(&offer), 0);
		} else {
			assert_int_equal(offer.modes, IV_DS);
			assert_int_equal(offer.steering, 0);
			assert_int_equal(offer.extended, completer == TPH_WIDTH_16);
		}
	}
}

static void nothing_under_pci_notph(void **state)
{
	struct tph_platform platform = ideal;

	(void)state;
	platform.allowed = false;
	assert_int_equal(offer_of(FULL, platform, TPH_POLICY_DS_ST).modes, 0);
	assert_int_equal(offer_of(FULL, platform, TPH_POLICY_DS_ST).steering, -EOPNOTSUPP);
}

static void no_extended_tags_over_a_switch_without_prefixes(void **state)
{
	struct tph_platform platform = ideal;

	(void)state;
	platform.prefixes = false;
	assert_false(offer_of(FULL, platform, TPH_POLICY_IV_ST).extended);
	assert_int_equal(offer_of(FULL, platform, TPH_POLICY_IV_ST).steering, 0);
}

static void no_tags_without_firmware(void **state)
{
	struct tph_platform platform = ideal;
	struct tph_offer offer;

	(void)state;
	platform.firmware = false;
	offer = offer_of(FULL, platform, TPH_POLICY_IV_ST);
	assert_int_equal(offer.modes, PCI_TPH_CAP_ST_NS);
	assert_int_equal(offer.steering, -EOPNOTSUPP);
	/* another policy would not help */
	assert_int_equal(offer_of(FULL, platform, TPH_POLICY_NO_ST).steering, -EOPNOTSUPP);
}

static void root_integrated_asks_no_root_port(void **state)
{
	struct tph_platform platform = ideal;
	struct tph_offer offer;

	(void)state;
	platform.completer = TPH_WIDTH_NONE;
	platform.root_integrated = true;
	offer = offer_of(FULL, platform, TPH_POLICY_IV_ST);
	assert_int_equal(offer.steering, 0);
	assert_true(offer.extended);
}

static void policies(void **state)
{
	struct tph_offer offer;

	(void)state;
	offer = offer_of(FULL, ideal, TPH_POLICY_NO_ST);
	assert_int_equal(offer.modes, PCI_TPH_CAP_ST_NS);
	assert_int_equal(offer.steering, -EPERM);
	assert_int_equal(offer.place, TPH_PLACE_NONE);
	assert_int_equal(offer.entries, 64);

	offer = offer_of(FULL, ideal, TPH_POLICY_IV_ST);
	assert_int_equal(offer.modes, PCI_TPH_CAP_ST_NS | PCI_TPH_CAP_ST_IV);
	assert_int_equal(offer.steering, 0);

	offer = offer_of(FULL, ideal, TPH_POLICY_DS_ST);
	assert_int_equal(offer.modes, IV_DS);
	assert_int_equal(tph_offer_register(&offer), FULL);

	/* a device without a table: device-specific or nothing */
	offer = offer_of(PCI_TPH_CAP_ST_NS | PCI_TPH_CAP_ST_DS, ideal, TPH_POLICY_IV_ST);
	assert_int_equal(offer.steering, -EPERM);
	offer = offer_of(PCI_TPH_CAP_ST_NS | PCI_TPH_CAP_ST_DS, ideal, TPH_POLICY_DS_ST);
	assert_int_equal(offer.steering, 0);
	assert_int_equal(offer.entries, 2048);

	/* a device that can only give hints */
	offer = offer_of(PCI_TPH_CAP_ST_NS, ideal, TPH_POLICY_DS_ST);
	assert_int_equal(offer.steering, -EOPNOTSUPP);
	assert_int_equal(offer.modes, PCI_TPH_CAP_ST_NS);
}

static void msix_register(void **state)
{
	struct tph_offer offer = offer_of(IV_DS | PCI_TPH_LOC_MSIX | SIZE(3), ideal,
					  TPH_POLICY_IV_ST);

	(void)state;
	assert_int_equal(tph_offer_register(&offer),
			 PCI_TPH_CAP_ST_NS | PCI_TPH_CAP_ST_IV | PCI_TPH_LOC_MSIX | SIZE(16));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_capability_is_nothing),
		cmocka_unit_test(capability_past_the_end_is_nothing),
		cmocka_unit_test(table_in_the_wrong_place_is_no_table),
		cmocka_unit_test(tables_of_all_sizes),
		cmocka_unit_test(nothing_without_a_completer),
		cmocka_unit_test(nothing_under_pci_notph),
		cmocka_unit_test(no_extended_tags_over_a_switch_without_prefixes),
		cmocka_unit_test(no_tags_without_firmware),
		cmocka_unit_test(root_integrated_asks_no_root_port),
		cmocka_unit_test(policies),
		cmocka_unit_test(msix_register),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
