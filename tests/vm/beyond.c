// SPDX-License-Identifier: MIT
/*
 * An MSI-X table that does not lie within its BAR. QEMU takes no such device, so the lab's platform
 * shows one by another Table Offset, which is all that a driver has to go by.
 */
#include <errno.h>
#include <sys/ioctl.h>

#include <linux/pci_regs.h>

#include "guest.h"

/* The devices of the VM "beyond": tables of 16 entries, BAR 4 of 64 KiB, but for the last */
#define EP_LAST		"0000:01:00.0"	/* shown to end where the BAR ends */
#define EP_ACROSS	"0000:02:00.0"	/* shown to end one entry behind it */
#define EP_BEHIND	"0000:03:00.0"	/* shown to begin where it ends */
#define EP_NOWHERE	"0000:04:00.0"	/* shown in BAR 2, which there is none */
#define EP_NO_BAR	"0000:05:00.0"	/* shown in BAR 6 */

#define MSIX_TABLE	0x54

static void show(const char *bdf, uint32_t table)
{
	guest_command("echo '%s %#x 4 %#x' >/sys/module/tph_lab_platform/parameters/show", bdf,
		      MSIX_TABLE, table);
	assert_int_equal(raw_config(bdf, MSIX_TABLE, 4), table);
}

/* The driver maps the table, so one beyond the BAR would be whatever the machine has there. */
static void is_no_table(const char *bdf)
{
	struct guest *g = guest_open(bdf);

	/* no table, no Interrupt Vector mode, and nothing else is there to take a tag */
	assert_int_equal(st_set_one(g, 0, 1), -EOPNOTSUPP);
	assert_int_equal(guest_config(g, g->cap + TPH_CAP, 4), 1);
	control(g, TPH_CTRL_IV | TPH_CTRL_8);
	assert_plain(g, 0);
	guest_close(g);
}

static void tables_that_leave_their_bar_are_none(void **state)
{
	(void)state;
	is_no_table(EP_ACROSS);
	is_no_table(EP_BEHIND);
	is_no_table(EP_NOWHERE);
	is_no_table(EP_NO_BAR);
	/* no page of what is there was mapped */
	assert_int_not_equal(guest_try("grep -q tph_hardware_open /proc/vmallocinfo"), 0);
}

/* The bound is exact. What is shown is not where QEMU has it, so nobody looks at the tags here. */
static void a_table_at_the_end_of_its_bar_is_one(void **state)
{
	struct guest *g = guest_open(EP_LAST);

	(void)state;
	assert_int_equal(guest_config(g, g->cap + TPH_CAP, 4) & 0x7ff0607, 0x000f0403);
	assert_int_equal(st_set_one(g, 15, 1), 0);
	assert_int_equal(st_set_one(g, 16, 1), -EINVAL);
	guest_close(g);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, guest_close_all)
	const struct CMUnitTest tests[] = {
		TEST(tables_that_leave_their_bar_are_none),
		TEST(a_table_at_the_end_of_its_bar_is_one),
	};

	show(EP_LAST, 0xff00 | 4);
	show(EP_ACROSS, 0xff10 | 4);
	show(EP_BEHIND, 0x10000 | 4);
	show(EP_NOWHERE, 0 | 2);
	show(EP_NO_BAR, 0 | 6);
	guest_driver("policy=iv-st");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
