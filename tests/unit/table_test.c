// SPDX-License-Identifier: MIT
/*
 * The table against a model of the hardware that counts accesses, fails the one it is told to, and
 * judges at every write: no enable over a table that is not what the ledger says.
 */
#include <linux/errno.h>

#include "table.h"
#include "unit.h"

#define AT	0x148
#define N	64

struct hardware {
	struct tph_table table;
	struct tph_capability cap;
	struct tph_entry ledger[2048];
	u8 config[4096];
	u16 vectors[2048];
	bool allocated[2048];
	bool memory;
	unsigned int reads, writes, off_windows, enables;
	unsigned int fail_at;	/* this write fails, counted from 1; 0 for none */
	unsigned int fail_for;	/* and so many after it */
	unsigned int fail_too;	/* and this one */
	bool gone;		/* reads give all ones, writes go nowhere */
};

static struct hardware *hw_of(struct tph_table *table)
{
	return (struct hardware *)((char *)table - offsetof(struct hardware, table));
}

static u32 get(const struct hardware *hw, u16 offset, int bytes)
{
	u32 value = 0;

	memcpy(&value, hw->config + offset, bytes);
	return value;
}

static u32 control(const struct hardware *hw)
{
	return get(hw, AT + 8, 4);
}

static u16 tag(const struct hardware *hw, u32 i)
{
	return hw->cap.place == TPH_PLACE_MSIX ? hw->vectors[i] : get(hw, AT + 12 + 2 * i, 2);
}

static int read_config(struct tph_table *table, u16 offset, u32 *value)
{
	struct hardware *hw = hw_of(table);

	hw->reads++;
	assert_true(offset % 4 == 0);
	*value = hw->gone ? 0xffffffff : get(hw, offset, 4);
	return 0;
}

static int fails(struct hardware *hw)
{
	hw->writes++;
	return hw->fail_at && ((hw->writes >= hw->fail_at &&
				hw->writes <= hw->fail_at + hw->fail_for) ||
			       hw->writes == hw->fail_too);
}

static int write_config(struct tph_table *table, u16 offset, u8 bytes, u32 value)
{
	struct hardware *hw = hw_of(table);
	bool was_on = control(hw) & 0x300;

	assert_true(bytes == 2 || bytes == 4);
	assert_true(offset % bytes == 0);
	assert_true(offset >= AT + 8);
	assert_true(offset + bytes <= AT + 12 + 2 * (hw->cap.place == TPH_PLACE_CAPABILITY ?
							     hw->cap.entries : 0));
	if (fails(hw))
		return -EIO;
	if (hw->gone)
		return 0;
	memcpy(hw->config + offset, &value, bytes);

	if (offset == AT + 8) {
		hw->off_windows += was_on && !(value & 0x300);
		hw->enables += !was_on && value & 0x300;
	} else {
		/* the table changes under a disabled requester alone */
		assert_false(was_on);
	}
	return 0;
}

static int write_vector(struct tph_table *table, u16 index, u16 value)
{
	struct hardware *hw = hw_of(table);

	assert_true(index < hw->cap.entries);
	assert_true(hw->memory);
	assert_false(control(hw) & 0x300);
	if (fails(hw))
		return -EIO;
	hw->vectors[index] = hw->allocated[index] ? value : 0;
	return 0;
}

static int ready(struct tph_table *table)
{
	struct hardware *hw = hw_of(table);

	return hw->cap.place != TPH_PLACE_MSIX || hw->memory ? 0 : -EIO;
}

static const struct tph_table_ops ops = {
	.read = read_config,
	.write = write_config,
	.write_vector = write_vector,
	.ready = ready,
};

static struct hardware *new_hardware(enum tph_place place, u16 entries)
{
	struct hardware *hw = calloc(1, sizeof(*hw));
	u16 i;

	assert_non_null(hw);
	hw->cap = (struct tph_capability){ .offset = AT, .place = place, .entries = entries };
	hw->table = (struct tph_table){ .ops = &ops, .cap = &hw->cap };
	hw->table.ledger.entries = hw->ledger;
	hw->table.ledger.size = entries ? entries : 2048;
	tph_ledger_clear(&hw->table.ledger);
	hw->memory = true;
	for (i = 0; i < entries; i++)
		hw->allocated[i] = true;
	return hw;
}

static struct tph_entry to_cpu(u32 cpu)
{
	return (struct tph_entry){ .cpu = cpu,
				   .tags = { .st = 0x10 + cpu, .xst = 0x1100 + cpu,
					     .st_valid = true, .xst_valid = true } };
}

static int commit(struct hardware *hw, u32 index, u32 count, u32 first_cpu)
{
	struct tph_entry entries[2048];
	u32 i;

	for (i = 0; i < count; i++)
		entries[i] = to_cpu(first_cpu + i);
	return tph_table_commit(&hw->table, index, count, entries);
}

static const struct tph_control off = { PCI_TPH_ST_NS_MODE, TPH_WIDTH_NONE };
static const struct tph_control iv8 = { PCI_TPH_ST_IV_MODE, TPH_WIDTH_8 };
static const struct tph_control iv16 = { PCI_TPH_ST_IV_MODE, TPH_WIDTH_16 };

/* What the invariants in table.h say, seen from the hardware. */
static void check_invariants(const struct hardware *hw)
{
	const struct tph_table *table = &hw->table;
	u32 i;

	assert_int_equal(control(hw) & 0x300, table->live.width << 8);
	if (table->live.width)
		assert_true(tph_control_same(table->live, table->wanted));
	if (!tph_control_tagged(table->live))
		return;
	for (i = 0; i < hw->cap.entries; i++)
		assert_int_equal(tag(hw, i), hw->allocated[i] ?
			tph_entry_tag(&hw->ledger[i], table->live.width) : 0);
}

/*
 * Whatever single access fails, and however long it goes on failing, a SET leaves everything as it
 * was, or steering off; never a mixture.
 */
static void any_failing_write_leaves_all_or_nothing(void **state)
{
	static const enum tph_place places[] = { TPH_PLACE_CAPABILITY, TPH_PLACE_MSIX };
	unsigned int p, at, run, restored = 0;

	(void)state;
	for (p = 0; p < 2; p++)
	for (run = 0; run <= 2; run++)
	for (at = 1; ; at++) {
		struct hardware *hw = new_hardware(places[p], 16);
		struct tph_entry before[16];
		int ret;

		assert_int_equal(commit(hw, 0, 16, 0), 0);
		assert_int_equal(tph_table_control(&hw->table, iv16), 0);
		memcpy(before, hw->ledger, sizeof(before));

		hw->writes = 0;
		hw->fail_at = at;
		hw->fail_for = run == 2 ? 1000 : run;
		ret = commit(hw, 3, 10, 40);
		hw->fail_at = 0;
		if (!ret) {
			/* past the last write: nothing failed */
			assert_true(hw->writes < at);
			free(hw);
			break;
		}
		assert_int_equal(ret, -EIO);
		assert_memory_equal(hw->ledger, before, sizeof(before));
		if (run == 0) {
			assert_int_equal(control(hw), 0x301);
			assert_int_equal(hw->table.wanted.width, TPH_WIDTH_16);
			restored++;
		}
		if (run < 2)
			check_invariants(hw);
		/* one that hears nothing any more is off as far as anyone can tell */
		if (run == 2)
			assert_int_equal(hw->table.wanted.width, TPH_WIDTH_NONE);
		free(hw);
	}
	assert_true(restored > 10);
}

/* The second failure is of the way back: nothing in between what was and what was wanted is on. */
static void a_failing_way_back_leaves_it_off(void **state)
{
	unsigned int second, given_up = 0;

	(void)state;
	for (second = 4; second < 12; second++) {
		struct hardware *hw = new_hardware(TPH_PLACE_CAPABILITY, 16);

		assert_int_equal(commit(hw, 0, 16, 0), 0);
		assert_int_equal(tph_table_control(&hw->table, iv16), 0);
		hw->writes = 0;
		hw->fail_at = 3;
		hw->fail_too = second;
		assert_int_equal(commit(hw, 0, 8, 40), -EIO);
		hw->fail_at = 0;
		assert_int_equal(hw->ledger[0].cpu, 0);
		if (hw->table.wanted.width == TPH_WIDTH_NONE) {
			assert_int_equal(control(hw) & 0x300, 0);
			given_up++;
		}
		check_invariants(hw);
		free(hw);
	}
	/* off, four dwords of two entries, on */
	assert_int_equal(given_up, 6);
}

/* What hardware has is not written again: where no tag changes the requester stays on. */
static void what_hardware_has_is_not_written(void **state)
{
	static const enum tph_place places[] = { TPH_PLACE_CAPABILITY, TPH_PLACE_MSIX };
	struct tph_entry twin = to_cpu(3);
	struct hardware *hw;
	unsigned int p;

	(void)state;
	for (p = 0; p < 2; p++) {
		hw = new_hardware(places[p], 16);
		assert_int_equal(commit(hw, 0, 16, 0), 0);
		assert_int_equal(tph_table_control(&hw->table, iv16), 0);
		hw->writes = hw->off_windows = 0;
		assert_false(tph_table_differs(&hw->table, 0, 16, hw->ledger));
		assert_int_equal(commit(hw, 0, 16, 0), 0);
		/* another CPU, or another holder, with the same tag */
		twin.cpu = 9;
		twin.lease = 5;
		assert_int_equal(tph_table_commit(&hw->table, 3, 1, &twin), 0);
		assert_int_equal(hw->ledger[3].cpu, 9);
		assert_int_equal(hw->ledger[3].lease, 5);
		assert_int_equal(hw->writes, 0);
		assert_int_equal(control(hw), 0x301);

		/* of a batch what is between the first change and the last: off, entries 4 and 5, on */
		assert_int_equal(commit(hw, 4, 1, 40), 0);
		hw->writes = 0;
		assert_true(tph_table_differs(&hw->table, 0, 16, (struct tph_entry [16]){ { 0 } }));
		assert_int_equal(commit(hw, 2, 8, 2), 0);
		assert_int_equal(hw->writes, 3);
		check_invariants(hw);
		free(hw);
	}
}

static void any_failing_write_of_an_enable_leaves_it_off(void **state)
{
	unsigned int at;

	(void)state;
	for (at = 1; ; at++) {
		struct hardware *hw = new_hardware(TPH_PLACE_CAPABILITY, 16);

		assert_int_equal(commit(hw, 0, 16, 0), 0);
		assert_int_equal(hw->writes, 0);
		hw->fail_at = at;
		if (!tph_table_control(&hw->table, iv16)) {
			free(hw);
			break;
		}
		assert_int_equal(control(hw), 0);
		assert_true(tph_control_same(hw->table.wanted, off));
		free(hw);
	}
	assert_true(at > 8);
}

static void a_function_that_is_gone_is_off(void **state)
{
	struct hardware *hw = new_hardware(TPH_PLACE_CAPABILITY, N);

	(void)state;
	assert_int_equal(commit(hw, 0, N, 0), 0);
	hw->gone = true;
	assert_int_equal(tph_table_control(&hw->table, iv16), -EIO);
	assert_int_equal(hw->table.wanted.width, TPH_WIDTH_NONE);
	assert_int_equal(hw->table.live.width, TPH_WIDTH_NONE);
	free(hw);
}

static void a_missing_namespace_is_refused(void **state)
{
	struct hardware *hw = new_hardware(TPH_PLACE_CAPABILITY, N);
	struct tph_entry only8 = { .cpu = 1, .tags = { .st = 0x11, .st_valid = true } };
	struct tph_entry none = { .cpu = 1, .tags = { .st = 0x11, .xst = 0x1101 } };

	(void)state;
	assert_int_equal(tph_table_commit(&hw->table, 0, 1, &none), -EOPNOTSUPP);
	assert_int_equal(hw->ledger[0].cpu, TPH_NO_CPU);

	assert_int_equal(tph_table_commit(&hw->table, 0, 1, &only8), 0);
	assert_int_equal(tph_table_control(&hw->table, iv16), -EOPNOTSUPP);
	assert_int_equal(control(hw), 0);
	assert_int_equal(tph_table_control(&hw->table, iv8), 0);
	assert_int_equal(tag(hw, 0), 0x11);
	/* widening what is enabled is refused too, and changes nothing */
	assert_int_equal(tph_table_control(&hw->table, iv16), -EOPNOTSUPP);
	assert_int_equal(control(hw), 0x101);

	assert_int_equal(commit(hw, 0, 1, 2), 0);
	assert_int_equal(tph_table_control(&hw->table, iv16), 0);
	assert_int_equal(tag(hw, 0), 0x1102);
	assert_int_equal(tph_table_commit(&hw->table, 5, 1, &only8), -EOPNOTSUPP);
	check_invariants(hw);
	free(hw);
}

static void nothing_reaches_hardware_before_enable(void **state)
{
	struct hardware *hw = new_hardware(TPH_PLACE_CAPABILITY, N);

	(void)state;
	assert_int_equal(commit(hw, 0, N, 0), 0);
	assert_int_equal(hw->reads + hw->writes, 0);
	/* processing hints without tags need no table either */
	assert_int_equal(tph_table_control(&hw->table, (struct tph_control){ 0, TPH_WIDTH_8 }), 0);
	assert_int_equal(tag(hw, 7), 0);
	assert_int_equal(commit(hw, 0, 4, 9), 0);
	assert_int_equal(hw->off_windows, 0);
	assert_int_equal(tag(hw, 0), 0);
	free(hw);
}

static void a_batch_costs_one_off_window(void **state)
{
	struct hardware *hw = new_hardware(TPH_PLACE_CAPABILITY, N);

	(void)state;
	assert_int_equal(tph_table_control(&hw->table, iv16), 0);
	hw->reads = hw->writes = hw->off_windows = hw->enables = 0;
	assert_int_equal(commit(hw, 0, N, 0), 0);
	assert_int_equal(hw->off_windows, 1);
	assert_int_equal(hw->enables, 1);
	assert_int_equal(hw->writes, 1 + N / 2 + 1);
	assert_int_equal(hw->reads, 1);
	check_invariants(hw);
	free(hw);
}

/* Any range of any table size leaves the neighbours and what follows the table alone. */
static void odd_ranges(void **state)
{
	u32 size, index, count;

	(void)state;
	for (size = 1; size <= 9; size++)
		for (index = 0; index < size; index++)
			for (count = 1; count <= size - index; count++) {
				struct hardware *hw = new_hardware(TPH_PLACE_CAPABILITY, size);

				assert_int_equal(commit(hw, 0, size, 0), 0);
				assert_int_equal(tph_table_control(&hw->table, iv8), 0);
				assert_int_equal(commit(hw, index, count, 100), 0);
				check_invariants(hw);
				assert_int_equal(get(hw, AT + 12 + 2 * size, 2), 0);
				free(hw);
			}
}

static void a_hold_defers_everything(void **state)
{
	struct hardware *hw = new_hardware(TPH_PLACE_CAPABILITY, N);

	(void)state;
	assert_int_equal(commit(hw, 0, N, 0), 0);
	assert_int_equal(tph_table_control(&hw->table, iv16), 0);
	assert_int_equal(tph_table_hold(&hw->table), 0);
	assert_int_equal(tph_table_hold(&hw->table), 0);
	assert_int_equal(control(hw) & 0x300, 0);

	/* the reset */
	memset(hw->config, 0, sizeof(hw->config));
	hw->reads = hw->writes = hw->enables = 0;
	assert_int_equal(commit(hw, 5, 2, 30), 0);
	assert_int_equal(tph_table_control(&hw->table, iv8), 0);
	assert_int_equal(tph_table_sync(&hw->table), 0);
	assert_int_equal(hw->reads + hw->writes, 0);

	assert_int_equal(tph_table_release(&hw->table), 0);
	assert_int_equal(hw->writes, 0);
	assert_int_equal(tph_table_release(&hw->table), 0);
	assert_int_equal(control(hw), 0x101);
	assert_int_equal(hw->enables, 1);
	assert_int_equal(tag(hw, 5), 0x10 + 30);
	check_invariants(hw);

	/* what is disabled under a hold stays so */
	tph_table_hold(&hw->table);
	assert_int_equal(tph_table_control(&hw->table, off), 0);
	assert_int_equal(tph_table_release(&hw->table), 0);
	assert_int_equal(control(hw) & 0x300, 0);
	free(hw);
}

static void a_silent_reset_is_noticed(void **state)
{
	struct hardware *hw = new_hardware(TPH_PLACE_CAPABILITY, N);

	(void)state;
	assert_int_equal(commit(hw, 0, N, 0), 0);
	assert_int_equal(tph_table_control(&hw->table, iv16), 0);
	hw->writes = 0;
	assert_int_equal(tph_table_sync(&hw->table), 0);
	assert_int_equal(hw->writes, 0);
	memset(hw->config, 0, sizeof(hw->config));
	assert_int_equal(tph_table_sync(&hw->table), 0);
	assert_int_equal(control(hw), 0x301);
	check_invariants(hw);
	free(hw);
}

/* Enabled while held, and released by one who says that the table was kept: it must not be. */
static void enable_as_kept(struct hardware *hw)
{
	tph_table_hold(&hw->table);
	assert_int_equal(tph_table_control(&hw->table, iv16), 0);
	assert_int_equal(tph_table_release_kept(&hw->table), 0);
	assert_int_equal(control(hw), 0x301);
	check_invariants(hw);
}

/* A batch that was refused and could not be taken out of the hardware table does not come back. */
static void a_refused_batch_is_not_believed(void **state)
{
	struct hardware *hw = new_hardware(TPH_PLACE_CAPABILITY, 2);

	(void)state;
	assert_int_equal(commit(hw, 0, 2, 0), 0);
	assert_int_equal(tph_table_control(&hw->table, iv16), 0);
	/* off, the batch, on (fails), off, the way back (fails) */
	hw->writes = 0;
	hw->fail_at = 3;
	hw->fail_too = 5;
	assert_int_equal(commit(hw, 0, 2, 40), -EIO);
	hw->fail_at = 0;
	assert_int_equal(tag(hw, 0), 0x1100 + 40);
	assert_int_equal(control(hw) & 0x300, 0);
	enable_as_kept(hw);
	free(hw);
}

/* Nor is a table that was lost without a word, where nothing could be brought back at once. */
static void a_lost_table_is_not_believed(void **state)
{
	unsigned int enabled;

	(void)state;
	for (enabled = 0; enabled < 2; enabled++) {
		struct hardware *hw = new_hardware(TPH_PLACE_MSIX, 8);

		assert_int_equal(commit(hw, 0, 8, 0), 0);
		assert_int_equal(tph_table_control(&hw->table, iv16), 0);
		if (!enabled)
			assert_int_equal(tph_table_control(&hw->table, off), 0);
		memset(hw->config, 0, sizeof(hw->config));
		memset(hw->vectors, 0xff, sizeof(hw->vectors));
		hw->memory = false;
		assert_int_equal(tph_table_sync(&hw->table), 0);
		hw->memory = true;
		enable_as_kept(hw);
		free(hw);
	}
}

/* All ones are no control register, though its enable bits are those of 16-bit tags. */
static void all_ones_are_no_state(void **state)
{
	struct hardware *hw = new_hardware(TPH_PLACE_CAPABILITY, N);

	(void)state;
	assert_int_equal(commit(hw, 0, N, 0), 0);
	assert_int_equal(tph_table_control(&hw->table, iv16), 0);
	hw->gone = true;
	assert_int_equal(tph_table_sync(&hw->table), -EIO);
	assert_int_equal(hw->table.wanted.width, TPH_WIDTH_NONE);
	free(hw);
}

/* Neither out of a hold nor after a silent reset is there anything to see but "off". */
static void what_cannot_be_brought_back_is_off(void **state)
{
	unsigned int silent, at;

	(void)state;
	for (silent = 0; silent < 2; silent++)
	for (at = 1; at <= N / 2 + silent + 1; at++) {
		struct hardware *hw = new_hardware(TPH_PLACE_CAPABILITY, N);

		assert_int_equal(commit(hw, 0, N, 0), 0);
		assert_int_equal(tph_table_control(&hw->table, iv16), 0);
		if (silent)
			memset(hw->config, 0, sizeof(hw->config));
		else
			assert_int_equal(tph_table_hold(&hw->table), 0);
		hw->writes = 0;
		hw->fail_at = at;
		assert_int_equal(silent ? tph_table_sync(&hw->table) :
					  tph_table_release(&hw->table), -EIO);
		hw->fail_at = 0;
		assert_int_equal(hw->table.wanted.width, TPH_WIDTH_NONE);
		assert_int_equal(control(hw) & 0x300, 0);
		check_invariants(hw);
		free(hw);
	}
}

static void vectors_and_memory_come_and_go(void **state)
{
	struct hardware *hw = new_hardware(TPH_PLACE_MSIX, 8);
	u32 i;

	(void)state;
	for (i = 0; i < 8; i++)
		hw->allocated[i] = i < 4;
	assert_int_equal(commit(hw, 0, 8, 0), 0);
	assert_int_equal(tph_table_control(&hw->table, iv16), 0);
	check_invariants(hw);

	tph_table_hold(&hw->table);
	hw->allocated[1] = false;
	hw->allocated[6] = true;
	assert_int_equal(tph_table_release(&hw->table), 0);
	check_invariants(hw);

	/* memory decode off: a SET is refused before anything is touched */
	hw->memory = false;
	hw->writes = 0;
	assert_int_equal(commit(hw, 0, 1, 50), -EIO);
	assert_int_equal(hw->writes, 0);
	assert_int_equal(control(hw), 0x301);
	assert_int_equal(hw->ledger[0].cpu, 0);

	/* a reset meanwhile: steering is back when the memory is */
	tph_table_hold(&hw->table);
	memset(hw->vectors, 0, sizeof(hw->vectors));
	assert_int_equal(tph_table_release(&hw->table), 0);
	assert_int_equal(control(hw) & 0x300, 0);
	assert_true(tph_control_same(hw->table.wanted, iv16));
	assert_int_equal(tph_table_sync(&hw->table), 0);
	assert_int_equal(control(hw) & 0x300, 0);
	hw->memory = true;
	assert_int_equal(tph_table_sync(&hw->table), 0);
	assert_int_equal(control(hw), 0x301);
	check_invariants(hw);
	free(hw);
}

static bool is_odd_cpu(const struct tph_entry *entry, u32 index, void *arg)
{
	*(u32 *)arg += index;
	return entry->cpu & 1;
}

/* A hold over which no vector came or went: the requester comes back, the table stays. */
static void a_table_that_is_kept_is_not_written_again(void **state)
{
	struct hardware *hw = new_hardware(TPH_PLACE_MSIX, 8);
	const u32 on = 0x301;
	u32 asked = 0;

	(void)state;
	assert_int_equal(commit(hw, 0, 8, 0), 0);
	assert_int_equal(tph_table_control(&hw->table, iv16), 0);
	tph_table_hold(&hw->table);
	hw->writes = 0;
	assert_int_equal(tph_table_release_kept(&hw->table), 0);
	assert_int_equal(hw->writes, 1);
	assert_int_equal(control(hw), 0x301);
	check_invariants(hw);

	/* but for what changed meanwhile: an entry, one that was taken back, the width, the vectors */
	tph_table_hold(&hw->table);
	assert_int_equal(commit(hw, 2, 1, 40), 0);
	hw->writes = 0;
	assert_int_equal(tph_table_release_kept(&hw->table), 0);
	assert_int_equal(hw->writes, 9);
	check_invariants(hw);

	tph_table_hold(&hw->table);
	assert_int_not_equal(tph_table_revoke(&hw->table, is_odd_cpu, &asked, false), 0);
	assert_int_equal(tph_table_release_kept(&hw->table), 0);
	check_invariants(hw);

	tph_table_hold(&hw->table);
	assert_int_equal(tph_table_control(&hw->table, iv8), 0);
	assert_int_equal(tph_table_release_kept(&hw->table), 0);
	check_invariants(hw);

	tph_table_hold(&hw->table);
	memset(hw->vectors, 0xff, sizeof(hw->vectors));
	memcpy(hw->config + AT + 8, &on, sizeof(on));
	tph_table_doubt(&hw->table);
	assert_int_equal(tph_table_release_kept(&hw->table), 0);
	check_invariants(hw);

	/* and two holds at once: the first to end is not the one to say */
	tph_table_hold(&hw->table);
	tph_table_hold(&hw->table);
	memset(hw->vectors, 0, sizeof(hw->vectors));
	tph_table_doubt(&hw->table);
	assert_int_equal(tph_table_release_kept(&hw->table), 0);
	assert_int_equal(tph_table_release_kept(&hw->table), 0);
	check_invariants(hw);
	free(hw);
}

static bool is_any(const struct tph_entry *entry, u32 index, void *arg)
{
	(void)entry;
	(void)index;
	(void)arg;
	return true;
}

/* Whichever access fails, what was taken back is out of the ledger and not sent. */
static void revocation_does_not_fail(void **state)
{
	static const enum tph_place places[] = { TPH_PLACE_CAPABILITY, TPH_PLACE_MSIX };
	unsigned int p, at, run;
	u32 i, sum;

	(void)state;
	for (p = 0; p < 2; p++)
	for (run = 0; run < 3; run++)
	for (at = 1; ; at++) {
		struct hardware *hw = new_hardware(places[p], 16);
		bool done;

		sum = 0;
		assert_int_equal(commit(hw, 0, 16, 0), 0);
		assert_int_equal(tph_table_control(&hw->table, iv16), 0);
		hw->writes = hw->off_windows = 0;
		hw->fail_at = at;
		hw->fail_for = run == 2 ? 1000 : run;
		assert_int_equal(tph_table_revoke(&hw->table, is_odd_cpu, &sum, false), 8);
		assert_int_equal(sum, 16 * 15 / 2);
		done = hw->writes < at;
		hw->fail_at = 0;
		for (i = 0; i < 16; i++)
			assert_int_equal(hw->ledger[i].cpu, i & 1 ? TPH_NO_CPU : i);
		/* in force with what is left, or off for the user; hardware off unless it is deaf */
		if (done) {
			assert_int_equal(hw->table.wanted.width, TPH_WIDTH_16);
			assert_int_equal(hw->off_windows, 1);
			check_invariants(hw);
		} else {
			assert_int_equal(hw->table.wanted.width, TPH_WIDTH_NONE);
			if (run < 2 && at > 1)
				assert_int_equal(control(hw) & 0x300, 0);
		}
		free(hw);
		if (done)
			break;
	}
}

static void revocation_touches_what_it_must(void **state)
{
	struct hardware *hw = new_hardware(TPH_PLACE_CAPABILITY, N);
	u32 sum = 0;

	(void)state;
	assert_int_equal(tph_table_revoke(&hw->table, is_any, NULL, false), 0);
	assert_int_equal(commit(hw, 10, 1, 4), 0);
	assert_int_equal(commit(hw, 13, 1, 7), 0);
	assert_int_equal(commit(hw, 20, 1, 6), 0);
	/* not enabled: the ledger alone */
	assert_int_equal(tph_table_revoke(&hw->table, is_odd_cpu, &sum, false), 1);
	assert_int_equal(hw->writes + hw->reads, 0);
	assert_int_equal(tph_table_control(&hw->table, iv16), 0);
	assert_int_equal(commit(hw, 13, 1, 7), 0);
	hw->writes = hw->reads = 0;
	/* nothing lost: nothing written */
	hw->ledger[13].cpu = 8;
	assert_int_equal(tph_table_revoke(&hw->table, is_odd_cpu, &sum, false), 0);
	assert_int_equal(hw->writes + hw->reads, 0);
	hw->ledger[13].cpu = 7;
	assert_int_equal(tph_table_revoke(&hw->table, is_odd_cpu, &sum, false), 1);
	assert_int_equal(hw->writes, 3);
	check_invariants(hw);
	free(hw);
}

/* Where the table cannot be written now: off at once, the rest at the release. */
static void deferred_revocation(void **state)
{
	struct hardware *hw = new_hardware(TPH_PLACE_MSIX, 8);
	u32 sum = 0;

	(void)state;
	assert_int_equal(commit(hw, 0, 8, 0), 0);
	assert_int_equal(tph_table_control(&hw->table, iv16), 0);
	hw->memory = false;
	assert_int_equal(tph_table_revoke(&hw->table, is_odd_cpu, &sum, true), 4);
	assert_int_equal(control(hw) & 0x300, 0);
	assert_int_equal(hw->table.holds, 1);
	/* another while held: no second way to hardware, one more hold */
	assert_int_equal(tph_table_revoke(&hw->table, is_any, NULL, true), 4);
	assert_int_equal(hw->table.holds, 2);
	assert_int_equal(tph_table_revoke(&hw->table, is_any, NULL, true), 0);
	assert_int_equal(hw->table.holds, 2);
	hw->memory = true;
	assert_int_equal(tph_table_release(&hw->table), 0);
	assert_int_equal(control(hw) & 0x300, 0);
	assert_int_equal(tph_table_release(&hw->table), 0);
	assert_int_equal(control(hw), 0x301);
	check_invariants(hw);

	/* memory decode off, not deferred: off until the tags can be taken out of the table */
	assert_int_equal(commit(hw, 0, 8, 0), 0);
	hw->memory = false;
	assert_int_equal(tph_table_revoke(&hw->table, is_odd_cpu, &sum, false), 4);
	assert_int_equal(control(hw) & 0x300, 0);
	assert_int_equal(tph_table_sync(&hw->table), 0);
	assert_int_equal(control(hw) & 0x300, 0);
	hw->memory = true;
	assert_int_equal(tph_table_sync(&hw->table), 0);
	assert_int_equal(control(hw), 0x301);
	check_invariants(hw);
	free(hw);
}

static void no_table_takes_no_access(void **state)
{
	struct hardware *hw = new_hardware(TPH_PLACE_NONE, 0);
	struct tph_control ds16 = { PCI_TPH_ST_DS_MODE, TPH_WIDTH_16 };

	(void)state;
	assert_int_equal(tph_table_control(&hw->table, ds16), 0);
	assert_int_equal(hw->writes, 1);
	assert_int_equal(commit(hw, 2040, 8, 0), 0);
	assert_int_equal(hw->writes, 1);
	assert_int_equal(hw->ledger[2047].cpu, 7);
	free(hw);
}

/* A function that did not hear "off" and hears again: off is the first thing that it is told. */
static void one_that_hears_again_is_switched_off(void **state)
{
	struct tph_entry none = { .cpu = TPH_NO_CPU };
	int way;

	(void)state;
	for (way = 0; way < 5; way++) {
		struct hardware *hw = new_hardware(TPH_PLACE_CAPABILITY, N);

		assert_int_equal(commit(hw, 0, 4, 0), 0);
		assert_int_equal(tph_table_control(&hw->table, iv16), 0);
		hw->fail_at = hw->writes + 1;
		hw->fail_for = 1000;
		assert_int_equal(tph_table_control(&hw->table, off), -EIO);
		assert_int_equal(control(hw), 0x301);
		assert_int_equal(hw->table.wanted.width, TPH_WIDTH_NONE);
		/* still deaf: nothing is promised that cannot be kept */
		assert_int_equal(tph_table_commit(&hw->table, 0, 1, &none), -EIO);
		assert_int_equal(hw->ledger[0].cpu, 0);

		hw->fail_at = 0;
		switch (way) {
		case 0:
			assert_int_equal(tph_table_revoke(&hw->table, is_any, NULL, false), 4);
			break;
		case 1:
			assert_int_equal(tph_table_commit(&hw->table, 0, 1, &none), 0);
			break;
		case 2:
			assert_int_equal(tph_table_sync(&hw->table), 0);
			break;
		case 3:
			assert_int_equal(tph_table_hold(&hw->table), 0);
			break;
		case 4:
			assert_int_equal(tph_table_control(&hw->table, iv8), 0);
			assert_int_equal(control(hw), 0x101);
			check_invariants(hw);
			break;
		}
		if (way < 4)
			assert_int_equal(control(hw) & 0x300, 0);
		free(hw);
	}
}

static void scrub_leaves_zero(void **state)
{
	static const u16 sizes[] = { 1, 2, 7, 64 };
	unsigned int i;
	u32 j;

	(void)state;
	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct hardware *hw = new_hardware(TPH_PLACE_CAPABILITY, sizes[i]);

		memset(hw->config, 0xff, sizeof(hw->config));
		assert_int_equal(tph_table_scrub(&hw->table), 0);
		assert_int_equal(control(hw), 0);
		for (j = 0; j < sizes[i]; j++)
			assert_int_equal(tag(hw, j), 0);
		assert_int_equal(get(hw, AT + 12 + 2 * sizes[i], 2), 0xffff);
		/* one that is gone, or stays on, is not what it says */
		hw->gone = true;
		assert_int_equal(tph_table_scrub(&hw->table), -EIO);
		free(hw);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_failing_write_leaves_all_or_nothing),
		cmocka_unit_test(a_failing_way_back_leaves_it_off),
		cmocka_unit_test(what_hardware_has_is_not_written),
		cmocka_unit_test(any_failing_write_of_an_enable_leaves_it_off),
		cmocka_unit_test(a_function_that_is_gone_is_off),
		cmocka_unit_test(a_missing_namespace_is_refused),
		cmocka_unit_test(nothing_reaches_hardware_before_enable),
		cmocka_unit_test(a_batch_costs_one_off_window),
		cmocka_unit_test(odd_ranges),
		cmocka_unit_test(a_hold_defers_everything),
		cmocka_unit_test(a_silent_reset_is_noticed),
		cmocka_unit_test(a_refused_batch_is_not_believed),
		cmocka_unit_test(a_lost_table_is_not_believed),
		cmocka_unit_test(all_ones_are_no_state),
		cmocka_unit_test(what_cannot_be_brought_back_is_off),
		cmocka_unit_test(vectors_and_memory_come_and_go),
		cmocka_unit_test(a_table_that_is_kept_is_not_written_again),
		cmocka_unit_test(revocation_does_not_fail),
		cmocka_unit_test(revocation_touches_what_it_must),
		cmocka_unit_test(deferred_revocation),
		cmocka_unit_test(no_table_takes_no_access),
		cmocka_unit_test(one_that_hears_again_is_switched_off),
		cmocka_unit_test(scrub_leaves_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
