// SPDX-License-Identifier: MIT
/*
 * A function that does not answer any more: all of its configuration space reads as ones, it hears
 * no write, and its BARs are off. The lab's platform makes it so, at any time or by a function level
 * reset that never ends.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "guest.h"

#define PLATFORM	"/sys/module/tph_lab_platform/parameters/"

/* The devices of the VM "silent" (tests/vm/run) */
#define EP_PORT		"0000:01:00.0"	/* below a root port, which can reset it too */
#define EP_INTEGRATED	"0000:00:10.0"	/* nothing can but its own reset */

static void gone(const char *bdf)
{
	guest_command("echo '%s' >" PLATFORM "gone", bdf);
}

static int all_answer(void **state)
{
	(void)state;
	gone("");
	return 0;
}

static bool is_gone(const char *bdf)
{
	return !guest_try("grep -q %s " PLATFORM "gone", bdf);
}

/*
 * Whatever happened: once it answers again and was enumerated anew, which is what it takes to have
 * its BARs back, it serves the next user, who begins with nothing.
 */
static void serves_again(const char *bdf)
{
	struct guest *g;

	gone("");
	assert_int_not_equal(raw_config(bdf, PCI_VENDOR_ID, 4), ~0u);
	guest_command("echo 1 >/sys/bus/pci/devices/%s/remove", bdf);
	guest_command("echo 1 >/sys/bus/pci/rescan");
	guest_bind(bdf, "tph-vfio-pci");
	g = guest_open(bdf);
	assert_int_equal(control_read(g), 0);
	assert_plain(g, 3);
	assert_int_equal(st_set_one(g, 3, 1), 0);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	assert_st(g, 3, TAG_VOLATILE_16(1), 16);
	assert_st(g, 4, 0, 16);
	guest_close(g);
	assert_int_equal(raw_config(bdf, raw_extended(bdf, 0x17) + TPH_CTRL, 4), 0);
}

/* It may be opened or not; if it is, nothing that it says is believed. */
static void nothing_is_steered(const char *bdf)
{
	struct guest *g;

	if (guest_try_open(bdf))
		return;
	g = guest_open(bdf);
	assert_true(st_set_one(g, 3, 1) < 0);
	assert_true(st_probe(g, VFIO_DEVICE_FEATURE_SET) < 0);
	guest_close(g);
}

static void opened_while_it_does_not_answer(void **state)
{
	const char *bdf = *state;

	gone(bdf);
	nothing_is_steered(bdf);
	serves_again(bdf);
}

/* What is taken back is taken back, though the function cannot be told. */
static void falls_silent_while_it_steers(void **state)
{
	const char *bdf = *state;
	struct guest *g = guest_open(bdf);
	uint32_t cpus[2];

	assert_int_equal(st_set_one(g, 3, 1), 0);
	assert_int_equal(st_set_one(g, 4, 2), 0);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	assert_st(g, 3, TAG_VOLATILE_16(1), 16);
	gone(bdf);
	assert_int_equal(st_set_one(g, 3, 2), -EIO);
	guest_command("echo 0-1 >/sys/bus/pci/devices/%s/tph/cpus", bdf);
	assert_int_equal(st_get(g, VFIO_TPH_ST_CPU, 3, 2, cpus), 0);
	assert_int_equal(cpus[0], 1);
	assert_int_equal(cpus[1], VFIO_TPH_CPU_NONE);
	guest_command("echo 0-3 >/sys/bus/pci/devices/%s/tph/cpus", bdf);
	assert_int_equal(guest_try("grep -q . /sys/bus/pci/devices/%s/tph/steering", bdf), 0);
	guest_close(g);
	serves_again(bdf);
}

/* The open waits for as long as Linux does, which is a minute, and then goes on or fails. */
static void reset_at_open_never_ends(void **state)
{
	const char *bdf = *state;

	guest_command("echo %s >" PLATFORM "stuck", bdf);
	nothing_is_steered(bdf);
	assert_true(is_gone(bdf));
	guest_command("echo >" PLATFORM "stuck");
	serves_again(bdf);
}

int main(int argc, char **argv)
{
#define TEST(name, bdf) { #name " " bdf, name, all_answer, guest_close_all, (void *)bdf }
	const struct CMUnitTest answers[] = {
		TEST(opened_while_it_does_not_answer, EP_PORT),
		TEST(opened_while_it_does_not_answer, EP_INTEGRATED),
		TEST(falls_silent_while_it_steers, EP_PORT),
		TEST(falls_silent_while_it_steers, EP_INTEGRATED),
	};
	const struct CMUnitTest resets[] = {
		TEST(reset_at_open_never_ends, EP_INTEGRATED),
	};

	guest_driver("policy=iv-st");
	if (argc > 1 && !strcmp(argv[1], "reset"))
		return cmocka_run_group_tests(resets, NULL, NULL);
	return cmocka_run_group_tests(answers, NULL, NULL);
}
