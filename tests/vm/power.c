// SPDX-License-Identifier: MIT
/* A function without No_Soft_Reset loses its state whenever it comes back from D3hot. */
#include <errno.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "guest.h"

#define COMMAND_ON (PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER)

static uint8_t power_at(struct guest *g)
{
	uint8_t at;

	for (at = guest_config(g, PCI_CAPABILITY_LIST, 1); at; at = guest_config(g, at + 1, 1))
		if (guest_config(g, at, 1) == PCI_CAP_ID_PM)
			return at + PCI_PM_CTRL;
	fail_msg("no power management");
	return 0;
}

static struct guest *open_enabled(void)
{
	struct guest *g = guest_open(EP_CAPABILITY);

	assert_int_equal(st_set_one(g, 0, 1), 0);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	assert_st(g, 0, TAG_VOLATILE_16(1), 16);
	return g;
}

static void state_comes_back_from_d3hot(void **state)
{
	struct guest *g = open_enabled();
	uint8_t at = power_at(g);

	(void)state;
	guest_config_write(g, at, 2, 3);
	guest_config_write(g, at, 2, 0);
	guest_config_write(g, PCI_COMMAND, 2, COMMAND_ON);
	assert_st(g, 0, TAG_VOLATILE_16(1), 16);
	guest_close(g);
}

/*
 * VFIO_DEVICE_RESET brings the function to D0 before it tries for the device's lock. Whoever
 * unbinds the driver has that for as long as the device is open: no reset, but the state is gone.
 */
static void reset_that_fails_loses_nothing(void **state)
{
	struct guest *g = open_enabled();
	uint8_t at = power_at(g);
	int ret, status;
	pid_t pid;

	(void)state;
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		close(g->fd);
		close(g->raw);
		_exit(guest_try("echo " EP_CAPABILITY
				" >/sys/bus/pci/drivers/tph-vfio-pci/unbind") != 0);
	}
	/* until it has the lock the reset works, and is repaired by its own callbacks */
	do {
		guest_config_write(g, at, 2, 3);
		ret = ioctl(g->fd, VFIO_DEVICE_RESET) ? -errno : 0;
	} while (!ret);
	assert_int_equal(ret, -EAGAIN);
	assert_int_equal(guest_raw(g, at, 2) & 3, 0);
	assert_int_equal(control_read(g), TPH_CTRL_IV | TPH_CTRL_16);
	assert_int_equal(guest_raw(g, g->cap + TPH_CTRL, 4), TPH_CTRL_IV | TPH_CTRL_16);
	assert_int_equal(guest_raw(g, g->cap + TPH_TABLE, 2), TAG_VOLATILE_16(1));
	guest_close(g);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(state_comes_back_from_d3hot),
		cmocka_unit_test(reset_that_fails_loses_nothing),
	};

	guest_driver("policy=iv-st");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
