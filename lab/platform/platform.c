// SPDX-License-Identifier: GPL-2.0-only
/*
 * The lab's platform: root ports that complete TPH, switches that do not forward all of it, and
 * functions that say what QEMU lets none say, or nothing any more.
 *
 * QEMU's root ports advertise no TPH completer (Device Capabilities 2, bits 13:12; PCIe 6.2,
 * 7.5.3.15), so nothing below them may use steering tags; and all of its ports advertise End-End
 * TLP Prefix Supported (bit 21), which extended tags need. This module puts itself between Linux
 * and the configuration space of the buses with those ports, and shows the bits as its parameters
 * say.
 *
 * At run time (/sys/module/tph_lab_platform/parameters/):
 *
 * show: a register of any function as another value. A table that lies outside of its BAR (QEMU
 * takes no such device), a capability on a port (QEMU's have none). Drivers that looked before know
 * what was there before.
 * gone: a function answers nothing: it reads all ones, hears no write, and its BARs are off.
 * stuck: one is gone as soon as it is told to do a function level reset.
 *
 * It is a part of the test platform and not of the driver under test, which can tell no
 * difference from hardware.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bitfield.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/rcupdate.h>
#include <linux/string.h>

#define ROOT_PORTS_MAX	32
#define SHOWN_MAX	256
#define NO_FUNCTION	-1

/* The bits lie in one byte of the register, so an access of any width sees both or neither. */
#define COMPLETER_BYTE	(PCI_EXP_DEVCAP2 + 1)
#define COMPLETER_MASK	GENMASK(5, 4)
#define PREFIX_BYTE	(PCI_EXP_DEVCAP2 + 2)
#define PREFIX_MASK	(PCI_EXP_DEVCAP2_EE_PREFIX >> 16)

static const char * const completer_names[] = {
	[0] = "none",
	[1] = "8",
	[2] = "reserved",
	[3] = "16",
};

static char *completer[ROOT_PORTS_MAX] = { "16" };
static unsigned int completer_count = 1;
module_param_array(completer, charp, &completer_count, 0444);
MODULE_PARM_DESC(completer,
		 "TPH completer of each root port in bus order: none, 8, 16 (and 8) or reserved; "
		 "later ports have the last one");

static unsigned int no_prefixes[ROOT_PORTS_MAX];
static unsigned int no_prefixes_count;
module_param_array(no_prefixes, uint, &no_prefixes_count, 0444);
MODULE_PARM_DESC(no_prefixes,
		 "device numbers of the root ports whose switches know no End-End TLP prefixes");

/*
 * What is shown: bytes, the later of two for one place. Readers take no lock: an element is written
 * before it is counted, and never again.
 * @where: configuration space offset of the byte with the bits
 * @mask: the bits
 * @bits: their value
 */
static struct {
	u8 bus;
	unsigned int devfn;
	int where;
	u8 mask;
	u8 bits;
} shown[SHOWN_MAX];
static unsigned int shown_count;
static unsigned int root_port_count;

/* Functions: bus number and devfn, or NO_FUNCTION */
static int gone = NO_FUNCTION;
static int stuck = NO_FUNCTION;
/* where the latter's Device Control is */
static int stuck_control;

static struct pci_bus *root_bus;
static struct pci_ops *root_ops;
static struct pci_ops *child_ops;
static struct pci_ops shown_ops;

static int platform_read(struct pci_bus *bus, unsigned int devfn, int where, int size, u32 *value)
{
	unsigned int i, shift, count;
	int ret;

	if (PCI_DEVID(bus->number, devfn) == READ_ONCE(gone)) {
		*value = GENMASK(8 * size - 1, 0);
		return 0;
	}
	ret = root_ops->read(bus, devfn, where, size, value);
	if (ret)
		return ret;

	/* pairs with byte_show(): what is counted is written */
	count = smp_load_acquire(&shown_count);
	for (i = 0; i < count; i++) {
		if (shown[i].bus != bus->number || shown[i].devfn != devfn ||
		    shown[i].where < where || shown[i].where >= where + size)
			continue;
		shift = 8 * (shown[i].where - where);
		*value &= ~((u32)shown[i].mask << shift);
		*value |= (u32)shown[i].bits << shift;
	}
	return 0;
}

static bool starts_reset(int where, int size, u32 value)
{
	const int byte = stuck_control + 1;

	return byte >= where && byte < where + size &&
	       value >> 8 * (byte - where) & PCI_EXP_DEVCTL_BCR_FLR >> 8;
}

static int platform_write(struct pci_bus *bus, unsigned int devfn, int where, int size, u32 value)
{
	const int id = PCI_DEVID(bus->number, devfn);

	if (id == READ_ONCE(gone))
		return 0;
	if (id == READ_ONCE(stuck) && starts_reset(where, size, value)) {
		root_ops->write(bus, devfn, PCI_COMMAND, 2, 0);
		WRITE_ONCE(gone, id);
		return 0;
	}
	return root_ops->write(bus, devfn, where, size, value);
}

static int byte_show(u8 bus, unsigned int devfn, int where, u8 mask, u8 bits)
{
	if (shown_count == SHOWN_MAX) {
		pr_err("more than %u bytes to show\n", SHOWN_MAX);
		return -ENOSPC;
	}
	shown[shown_count].bus = bus;
	shown[shown_count].devfn = devfn;
	shown[shown_count].where = where;
	shown[shown_count].mask = mask;
	shown[shown_count].bits = bits;
	/* pairs with platform_read() */
	smp_store_release(&shown_count, shown_count + 1);
	return 0;
}

static int port_show(struct pci_dev *port, int where, u8 mask, u8 bits)
{
	return byte_show(port->bus->number, port->devfn, port->pcie_cap + where, mask, bits);
}

static int root_port_add(struct pci_dev *port)
{
	unsigned int n = min(root_port_count, completer_count - 1);
	int code;

	code = match_string(completer_names, ARRAY_SIZE(completer_names), completer[n]);
	if (code < 0) {
		pr_err("completer=%s: not one of none, 8, 16, reserved\n", completer[n]);
		return code;
	}
	root_port_count++;
	pci_info(port, "TPH completer: %s\n", completer_names[code]);
	return port_show(port, COMPLETER_BYTE, COMPLETER_MASK, FIELD_PREP(COMPLETER_MASK, code));
}

static int switch_port_add(struct pci_dev *port)
{
	struct pci_dev *root_port = pcie_find_root_port(port);
	unsigned int i;

	for (i = 0; root_port && i < no_prefixes_count; i++) {
		if (PCI_SLOT(root_port->devfn) != no_prefixes[i])
			continue;
		pci_info(port, "no End-End TLP prefixes\n");
		return port_show(port, PREFIX_BYTE, PREFIX_MASK, 0);
	}
	return 0;
}

static int port_add(struct pci_dev *port)
{
	if (!pci_is_pcie(port))
		return 0;
	switch (pci_pcie_type(port)) {
	case PCI_EXP_TYPE_ROOT_PORT:
		return port->bus == root_bus ? root_port_add(port) : 0;
	case PCI_EXP_TYPE_UPSTREAM:
	case PCI_EXP_TYPE_DOWNSTREAM:
		return switch_port_add(port);
	default:
		return 0;
	}
}

static void set_accessors(struct pci_bus *bus, struct pci_ops *ops)
{
	struct pci_bus *child;

	pci_bus_set_ops(bus, ops);
	list_for_each_entry(child, &bus->children, node)
		set_accessors(child, ops);
}

/* The parameters below are set one at a time, and not before the accessors are in place. */

static int show_set(const char *text, const struct kernel_param *parameter)
{
	unsigned int bus, device, function;
	int where, size, i, ret;
	u32 value;

	if (!root_bus)
		return -ENODEV;
	if (sscanf(text, "0000:%x:%x.%x %i %i %i", &bus, &device, &function, &where, &size,
		   &value) != 6)
		return -EINVAL;
	if (bus > 255 || device > 31 || function > 7 || size < 1 || size > 4 || where < 0 ||
	    where > PCI_CFG_SPACE_EXP_SIZE - size)
		return -EINVAL;
	for (i = 0; i < size; i++) {
		ret = byte_show(bus, PCI_DEVFN(device, function), where + i, 0xff, value >> 8 * i);
		if (ret)
			return ret;
	}
	return 0;
}

static const struct kernel_param_ops show_ops = {
	.set = show_set,
};

module_param_cb(show, &show_ops, NULL, 0200);
MODULE_PARM_DESC(show, "Show bytes as a value from now on: 0000:BB:DD.F AT SIZE VALUE");

static int function_set(const char *text, const struct kernel_param *parameter)
{
	unsigned int bus, device, function;
	struct pci_dev *pdev;

	if (!root_bus)
		return -ENODEV;
	if (!strcmp(skip_spaces(text), "")) {
		WRITE_ONCE(*(int *)parameter->arg, NO_FUNCTION);
		return 0;
	}
	if (sscanf(text, "0000:%x:%x.%x", &bus, &device, &function) != 3)
		return -EINVAL;
	pdev = pci_get_domain_bus_and_slot(0, bus, PCI_DEVFN(device, function));
	if (!pdev)
		return -ENODEV;
	if (parameter->arg == &stuck)
		stuck_control = pdev->pcie_cap + PCI_EXP_DEVCTL;
	else
		root_ops->write(pdev->bus, pdev->devfn, PCI_COMMAND, 2, 0);
	WRITE_ONCE(*(int *)parameter->arg, pci_dev_id(pdev));
	pci_dev_put(pdev);
	return 0;
}

static int function_get(char *text, const struct kernel_param *parameter)
{
	int id = READ_ONCE(*(int *)parameter->arg);

	if (id == NO_FUNCTION)
		return sysfs_emit(text, "\n");
	return sysfs_emit(text, "0000:%02x:%02x.%d\n", PCI_BUS_NUM(id), PCI_SLOT(id), PCI_FUNC(id));
}

static const struct kernel_param_ops function_ops = {
	.set = function_set,
	.get = function_get,
};

module_param_cb(gone, &function_ops, &gone, 0600);
MODULE_PARM_DESC(gone, "This function does not answer: 0000:BB:DD.F; empty: all do");
module_param_cb(stuck, &function_ops, &stuck, 0600);
MODULE_PARM_DESC(stuck, "This function never ends a function level reset: it is gone from then on");

static int __init platform_init(void)
{
	struct pci_host_bridge *bridge;
	struct pci_dev *dev = NULL;
	int ret;

	root_bus = pci_find_bus(0, 0);
	if (!root_bus) {
		pr_err("no PCI bus 0000:00\n");
		return -ENODEV;
	}

	for_each_pci_dev(dev) {
		ret = port_add(dev);
		if (ret) {
			pci_dev_put(dev);
			return ret;
		}
	}
	if (completer_count > max(root_port_count, 1u)) {
		pr_err("completer: %u values for %u root ports\n", completer_count,
		       root_port_count);
		return -EINVAL;
	}

	/*
	 * A bus takes its accessors from its parent when it is made. Buses made from now on must
	 * not hold on to ours, which go with the module.
	 */
	pci_lock_rescan_remove();
	root_ops = root_bus->ops;
	shown_ops = *root_ops;
	shown_ops.read = platform_read;
	shown_ops.write = platform_write;
	bridge = pci_find_host_bridge(root_bus);
	child_ops = bridge->child_ops;
	if (!child_ops)
		bridge->child_ops = root_ops;
	set_accessors(root_bus, &shown_ops);
	pci_unlock_rescan_remove();
	return 0;
}

static void __exit platform_exit(void)
{
	pci_lock_rescan_remove();
	set_accessors(root_bus, root_ops);
	pci_find_host_bridge(root_bus)->child_ops = child_ops;
	pci_unlock_rescan_remove();

	/* x86 reads configuration space without pci_lock: let all who are in our code leave it. */
	synchronize_rcu_tasks();
	synchronize_rcu();
}

module_init(platform_init);
module_exit(platform_exit);
MODULE_DESCRIPTION("What the ports of the vfio-tph lab say of TPH");
MODULE_LICENSE("GPL");
