// SPDX-License-Identifier: GPL-2.0-only
/*
 * Error messages from the lab's endpoints to their root ports.
 *
 * An emulated endpoint sets the status bits of Advanced Error Reporting, but vfio-user has no
 * message that would tell its root port. Writing an endpoint's address to the parameter "send" does
 * what that message does (PCIe 6.2, 6.2.4): the root port shows Root Error Status and source, and
 * interrupts. All behind that is Linux' own. Linux has an injector, aer_inject, but that takes a
 * sleeping lock in the configuration accesses of userspace, and lockdep is silent after that.
 *
 * There is no way to unload it: x86 reads configuration space without a lock that would tell when
 * nobody is in here any more.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bitfield.h>
#include <linux/interrupt.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/spinlock.h>

/* Of the root port that a message was sent to last. */
static struct {
	raw_spinlock_t lock;
	unsigned int devfn;
	int aer;
	u32 status;
	u32 source;
} shown = {
	.lock = __RAW_SPIN_LOCK_UNLOCKED(shown.lock),
};

static struct pci_bus *root_bus;
static struct pci_ops *root_ops;
static struct pci_ops shown_ops;

static int errors_read(struct pci_bus *bus, unsigned int devfn, int where, int size, u32 *value)
{
	int ret;

	ret = root_ops->read(bus, devfn, where, size, value);
	if (ret || size != 4)
		return ret;

	guard(raw_spinlock_irqsave)(&shown.lock);
	if (!shown.status || devfn != shown.devfn)
		return 0;
	if (where == shown.aer + PCI_ERR_ROOT_STATUS)
		*value |= shown.status;
	else if (where == shown.aer + PCI_ERR_ROOT_ERR_SRC)
		*value = shown.source;
	return 0;
}

static int errors_write(struct pci_bus *bus, unsigned int devfn, int where, int size, u32 value)
{
	scoped_guard(raw_spinlock_irqsave, &shown.lock)
		if (size == 4 && devfn == shown.devfn && where == shown.aer + PCI_ERR_ROOT_STATUS)
			shown.status &= ~value;
	return root_ops->write(bus, devfn, where, size, value);
}

/* The message that hardware would send, by what the endpoint has detected and does not mask. */
static int message(struct pci_dev *endpoint, u32 *status, u32 *source)
{
	u32 correctable, uncorrectable, mask, severity;
	int aer = endpoint->aer_cap;

	pci_read_config_dword(endpoint, aer + PCI_ERR_COR_MASK, &mask);
	pci_read_config_dword(endpoint, aer + PCI_ERR_COR_STATUS, &correctable);
	correctable &= ~mask;
	pci_read_config_dword(endpoint, aer + PCI_ERR_UNCOR_MASK, &mask);
	pci_read_config_dword(endpoint, aer + PCI_ERR_UNCOR_STATUS, &uncorrectable);
	uncorrectable &= ~mask;
	pci_read_config_dword(endpoint, aer + PCI_ERR_UNCOR_SEVER, &severity);

	if (uncorrectable & severity)
		*status = PCI_ERR_ROOT_UNCOR_RCV | PCI_ERR_ROOT_FIRST_FATAL |
			  PCI_ERR_ROOT_FATAL_RCV;
	else if (uncorrectable)
		*status = PCI_ERR_ROOT_UNCOR_RCV | PCI_ERR_ROOT_NONFATAL_RCV;
	else if (correctable)
		*status = PCI_ERR_ROOT_COR_RCV;
	else
		return -ENOMSG;
	*source = pci_dev_id(endpoint);
	if (uncorrectable)
		*source <<= 16;
	return 0;
}

static int send_from(struct pci_dev *endpoint)
{
	struct pci_dev *port = pcie_find_root_port(endpoint);
	u32 status, source, reg;
	int ret, irq;

	if (!port || port->bus != root_bus || !port->aer_cap || !endpoint->aer_cap)
		return -EOPNOTSUPP;
	ret = message(endpoint, &status, &source);
	if (ret)
		return ret;
	pci_read_config_dword(port, port->aer_cap + PCI_ERR_ROOT_STATUS, &reg);
	irq = pci_irq_vector(port, FIELD_GET(PCI_ERR_ROOT_AER_IRQ, reg));
	if (irq < 0)
		return irq;

	scoped_guard(raw_spinlock_irqsave, &shown.lock) {
		if (shown.status)
			return -EBUSY;
		shown.devfn = port->devfn;
		shown.aer = port->aer_cap;
		shown.status = status;
		shown.source = source;
	}
	return irq_inject_interrupt(irq);
}

static int send_set(const char *text, const struct kernel_param *parameter)
{
	unsigned int bus, device, function;
	struct pci_dev *endpoint;
	int ret;

	if (sscanf(text, "0000:%x:%x.%x", &bus, &device, &function) != 3)
		return -EINVAL;
	endpoint = pci_get_domain_bus_and_slot(0, bus, PCI_DEVFN(device, function));
	if (!endpoint)
		return -ENODEV;
	ret = send_from(endpoint);
	pci_dev_put(endpoint);
	return ret;
}

static const struct kernel_param_ops send_ops = {
	.set = send_set,
};

module_param_cb(send, &send_ops, NULL, 0200);
MODULE_PARM_DESC(send, "Send the message for what this endpoint has detected: 0000:BB:DD.F");

static int __init errors_init(void)
{
	root_bus = pci_find_bus(0, 0);
	if (!root_bus) {
		pr_err("no PCI bus 0000:00\n");
		return -ENODEV;
	}

	pci_lock_rescan_remove();
	root_ops = root_bus->ops;
	shown_ops = *root_ops;
	shown_ops.read = errors_read;
	shown_ops.write = errors_write;
	pci_bus_set_ops(root_bus, &shown_ops);
	pci_unlock_rescan_remove();
	return 0;
}
module_init(errors_init);

MODULE_DESCRIPTION("Error messages of endpoints for the root ports of the vfio-tph lab");
MODULE_LICENSE("GPL");
