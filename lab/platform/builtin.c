// SPDX-License-Identifier: GPL-2.0-only
/*
 * A driver called vfio-pci that belongs to no module, as a kernel with CONFIG_VFIO_PCI=y has it. It
 * takes no device; what there is to see is that the name is taken and cannot be freed.
 */
#include <linux/module.h>
#include <linux/pci.h>

static int probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	return -ENODEV;
}

static struct pci_driver builtin_driver = {
	.name = "vfio-pci",
	.probe = probe,
	.driver_managed_dma = true,
};

static int __init builtin_init(void)
{
	/* without an owner, so that sysfs shows no module of it either */
	return __pci_register_driver(&builtin_driver, NULL, "vfio_pci");
}
module_init(builtin_init);

static void __exit builtin_exit(void)
{
	pci_unregister_driver(&builtin_driver);
}
module_exit(builtin_exit);

MODULE_DESCRIPTION("A built in driver called vfio-pci, for the vfio-tph lab");
MODULE_LICENSE("GPL");
