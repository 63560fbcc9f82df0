// SPDX-License-Identifier: GPL-2.0-only
/*
 * tph-vfio-pci: a vfio-pci variant driver that gives its users PCIe steering tags (TPH), by CPU
 * number, within what the caller may run on and the operator allows.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/pci.h>
#include <linux/pm_runtime.h>
#include <linux/vfio_pci_core.h>
#include <linux/vfio_tph_legacy.h>

#include "tph_aliases.h"
#include "tph_vfio_pci.h"

static char *name = TPH_MODULE;
module_param(name, charp, 0444);
MODULE_PARM_DESC(name, "Name to register the PCI driver under: tph-vfio-pci, or vfio-pci for programs that know no other, and then the stock vfio-pci module must not be loaded; by default the module's own");

static char *policy = "iv-st";
module_param(policy, charp, 0444);
MODULE_PARM_DESC(policy, "What users may do: no-st (no steering tag may target a CPU), iv-st (default: interrupt vector mode, every tag from a table that the kernel owns), ds-st (also device-specific mode and reading tags back: users are trusted with any tag)");

static bool enable_unsafe_tph_ds_mode;
module_param(enable_unsafe_tph_ds_mode, bool, 0444);
MODULE_PARM_DESC(enable_unsafe_tph_ds_mode, "The posted patches' name for policy=ds-st");

const char * const tph_policies[] = {
	[TPH_POLICY_NO_ST] = "no-st",
	[TPH_POLICY_IV_ST] = "iv-st",
	[TPH_POLICY_DS_ST] = "ds-st",
};

enum tph_policy tph_default_policy;
struct workqueue_struct *tph_workqueue;

static int open_device(struct vfio_device *vdev)
{
	struct tph_vdev *tph = tph_vdev(vdev);
	int ret;

	tph_steering_unstick(tph);
	ret = vfio_pci_core_enable(&tph->core);
	if (ret)
		return ret;

	ret = tph_steering_open(tph);
	if (ret)
		goto err_disable;
	tph_config_open(tph);
	tph_dmabuf_open(tph);
	vfio_pci_core_finish_enable(&tph->core);
	return 0;

err_disable:
	/* it is awake, and stays so for the last look */
	pm_runtime_get_noresume(&tph->core.pdev->dev);
	vfio_pci_core_disable(&tph->core);
	tph_steering_closed(tph);
	pm_runtime_put(&tph->core.pdev->dev);
	return ret;
}

static void close_device(struct vfio_device *vdev)
{
	struct device *dev = &tph_vdev(vdev)->core.pdev->dev;
	/* its user may have left it in low power, and what it holds is to be zeroed */
	bool awake = !pm_runtime_resume_and_get(dev);

	tph_dmabuf_close(tph_vdev(vdev));
	tph_steering_close(tph_vdev(vdev));
	vfio_pci_core_close_device(vdev);
	if (!awake)
		return;
	tph_steering_closed(tph_vdev(vdev));
	pm_runtime_put(dev);
}

static long device_ioctl(struct vfio_device *vdev, unsigned int cmd, unsigned long arg)
{
	struct tph_vdev *tph = tph_vdev(vdev);
	long ret;

	switch (cmd) {
	case VFIO_DEVICE_PCI_TPH:
		return tph_legacy_ioctl(tph, (void __user *)arg);
	case VFIO_DEVICE_SET_IRQS:
		if (tph->cap.place == TPH_PLACE_MSIX)
			return tph_steering_set_irqs(tph, arg);
		break;
	case VFIO_DEVICE_RESET:
	case VFIO_DEVICE_PCI_HOT_RESET:
		/* both begin with D0, which can cost the state, and may get no further (EAGAIN) */
		tph_steering_hold(tph);
		tph_guest_settle(tph);
		ret = vfio_pci_core_ioctl(vdev, cmd, arg);
		tph_steering_release(tph);
		if (cmd == VFIO_DEVICE_PCI_HOT_RESET)
			tph_steering_settle_set(tph, !ret);
		else
			tph_steering_settle(tph);
		return ret;
	}
	return tph_core_ioctl(vdev, cmd, arg);
}

static int init_device(struct vfio_device *vdev)
{
	struct tph_vdev *tph = tph_vdev(vdev);
	int ret;

	tph_stock_init(&tph->core);
	ret = vfio_pci_core_init_dev(vdev);
	if (ret)
		return ret;

	mutex_init(&tph->lock);
	tph_steering_init(tph);
	tph_lease_init(tph);
	tph_dmabuf_init(tph);
	tph->allowed = tph_platform_allowed(tph->core.pdev);
	tph->policy = tph_default_policy;
	if (!alloc_cpumask_var(&tph->cpus, GFP_KERNEL)) {
		ret = -ENOMEM;
		goto err_release_core;
	}
	cpumask_copy(tph->cpus, cpu_possible_mask);
	tph_source_init(tph);
	tph_platform_bind(tph);
	tph_platform_refresh(tph);
	return 0;

err_release_core:
	tph_dmabuf_release(tph);
	mutex_destroy(&tph->lock);
	vfio_pci_core_release_dev(vdev);
	return ret;
}

static void release_device(struct vfio_device *vdev)
{
	struct tph_vdev *tph = tph_vdev(vdev);

	tph_source_release(tph);
	free_cpumask_var(tph->cpus);
	tph_dmabuf_release(tph);
	mutex_destroy(&tph->lock);
	vfio_pci_core_release_dev(vdev);
}

static int __maybe_unused attach_ioas(struct vfio_device *vdev, u32 *pt_id)
{
	int ret = vfio_iommufd_physical_attach_ioas(vdev, pt_id);

	if (!ret)
		tph_steering_attached(tph_vdev(vdev));
	return ret;
}

static void __maybe_unused detach_ioas(struct vfio_device *vdev)
{
	tph_steering_detached(tph_vdev(vdev));
	vfio_iommufd_physical_detach_ioas(vdev);
}

/* .name is the driver's: it becomes the driver_override of virtual functions that a device makes */
static struct vfio_device_ops device_ops = {
	.init = init_device,
	.release = release_device,
	.open_device = open_device,
	.close_device = close_device,
	.ioctl = device_ioctl,
	TPH_OPS_REGION_INFO(tph_region_info_caps)
	.device_feature = tph_feature,
	.read = tph_config_read,
	.write = tph_config_write,
	.mmap = tph_region_mmap,
	.request = vfio_pci_core_request,
	.match = vfio_pci_core_match,
	TPH_OPS_TOKEN_UUID
	TPH_OPS_IOMMUFD(attach_ioas)
	TPH_OPS_IOMMUFD_DETACH(detach_ioas)
	TPH_OPS_PASID
};

static int probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct tph_vdev *tph;
	int ret;

	ret = tph_stock_check(pdev);
	if (ret)
		return ret;
	tph = vfio_alloc_device(tph_vdev, core.vdev, &pdev->dev, &device_ops);
	if (IS_ERR(tph))
		return PTR_ERR(tph);

	dev_set_drvdata(&pdev->dev, &tph->core);
	tph_export_init(tph);
	if (tph->cap.offset) {
		ret = tph_power_init(tph);
		if (ret)
			goto err_put_device;
	}
	ret = vfio_pci_core_register_device(&tph->core);
	if (ret)
		goto err_exit_power;
	return 0;

err_exit_power:
	tph_power_exit(tph);
err_put_device:
	vfio_put_device(&tph->core.vdev);
	return ret;
}

static void remove(struct pci_dev *pdev)
{
	struct tph_vdev *tph = tph_of_pdev(pdev);

	/* the next line waits for the user, for as long as the user likes */
	tph_steering_remove(tph);
	vfio_pci_core_unregister_device(&tph->core);
	tph_power_exit(tph);
	vfio_put_device(&tph->core.vdev);
}

static void reset_prepare(struct pci_dev *pdev)
{
	tph_steering_reset_prepare(tph_of_pdev(pdev));
}

static void reset_done(struct pci_dev *pdev)
{
	tph_steering_reset_done(tph_of_pdev(pdev));
}

static pci_ers_result_t error_detected(struct pci_dev *pdev, pci_channel_state_t state)
{
	tph_steering_error(tph_of_pdev(pdev), state);
	return vfio_pci_core_aer_err_detected(pdev, state);
}

static void resume(struct pci_dev *pdev)
{
	tph_steering_recovered(tph_of_pdev(pdev));
}

static const struct pci_error_handlers error_handlers = {
	.reset_prepare = reset_prepare,
	.reset_done = reset_done,
	.error_detected = error_detected,
	.resume = resume,
};

/*
 * Any device, but only one that was given to this driver, by driver_override or by its id (ids,
 * new_id). No module alias is made of this table: it would tie with stock vfio-pci's for every
 * device there is.
 */
static const struct pci_device_id id_table[] = {
	{ PCI_DRIVER_OVERRIDE_DEVICE_VFIO(PCI_ANY_ID, PCI_ANY_ID) },
	{}
};

#ifdef TPH_ALIASES
/*
 * Devices that the builder named. This table makes aliases (vfio_pci:) and binds nothing: who looks
 * for the module that suits a device best, as libvirt does, finds this one.
 */
static const struct pci_device_id alias_table[] = {
	TPH_ALIASES
	{}
};
MODULE_DEVICE_TABLE(pci, alias_table);
#endif

static struct pci_driver driver = {
	.id_table = id_table,
	.probe = probe,
	.remove = remove,
#ifdef CONFIG_PCI_IOV
	.sriov_configure = tph_stock_sriov,
#endif
	.err_handler = &error_handlers,
	.dev_groups = tph_operator_groups,
	.driver_managed_dma = true,
};

static int is_built_in(struct device_driver *other, void *unused)
{
	return !other->owner && !strcmp(other->name, name);
}

/* The way out, where another driver has the name. */
static const char *name_taken(void)
{
	if (bus_for_each_drv(&pci_bus_type, NULL, NULL, is_built_in))
		return ": it is built into this kernel and cannot be unloaded; load this module without name=, and set driver_override of devices to tph-vfio-pci";
	return "; unload the driver of that name first";
}

static int __init tph_init(void)
{
	int ret;

	ret = match_string(tph_policies, ARRAY_SIZE(tph_policies), policy);
	if (ret < 0) {
		pr_err("policy=%s: unknown; use no-st, iv-st or ds-st\n", policy);
		return -EINVAL;
	}
	tph_default_policy = ret;
	if (enable_unsafe_tph_ds_mode) {
		pr_info("enable_unsafe_tph_ds_mode: policy is ds-st; use policy=ds-st\n");
		tph_default_policy = TPH_POLICY_DS_ST;
	}

	if (strcmp(name, "tph-vfio-pci") && strcmp(name, "vfio-pci")) {
		pr_err("name=%s: use tph-vfio-pci or vfio-pci\n", name);
		return -EINVAL;
	}
	driver.name = name;
	device_ops.name = name;

	/* frozen with the machine's tasks: a function that sleeps is not to be reviewed */
	tph_workqueue = alloc_workqueue("tph-vfio-pci", WQ_UNBOUND | WQ_FREEZABLE, 0);
	if (!tph_workqueue)
		return -ENOMEM;
	ret = tph_stock_module_init();
	if (ret)
		goto err_destroy_workqueue;
	ret = tph_hotplug_init();
	if (ret)
		goto err_exit_stock;
	tph_dmabuf_module_init();
	ret = pci_register_driver(&driver);
	if (ret) {
		pr_err("cannot register as %s: %d%s\n", name, ret,
		       ret == -EBUSY ? name_taken() : "");
		goto err_exit_dmabuf;
	}
	tph_stock_ids(&driver);
	return 0;

err_exit_dmabuf:
	tph_dmabuf_module_exit();
	tph_hotplug_exit();
err_exit_stock:
	tph_stock_module_exit();
err_destroy_workqueue:
	destroy_workqueue(tph_workqueue);
	return ret;
}
module_init(tph_init);

static void __exit tph_exit(void)
{
	pci_unregister_driver(&driver);
	tph_dmabuf_module_exit();
	tph_hotplug_exit();
	tph_stock_module_exit();
	destroy_workqueue(tph_workqueue);
}
module_exit(tph_exit);

MODULE_LICENSE("GPL");
MODULE_AUTHOR("the vfio-tph authors");
MODULE_DESCRIPTION("VFIO PCI with steering tags (TPH) for userspace drivers");
