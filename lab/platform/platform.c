// SPDX-License-Identifier: GPL-2.0-only
/*
 * The lab's platform: root ports that complete TPH, and switches that do not forward all of it.
 *
 * QEMU's root ports advertise no TPH completer (Device Capabilities 2, bits 13:12; PCIe 6.2,
 * 7.5.3.15), so nothing below them may use steering tags; and all of its ports advertise End-End
 * TLP Prefix Supported (bit 21), which extended tags need. This module puts itself between Linux
 * and the configuration space of the buses with those ports, and shows the bits as its parameters
 * say. It is a part of the test platform and not of the driver under test, which can tell no
 * difference from hardware.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bitfield.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/rcupdate.h>
#include <linux/string.h>

#define ROOT_PORTS_MAX	32
#define PORTS_MAX	256

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
 * Written before the accessors are in place and never again, so reading it takes no lock.
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
} ports[PORTS_MAX];
static unsigned int port_count;
static unsigned int root_port_count;

static struct pci_bus *root_bus;
static struct pci_ops *root_ops;
static struct pci_ops *child_ops;
static struct pci_ops shown_ops;

static int platform_read(struct pci_bus *bus, unsigned int devfn, int where, int size, u32 *value)
{
	unsigned int i, shift;
	int ret;

	ret = root_ops->read(bus, devfn, where, size, value);
	if (ret)
		return ret;

	for (i = 0; i < port_count; i++) {
		if (ports[i].bus != bus->number || ports[i].devfn != devfn ||
		    ports[i].where < where || ports[i].where >= where + size)
			continue;
		shift = 8 * (ports[i].where - where);
		*value &= ~((u32)ports[i].mask << shift);
		*value |= (u32)ports[i].bits << shift;
	}
	return 0;
}

static int port_show(struct pci_dev *port, int where, u8 mask, u8 bits)
{
	if (port_count == PORTS_MAX) {
		pci_err(port, "more than %u ports\n", PORTS_MAX);
		return -ENOSPC;
	}
	ports[port_count].bus = port->bus->number;
	ports[port_count].devfn = port->devfn;
	ports[port_count].where = port->pcie_cap + where;
	ports[port_count].mask = mask;
	ports[port_count].bits = bits;
	port_count++;
	return 0;
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

/* Of the root bus, and of each bus with a port that is not shown as it is. */
static void set_accessors(struct pci_ops *ops)
{
	struct pci_bus *bus;
	unsigned int i;

	pci_bus_set_ops(root_bus, ops);
	for (i = 0; i < port_count; i++) {
		bus = pci_find_bus(0, ports[i].bus);
		if (bus)
			pci_bus_set_ops(bus, ops);
	}
}

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
	bridge = pci_find_host_bridge(root_bus);
	child_ops = bridge->child_ops;
	if (!child_ops)
		bridge->child_ops = root_ops;
	set_accessors(&shown_ops);
	pci_unlock_rescan_remove();
	return 0;
}

static void __exit platform_exit(void)
{
	pci_lock_rescan_remove();
	set_accessors(root_ops);
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
