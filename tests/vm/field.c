// SPDX-License-Identifier: MIT
/*
 * Devices as people have them: where their capability is and what is around it, which modes and which
 * table they have, where their MSI-X table is, in which state they come. For each the right answer.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "guest.h"

/* The devices of the VM "field" (tests/vm/run), by what they are made after */
#define EP_DSA		"0000:00:10.0"	/* Intel DSA: DS alone, table in the capability, found on */
#define EP_BROADCOM	"0000:01:00.0"	/* BCM57416: table in MSI-X, chain that jumps back */
#define EP_QLOGIC	"0000:02:00.0"	/* QL41212H: table in MSI-X, 0x8c bytes of capability */
#define EP_I210		"0000:03:00.0"	/* DS alone, table in the capability, MSI-X in BAR 3 */
#define EP_X710		"0000:04:00.0"	/* DS alone, no table, next capability right behind */
#define EP_HINIC	"0000:05:00.0"	/* Hi1822: the same, loses its state in D3hot */
#define EP_REALTEK	"0000:06:00.0"	/* RTL8125: no mode with tags, 0x8c bytes */
#define EP_FPGA		"0000:07:00.0"	/* CXL FPGA: no mode at all */
#define EP_DENIED	"0000:08:00.0"	/* DSA by its ids: on the denylist */

/* and what none of them is, but could be */
#define EP_EXACT	"0000:09:00.0"	/* 2 entries, and room for these */
#define EP_ON		"0000:0a:00.0"	/* found on in IV mode, without a reset of its own */
#define EP_ON_ALWAYS	"0000:0b:00.0"	/* on after every reset */

#define TPH_CTRL_ON	0x300
#define SCRATCH(at)	(0x5c5c0000u + (at))	/* how scratch registers begin */

static void assert_off_and_zero(const char *bdf, unsigned int entries)
{
	uint16_t cap = raw_extended(bdf, 0x17);
	unsigned int i;

	assert_int_equal(raw_config(bdf, cap + TPH_CTRL, 4), 0);
	for (i = 0; i < entries; i++)
		assert_int_equal(raw_config(bdf, cap + TPH_TABLE + 2 * i, 2), 0);
}

/* ---- each device its answer ---- */

static const struct answer {
	const char *bdf;
	int iv, ds;		/* SET of entry 0 under iv-st and under ds-st */
	uint32_t modes;		/* that a user sees under ds-st */
} answers[] = {
	{ EP_DSA, -EPERM, 0, 0x5 },
	{ EP_BROADCOM, 0, 0, 0x6 },
	{ EP_QLOGIC, 0, 0, 0x6 },
	{ EP_I210, -EPERM, 0, 0x4 },
	{ EP_X710, -EPERM, 0, 0x4 },
	{ EP_HINIC, -EPERM, 0, 0x4 },
	{ EP_REALTEK, -EOPNOTSUPP, -EOPNOTSUPP, 0x1 },
	{ EP_FPGA, -EOPNOTSUPP, -EOPNOTSUPP, 0x0 },
	{ EP_EXACT, 0, 0, 0x7 },
	{ EP_ON, 0, 0, 0x7 },
	{ EP_ON_ALWAYS, 0, 0, 0x7 },
};

static void one_answer(const struct answer *answer, bool ds)
{
	const int expected = ds ? answer->ds : answer->iv;
	const uint32_t modes = ds ? answer->modes : answer->modes & ~4u;
	struct guest *g = guest_open(answer->bdf);
	uint32_t seen = guest_config(g, g->cap + TPH_CAP, 4) & 7;
	int ret = st_set_one(g, 0, 1);

	if (ret != expected || seen != modes)
		fail_msg("%s under %s: SET says %d instead of %d; modes %#x instead of %#x",
			 g->bdf, ds ? "ds-st" : "iv-st", ret, expected, seen, modes);
	assert_int_equal(st_probe(g, VFIO_DEVICE_FEATURE_SET), expected);
	guest_close(g);
}

static void every_device_has_its_answer(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(answers) / sizeof(*answers); i++)
		one_answer(&answers[i], false);
}

static void every_device_has_its_answer_under_ds(void **state)
{
	size_t i;

	(void)state;
	guest_driver("policy=ds-st");
	for (i = 0; i < sizeof(answers) / sizeof(*answers); i++)
		one_answer(&answers[i], true);
	guest_driver("policy=iv-st");
}

/* A mode that is not there is not taken, and no request has a hint. */
static void a_function_without_modes_stays_off(void **state)
{
	struct guest *g = guest_open(EP_FPGA);
	uint32_t mode;

	(void)state;
	for (mode = 0; mode < 8; mode++) {
		control(g, TPH_CTRL_8 | mode);
		assert_int_equal(guest_raw(g, g->cap + TPH_CTRL, 4), 0);
		assert_plain(g, 0);
	}
	guest_close(g);
}

/* Hints without tags are open to a function that has no more than these. */
static void a_function_with_no_st_alone_sends_hints(void **state)
{
	struct guest *g = guest_open(EP_REALTEK);

	(void)state;
	control(g, TPH_CTRL_8);
	assert_int_equal(control_read(g), TPH_CTRL_8);
	assert_st(g, 0, 0, 8);
	guest_close(g);
	assert_off_and_zero(EP_REALTEK, 0);
}

/* Vectors, tags and PBA as the field has them: the last entry steers, the first bit of the PBA stays. */
static void steer_by_msix(const char *bdf, unsigned int vectors)
{
	struct guest *g = guest_open(bdf);
	const uint32_t last = vectors - 1;

	guest_vectors(g, vectors);
	assert_int_equal(st_set_one(g, last, 1), 0);
	assert_int_equal(st_set_one(g, vectors, 1), -EINVAL);
	control(g, TPH_CTRL_IV | TPH_CTRL_8);
	assert_st(g, last, TAG_VOLATILE_8(1), 8);
	assert_st(g, 0, 0, 8);
	assert_int_equal(st_set_one(g, last, VFIO_TPH_CPU_NONE), 0);
	assert_st(g, last, 0, 8);
	guest_close(g);
	assert_off_and_zero(bdf, 0);
}

static void tables_in_msix_steer(void **state)
{
	(void)state;
	steer_by_msix(EP_BROADCOM, 255);
	steer_by_msix(EP_QLOGIC, 129);
}

/* The table ends where the next capability begins, as real ones do. */
static void a_table_that_fits_to_the_byte_steers(void **state)
{
	struct guest *g = guest_open(EP_EXACT);
	static const uint32_t cpus[] = { 1, 2, 1 };

	(void)state;
	assert_int_equal(st_set(g, 0, 0, 2, cpus), 0);
	assert_int_equal(st_set(g, 0, 0, 3, cpus), -EINVAL);
	assert_int_equal(guest_config(g, g->cap + TPH_CAP, 4) >> 16, 1);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	assert_st(g, 0, TAG_VOLATILE_16(1), 16);
	assert_st(g, 1, TAG_VOLATILE_16(2), 16);
	assert_plain(g, 2);
	guest_close(g);
	assert_off_and_zero(EP_EXACT, 2);
	assert_int_equal(raw_config(EP_EXACT, 0x178, 4), SCRATCH(0x178));
	assert_int_equal(raw_config(EP_EXACT, 0x17c, 4), SCRATCH(0x17c));
}

/* ---- how it comes ---- */

/* In which state it was before any driver had it. */
static uint32_t found(const char *bdf)
{
	return raw_config(bdf, raw_extended(bdf, 0x17) + TPH_CTRL, 4);
}

static void begins_with_nothing(const char *bdf)
{
	struct guest *g = guest_open(bdf);

	assert_int_equal(control_read(g), 0);
	assert_off_and_zero(bdf, 2);
	assert_plain(g, 0);
	assert_plain(g, 1);
	guest_close(g);
	assert_off_and_zero(bdf, 2);
}

/* This test is the first: afterwards they are as any other. */
static void what_comes_enabled_is_off_once_opened(void **state)
{
	(void)state;
	assert_int_equal(found(EP_DSA), 0x102);
	assert_int_equal(found(EP_ON), 0x301);
	guest_driver("policy=iv-st");
	begins_with_nothing(EP_DSA);
	begins_with_nothing(EP_ON);
}

/* To turn it on with what it came with is to send what nobody was granted. */
static void what_came_is_not_sent(void **state)
{
	struct guest *g = guest_open(EP_ON_ALWAYS);

	(void)state;
	assert_off_and_zero(EP_ON_ALWAYS, 2);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	assert_st(g, 0, 0, 16);
	assert_st(g, 1, 0, 16);
	assert_int_equal(st_set_one(g, 1, 1), 0);
	if (ioctl(g->fd, VFIO_DEVICE_RESET))
		fail_msg("reset: %s", strerror(errno));
	guest_config_write(g, PCI_COMMAND, 2, PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY);
	assert_st(g, 0, 0, 16);
	assert_st(g, 1, TAG_VOLATILE_16(1), 16);
	guest_close(g);
}

/* What the reset turns on is off before the user has the device back, and before the next one has. */
static void a_reset_turns_nothing_on(void **state)
{
	struct guest *g = guest_open(EP_ON_ALWAYS);

	(void)state;
	if (ioctl(g->fd, VFIO_DEVICE_RESET))
		fail_msg("reset: %s", strerror(errno));
	guest_config_write(g, PCI_COMMAND, 2, PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY);
	assert_int_equal(control_read(g), 0);
	assert_plain(g, 0);
	assert_plain(g, 1);
	assert_int_equal(guest_raw(g, g->cap + TPH_CTRL, 4) & TPH_CTRL_ON, 0);
	guest_close(g);
}

static void a_close_leaves_it_off(void **state)
{
	struct guest *g = guest_open(EP_ON_ALWAYS);

	(void)state;
	guest_close(g);
	assert_off_and_zero(EP_ON_ALWAYS, 2);
}

static void the_denylist_is_the_kernels(void **state)
{
	static const char bind[] = "/sys/bus/pci/drivers/tph-vfio-pci/bind";
	int fd;

	(void)state;
	guest_command("echo tph-vfio-pci >/sys/bus/pci/devices/" EP_DENIED "/driver_override");
	fd = open(bind, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, EP_DENIED, strlen(EP_DENIED)), -1);
	assert_int_equal(errno, EINVAL);
	close(fd);
	/* who is not bound is left as it came */
	assert_int_equal(found(EP_DENIED), 0x102);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, guest_close_all)
	const struct CMUnitTest tests[] = {
		TEST(what_comes_enabled_is_off_once_opened),
		TEST(every_device_has_its_answer),
		TEST(every_device_has_its_answer_under_ds),
		TEST(a_function_without_modes_stays_off),
		TEST(a_function_with_no_st_alone_sends_hints),
		TEST(tables_in_msix_steer),
		TEST(a_table_that_fits_to_the_byte_steers),
		TEST(what_came_is_not_sent),
		TEST(a_reset_turns_nothing_on),
		TEST(a_close_leaves_it_off),
		TEST(the_denylist_is_the_kernels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
