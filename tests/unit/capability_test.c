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

static struct tph_capability decode_in(u16 at, u32 reg, u16 room, u16 msix)
{
	struct tph_capability cap;

	memset(&cap, 0xa5, sizeof(cap));
	tph_capability_decode(at, reg, room, msix, &cap);
	return cap;
}

/* The last capability of all. */
static struct tph_capability decode(u16 at, u32 reg, u16 msix)
{
	return decode_in(at, reg, CONFIG - at, msix);
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
	/* nor is one whose registers are the next one's */
	assert_int_equal(decode_in(AT, IV_DS, 8, 16).offset, 0);
	assert_int_equal(decode_in(AT, IV_DS, 12, 16).offset, AT);
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
		assert_int_equal(cap.extent, 12 + 128);
	}
	for (n = 1; n <= 2048; n++)
		assert_int_equal(decode(AT, IV_DS | PCI_TPH_LOC_MSIX, n).entries, n);
}

/* A chain of extended capabilities, in the order of its pointers. */
struct chain {
	u16 at[8];		/* 0 after the last */
	unsigned int reads;
	u16 broken;		/* the header that cannot be read */
};

static int read_chain(void *arg, u16 at, u32 *value)
{
	struct chain *chain = arg;
	unsigned int i;

	chain->reads++;
	*value = 0;
	if (at == chain->broken)
		return -EIO;
	for (i = 0; i < 8 && chain->at[i]; i++)
		if (chain->at[i] == at) {
			*value = (i < 7 ? (u32)chain->at[i + 1] : 0) << 20 | 0x10000 | 0x1;
			return 0;
		}
	return 0;
}

/* Functions in the field, and what is wrong with others: what may hold tags, and what does. */
static void tables_in_the_field(void **state)
{
	static const struct {
		const char *name;
		u16 chain[8];
		u16 at;
		u32 reg;
		u16 msix;
		enum tph_place place;
		u16 entries, end, extent;
		u8 modes;
	} functions[] = {
		{ "DSA: two entries, to the byte", { 0x100, 0x160, 0x170 }, 0x160, 0x00010205, 9,
		  TPH_PLACE_CAPABILITY, 2, 0x170, 0x10, 5 },
		{ "DSA, if it claimed 64", { 0x100, 0x160, 0x170 }, 0x160, 0x003f0207, 9,
		  TPH_PLACE_NONE, 0, 0x16c, 0x10, 5 },
		{ "DSA, if it claimed 3", { 0x100, 0x160, 0x170 }, 0x160, 0x00020207, 9,
		  TPH_PLACE_NONE, 0, 0x16c, 0x10, 5 },
		{ "CXL FPGA: no mode at all", { 0x100, 0x5b0, 0x6e0 }, 0x5b0, 0x000f0300, 0,
		  TPH_PLACE_CAPABILITY, 16, 0x5dc, 0x8c, 0 },
		{ "BCM57416: the pointers go back", { 0x100, 0x230, 0x300, 0x200 }, 0x230,
		  0x00fe0406, 255, TPH_PLACE_MSIX, 255, 0x23c, 0x8c, 6 },
		{ "the next by pointer lies behind another", { 0x100, 0x160, 0x300, 0x170 },
		  0x160, 0x003f0207, 9, TPH_PLACE_NONE, 0, 0x16c, 0x10, 5 },
		{ "the neighbour came first", { 0x100, 0x170, 0x160, 0x300 }, 0x160, 0x003f0207,
		  9, TPH_PLACE_NONE, 0, 0x16c, 0x10, 5 },
		{ "the neighbour came first, there is room", { 0x100, 0x170, 0x160, 0x300 },
		  0x160, 0x00010207, 9, TPH_PLACE_CAPABILITY, 2, 0x170, 0x10, 7 },
		{ "QL41212H", { 0x100, 0x1f8, 0x284 }, 0x1f8, 0x00800406, 129, TPH_PLACE_MSIX, 129,
		  0x204, 0x8c, 6 },
		{ "I350: room for ten", { 0x100, 0x1a0, 0x1c0 }, 0x1a0, 0x00090204, 10,
		  TPH_PLACE_CAPABILITY, 10, 0x1c0, 0x20, 4 },
		{ "I350, if it claimed eleven", { 0x100, 0x1a0, 0x1c0 }, 0x1a0, 0x000a0204, 10,
		  TPH_PLACE_NONE, 0, 0x1ac, 0x20, 4 },
		{ "X710: no table, four bytes spare", { 0x100, 0x1a0, 0x1b0 }, 0x1a0, 0x00000005,
		  129, TPH_PLACE_NONE, 0, 0x1ac, 0x10, 5 },
		{ "Hi1822", { 0x100, 0x4f0, 0x600 }, 0x4f0, 0x00000005, 32, TPH_PLACE_NONE, 0,
		  0x4fc, 0x8c, 5 },
		{ "RTL8125: 0x8c bytes, no table", { 0x100, 0x178, 0x204 }, 0x178, 0x00000001, 4,
		  TPH_PLACE_NONE, 0, 0x184, 0x8c, 1 },
		{ "WCN785x", { 0x100, 0x158, 0x1e4 }, 0x158, 0x00000001, 32, TPH_PLACE_NONE, 0,
		  0x164, 0x8c, 1 },
		{ "Rockchip port: the last one", { 0x100, 0x274 }, 0x274, 0x003f0206, 0,
		  TPH_PLACE_CAPABILITY, 64, 0x300, 0x8c, 6 },
		{ "the last one, at the very end", { 0x100, 0xf74 }, 0xf74, 0x003f0206, 0,
		  TPH_PLACE_CAPABILITY, 64, 0x1000, 0x8c, 6 },
		{ "four bytes later", { 0x100, 0xf78 }, 0xf78, 0x003f0206, 0, TPH_PLACE_NONE, 0,
		  0xf84, 0x88, 4 },
		{ "the first one", { 0x100, 0x128 }, 0x100, 0x000d0207, 0, TPH_PLACE_CAPABILITY,
		  14, 0x128, 0x28, 7 },
		{ "reserved location", { 0x100, 0x1f8, 0x284 }, 0x1f8, 0x003f0607, 16,
		  TPH_PLACE_NONE, 0, 0x204, 0x8c, 5 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(functions) / sizeof(*functions); i++) {
		u16 at = functions[i].at, room;
		struct tph_capability cap;
		struct chain chain = { 0 };

		memcpy(chain.at, functions[i].chain, sizeof(chain.at));
		room = tph_capability_room(at, CONFIG, read_chain, &chain);
		cap = decode_in(at, functions[i].reg, room, functions[i].msix);
		print_message("# %s\n", functions[i].name);
		assert_int_equal(cap.offset, at);
		assert_int_equal(cap.place, functions[i].place);
		assert_int_equal(cap.entries, functions[i].entries);
		assert_int_equal(at + cap.length, functions[i].end);
		assert_int_equal(cap.extent, functions[i].extent);
		assert_int_equal(cap.modes, functions[i].modes);
	}
}

static void chains_that_cannot_be_walked(void **state)
{
	struct chain loop = { { 0x100, 0x160, 0x170, 0x100 }, 0, 0 };
	struct chain broken = { { 0x100, 0x160, 0x170 }, 0, 0x170 };
	struct chain outside = { { 0x100, 0x160, 0xffc }, 0, 0 };

	(void)state;
	assert_int_equal(tph_capability_room(0x160, CONFIG, read_chain, &loop), 0x10);
	assert_true(loop.reads <= 480);
	/* whoever may come next cannot be told: nothing is taken for granted */
	assert_int_equal(tph_capability_room(0x160, CONFIG, read_chain, &broken), 0);
	/* the end of a smaller space binds as well */
	assert_int_equal(tph_capability_room(0x160, 0x200, read_chain, &outside), 0xa0);
	assert_int_equal(tph_capability_room(0x160, 256, read_chain, &outside), 0);
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

/* A neighbour of the group can write the MSI-X table: its tags are anybody's. */
static void a_table_that_a_neighbour_can_write(void **state)
{
	const u32 msix = IV_DS | PCI_TPH_LOC_MSIX;
	struct tph_platform shared = ideal;
	struct tph_offer offer;

	(void)state;
	shared.shared = true;
	offer = offer_of(msix, shared, TPH_POLICY_IV_ST);
	assert_int_equal(offer.modes, PCI_TPH_CAP_ST_NS);
	assert_int_equal(offer.steering, -EPERM);
	assert_int_equal(offer.place, TPH_PLACE_NONE);
	offer = offer_of(msix, shared, TPH_POLICY_NO_ST);
	assert_int_equal(offer.modes, PCI_TPH_CAP_ST_NS);
	assert_int_equal(offer.steering, -EPERM);
	/* whoever is trusted with any tag is not held up */
	offer = offer_of(msix, shared, TPH_POLICY_DS_ST);
	assert_int_equal(offer.modes, IV_DS);
	assert_int_equal(offer.steering, 0);
	assert_int_equal(offer.place, TPH_PLACE_MSIX);
	/* no requests reach configuration space */
	assert_int_equal(offer_of(FULL, shared, TPH_POLICY_IV_ST).steering, 0);
	assert_int_equal(offer_of(FULL, shared, TPH_POLICY_IV_ST).modes,
			 PCI_TPH_CAP_ST_NS | PCI_TPH_CAP_ST_IV);
	/* what cannot be under any policy is not a question of permission */
	shared.firmware = false;
	assert_int_equal(offer_of(msix, shared, TPH_POLICY_IV_ST).steering, -EOPNOTSUPP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_capability_is_nothing),
		cmocka_unit_test(capability_past_the_end_is_nothing),
		cmocka_unit_test(table_in_the_wrong_place_is_no_table),
		cmocka_unit_test(tables_of_all_sizes),
		cmocka_unit_test(tables_in_the_field),
		cmocka_unit_test(chains_that_cannot_be_walked),
		cmocka_unit_test(nothing_without_a_completer),
		cmocka_unit_test(nothing_under_pci_notph),
		cmocka_unit_test(no_extended_tags_over_a_switch_without_prefixes),
		cmocka_unit_test(no_tags_without_firmware),
		cmocka_unit_test(root_integrated_asks_no_root_port),
		cmocka_unit_test(policies),
		cmocka_unit_test(msix_register),
		cmocka_unit_test(a_table_that_a_neighbour_can_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
