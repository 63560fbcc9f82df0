// SPDX-License-Identifier: MIT
/* A machine without an IOMMU (lab/run --no-iommu): such a device can be opened, but not steered. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "guest.h"

#define SYSFS	"/sys/bus/pci/devices/" EP_CAPABILITY

/* The group of a device without an IOMMU has no link of another name: it is the only one there. */
static int open_group(void)
{
	char path[300] = "";
	struct dirent *entry;
	DIR *dir = opendir("/dev/vfio");
	int fd;

	assert_non_null(dir);
	while ((entry = readdir(dir)))
		if (!strncmp(entry->d_name, "noiommu-", 8))
			snprintf(path, sizeof(path), "/dev/vfio/%s", entry->d_name);
	closedir(dir);
	assert_string_not_equal(path, "");
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		fail_msg("%s: %s", path, strerror(errno));
	return fd;
}

static void not_steered(void **state)
{
	int group = open_group(), container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	struct guest g = { .bdf = EP_CAPABILITY };

	(void)state;
	assert_int_not_equal(container, -1);
	assert_int_equal(ioctl(group, VFIO_GROUP_SET_CONTAINER, &container), 0);
	assert_int_equal(ioctl(container, VFIO_SET_IOMMU, VFIO_NOIOMMU_IOMMU), 0);
	g.fd = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, EP_CAPABILITY);
	if (g.fd < 0)
		fail_msg("GET_DEVICE_FD: %s", strerror(errno));
	g.raw = guest_open_raw(EP_CAPABILITY);
	g.cap = raw_extended(EP_CAPABILITY, 0x17);
	assert_int_not_equal(g.cap, 0);

	assert_int_equal(st_set_one(&g, 0, 1), -EPERM);
	assert_int_equal(st_set_one(&g, 0, VFIO_TPH_CPU_NONE), 0);
	control(&g, TPH_CTRL_IV | TPH_CTRL_16);
	assert_int_equal(control_read(&g) & 0x300, 0);
	assert_int_equal(guest_raw(&g, g.cap + TPH_CTRL, 4) & 0x300, 0);
	/* hints without tags are no exception */
	control(&g, TPH_CTRL_8);
	assert_int_equal(guest_raw(&g, g.cap + TPH_CTRL, 4) & 0x300, 0);
	guest_command("[ $(cat " SYSFS "/tph/steering) = not-attached ]");

	close(g.fd);
	close(g.raw);
	close(group);
	close(container);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(not_steered),
	};

	guest_try("echo 1 >/sys/module/vfio/parameters/enable_unsafe_noiommu_mode");
	guest_driver("policy=iv-st");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
