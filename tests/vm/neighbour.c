// SPDX-License-Identifier: MIT
/* What lies behind the capability's registers: a neighbour, or bytes that it keeps for itself. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "guest.h"

/* The devices of the VM "neighbour" (tests/vm/run) */
#define EP_GREEDY	"0000:01:00.0"	/* claims 64 entries where there is room for 2 */
#define EP_GREEDY_DS	"0000:02:00.0"	/* the same with DS, its neighbour before it in the chain */
#define EP_REALTEK	"0000:03:00.0"	/* no table and 0x8c bytes of capability, as RTL8125 */
#define EP_QLOGIC	"0000:04:00.0"	/* table in MSI-X and 0x8c bytes, as QL41212H */

#define ECAP_VENDOR	0x0b
#define SCRATCH(at)	(0x5c5c0000u + (at))	/* how scratch registers begin */

#define TPH_AT		0x160	/* the greedy: their capability, */
#define NEIGHBOUR	0x170	/* its neighbour, */
#define REGISTERS	0x178	/* and the registers of that */
#define REGISTERS_END	0x1f0

static uint32_t writes_to(struct guest *g, unsigned int at)
{
	guest_register_write(g, EP_COUNT_SELECT, at);
	return guest_register(g, EP_COUNT_CFG_WRITES);
}

/* Nobody has written there since the function came, and it reads as it did then. */
static void assert_untouched(struct guest *g, unsigned int from, unsigned int to)
{
	unsigned int at;

	for (at = from; at < to; at += 4) {
		if (guest_raw(g, at, 4) != SCRATCH(at))
			fail_msg("%s: %#x at %#x", g->bdf, guest_raw(g, at, 4), at);
		if (writes_to(g, at))
			fail_msg("%s: %u writes at %#x", g->bdf, writes_to(g, at), at);
	}
}

/* Of bytes that the capability reserves behind its registers no user writes one. */
static void reserved_bytes_hear_no_user(const char *bdf, unsigned int from, unsigned int to)
{
	struct guest *g = guest_open(bdf);
	unsigned int at;

	for (at = from; at < to; at += 4)
		guest_config_write(g, at, 4, 0);
	for (at = from; at < to; at++)
		guest_config_write(g, at, 1, 0xaa);
	/* across both ends of the registers */
	guest_config_write(g, from - 2, 4, 0);
	assert_untouched(g, from, to);
	/* what comes next in the chain is the user's */
	guest_config_write(g, to + 8, 4, 0x12345678);
	assert_int_equal(guest_raw(g, to + 8, 4), 0x12345678);
	guest_close(g);
}

static void reserved_bytes(const char *policy)
{
	char parameters[32];

	snprintf(parameters, sizeof(parameters), "policy=%s", policy);
	guest_driver(parameters);
	reserved_bytes_hear_no_user(EP_REALTEK, 0x178 + TPH_TABLE, 0x204);
	reserved_bytes_hear_no_user(EP_QLOGIC, 0x1f8 + TPH_TABLE, 0x284);
	guest_driver("policy=iv-st");
}

static void reserved_bytes_hear_no_user_under_no_st(void **state)
{
	(void)state;
	reserved_bytes("no-st");
}

static void reserved_bytes_hear_no_user_under_iv_st(void **state)
{
	(void)state;
	reserved_bytes("iv-st");
}

/* Open, SET, a bind, a close: all without a write to the neighbour. */
static void greedy_table_leaves_its_neighbour_alone(const char *bdf)
{
	struct guest *g = guest_open(bdf);
	unsigned int i;

	assert_int_equal(g->cap, TPH_AT);
	assert_untouched(g, REGISTERS, REGISTERS_END);
	for (i = 0; i < 64; i++)
		st_set_one(g, i, 1);
	control(g, TPH_CTRL_IV | TPH_CTRL_8);
	control(g, 0);
	assert_untouched(g, REGISTERS, REGISTERS_END);
	guest_close(g);
	g = guest_open(bdf);
	assert_untouched(g, REGISTERS, REGISTERS_END);
	assert_int_equal(guest_config(g, NEIGHBOUR, 2), ECAP_VENDOR);
	guest_close(g);
}

static void neighbours_are_left_alone(void **state)
{
	(void)state;
	greedy_table_leaves_its_neighbour_alone(EP_GREEDY);
	greedy_table_leaves_its_neighbour_alone(EP_GREEDY_DS);
}

/*
 * The neighbour's registers are the user's to write, where vfio-pci-core takes them for the
 * neighbour's: it goes by what comes last in the chain. They are no ST table.
 */
static void registers_of_the_neighbour_are_no_tags(const char *bdf)
{
	struct guest *g = guest_open(bdf);
	struct tlp tlp;
	unsigned int entry;

	guest_config_write(g, REGISTERS, 4, 0x00130013);
	control(g, TPH_CTRL_IV | TPH_CTRL_8);
	for (entry = 0; entry < 16; entry++) {
		tlp = guest_write_for(g, entry);
		if (tlp.th && tlp.st)
			fail_msg("%s: tag %#x for entry %u", bdf, tlp.st, entry);
	}
	control(g, 0);
	guest_config_write(g, REGISTERS, 4, SCRATCH(REGISTERS));
	guest_close(g);
}

static void a_neighbour_is_no_table(void **state)
{
	struct guest *g = guest_open(EP_GREEDY);

	(void)state;
	guest_config_write(g, REGISTERS_END - 4, 4, 0x12345678);
	assert_int_equal(guest_raw(g, REGISTERS_END - 4, 4), 0x12345678);
	guest_close(g);
	registers_of_the_neighbour_are_no_tags(EP_GREEDY);
	registers_of_the_neighbour_are_no_tags(EP_GREEDY_DS);
}

/* A table that there is no room for is none, and what hangs on a table is not offered. */
static void answers(const char *bdf, int iv, int ds, uint32_t modes)
{
	struct guest *g;

	g = guest_open(bdf);
	assert_int_equal(st_set_one(g, 0, 1), iv);
	assert_int_equal(st_probe(g, VFIO_DEVICE_FEATURE_SET), iv);
	assert_int_equal(guest_config(g, g->cap + TPH_CAP, 4), modes & ~4u);
	guest_close(g);
	guest_driver("policy=ds-st");
	g = guest_open(bdf);
	assert_int_equal(st_set_one(g, 0, 1), ds);
	assert_int_equal(st_probe(g, VFIO_DEVICE_FEATURE_SET), ds);
	/* no table, so no size of one */
	assert_int_equal(guest_config(g, g->cap + TPH_CAP, 4) & 0xffff06ff, modes);
	guest_close(g);
	guest_driver("policy=iv-st");
}

static void a_table_without_room_is_none(void **state)
{
	(void)state;
	answers(EP_GREEDY, -EOPNOTSUPP, -EOPNOTSUPP, 0x1);
	answers(EP_GREEDY_DS, -EPERM, 0, 0x5);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, guest_close_all)
	const struct CMUnitTest tests[] = {
		TEST(neighbours_are_left_alone),
		TEST(a_table_without_room_is_none),
		TEST(a_neighbour_is_no_table),
		TEST(reserved_bytes_hear_no_user_under_no_st),
		TEST(reserved_bytes_hear_no_user_under_iv_st),
	};

	guest_driver("policy=iv-st");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
