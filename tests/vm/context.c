// SPDX-License-Identifier: MIT
/* The ways to a device: its character device, its group in a type1 container or in an iommufd. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "group.h"

#define SYSFS	"/sys/bus/pci/devices/"
#define PATIENCE 30000 /* ms; an event that does not come at all */

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
	struct guest *g = guest_open(EP_CAPABILITY);
	uint32_t command = guest_config(g, PCI_COMMAND, 2);
	uint32_t resets = guest_register(g, EP_COUNT_RESETS);

	(void)state;
	assert_int_equal(st_set_one(g, 3, 1), 0);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	assert_int_equal(guest_hot_reset(g), 0);
	guest_config_write(g, PCI_COMMAND, 2, command);
	assert_true(guest_register(g, EP_COUNT_RESETS) > resets);
	assert_int_equal(control_read(g), TPH_CTRL_IV | TPH_CTRL_16);
	assert_st(g, 3, TAG_VOLATILE_16(1), 16);
	guest_close(g);
}

/* Whether the kernel exports dma-bufs of VFIO devices: before Linux 6.19 none does. */
static bool has_dmabufs(struct guest *g)
{
	return feature(g->fd, VFIO_DEVICE_FEATURE_PROBE | VFIO_DEVICE_FEATURE_GET |
			      FEATURE_DMA_BUF, NULL, 0) != -ENOTTY;
}

/*
 * The operator takes the device away while it is in use. Its user may keep it for ever, and the
 * operator's attributes are gone with the first step: so steering ends there, and none is granted
 * any more.
 */
static void taken_away(const char *bdf, uint32_t width, const char *command)
{
	struct vfio_device_feature_tph_notify notify = { .eventfd = eventfd(0, EFD_CLOEXEC) };
	struct vfio_device_feature_dma_buf_tph nothing = { .dmabuf_fd = -1 };
	struct guest *g = guest_open(bdf);
	uint16_t cap = g->cap;
	uint32_t cpu;
	uint64_t count;
	int status;
	pid_t pid;

	if (!strcmp(bdf, EP_MSIX))
		guest_vectors(g, 4);
	assert_int_equal(feature(g->fd, VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_TPH_NOTIFY,
				 &notify, sizeof(notify)), 0);
	assert_int_equal(st_set_one(g, 3, 1), 0);
	control(g, TPH_CTRL_IV | width);
	assert_int_equal(guest_write_for(g, 3).th, 1);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		close(g->fd);
		close(g->raw);
		_exit(guest_try("%s", command) != 0);
	}
	/* it begins with the revocation, and waits for us then */
	assert_int_equal(poll(&(struct pollfd){ .fd = notify.eventfd, .events = POLLIN }, 1,
			      PATIENCE), 1);
	assert_int_equal(read(notify.eventfd, &count, sizeof(count)), sizeof(count));
	while (control_read(g) & TPH_CTRL_16)
		;
	assert_plain(g, 3);
	assert_int_equal(guest_raw(g, cap + TPH_CTRL, 4) & TPH_CTRL_16, 0);
	assert_int_equal(st_get(g, VFIO_TPH_ST_CPU, 3, 1, &cpu), 0);
	assert_int_equal(cpu, VFIO_TPH_CPU_NONE);

	assert_int_equal(st_set_one(g, 3, 2), -ENODEV);
	assert_int_equal(st_set_one(g, 3, VFIO_TPH_CPU_NONE), -ENODEV);
	control(g, TPH_CTRL_IV | width);
	assert_int_equal(control_read(g) & TPH_CTRL_16, 0);
	control(g, width); /* not hints without tags either */
	assert_int_equal(control_read(g) & TPH_CTRL_16, 0);
	if (guest_has_iommufd())
		guest_replace_ioas(g);
	if (!ioctl(g->fd, VFIO_DEVICE_RESET))
		fail_msg("a device that is let go can be reset");
	assert_int_equal(st_set_one(g, 3, 2), -ENODEV);
	assert_plain(g, 3);
	if (has_dmabufs(g) && feature(g->fd, VFIO_DEVICE_FEATURE_PROBE | VFIO_DEVICE_FEATURE_SET |
				      VFIO_DEVICE_FEATURE_DMA_BUF_TPH, NULL, 0) != -EOPNOTSUPP)
		assert_int_equal(feature(g->fd, VFIO_DEVICE_FEATURE_SET |
						VFIO_DEVICE_FEATURE_DMA_BUF_TPH,
					 &nothing, sizeof(nothing)), -EPERM);

	assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
	guest_close(g);
	close(notify.eventfd);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void unbind_while_open(void **state)
{
	(void)state;
	taken_away(EP_NARROW, TPH_CTRL_8,
		   "echo " EP_NARROW " >/sys/bus/pci/drivers/tph-vfio-pci/unbind");
	assert_int_equal(raw_config(EP_NARROW, raw_extended(EP_NARROW, 0x17) + TPH_CTRL, 4), 0);
	guest_bind(EP_NARROW, "tph-vfio-pci");
	taken_away(EP_MSIX, TPH_CTRL_16,
		   "echo " EP_MSIX " >/sys/bus/pci/drivers/tph-vfio-pci/unbind");
	guest_bind(EP_MSIX, "tph-vfio-pci");
}

/* As a slot does whose device is pulled out in order. */
static void remove_while_open(void **state)
{
	(void)state;
	taken_away(EP_CAPABILITY, TPH_CTRL_16, "echo 1 >" SYSFS EP_CAPABILITY "/remove");
	assert_int_equal(access(SYSFS EP_CAPABILITY, F_OK), -1);
	guest_command("echo 1 >/sys/bus/pci/rescan");
	guest_bind(EP_CAPABILITY, "tph-vfio-pci");
}

/* The module has no other way to go: while a device is open it stays, and so does what it granted. */
static void unload_while_open(void **state)
{
	struct guest *g = guest_open(EP_CAPABILITY);

	(void)state;
	assert_int_equal(st_set_one(g, 3, 1), 0);
	control(g, TPH_CTRL_IV | TPH_CTRL_16);
	assert_int_not_equal(guest_try("rmmod tph_vfio_pci 2>/dev/null"), 0);
	assert_st(g, 3, TAG_VOLATILE_16(1), 16);
	guest_close(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(bound_but_not_attached, guest_wants_iommufd),
		cmocka_unit_test(group_in_a_type1_container),
		cmocka_unit_test_prestate(group_in_an_iommufd, guest_wants_iommufd),
		cmocka_unit_test(hot_reset),
		cmocka_unit_test(unbind_while_open),
		cmocka_unit_test(remove_while_open),
		cmocka_unit_test(unload_while_open),
	};

	guest_driver("policy=iv-st");
	return guest_run_group(tests);
}
