// SPDX-License-Identifier: MIT
/* A function without No_Soft_Reset loses its state whenever it comes back from D3hot. */
#include <errno.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "group.h"

/* The functions of the VM "power": in one group */
#define F0 "0000:01:00.0"
#define F1 "0000:01:00.1"
#define F2 "0000:01:00.2"

#define PATIENCE 30 /* s; a state that does not come at all */

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

/* A function of the port's, opened beside the others of its group. */
static void open_function(const struct group_guest *group, struct guest *g, const char *bdf)
{
	memset(g, 0, sizeof(*g));
	g->bdf = bdf;
	g->fd = ioctl(group->group, VFIO_GROUP_GET_DEVICE_FD, bdf);
	assert_int_not_equal(g->fd, -1);
	g->raw = guest_open_raw(bdf);
	g->cap = guest_extended(g, 0x17);
	guest_config_write(g, PCI_COMMAND, 2, COMMAND_ON);
	assert_int_equal(st_set_one(g, 0, 1), 0);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	assert_int_equal(guest_raw(g, g->cap + TPH_CTRL, 4), TPH_CTRL_IV | TPH_CTRL_16);
}

static void assert_as_before(struct guest *g)
{
	assert_int_equal(guest_raw(g, power_at(g), 2) & 3, 0);
	assert_int_equal(control_read(g), TPH_CTRL_IV | TPH_CTRL_16);
	assert_int_equal(guest_raw(g, g->cap + TPH_CTRL, 4), TPH_CTRL_IV | TPH_CTRL_16);
	assert_int_equal(guest_raw(g, g->cap + TPH_TABLE, 2), TAG_VOLATILE_16(1));
}

/*
 * A hot reset brings every function of the set to D0 before it tries for their locks. Whoever unbinds
 * the driver of one has its lock for as long as that is open: no reset, but the others' state is gone,
 * and none of them was told.
 */
static void hot_reset_that_fails_loses_nothing(void **state)
{
	struct {
		struct vfio_pci_hot_reset reset;
		int32_t group;
	} arg = { .reset = { .argsz = sizeof(arg), .count = 1 } };
	struct group_guest group;
	struct guest second, third, *first = &group.g;
	time_t end = time(NULL) + PATIENCE;
	int ret, status;
	pid_t pid;

	(void)state;
	group_open(&group, F0, CONTAINER_TYPE1);
	assert_int_equal(st_set_one(first, 0, 1), 0);
	control(first, TPH_CTRL_IV | TPH_CTRL_16);
	open_function(&group, &second, F1);
	open_function(&group, &third, F2);
	arg.group = group.group;

	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		close(third.fd);
		close(second.fd);
		close(first->fd);
		_exit(guest_try("echo " F2 " >/sys/bus/pci/drivers/tph-vfio-pci/unbind") != 0);
	}
	/* the unbind has begun, and holds the lock of the third */
	while (control_read(&third) & TPH_CTRL_16)
		if (time(NULL) > end)
			fail_msg("the unbind of " F2 " does not end its steering");
	guest_config_write(first, power_at(first), 2, 3);
	guest_config_write(&second, power_at(&second), 2, 3);
	ret = ioctl(first->fd, VFIO_DEVICE_PCI_HOT_RESET, &arg) ? -errno : 0;
	assert_int_equal(ret, -EAGAIN);
	assert_as_before(first);
	assert_as_before(&second);

	close(third.fd);
	close(third.raw);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(second.fd);
	close(second.raw);
	group_close(&group);
	guest_bind(F2, "tph-vfio-pci");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(state_comes_back_from_d3hot),
		cmocka_unit_test(hot_reset_that_fails_loses_nothing),
	};

	guest_driver("policy=iv-st");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
