// SPDX-License-Identifier: GPL-2.0-only
/*
 * What people know stock vfio-pci by, beside its name: its module parameters, the ids it can be
 * given, the devices it refuses. The same words mean the same here; doc/drop-in.md has the table.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/pci.h>
#include <linux/string.h>

#include "compat/parameters.h"
#include "denylist.h"
#include "tph_vfio_pci.h"

/* the register that holds the address of an Intel graphics device's OpRegion */
#define INTEL_OPREGION	0xfc

static char ids[1024];
module_param_string(ids, ids, sizeof(ids), 0);
MODULE_PARM_DESC(ids, "Devices to take without driver_override: VENDOR:DEVICE[:SUBVENDOR[:SUBDEVICE[:CLASS[:CLASS_MASK]]]], hexadecimal, separated by commas");

static struct tph_parameters parameters;
module_param_named(nointxmask, parameters.nointxmask, bool, TPH_PARAMETER_MODE);
MODULE_PARM_DESC(nointxmask, "Mask INTx at the interrupt controller, for devices whose own INTx Disable bit does not work; for devices bound from then on");

#ifdef CONFIG_VFIO_PCI_VGA
module_param_named(disable_vga, parameters.disable_vga, bool, 0444);
MODULE_PARM_DESC(disable_vga, "Show no region with the legacy VGA addresses");
#endif

module_param_named(disable_idle_d3, parameters.disable_idle_d3, bool, TPH_PARAMETER_MODE);
MODULE_PARM_DESC(disable_idle_d3, "Leave unused devices in D0; for devices bound from then on");

#ifdef CONFIG_PCI_IOV
static bool enable_sriov;
module_param(enable_sriov, bool, 0644);
MODULE_PARM_DESC(enable_sriov, "Let sriov_numvfs of a bound device make virtual functions");
#endif

static bool disable_denylist;
module_param(disable_denylist, bool, 0444);
MODULE_PARM_DESC(disable_denylist, "Also take devices with errata that an untrusted user could use against the system");

#define DENIED(vendor, device) { PCI_DEVICE(vendor, device) },
static const struct pci_device_id denied[] = { TPH_DENYLIST(DENIED) {} };

/*
 * Whether stock vfio-pci would give the device's user regions with the OpRegion and the bridges'
 * configuration space. vfio-pci-core exports nothing to make them with.
 */
static bool has_intel_graphics_regions(struct pci_dev *pdev)
{
	u32 opregion;

	if (!IS_ENABLED(CONFIG_VFIO_PCI_IGD) || pdev->vendor != PCI_VENDOR_ID_INTEL ||
	    pdev->class >> 16 != PCI_BASE_CLASS_DISPLAY)
		return false;
	if (pci_read_config_dword(pdev, INTEL_OPREGION, &opregion))
		return false;
	return opregion && opregion != ~0U;
}

/**
 * tph_stock_check() - whether the device can be taken
 * @pdev: the device, about to be bound
 *
 * Return: 0; -EINVAL for a device on the denylist; -EOPNOTSUPP for one that stock vfio-pci has more
 * for than this driver can give. The kernel's log tells why, and the way out.
 */
int tph_stock_check(struct pci_dev *pdev)
{
	if (pci_match_id(denied, pdev)) {
		if (!disable_denylist) {
			pci_err(pdev, "%04x:%04x is on the denylist for its errata; disable_denylist=1 takes it all the same\n",
				pdev->vendor, pdev->device);
			return -EINVAL;
		}
		pci_warn(pdev, "%04x:%04x is taken though it is on the denylist (disable_denylist)\n",
			 pdev->vendor, pdev->device);
	}
	if (has_intel_graphics_regions(pdev)) {
		pci_err(pdev, "this is Intel graphics with an OpRegion, which only the stock vfio-pci module can show to its user; bind it to that\n");
		return -EOPNOTSUPP;
	}
	return 0;
}

/**
 * tph_stock_init() - what the module's parameters are now, the device keeps while it is bound
 * @core: the device, before vfio_pci_core_init_dev()
 */
void tph_stock_init(struct vfio_pci_core_device *core)
{
	tph_parameters_init(core, &parameters);
}

/**
 * tph_stock_module_init() - the parameters, where there is one set for all of vfio-pci-core
 *
 * Return: 0; -EBUSY if one was given, and another driver uses the core.
 */
int tph_stock_module_init(void)
{
	return tph_parameters_module_init(&parameters);
}

/**
 * tph_stock_module_exit() - undo tph_stock_module_init()
 */
void tph_stock_module_exit(void)
{
	tph_parameters_module_exit();
}

#ifdef CONFIG_PCI_IOV
/**
 * tph_stock_sriov() - sriov_numvfs was written
 * @pdev: the physical function
 * @count: virtual functions to make, 0 for none
 *
 * Return: @count; -ENOENT without enable_sriov; what vfio_pci_core_sriov_configure() says.
 */
int tph_stock_sriov(struct pci_dev *pdev, int count)
{
	struct tph_vdev *tph = tph_of_pdev(pdev);
	int ret;

	if (!enable_sriov)
		return -ENOENT;
	/* the core takes the function to D0 first, which can cost it its state */
	tph_steering_hold(tph);
	ret = vfio_pci_core_sriov_configure(&tph->core, count);
	tph_steering_release(tph);
	return ret;
}
#endif

static void add_id(struct pci_driver *driver, const char *text)
{
	u32 id[6] = { 0, 0, PCI_ANY_ID, PCI_ANY_ID, 0, 0 };
	int ret;

	if (sscanf(text, "%x:%x:%x:%x:%x:%x", &id[0], &id[1], &id[2], &id[3], &id[4], &id[5]) < 2) {
		pr_warn("ids: '%s' is left out: not VENDOR:DEVICE[:...]\n", text);
		return;
	}
	ret = pci_add_dynid(driver, id[0], id[1], id[2], id[3], id[4], id[5], 0);
	if (ret)
		pr_warn("ids: '%s' is left out: %d\n", text, ret);
}

/**
 * tph_stock_ids() - take the devices that the parameter ids names
 * @driver: registered
 *
 * As with stock vfio-pci, an id that cannot be used is logged and left out.
 *
 * Context: module initialization; consumes the parameter.
 */
void tph_stock_ids(struct pci_driver *driver)
{
	char *rest = ids, *text;

	while ((text = strsep(&rest, ",")))
		if (*text)
			add_id(driver, text);
}
