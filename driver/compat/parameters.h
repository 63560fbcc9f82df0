/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Parameters of vfio-pci-core: each device has its own, or there is one set for all drivers that
 * use the core, told to it while it serves no device.
 */
#ifndef TPH_COMPAT_PARAMETERS_H
#define TPH_COMPAT_PARAMETERS_H

#include <linux/vfio_pci_core.h>
#include <tph_kernel.h>

/**
 * struct tph_parameters - module parameters that are the core's
 * @nointxmask: mask INTx at the interrupt controller
 * @disable_vga: no region with the legacy VGA addresses
 * @disable_idle_d3: leave unused devices in D0
 */
struct tph_parameters {
	bool nointxmask;
	bool disable_vga;
	bool disable_idle_d3;
};

#ifdef TPH_KERNEL_GLOBAL_PARAMETERS
/* as found when the module is loaded */
#define TPH_PARAMETER_MODE	0444

int tph_parameters_module_init(const struct tph_parameters *given);
void tph_parameters_module_exit(void);

static inline void tph_parameters_init(struct vfio_pci_core_device *core,
				       const struct tph_parameters *now)
{
}
#else
/* as found when a device is bound */
#define TPH_PARAMETER_MODE	0644

static inline int tph_parameters_module_init(const struct tph_parameters *given)
{
	return 0;
}

static inline void tph_parameters_module_exit(void)
{
}

static inline void tph_parameters_init(struct vfio_pci_core_device *core,
				       const struct tph_parameters *now)
{
	core->nointxmask = now->nointxmask;
	core->disable_idle_d3 = now->disable_idle_d3;
#ifdef CONFIG_VFIO_PCI_VGA
	core->disable_vga = now->disable_vga;
#endif
}
#endif

#endif
