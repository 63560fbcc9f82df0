// SPDX-License-Identifier: MIT
/*
 * Under the name vfio-pci, side by side with the stock module: the same devices in the same run, what
 * each shows of them, and what each parameter of stock vfio-pci does.
 *
 * vm-stock           on any kernel
 * vm-stock features  what needs CONFIG_PCI_IOV and CONFIG_VFIO_PCI_VGA as well
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "guest.h"

#define SYSFS		"/sys/bus/pci/devices/"
#define STOCK		"vfio-pci"
#define OURS		"tph-vfio-pci name=vfio-pci"

/* The devices of the VM "stock" (tests/vm/suites): those before PLAIN are QEMU's own. */
#define NIC		"0000:01:00.0"	/* e1000e */
#define NIC_SRIOV	"0000:02:00.0"	/* igb */
#define NIC_SRIOV_VF	"0000:02:10.0"
#define EDU		"0000:00:1d.0"
#define VGA		"0000:00:1c.0"
#define PLAIN		"0000:03:00.0"	/* emulated, no TPH */
#define DENIED		"0000:04:00."	/* emulated, ids of the denylist: all eight functions */
#define GRAPHICS	"0000:05:00.0"	/* emulated, an Intel display without OpRegion */
#define OPREGION_VGA	"0000:05:00.1"	/* emulated, Intel, the address of an OpRegion */
#define OPREGION_OTHER	"0000:05:00.2"	/* the same, of class "other display" */
#define OPREGION_ONES	"0000:05:00.3"	/* emulated, an Intel display with all ones there */
#define OPREGION_NIC	"0000:05:00.4"	/* emulated, Intel, such an address, but no display */
#define OPREGION_AMD	"0000:05:00.5"	/* emulated, a display with such an address, not Intel's */

#define VGA_CONTROL	"disable_vga=1"

/* Load one of the two under the name vfio-pci, and nothing else. */
static void load(const char *module, const char *parameters)
{
	guest_try("rmmod tph_vfio_pci 2>/dev/null");
	guest_try("rmmod vfio_pci 2>/dev/null");
	guest_command("modprobe %s %s", module, parameters);
}

static void release(const char *bdf)
{
	guest_try("[ ! -e " SYSFS "%s/driver ] || echo %s >" SYSFS "%s/driver/unbind", bdf, bdf, bdf);
	guest_command("echo >" SYSFS "%s/driver_override", bdf);
}

static bool bound(const char *bdf)
{
	return !guest_try("test -e /sys/bus/pci/drivers/vfio-pci/%s", bdf);
}

/* Whether the driver takes the device that it is given. */
static bool takes(const char *bdf)
{
	release(bdf);
	guest_command("echo vfio-pci >" SYSFS "%s/driver_override", bdf);
	guest_try("echo %s >/sys/bus/pci/drivers_probe", bdf);
	return bound(bdf);
}

static int write_errno(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	ret = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

/* Why the driver does not take a device, after takes(). */
static int bind_errno(const char *bdf)
{
	return write_errno("/sys/bus/pci/drivers/vfio-pci/bind", bdf);
}

static bool log_says(const char *text)
{
	return !guest_try("dmesg | grep -qF -- \"%s\"", text);
}

/* ---- what a user sees ---- */

#define REGIONS	16
#define IRQS	8
#define FEATURES 12	/* of stock vfio-pci, by PROBE */

struct view {
	uint8_t info[512];
	uint8_t regions[REGIONS][512];
	int region_errors[REGIONS];
	struct vfio_irq_info irqs[IRQS];
	int irq_errors[IRQS];
	int features[FEATURES];
	uint8_t bytes[4096];
	uint16_t words[2048];
	uint32_t dwords[1024];
	uint32_t sized[7];	/* BARs and ROM after all ones were written */
	uint32_t command;	/* after all ones were written */
	int reset;
	uint8_t bytes_after[4096];
};

static int errno_of(int ret)
{
	return ret ? -errno : 0;
}

static void look_at_config(struct guest *g, struct view *view)
{
	static const unsigned int registers[] = {
		PCI_BASE_ADDRESS_0, PCI_BASE_ADDRESS_1, PCI_BASE_ADDRESS_2, PCI_BASE_ADDRESS_3,
		PCI_BASE_ADDRESS_4, PCI_BASE_ADDRESS_5, PCI_ROM_ADDRESS,
	};
	struct vfio_region_info region;
	uint32_t command, before;
	unsigned int i, size;

	guest_region(g, VFIO_PCI_CONFIG_REGION_INDEX, &region);
	size = (unsigned int)region.size;
	for (i = 0; i < size; i++)
		view->bytes[i] = guest_config(g, i, 1);
	for (i = 0; i < size / 2; i++)
		view->words[i] = guest_config(g, 2 * i, 2);
	for (i = 0; i < size / 4; i++)
		view->dwords[i] = guest_config(g, 4 * i, 4);
	for (i = 0; i < sizeof(registers) / sizeof(*registers); i++) {
		before = guest_config(g, registers[i], 4);
		guest_config_write(g, registers[i], 4, ~0u);
		view->sized[i] = guest_config(g, registers[i], 4);
		guest_config_write(g, registers[i], 4, before);
	}
	command = guest_config(g, PCI_COMMAND, 2);
	guest_config_write(g, PCI_COMMAND, 2, 0xffff);
	view->command = guest_config(g, PCI_COMMAND, 2);
	guest_config_write(g, PCI_COMMAND, 2, command);
	view->reset = errno_of(ioctl(g->fd, VFIO_DEVICE_RESET));
	for (i = 0; i < size; i++)
		view->bytes_after[i] = guest_config(g, i, 1);
}

static void look(const char *bdf, struct view *view)
{
	struct vfio_device_info *info = (void *)view->info;
	struct vfio_region_info *region;
	struct guest *g;
	uint32_t i;

	memset(view, 0, sizeof(*view));
	assert_true(takes(bdf));
	g = guest_open(bdf);
	info->argsz = sizeof(view->info);
	assert_int_equal(ioctl(g->fd, VFIO_DEVICE_GET_INFO, info), 0);
	assert_true(info->num_regions <= REGIONS && info->num_irqs <= IRQS);
	for (i = 0; i < REGIONS; i++) {
		region = (void *)view->regions[i];
		region->argsz = sizeof(view->regions[i]);
		region->index = i;
		view->region_errors[i] = errno_of(ioctl(g->fd, VFIO_DEVICE_GET_REGION_INFO, region));
	}
	for (i = 0; i < IRQS; i++) {
		view->irqs[i].argsz = sizeof(view->irqs[i]);
		view->irqs[i].index = i;
		view->irq_errors[i] = errno_of(ioctl(g->fd, VFIO_DEVICE_GET_IRQ_INFO,
						     &view->irqs[i]));
	}
	for (i = 0; i < FEATURES; i++)
		view->features[i] = feature(g->fd, VFIO_DEVICE_FEATURE_PROBE |
					    VFIO_DEVICE_FEATURE_GET | i, NULL, 0);
	look_at_config(g, view);
	guest_close(g);
	release(bdf);
}

static void compare(const struct view *stock, const struct view *ours)
{
	size_t i;

	for (i = 0; i < sizeof(*stock); i++)
		if (((const uint8_t *)stock)[i] != ((const uint8_t *)ours)[i])
			fail_msg("byte %#zx of the view: stock %#x, ours %#x", i,
				 ((const uint8_t *)stock)[i], ((const uint8_t *)ours)[i]);
}

static void look_at_all(const char *module, const char *parameters, const char * const *bdfs,
			size_t count, struct view *views)
{
	size_t i;

	load(module, parameters);
	for (i = 0; i < count; i++)
		look(bdfs[i], &views[i]);
}

static const char * const devices[] = { NIC, NIC_SRIOV, EDU, VGA, PLAIN, GRAPHICS };
#define DEVICES	(sizeof(devices) / sizeof(*devices))

static void devices_are_as_with_stock(void **state)
{
	static struct view stock[DEVICES], ours[DEVICES];
	const char *parameters = *state;
	size_t i;

	look_at_all(STOCK, parameters, devices, DEVICES, stock);
	look_at_all(OURS, parameters, devices, DEVICES, ours);
	for (i = 0; i < DEVICES; i++) {
		print_message("# %s %s\n", devices[i], parameters);
		compare(&stock[i], &ours[i]);
	}
}

/* ---- parameters ---- */

static void check_ids(const char *module)
{
	static const char * const others[] = {
		"ids=1234:11e8:1:1", "ids=1234:11e8:1af4:1", "ids=1234:11e8:1:1100",
		"ids=1234:11e8:1100:1af4", "ids=8086:10d3:ffffffff:ffffffff:030000:ffff00",
		"ids=8086:10d3:ffffffff:ffffffff:0:ff0000",
	};
	size_t i;

	release(NIC);
	release(EDU);
	load(module, "ids=8086:10d3");
	assert_true(bound(NIC));
	assert_false(bound(EDU));
	/* what cannot be used is left out, and the rest is not */
	load(module, "ids=8086,,edu:nonsense,8086:10d3:ffffffff:ffffffff:020000:ffff00,1234:11e8");
	assert_true(bound(NIC));
	assert_true(bound(EDU));
	/* each number counts: subsystem, class, and which of its bits */
	for (i = 0; i < sizeof(others) / sizeof(*others); i++) {
		load(module, others[i]);
		assert_false(bound(NIC));
		assert_false(bound(EDU));
	}
	load(module, "ids=1234:11e8:1af4:1100");
	assert_true(bound(EDU));
	load(module, others[0]);
	/* and at run time */
	guest_command("echo 1234 11e8 >/sys/bus/pci/drivers/vfio-pci/new_id");
	assert_true(bound(EDU));
	assert_false(bound(NIC));
	release(EDU);
}

static void ids(void **state)
{
	(void)state;
	check_ids(STOCK);
	check_ids(OURS);
	assert_true(log_says("ids: '8086' is left out"));
	assert_true(log_says("ids: 'edu:nonsense' is left out"));
	/* nothing between two commas is nothing */
	assert_false(log_says("ids: '' is left out"));
}

/* After a user masked INTx: whether it is masked in the device, or at the interrupt controller. */
static bool masked_in_device(const char *module, const char *parameters)
{
	struct {
		struct vfio_irq_set set;
		int32_t fd;
	} enable = {
		.set = { .argsz = sizeof(enable), .index = VFIO_PCI_INTX_IRQ_INDEX, .count = 1,
			 .flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER },
	};
	struct vfio_irq_set mask = {
		.argsz = sizeof(mask), .index = VFIO_PCI_INTX_IRQ_INDEX, .count = 1,
		.flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_MASK,
	};
	uint32_t command;
	struct guest *g;

	load(module, parameters);
	assert_true(takes(NIC));
	g = guest_open(NIC);
	enable.fd = eventfd(0, EFD_CLOEXEC);
	assert_int_equal(ioctl(g->fd, VFIO_DEVICE_SET_IRQS, &enable), 0);
	command = guest_raw(g, PCI_COMMAND, 2);
	assert_int_equal(command & PCI_COMMAND_INTX_DISABLE, 0);
	assert_int_equal(ioctl(g->fd, VFIO_DEVICE_SET_IRQS, &mask), 0);
	command = guest_raw(g, PCI_COMMAND, 2);
	guest_close(g);
	close(enable.fd);
	release(NIC);
	return command & PCI_COMMAND_INTX_DISABLE;
}

static void nointxmask(void **state)
{
	(void)state;
	assert_true(masked_in_device(STOCK, ""));
	assert_true(masked_in_device(OURS, ""));
	assert_false(masked_in_device(STOCK, "nointxmask=1"));
	assert_false(masked_in_device(OURS, "nointxmask=1"));
}

static bool idle_in_d3(void)
{
	return !guest_try("grep -q D3hot " SYSFS NIC "/power_state");
}

/* A device keeps what the parameter was when it was bound. */
static void check_idle(const char *module)
{
	const char *name = strncmp(module, "tph", 3) ? "vfio_pci" : "tph_vfio_pci";

	load(module, "");
	assert_true(takes(NIC));
	assert_true(idle_in_d3());
	guest_command("echo Y >/sys/module/%s/parameters/disable_idle_d3", name);
	guest_close(guest_open(NIC));
	assert_true(idle_in_d3());
	assert_true(takes(NIC));
	assert_false(idle_in_d3());
	load(module, "disable_idle_d3=1");
	assert_true(takes(NIC));
	assert_false(idle_in_d3());
	guest_close(guest_open(NIC));
	assert_false(idle_in_d3());
	release(NIC);
}

static void disable_idle_d3(void **state)
{
	(void)state;
	check_idle(STOCK);
	check_idle(OURS);
}

static void check_denylist(const char *module)
{
	char bdf[] = DENIED "0";
	char *function = strrchr(bdf, '0');

	load(module, "");
	for (*function = '0'; *function < '8'; (*function)++) {
		assert_false(takes(bdf));
		assert_int_equal(bind_errno(bdf), -EINVAL);
	}
	load(module, "disable_denylist=1");
	for (*function = '0'; *function < '8'; (*function)++) {
		assert_true(takes(bdf));
		release(bdf);
	}
}

static void denylist(void **state)
{
	(void)state;
	check_denylist(STOCK);
	check_denylist(OURS);
	assert_true(log_says("8086:0435 is on the denylist for its errata; disable_denylist=1"));
	assert_true(log_says("8086:0435 is taken though it is on the denylist"));
}

/* Whether the regions with the OpRegion are there to be missed is a matter of the kernel. */
static void check_graphics(bool regions)
{
	load(OURS, "");
	assert_int_equal(takes(OPREGION_VGA), !regions);
	if (regions)
		assert_int_equal(bind_errno(OPREGION_VGA), -EOPNOTSUPP);
	assert_int_equal(log_says(OPREGION_VGA ": this is Intel graphics with an OpRegion"), regions);
	assert_int_equal(takes(OPREGION_OTHER), !regions);
	assert_true(takes(GRAPHICS));
	assert_true(takes(OPREGION_ONES));
	assert_true(takes(OPREGION_NIC));
	assert_true(takes(OPREGION_AMD));
	release(GRAPHICS);
	release(OPREGION_VGA);
	release(OPREGION_OTHER);
	release(OPREGION_ONES);
	release(OPREGION_NIC);
	release(OPREGION_AMD);
}

/* On any kernel: the stock module tells by what it is made of. */
static void graphics(void **state)
{
	(void)state;
	load(STOCK, "");
	check_graphics(!guest_try("grep -q vfio_pci_igd_init /proc/kallsyms"));
}

static void graphics_with_regions(void **state)
{
	(void)state;
	check_graphics(true);
}

static void malformed_parameters(void **state)
{
	static const char * const bad[] = {
		"nointxmask=2", "disable_idle_d3=maybe", "disable_denylist=-1",
	};
	size_t i;

	(void)state;
	guest_try("rmmod tph_vfio_pci 2>/dev/null");
	guest_try("rmmod vfio_pci 2>/dev/null");
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_int_not_equal(guest_try("modprobe " STOCK " %s 2>/dev/null", bad[i]), 0);
		assert_int_not_equal(guest_try("modprobe " OURS " %s 2>/dev/null", bad[i]), 0);
	}
}

/* tphctl needs not be told which of the names it is. */
static void tphctl_knows_both_names(void **state)
{
	(void)state;
	load(OURS, "");
	release(PLAIN);
	guest_command("tphctl bind " PLAIN " | grep -q 'bound to vfio-pci'");
	guest_command("tphctl unbind " PLAIN);
	load("tph-vfio-pci", "");
	guest_command("tphctl bind " PLAIN " | grep -q 'bound to tph-vfio-pci'");
	guest_command("tphctl unbind " PLAIN);
	/* the stock driver is not taken for ours */
	load(STOCK, "");
	assert_int_not_equal(guest_try("tphctl bind " PLAIN " >/dev/null 2>&1"), 0);
}

/* ---- features of the kernel ---- */

static bool makes_functions(const char *name)
{
	bool made = !guest_try("echo 1 >" SYSFS NIC_SRIOV "/sriov_numvfs 2>/dev/null");

	assert_int_equal(made, !guest_try("test -e /sys/bus/pci/drivers/%s/" NIC_SRIOV_VF, name));
	if (made)
		guest_command("echo 0 >" SYSFS NIC_SRIOV "/sriov_numvfs");
	assert_int_not_equal(guest_try("test -e " SYSFS NIC_SRIOV_VF), 0);
	return made;
}

static void check_sriov(const char *module)
{
	load(module, "");
	assert_true(takes(NIC_SRIOV));
	assert_int_equal(write_errno(SYSFS NIC_SRIOV "/sriov_numvfs", "1"), -ENOENT);
	assert_false(makes_functions("vfio-pci"));
	load(module, "enable_sriov=1");
	assert_true(takes(NIC_SRIOV));
	assert_true(makes_functions("vfio-pci"));
	release(NIC_SRIOV);
}

/* Virtual functions come to the driver that made them, whatever its name. */
static void sriov(void **state)
{
	(void)state;
	check_sriov(STOCK);
	check_sriov(OURS);
	load("tph-vfio-pci", "enable_sriov=1");
	guest_bind(NIC_SRIOV, "tph-vfio-pci");
	assert_true(makes_functions("tph-vfio-pci"));
	release(NIC_SRIOV);
}

static uint64_t vga_region(const char *module, const char *parameters)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = VFIO_PCI_VGA_REGION_INDEX };
	struct guest *g;

	load(module, parameters);
	assert_true(takes(VGA));
	g = guest_open(VGA);
	if (ioctl(g->fd, VFIO_DEVICE_GET_REGION_INFO, &info))
		info.size = 0;
	guest_close(g);
	release(VGA);
	return info.size;
}

static void disable_vga(void **state)
{
	(void)state;
	assert_int_not_equal(vga_region(STOCK, ""), 0);
	assert_int_not_equal(vga_region(OURS, ""), 0);
	assert_int_equal(vga_region(STOCK, VGA_CONTROL), 0);
	assert_int_equal(vga_region(OURS, VGA_CONTROL), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest always[] = {
		cmocka_unit_test(malformed_parameters),
		cmocka_unit_test(denylist),
		cmocka_unit_test(graphics),
		{ "devices_are_as_with_stock", devices_are_as_with_stock, NULL, NULL, (void *)"" },
		cmocka_unit_test(ids),
		cmocka_unit_test(nointxmask),
		cmocka_unit_test(disable_idle_d3),
		cmocka_unit_test(tphctl_knows_both_names),
	};
	const struct CMUnitTest features[] = {
		cmocka_unit_test(graphics_with_regions),
		cmocka_unit_test(sriov),
		cmocka_unit_test(disable_vga),
		{ "devices_without_vga", devices_are_as_with_stock, NULL, NULL,
		  (void *)VGA_CONTROL },
	};

	if (argc > 1 && !strcmp(argv[1], "features"))
		return cmocka_run_group_tests(features, NULL, NULL);
	return cmocka_run_group_tests(always, NULL, NULL);
}
