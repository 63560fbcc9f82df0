// SPDX-License-Identifier: MIT
/* What the device sends: the tag of the CPU that the entry steers to, and no other. */
#include <errno.h>

#include "guest.h"

#define NONE	VFIO_TPH_CPU_NONE

static const char *bdf;

static int setup(void **state)
{
	*state = guest_open(bdf);
	return 0;
}

static int teardown(void **state)
{
	guest_close(*state);
	return 0;
}

static void nothing_before_enable(void **state)
{
	struct guest *g = *state;
	int i;

	assert_plain(g, 0);
	assert_int_equal(st_set_one(g, 0, 1), 0);
	assert_plain(g, 0);
	for (i = 0; i < 64; i++)
		assert_int_equal(guest_raw(g, g->cap + TPH_TABLE + 2 * i, 2), 0);
}

static void volatile_and_persistent_8_and_16(void **state)
{
	static const uint32_t cpus[] = { 0, 1, 2 };
	struct guest *g = *state;
	uint32_t i;

	assert_int_equal(st_set(g, 0, 0, 3, cpus), 0);
	assert_int_equal(st_set(g, VFIO_TPH_ST_MEM_TYPE_PM, 61, 3, cpus), 0);

	control(g, TPH_CTRL_IV | TPH_CTRL_8);
	for (i = 0; i < 3; i++) {
		assert_st(g, i, TAG_VOLATILE_8(i), 8);
		assert_st(g, 61 + i, TAG_PERSISTENT_8(i), 8);
	}
	/* the other namespace, without a SET in between */
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	for (i = 0; i < 3; i++) {
		assert_st(g, i, TAG_VOLATILE_16(i), 16);
		assert_st(g, 61 + i, TAG_PERSISTENT_16(i), 16);
	}
	/* an entry that was not set has no preference */
	assert_st(g, 30, 0, 16);
}

static void moved_and_cleared_while_enabled(void **state)
{
	struct guest *g = *state;
	uint32_t got;

	assert_int_equal(st_set_one(g, 7, 0), 0);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	assert_st(g, 7, TAG_VOLATILE_16(0), 16);
	assert_int_equal(st_set_one(g, 7, 2), 0);
	assert_st(g, 7, TAG_VOLATILE_16(2), 16);
	assert_int_equal(st_get(g, VFIO_TPH_ST_CPU, 7, 1, &got), 0);
	assert_int_equal(got, 2);
	assert_int_equal(st_set_one(g, 7, NONE), 0);
	assert_st(g, 7, 0, 16);
	assert_int_equal(st_get(g, VFIO_TPH_ST_CPU, 7, 1, &got), 0);
	assert_int_equal(got, NONE);
}

static void disabled_is_plain(void **state)
{
	struct guest *g = *state;

	assert_int_equal(st_set_one(g, 0, 1), 0);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	assert_st(g, 0, TAG_VOLATILE_16(1), 16);
	control(g, TPH_CTRL_IV);
	assert_plain(g, 0);
	control(g, TPH_CTRL_IV | TPH_CTRL_8);
	assert_st(g, 0, TAG_VOLATILE_8(1), 8);
}

static void hints_without_tags(void **state)
{
	struct guest *g = *state;
	struct tlp tlp;
	unsigned int ph;

	assert_int_equal(st_set_one(g, 0, 1), 0);
	control(g, TPH_CTRL_8);
	for (ph = 0; ph < 4; ph++) {
		tlp = guest_dma(g, EP_DMA_WRITE, hint_entry(0, ph));
		assert_int_equal(tlp.th, 1);
		assert_int_equal(tlp.ph, ph);
		assert_int_equal(tlp.st, 0);
	}
	/* reads carry hints as well */
	control(g, TPH_CTRL_IV | TPH_CTRL_8);
	tlp = guest_dma(g, EP_DMA_READ, hint_entry(0, 1));
	assert_int_equal(tlp.type, EP_TLP_MRD);
	assert_int_equal(tlp.st, TAG_VOLATILE_8(1));
}

/* A tag of the device's own choice is not for interrupt vector mode. */
static void no_tag_of_the_devices_own(void **state)
{
	struct guest *g = *state;

	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	assert_int_equal(guest_dma(g, EP_DMA_WRITE, hint_tag(0x1234, 0)).th, 0);
}

static void all_64_entries(void **state)
{
	struct guest *g = *state;
	uint32_t cpus[64];
	int i;

	for (i = 0; i < 64; i++)
		cpus[i] = i % 3;
	assert_int_equal(st_set(g, 0, 0, 64, cpus), 0);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	for (i = 0; i < 64; i++)
		assert_st(g, i, TAG_VOLATILE_16(i % 3), 16);
}

/*
 * 64 entries while enabled: at most 38 accesses at the device, one off-window. The kernel's own
 * helper, entry by entry, takes 512 and 64.
 */
static void cost_of_64_entries(void **state)
{
	struct guest *g = *state;
	uint32_t cpus[64], reads, writes;
	int i;

	for (i = 0; i < 64; i++)
		cpus[i] = i % 3;
	/* firmware's answers are in memory, as on any SET but the first */
	assert_int_equal(st_set(g, 0, 0, 64, cpus), 0);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);

	guest_register_write(g, EP_COUNT_CLEAR, 1);
	for (i = 0; i < 64; i++)
		cpus[i] = (i + 1) % 3;
	assert_int_equal(st_set(g, 0, 0, 64, cpus), 0);
	guest_register_write(g, EP_COUNT_SELECT, EP_COUNT_ALL);
	reads = guest_register(g, EP_COUNT_CFG_READS);
	writes = guest_register(g, EP_COUNT_CFG_WRITES);
	print_message("# %s: 64 entries: %u reads, %u writes, %u off-windows\n", g->bdf, reads, writes,
		      guest_register(g, EP_COUNT_OFF_WINDOWS));
	assert_in_range(reads + writes, 34, 38);
	assert_int_equal(guest_register(g, EP_COUNT_OFF_WINDOWS), 1);
	for (i = 0; i < 64; i++)
		assert_st(g, i, TAG_VOLATILE_16((i + 1) % 3), 16);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing_before_enable, setup, teardown),
		cmocka_unit_test_setup_teardown(no_tag_of_the_devices_own, setup, teardown),
		cmocka_unit_test_setup_teardown(volatile_and_persistent_8_and_16, setup, teardown),
		cmocka_unit_test_setup_teardown(moved_and_cleared_while_enabled, setup, teardown),
		cmocka_unit_test_setup_teardown(disabled_is_plain, setup, teardown),
		cmocka_unit_test_setup_teardown(hints_without_tags, setup, teardown),
		cmocka_unit_test_setup_teardown(all_64_entries, setup, teardown),
		cmocka_unit_test_setup_teardown(cost_of_64_entries, setup, teardown),
	};

	/* below a root port, or where the host bridge's firmware is all there is */
	bdf = argc > 1 && !strcmp(argv[1], "integrated") ? EP_INTEGRATED : EP_CAPABILITY;
	guest_driver("policy=iv-st");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
