// SPDX-License-Identifier: MIT
/* A guest's table, what its values come to, and how often it may switch the requester off. */
#include "budget.h"
#include "guest_map.h"
#include "unit.h"

#define SLOTS	300

static const struct tph_tags both = { .st = 0x11, .xst = 0x1101, .st_valid = true,
				      .xst_valid = true };

static struct tph_entry slots[SLOTS];

static struct tph_guest_map map_of(u32 count)
{
	u32 i;

	for (i = 0; i < SLOTS; i++)
		slots[i] = (struct tph_entry){ .cpu = i, .tags = both, .lease = 3, .epoch = 7 };
	return (struct tph_guest_map){ .count = count, .slots = slots };
}

static void no_value_reaches_beyond_the_map(void **state)
{
	static const u32 counts[] = { 0, 1, 2, 255, 256, 257, SLOTS };
	static const u8 widths[] = { TPH_WIDTH_NONE, TPH_WIDTH_8, TPH_WIDTH_16 };
	struct tph_guest_map map;
	size_t c, w;
	u32 value;

	(void)state;
	for (c = 0; c < sizeof(counts) / sizeof(*counts); c++)
		for (w = 0; w < 3; w++)
			for (value = 0; value <= 0xffff; value++) {
				u32 meant = widths[w] == TPH_WIDTH_8 ? value & 0xff : value;
				struct tph_entry got;

				map = map_of(counts[c]);
				/* beyond the map there is nothing to be read */
				map.slots = counts[c] ? slots : NULL;
				got = tph_guest_map_entry(&map, value, widths[w]);
				if (!meant || meant > counts[c])
					assert_int_equal(got.cpu, TPH_NO_CPU);
				else
					assert_int_equal(got.cpu, meant - 1);
				if (value > SLOTS + 1 && value < 0xff00)
					value += 0xfd;
			}
}

static void a_slot_without_a_tag_of_the_width_is_none(void **state)
{
	struct tph_guest_map map = map_of(3);

	(void)state;
	slots[0].cpu = TPH_NO_CPU;
	slots[1].tags.xst_valid = false;
	slots[2].tags.st = 0;
	assert_int_equal(tph_guest_map_entry(&map, 1, TPH_WIDTH_16).cpu, TPH_NO_CPU);
	assert_int_equal(tph_guest_map_entry(&map, 1, TPH_WIDTH_NONE).cpu, TPH_NO_CPU);
	assert_int_equal(tph_guest_map_entry(&map, 2, TPH_WIDTH_16).cpu, TPH_NO_CPU);
	assert_int_equal(tph_guest_map_entry(&map, 2, TPH_WIDTH_8).cpu, 1);
	assert_int_equal(tph_guest_map_entry(&map, 3, TPH_WIDTH_8).cpu, TPH_NO_CPU);
	assert_int_equal(tph_guest_map_entry(&map, 3, TPH_WIDTH_16).cpu, 2);
}

/* What comes of a slot is judged as the slot is: same holder, same time. */
static void an_entry_is_held_as_its_slot_is(void **state)
{
	struct tph_guest_map map = map_of(2);
	struct tph_entry entry = tph_guest_map_entry(&map, 2, TPH_WIDTH_16);

	(void)state;
	assert_int_equal(entry.lease, 3);
	assert_int_equal(entry.epoch, 7);
	assert_int_equal(tph_entry_tag(&entry, TPH_WIDTH_16), 0x1101);
}

static bool lost(const struct tph_entry *slot, u32 index, void *arg)
{
	assert_int_not_equal(slot->cpu, TPH_NO_CPU);
	assert_ptr_equal(slot, &slots[index]);
	return slot->cpu == *(u32 *)arg;
}

static void a_slot_that_is_taken_back_stays_away(void **state)
{
	struct tph_guest_map map = map_of(3);
	u32 cpu = 1;

	(void)state;
	assert_int_equal(tph_guest_map_revoke(&map, lost, &cpu), 1);
	assert_int_equal(tph_guest_map_entry(&map, 2, TPH_WIDTH_16).cpu, TPH_NO_CPU);
	assert_int_equal(tph_guest_map_entry(&map, 1, TPH_WIDTH_16).cpu, 0);
	assert_int_equal(tph_guest_map_entry(&map, 3, TPH_WIDTH_16).cpu, 2);
	assert_int_equal(tph_guest_map_revoke(&map, lost, &cpu), 0);
}

/* Every place and length, on either side of the end, of each kind: against a plain array of bytes. */
static void bytes_go_where_they_belong_and_nowhere_else(void **state)
{
	struct {
		u8 before[8];
		struct tph_virtual_table table;
		u8 after[8];
	} guarded;
	u8 bytes[160], want[160];
	unsigned int entries, at, count, i;
	int extended;

	(void)state;
	memset(bytes, 0xa7, sizeof(bytes));
	for (extended = 0; extended <= 1; extended++)
	for (entries = 0; entries <= 64; entries += 1 + 62 * (entries == 1))
	for (at = 0; at < 132; at++)
	for (count = 0; count <= 12; count++) {
		memset(&guarded, 0x5c, sizeof(guarded));
		guarded.table = (struct tph_virtual_table){ .entries = entries,
							    .extended = extended };
		memset(want, 0, sizeof(want));
		for (i = at; i < at + count && i < entries * 2; i++)
			if (i % 2 == 0 || extended)
				want[i] = 0xa7;
		tph_virtual_table_write(&guarded.table, at, bytes, count);
		for (i = 0; i < sizeof(want); i++)
			assert_int_equal(tph_virtual_table_byte(&guarded.table, i), want[i]);
		for (i = 0; i < 8; i++) {
			assert_int_equal(guarded.before[i], 0x5c);
			assert_int_equal(guarded.after[i], 0x5c);
		}
		tph_virtual_table_clear(&guarded.table);
		for (i = 0; i < sizeof(want); i++)
			assert_int_equal(tph_virtual_table_byte(&guarded.table, i), 0);
	}
}

/*
 * Writes for a second, @pace nanoseconds apart; what waits is done by a timer that is up to @late
 * nanoseconds late, and is not set anew while it is set.
 */
static void storm(u64 pace, u64 late)
{
	struct tph_budget budget = { 0 };
	u64 start = 123456789, now, due = 0, last = 0;
	u32 made = 0;

	for (now = start; now < start + 1000000000; now += pace) {
		bool fires = due && now >= due + late;
		u64 wait = tph_budget_take(&budget, now);

		assert_true(wait <= TPH_BUDGET_WINDOW);
		if (fires)
			due = 0;
		if (wait) {
			if (!due)
				due = now + wait;
			continue;
		}
		if (made++ >= TPH_BUDGET_CHANGES)
			assert_true(now - last >= TPH_BUDGET_WINDOW);
		last = now;
	}
	assert_in_range(made, TPH_BUDGET_CHANGES + 80, TPH_BUDGET_CHANGES + 100);
}

/* However slow a write is: on some machines each takes milliseconds. */
static void a_storm_is_one_batch_a_window(void **state)
{
	(void)state;
	storm(1000, 0);
	storm(100000, 0);
	storm(1860000, 0);
	storm(1000, 4000000);
	storm(100000, 7900000);
}

/* What was put off may be what there was before, when it is due. That gives nothing back. */
static void what_comes_to_nothing_is_no_rest(void **state)
{
	struct tph_budget budget = { 0 };
	u64 now, start = 123456789;
	u32 done = 0;

	(void)state;
	for (now = start; now < start + 1000000000; now += 100000)
		done += !tph_budget_take(&budget, now);
	assert_in_range(done, TPH_BUDGET_CHANGES + 90, TPH_BUDGET_CHANGES + 100);
}

static void a_quiet_window_gives_all_of_it_back(void **state)
{
	struct tph_budget budget = { 0 };
	int i;

	(void)state;
	for (i = 0; i < TPH_BUDGET_CHANGES; i++)
		assert_int_equal(tph_budget_take(&budget, 1000 + i), 0);
	assert_int_equal(tph_budget_take(&budget, 2000), TPH_BUDGET_WINDOW - 1000 + TPH_BUDGET_CHANGES - 1);
	assert_int_equal(tph_budget_take(&budget, 2000 + TPH_BUDGET_WINDOW), 0);
	for (i = 0; i < TPH_BUDGET_CHANGES; i++)
		assert_int_equal(tph_budget_take(&budget, 2000 + 2 * TPH_BUDGET_WINDOW), 0);
	assert_int_not_equal(tph_budget_take(&budget, 2000 + 2 * TPH_BUDGET_WINDOW), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_value_reaches_beyond_the_map),
		cmocka_unit_test(a_slot_without_a_tag_of_the_width_is_none),
		cmocka_unit_test(an_entry_is_held_as_its_slot_is),
		cmocka_unit_test(a_slot_that_is_taken_back_stays_away),
		cmocka_unit_test(bytes_go_where_they_belong_and_nowhere_else),
		cmocka_unit_test(a_storm_is_one_batch_a_window),
		cmocka_unit_test(what_comes_to_nothing_is_no_rest),
		cmocka_unit_test(a_quiet_window_gives_all_of_it_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
