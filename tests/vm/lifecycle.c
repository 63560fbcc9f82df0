// SPDX-License-Identifier: MIT
/* Open to close, through resets and power states: the user's state stays, nobody else's appears. */
#include <errno.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "guest.h"

#define NONE	VFIO_TPH_CPU_NONE

static const uint32_t cpus[4] = { 0, 1, 2, 1 };

static int setup(void **state)
{
	struct guest *g = guest_open(EP_CAPABILITY);

	assert_int_equal(st_set(g, 0, 0, 4, cpus), 0);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	*state = g;
	return 0;
}

static int teardown(void **state)
{
	if (*state)
		guest_close(*state);
	return 0;
}

static void check_in_force(struct guest *g)
{
	int i;

	assert_int_equal(control_read(g), TPH_CTRL_IV | TPH_CTRL_16);
	for (i = 0; i < 4; i++)
		assert_st(g, i, TAG_VOLATILE_16(cpus[i]), 16);
	assert_st(g, 4, 0, 16);
}

static uint8_t capability(struct guest *g, uint8_t id)
{
	uint8_t at;

	for (at = guest_config(g, PCI_CAPABILITY_LIST, 1); at; at = guest_config(g, at + 1, 1))
		if (guest_config(g, at, 1) == id)
			return at;
	fail_msg("no capability %#x", id);
	return 0;
}

/* Past the driver: what hardware holds when nobody has the device open. */
static void check_clean(const char *bdf, uint16_t cap)
{
	int i;

	assert_int_equal(raw_config(bdf, cap + TPH_CTRL, 4), 0);
	for (i = 0; i < 128; i += 4)
		assert_int_equal(raw_config(bdf, cap + TPH_TABLE + i, 4), 0);
}

static void close_while_enabled(void **state)
{
	struct guest *g = *state;
	uint16_t cap = g->cap;
	uint32_t got[64];
	int i;

	check_in_force(g);
	assert_int_not_equal(guest_raw(g, cap + TPH_TABLE, 4), 0);
	guest_close(g);
	*state = NULL;
	check_clean(EP_CAPABILITY, cap);

	*state = g = guest_open(EP_CAPABILITY);
	assert_int_equal(control_read(g), 0);
	assert_int_equal(st_get(g, VFIO_TPH_ST_CPU, 0, 64, got), 0);
	for (i = 0; i < 64; i++)
		assert_int_equal(got[i], NONE);
	assert_plain(g, 0);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	assert_st(g, 0, 0, 16);
}

/* Somebody left tags behind, and a device without FLR keeps them: open starts from zero. */
static void open_after_a_careless_driver(void **state)
{
	uint16_t cap = raw_extended(EP_INTEGRATED, 0x17);
	struct guest *g;
	int at;

	(void)state;
	guest_command("rmmod tph_vfio_pci");
	for (at = 0; at < 128; at += 4)
		raw_config_write(EP_INTEGRATED, cap + TPH_TABLE + at, 4, 0x11011102);
	raw_config_write(EP_INTEGRATED, cap + TPH_CTRL, 4, TPH_CTRL_IV | TPH_CTRL_16);
	assert_int_not_equal(raw_config(EP_INTEGRATED, cap + TPH_CTRL, 4), 0);
	guest_driver("policy=iv-st");
	g = guest_open(EP_INTEGRATED);
	check_clean(EP_INTEGRATED, cap);
	assert_plain(g, 0);
	guest_close(g);
}

static void reset_by_ioctl(void **state)
{
	struct guest *g = *state;
	uint32_t resets = guest_register(g, EP_COUNT_RESETS);
	uint32_t command = guest_config(g, PCI_COMMAND, 2);

	assert_int_equal(ioctl(g->fd, VFIO_DEVICE_RESET), 0);
	guest_config_write(g, PCI_COMMAND, 2, command);
	assert_int_equal(guest_register(g, EP_COUNT_RESETS), resets + 1);
	check_in_force(g);
}

static void reset_by_config_space(void **state)
{
	struct guest *g = *state;
	uint32_t resets = guest_register(g, EP_COUNT_RESETS);
	uint32_t command = guest_config(g, PCI_COMMAND, 2);
	uint8_t pcie = capability(g, PCI_CAP_ID_EXP);
	uint32_t devctl = guest_config(g, pcie + PCI_EXP_DEVCTL, 2);

	guest_config_write(g, pcie + PCI_EXP_DEVCTL, 2, devctl | PCI_EXP_DEVCTL_BCR_FLR);
	guest_config_write(g, PCI_COMMAND, 2, command);
	assert_int_equal(guest_register(g, EP_COUNT_RESETS), resets + 1);
	check_in_force(g);
}

static void reset_by_the_operator(void **state)
{
	struct guest *g = *state;
	uint32_t resets = guest_register(g, EP_COUNT_RESETS);
	uint32_t command = guest_config(g, PCI_COMMAND, 2);

	guest_command("echo 1 >/sys/bus/pci/devices/" EP_CAPABILITY "/reset");
	guest_config_write(g, PCI_COMMAND, 2, command);
	assert_int_equal(guest_register(g, EP_COUNT_RESETS), resets + 1);
	check_in_force(g);
}

static void a_disabled_device_stays_disabled(void **state)
{
	struct guest *g = *state;
	uint32_t command = guest_config(g, PCI_COMMAND, 2);

	control(g, TPH_CTRL_IV);
	assert_int_equal(ioctl(g->fd, VFIO_DEVICE_RESET), 0);
	guest_config_write(g, PCI_COMMAND, 2, command);
	assert_int_equal(control_read(g), TPH_CTRL_IV);
	assert_int_equal(guest_raw(g, g->cap + TPH_CTRL, 4) & 0x300, 0);
	assert_plain(g, 0);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	check_in_force(g);
}

static void through_d3hot(void **state)
{
	struct guest *g = *state;
	uint8_t pm = capability(g, PCI_CAP_ID_PM);
	uint32_t command = guest_config(g, PCI_COMMAND, 2);

	guest_config_write(g, pm + PCI_PM_CTRL, 2, 3);
	assert_int_equal(guest_config(g, pm + PCI_PM_CTRL, 2) & 3, 3);
	assert_int_equal(control_read(g), TPH_CTRL_IV | TPH_CTRL_16);
	guest_config_write(g, pm + PCI_PM_CTRL, 2, 0);
	guest_config_write(g, PCI_COMMAND, 2, command);
	check_in_force(g);
}

static void the_module_stays_while_it_is_used(void **state)
{
	struct guest *g = *state;

	assert_int_not_equal(guest_try("rmmod tph_vfio_pci 2>/dev/null"), 0);
	check_in_force(g);
}

/* SET, enable, disable and GET against resets: whoever comes last is in force, nothing else. */
static volatile int stop;

static void *change_all_the_time(void *arg)
{
	struct guest *g = arg;
	uint32_t all[64], i, j;

	for (i = 0; !stop; i++) {
		for (j = 0; j < 64; j++)
			all[j] = (i + j) % 3;
		assert_int_equal(st_set(g, 0, 0, 64, all), 0);
		control(g, i & 1 ? TPH_CTRL_IV | TPH_CTRL_16 : TPH_CTRL_IV | TPH_CTRL_8);
		assert_int_equal(st_get(g, VFIO_TPH_ST_CPU, 0, 64, all), 0);
	}
	return NULL;
}

static void set_against_resets(void **state)
{
	struct guest *g = *state;
	uint32_t command = guest_config(g, PCI_COMMAND, 2), none[60];
	pthread_t thread;
	int i;

	stop = 0;
	assert_int_equal(pthread_create(&thread, NULL, change_all_the_time, g), 0);
	for (i = 0; i < 5; i++)
		assert_int_equal(ioctl(g->fd, VFIO_DEVICE_RESET), 0);
	stop = 1;
	pthread_join(thread, NULL);
	guest_config_write(g, PCI_COMMAND, 2, command);
	for (i = 0; i < 60; i++)
		none[i] = NONE;
	assert_int_equal(st_set(g, 0, 4, 60, none), 0);
	assert_int_equal(st_set(g, 0, 0, 4, cpus), 0);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	check_in_force(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(open_after_a_careless_driver),
		cmocka_unit_test_setup_teardown(close_while_enabled, setup, teardown),
		cmocka_unit_test_setup_teardown(the_module_stays_while_it_is_used, setup, teardown),
		cmocka_unit_test_setup_teardown(reset_by_ioctl, setup, teardown),
		cmocka_unit_test_setup_teardown(reset_by_config_space, setup, teardown),
		cmocka_unit_test_setup_teardown(reset_by_the_operator, setup, teardown),
		cmocka_unit_test_setup_teardown(a_disabled_device_stays_disabled, setup, teardown),
		cmocka_unit_test_setup_teardown(through_d3hot, setup, teardown),
		cmocka_unit_test_setup_teardown(set_against_resets, setup, teardown),
	};

	guest_driver("policy=iv-st");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
