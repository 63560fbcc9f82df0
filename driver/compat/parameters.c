// SPDX-License-Identifier: GPL-2.0-only
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/pci.h>

#include "parameters.h"

#ifdef TPH_KERNEL_GLOBAL_PARAMETERS
/* they were told, and are still ours */
static bool told;

static int uses_core(struct device_driver *driver, void *name)
{
	const struct pci_error_handlers *handlers = to_pci_driver(driver)->err_handler;

	if (!handlers || handlers->error_detected != vfio_pci_core_aer_err_detected)
		return 0;
	*(const char **)name = driver->name;
	return 1;
}

/**
 * tph_parameters_module_init() - tell the core what the operator wants of it
 * @given: the module's parameters
 *
 * Nothing is told if none was given: the core has what vfio-pci was given. Nor are settings changed
 * under another driver's devices; some are looked at when one is bound and again when it is let go.
 *
 * Context: module initialization, our own driver not registered yet.
 * Return: 0; -EBUSY if one was given and another driver uses the core.
 */
int tph_parameters_module_init(const struct tph_parameters *given)
{
	const char *other = NULL;

	if (!given->nointxmask && !given->disable_vga && !given->disable_idle_d3)
		return 0;
	if (bus_for_each_drv(&pci_bus_type, NULL, &other, uses_core)) {
		pr_err("nointxmask, disable_vga and disable_idle_d3 are for all drivers on this kernel's vfio-pci-core, and %s uses it already; unload it, or give them to vfio-pci and not to this module\n",
		       other);
		return -EBUSY;
	}
	vfio_pci_core_set_params(given->nointxmask, given->disable_vga, given->disable_idle_d3);
	told = true;
	pr_info("nointxmask=%d disable_vga=%d disable_idle_d3=%d are for all drivers on this kernel's vfio-pci-core\n",
		given->nointxmask, given->disable_vga, given->disable_idle_d3);
	return 0;
}

/**
 * tph_parameters_module_exit() - the core's defaults again, if nobody else has told it since
 *
 * Context: our own driver is not registered any more.
 */
void tph_parameters_module_exit(void)
{
	const char *other;

	if (told && !bus_for_each_drv(&pci_bus_type, NULL, &other, uses_core))
		vfio_pci_core_set_params(false, false, false);
}
#endif
