// SPDX-License-Identifier: MIT
/* The ways to a device: its character device, its group in a type1 container or in an iommufd. */
#include <errno.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "group.h"

#define SYSFS	"/sys/bus/pci/devices/"

/* VFIO_DEVICE_FEATURE_LOW_POWER_*, newer than some headers */
#define LOW_POWER_ENTRY	3
#define LOW_POWER_EXIT	5

static void steer_through(const char *container)
{
	struct group_guest device;
	struct guest *g = &device.g;

	group_open(&device, EP_CAPABILITY, container);
	assert_int_equal(st_probe(g, VFIO_DEVICE_FEATURE_SET), 0);
	assert_plain(g, 3);
	assert_int_equal(st_set_one(g, 3, 1), 0);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	assert_st(g, 3, TAG_VOLATILE_16(1), 16);
	assert_int_equal(st_set_one(g, 3, 2), 0);
	assert_st(g, 3, TAG_VOLATILE_16(2), 16);
	guest_command("echo 0-1 >" SYSFS EP_CAPABILITY "/tph/cpus");
	assert_st(g, 3, 0, 16);
	guest_command("echo 0-3 >" SYSFS EP_CAPABILITY "/tph/cpus");
	/* a type1 container cannot be taken from under an open device; an iommufd stays attached */
	if (!strcmp(container, CONTAINER_TYPE1))
		assert_int_equal(ioctl(device.group, VFIO_GROUP_UNSET_CONTAINER), -1);
	assert_int_equal(st_set_one(g, 3, 0), 0);
	assert_st(g, 3, TAG_VOLATILE_16(0), 16);
	group_close(&device);
	assert_int_equal(raw_config(EP_CAPABILITY, g->cap + TPH_CTRL, 4), 0);
	assert_int_equal(raw_config(EP_CAPABILITY, g->cap + TPH_TABLE + 4, 4), 0);
}

static void group_in_a_type1_container(void **state)
{
	(void)state;
	steer_through(CONTAINER_TYPE1);
}

static void group_in_an_iommufd(void **state)
{
	(void)state;
	steer_through(CONTAINER_IOMMUFD);
}

/* Bound but never attached: everything but steering. */
static void bound_but_not_attached(void **state)
{
	struct guest *g = guest_open(EP_CAPABILITY);

	(void)state;
	guest_detach(g);
	assert_int_equal(st_probe(g, VFIO_DEVICE_FEATURE_SET), 0);
	assert_int_equal(st_set_one(g, 0, 1), -EPERM);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	assert_int_equal(control_read(g) & 0x300, 0);
	guest_close(g);
}

/* Hot reset of the port: the user's state is there afterwards. */
static void hot_reset(void **state)
{
	struct vfio_pci_hot_reset arg = { .argsz = sizeof(arg) };
	struct guest *g = guest_open(EP_CAPABILITY);
	uint32_t command = guest_config(g, PCI_COMMAND, 2);
	uint32_t resets = guest_register(g, EP_COUNT_RESETS);

	(void)state;
	assert_int_equal(st_set_one(g, 3, 1), 0);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	/* count 0: what the iommufd owns */
	if (ioctl(g->fd, VFIO_DEVICE_PCI_HOT_RESET, &arg))
		fail_msg("hot reset: %s", strerror(errno));
	guest_config_write(g, PCI_COMMAND, 2, command);
	assert_true(guest_register(g, EP_COUNT_RESETS) > resets);
	assert_int_equal(control_read(g), TPH_CTRL_IV | TPH_CTRL_16);
	assert_st(g, 3, TAG_VOLATILE_16(1), 16);
	guest_close(g);
}

/* The operator takes the device away while it is in use: it goes when its user lets go. */
static void unbind_while_open(void **state)
{
	struct guest *g = guest_open(EP_NARROW);
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(st_set_one(g, 3, 1), 0);
	control(g, TPH_CTRL_IV | TPH_CTRL_8);
	pid = fork();
	if (!pid) {
		close(g->fd);
		_exit(guest_try("echo " EP_NARROW " >/sys/bus/pci/drivers/tph-vfio-pci/unbind"));
	}
	assert_st(g, 3, TAG_VOLATILE_8(1), 8);
	guest_close(g);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(raw_config(EP_NARROW, raw_extended(EP_NARROW, 0x17) + TPH_CTRL, 4), 0);
	guest_bind(EP_NARROW, "tph-vfio-pci");
}

/* The low power feature can end in D3cold: what was in force is in force again. */
static void through_low_power(void **state)
{
	struct guest *g = guest_open(EP_CAPABILITY);
	uint32_t command = guest_config(g, PCI_COMMAND, 2);

	(void)state;
	assert_int_equal(st_set_one(g, 3, 1), 0);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	assert_int_equal(feature(g->fd, VFIO_DEVICE_FEATURE_SET | LOW_POWER_ENTRY, NULL, 0), 0);
	assert_int_equal(feature(g->fd, VFIO_DEVICE_FEATURE_SET | LOW_POWER_EXIT, NULL, 0), 0);
	guest_config_write(g, PCI_COMMAND, 2, command);
	assert_int_equal(control_read(g), TPH_CTRL_IV | TPH_CTRL_16);
	assert_st(g, 3, TAG_VOLATILE_16(1), 16);
	guest_close(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bound_but_not_attached),
		cmocka_unit_test(group_in_a_type1_container),
		cmocka_unit_test(group_in_an_iommufd),
		cmocka_unit_test(hot_reset),
		cmocka_unit_test(unbind_while_open),
		cmocka_unit_test(through_low_power),
	};

	guest_driver("policy=iv-st");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
