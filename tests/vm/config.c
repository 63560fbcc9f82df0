// SPDX-License-Identifier: MIT
/* The virtual TPH capability and its control register, at every width and alignment. */
#include <errno.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "guest.h"

#define ECAP_TPH	0x17
#define CONFIG_REGION	((uint64_t)VFIO_PCI_CONFIG_REGION_INDEX << 40)

static int setup(void **state)
{
	*state = guest_open(EP_CAPABILITY);
	return 0;
}

static int teardown(void **state)
{
	guest_close(*state);
	return 0;
}

/* Whatever is written to the ST table by hand, it stays what it is. */
static void writes_to_the_table_go_nowhere(void **state)
{
	struct guest *g = *state;
	unsigned int at, bytes;

	assert_int_equal(st_set_one(g, 0, 1), 0);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	guest_register_write(g, EP_COUNT_CLEAR, 1);

	for (bytes = 1; bytes <= 4; bytes *= 2)
		for (at = g->cap + TPH_TABLE; at + bytes <= g->cap + TPH_TABLE + 128u; at++) {
			guest_config_write(g, at, bytes, 0xffffffff);
			assert_int_equal(guest_config(g, at, bytes), 0);
		}
	assert_int_equal(guest_register(g, EP_COUNT_TPH), 0);
	assert_int_equal(guest_raw(g, g->cap + TPH_TABLE, 2), TAG_VOLATILE_16(1));
	for (at = 2; at < 128; at += 2)
		assert_int_equal(guest_raw(g, g->cap + TPH_TABLE + at, 2), 0);
	assert_st(g, 0, TAG_VOLATILE_16(1), 16);
	assert_st(g, 1, 0, 16);
}

/* One write over all of the capability and its neighbours: only the control register takes part. */
static void one_long_write(void **state)
{
	struct guest *g = *state;
	uint8_t bytes[12 + 128 + 8], before[8], after[8];
	uint32_t cap = guest_config(g, g->cap + TPH_CAP, 4);

	assert_int_equal(pread(g->fd, before, 8, CONFIG_REGION + g->cap - 8), 8);
	memset(bytes, 0x5a, sizeof(bytes));
	/* 8 before the capability, its header, capability register; then control */
	memset(bytes + 8 + TPH_CTRL, 0, 4);
	bytes[8 + TPH_CTRL] = TPH_CTRL_IV;
	bytes[8 + TPH_CTRL + 1] = TPH_CTRL_8 >> 8;
	assert_int_equal(pwrite(g->fd, bytes, sizeof(bytes), CONFIG_REGION + g->cap - 8),
			 sizeof(bytes));

	assert_int_equal(guest_config(g, g->cap + TPH_CAP, 4), cap);
	assert_int_equal(control_read(g), TPH_CTRL_IV | TPH_CTRL_8);
	assert_int_equal(guest_raw(g, g->cap + TPH_TABLE, 4), 0);
	assert_int_equal(pread(g->fd, after, 8, CONFIG_REGION + g->cap - 8), 8);
	assert_memory_equal(before, after, 8);
}

/* What one byte at a time shows is what any other access shows. */
static void every_width_and_alignment_reads_alike(void **state)
{
	struct guest *g = *state;
	uint8_t whole[12 + 128 + 8], part[sizeof(whole)];
	unsigned int at, n;

	assert_int_equal(st_set_one(g, 0, 1), 0);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	for (at = 0; at < sizeof(whole); at++)
		whole[at] = guest_config(g, g->cap - 4 + at, 1);
	for (at = 0; at < sizeof(whole); at++)
		for (n = 1; at + n <= sizeof(whole); n += n < 9 ? 1 : 16) {
			assert_int_equal(pread(g->fd, part, n, CONFIG_REGION + g->cap - 4 + at), n);
			assert_memory_equal(part, whole + at, n);
		}
}

static void control_takes_any_width(void **state)
{
	struct guest *g = *state;

	guest_config_write(g, g->cap + TPH_CTRL, 1, TPH_CTRL_IV);
	assert_int_equal(control_read(g), TPH_CTRL_IV);
	guest_config_write(g, g->cap + TPH_CTRL + 1, 1, 3);
	assert_int_equal(control_read(g), TPH_CTRL_IV | TPH_CTRL_16);
	assert_int_equal(guest_raw(g, g->cap + TPH_CTRL, 4), TPH_CTRL_IV | TPH_CTRL_16);
	/* the upper half has nothing that can be written */
	guest_config_write(g, g->cap + TPH_CTRL + 2, 2, 0xffff);
	guest_config_write(g, g->cap + TPH_CTRL + 3, 1, 0xff);
	assert_int_equal(control_read(g), TPH_CTRL_IV | TPH_CTRL_16);
	/* across the middle: mode untouched, disabled */
	guest_config_write(g, g->cap + TPH_CTRL + 1, 2, 0);
	assert_int_equal(control_read(g), TPH_CTRL_IV);
	assert_int_equal(guest_raw(g, g->cap + TPH_CTRL, 4) & 0x300, 0);
	guest_config_write(g, g->cap + TPH_CTRL, 2, TPH_CTRL_8);
	assert_int_equal(control_read(g), TPH_CTRL_8);
}

static void reserved_enable_is_off(void **state)
{
	struct guest *g = *state;

	control(g, TPH_CTRL_IV | TPH_CTRL_RESERVED);
	assert_int_equal(control_read(g), TPH_CTRL_IV);
	assert_plain(g, 0);
	control(g, TPH_CTRL_IV | TPH_CTRL_8);
	control(g, TPH_CTRL_IV | TPH_CTRL_RESERVED);
	assert_int_equal(control_read(g), TPH_CTRL_IV);
	assert_int_equal(guest_raw(g, g->cap + TPH_CTRL, 4) & 0x300, 0);
}

/* Policy iv-st: device-specific mode is not on offer, nor are modes that the spec does not have. */
static void modes_not_on_offer_are_not_taken(void **state)
{
	struct guest *g = *state;
	uint32_t mode;

	assert_int_equal(guest_config(g, g->cap + TPH_CAP, 4) & 7, TPH_CAP_NO_ST | TPH_CAP_IV);
	for (mode = TPH_CTRL_DS; mode <= 7; mode++) {
		control(g, 0);
		control(g, mode | TPH_CTRL_16);
		assert_int_equal(control_read(g), 0);
		assert_int_equal(guest_raw(g, g->cap + TPH_CTRL, 4), 0);
		/* not over one that is in force either */
		control(g, TPH_CTRL_IV | TPH_CTRL_16);
		control(g, mode | TPH_CTRL_16);
		assert_int_equal(control_read(g), TPH_CTRL_IV | TPH_CTRL_16);
		control(g, mode);
		assert_int_equal(control_read(g), TPH_CTRL_IV);
	}
}

static void the_first_extended_capability(void **state)
{
	static const uint32_t cpus[5] = { 0, 1, 2, 1, 0 };
	struct guest *g = guest_open(EP_FIRST);
	int i;

	(void)state;
	assert_int_equal(g->cap, 0x100);
	assert_int_equal(guest_extended(g, ECAP_TPH), 0x100);
	assert_int_equal(guest_config(g, g->cap + TPH_CAP, 4),
			 TPH_CAP_NO_ST | TPH_CAP_IV | TPH_CAP_IN_CAPABILITY | 4 << TPH_CAP_SIZE_SHIFT);
	/* 16 bits fall to the 8 that it has */
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	assert_int_equal(control_read(g), TPH_CTRL_IV | TPH_CTRL_8);
	assert_int_equal(st_set(g, 0, 0, 6, (uint32_t[6]){ 0 }), -EINVAL);
	assert_int_equal(st_set(g, 0, 0, 5, cpus), 0);
	for (i = 0; i < 5; i++)
		assert_st(g, i, TAG_VOLATILE_8(cpus[i]), 8);
	guest_close(g);
}

static void a_capability_that_is_no_use_is_hidden(void **state)
{
	static const char * const hidden[] = { EP_UNHEARD, EP_RESERVED, EP_UNHEARD_FIRST };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(hidden) / sizeof(*hidden); i++) {
		struct guest *g = guest_open(hidden[i]);
		uint16_t cap = g->cap, at;

		assert_int_not_equal(cap, 0);
		assert_int_equal(guest_extended(g, ECAP_TPH), 0);
		for (at = cap + TPH_CAP; at < cap + TPH_TABLE; at += 4)
			assert_int_equal(guest_config(g, at, 4), 0);
		/* and whoever knows where it is gets nowhere */
		control(g, TPH_CTRL_IV | TPH_CTRL_8);
		assert_int_equal(guest_raw(g, cap + TPH_CTRL, 4), 0);
		assert_plain(g, 0);
		/* the others are still there */
		assert_int_not_equal(guest_extended(g, PCI_EXT_CAP_ID_DSN), 0);
		guest_close(g);
	}
}

/*
 * An access that does not end within configuration space is refused whole, as by stock vfio-pci:
 * EFAULT, nothing done of it, not the part that would fit.
 */
static void accesses_beyond_the_end(void **state)
{
	static const struct {
		unsigned int at;
		size_t count;
	} rows[] = {
		{ 0, 8192 }, { 4, 8000 }, { 0, 4097 }, { 4095, 2 }, { 4096, 1 }, { 4092, 8 },
		{ 0x110, 4096 }, { 0x118, 3817 }, { 8191, 1 }, { 1u << 20, 4 }, { 4, 1u << 20 },
	};
	static uint8_t bytes[1u << 20], before[4096], after[4096];
	struct guest *g = *state;
	unsigned int i, n;

	/* the control register's write would enable, the command register's would switch all off */
	assert_int_equal(st_set_one(g, 0, 1), 0);
	control(g, TPH_CTRL_IV);
	assert_int_equal(pread(g->fd, before, 4096, CONFIG_REGION), 4096);
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		off_t at = CONFIG_REGION + rows[i].at;

		print_message("# %zu at %#x\n", rows[i].count, rows[i].at);
		/* the control register disabled, enabled; every bit changed in what is before it */
		for (n = 0; n < 2; n++) {
			memset(bytes, n ? 0xff : 0, sizeof(bytes));
			if (rows[i].at <= g->cap + (unsigned int)TPH_CTRL) {
				bytes[g->cap + TPH_CTRL - rows[i].at] = TPH_CTRL_IV;
				bytes[g->cap + TPH_CTRL + 1 - rows[i].at] = n ? 3 : 0;
			}
			errno = 0;
			assert_int_equal(pwrite(g->fd, bytes, rows[i].count, at), -1);
			assert_int_equal(errno, EFAULT);
			assert_int_equal(pread(g->fd, after, 4096, CONFIG_REGION), 4096);
			assert_memory_equal(before, after, 4096);
		}
		memset(bytes, 0xa5, sizeof(bytes));
		errno = 0;
		assert_int_equal(pread(g->fd, bytes, rows[i].count, at), -1);
		assert_int_equal(errno, EFAULT);
		for (n = 0; n < sizeof(bytes); n++)
			if (bytes[n] != 0xa5)
				fail_msg("byte %u was read", n);
	}
	assert_int_equal(guest_raw(g, g->cap + TPH_CTRL, 4) & 0x300, 0);
	assert_int_not_equal(guest_raw(g, PCI_COMMAND, 2) & PCI_COMMAND_MASTER, 0);

	/* memory that ends midway: the error, and not a count */
	for (n = 1; n < 12; n++) {
		errno = 0;
		assert_int_equal(pread(g->fd, guest_page_end(n), 12, CONFIG_REGION + g->cap), -1);
		assert_int_equal(errno, EFAULT);
	}
	/* all of it is one access that is as good as any */
	assert_int_equal(pread(g->fd, after, 4096, CONFIG_REGION), 4096);
	assert_memory_equal(before, after, 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(writes_to_the_table_go_nowhere, setup, teardown),
		cmocka_unit_test_setup_teardown(one_long_write, setup, teardown),
		cmocka_unit_test_setup_teardown(every_width_and_alignment_reads_alike, setup,
						teardown),
		cmocka_unit_test_setup_teardown(control_takes_any_width, setup, teardown),
		cmocka_unit_test_setup_teardown(reserved_enable_is_off, setup, teardown),
		cmocka_unit_test_setup_teardown(modes_not_on_offer_are_not_taken, setup, teardown),
		cmocka_unit_test_setup_teardown(accesses_beyond_the_end, setup, teardown),
		cmocka_unit_test(the_first_extended_capability),
		cmocka_unit_test(a_capability_that_is_no_use_is_hidden),
	};

	guest_driver("policy=iv-st");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
