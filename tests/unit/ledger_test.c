// SPDX-License-Identifier: MIT
#include "ledger.h"
#include "unit.h"

static void ranges_do_not_wrap(void **state)
{
	static const u32 values[] = { 0, 1, 2, 63, 64, 65, 0x7fff, 0xffff, 0x10000, 0x7fffffff,
				      0x80000000, 0xfffffff0, 0xffffffff };
	struct tph_ledger ledger = { .size = 64 };
	size_t i, j;

	(void)state;
	for (i = 0; i < sizeof(values) / sizeof(*values); i++)
		for (j = 0; j < sizeof(values) / sizeof(*values); j++) {
			uint64_t end = (uint64_t)values[i] + values[j];

			assert_int_equal(tph_ledger_holds(&ledger, values[i], values[j]),
					 values[j] && end <= 64);
		}
	ledger.size = 0;
	assert_false(tph_ledger_holds(&ledger, 0, 0));
	assert_false(tph_ledger_holds(&ledger, 0, 1));
}

static void invalid_answers_are_no_tags(void **state)
{
	struct tph_entry entry = { .cpu = 1 };

	(void)state;
	/* tags present, valid bits clear */
	tph_tags_decode(0x4401410011011100ull, false, &entry.tags);
	assert_false(tph_tags_valid(&entry.tags, TPH_WIDTH_8));
	assert_false(tph_tags_valid(&entry.tags, TPH_WIDTH_16));
	assert_false(tph_tags_valid(&entry.tags, TPH_WIDTH_NONE));
	assert_int_equal(tph_entry_tag(&entry, TPH_WIDTH_8), 0);
	assert_int_equal(tph_entry_tag(&entry, TPH_WIDTH_16), 0);

	/* valid bits set, but tag 0 means "no preference" */
	tph_tags_decode(0x0000000300000003ull, true, &entry.tags);
	assert_false(tph_tags_valid(&entry.tags, TPH_WIDTH_NONE));
}

static void namespaces_are_not_mixed(void **state)
{
	struct tph_entry entry = { .cpu = 1 };

	(void)state;
	/* volatile: 8-bit only (0x11); persistent: 16-bit only (0x4401) */
	tph_tags_decode(0x4401410211011101ull, false, &entry.tags);
	assert_int_equal(tph_entry_tag(&entry, TPH_WIDTH_8), 0x11);
	assert_int_equal(tph_entry_tag(&entry, TPH_WIDTH_16), 0);
	assert_true(tph_entries_valid(&entry, 1, TPH_WIDTH_8));
	assert_false(tph_entries_valid(&entry, 1, TPH_WIDTH_16));
	assert_true(tph_entries_valid(&entry, 1, TPH_WIDTH_NONE));

	tph_tags_decode(0x4401410211011101ull, true, &entry.tags);
	assert_int_equal(tph_entry_tag(&entry, TPH_WIDTH_8), 0);
	assert_int_equal(tph_entry_tag(&entry, TPH_WIDTH_16), 0x4401);
}

static void clear_entries_have_no_tag(void **state)
{
	struct tph_entry entries[3];
	struct tph_ledger ledger = { .size = 3, .entries = entries };

	(void)state;
	memset(entries, 0xff, sizeof(entries));
	tph_ledger_clear(&ledger);
	assert_int_equal(entries[2].cpu, TPH_NO_CPU);
	assert_true(tph_entries_valid(entries, 3, TPH_WIDTH_16));
	entries[1].tags = (struct tph_tags){ .xst = 5, .xst_valid = true };
	assert_int_equal(tph_entry_tag(&entries[1], TPH_WIDTH_16), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_do_not_wrap),
		cmocka_unit_test(invalid_answers_are_no_tags),
		cmocka_unit_test(namespaces_are_not_mixed),
		cmocka_unit_test(clear_entries_have_no_tag),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
