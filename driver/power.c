// SPDX-License-Identifier: GPL-2.0-only
/*
 * A function that sleeps is left alone: runtime suspend and the sleep of the whole machine are
 * holds of its table, and its wake, whatever brought it about, is the release.
 *
 * vfio-pci-core has no hook for that: it sets driver->pm itself each time a device is registered,
 * so operations of ours would be gone for a moment, for devices in use too. A PM domain is the
 * device's own and comes before the bus in every phase; it calls the bus, which calls the core.
 */
#include <linux/pci.h>

#include "tph_vfio_pci.h"

static const struct dev_pm_ops *bus_ops(struct device *dev)
{
	return dev->bus->pm;
}

/* Requester off while the function still hears it; on again if it does not go to sleep. */
static int sleep(struct device *dev, int (*bus)(struct device *dev), u8 why)
{
	struct tph_vdev *tph = tph_of_pdev(to_pci_dev(dev));
	int ret;

	tph_steering_sleep(tph, why);
	ret = bus ? bus(dev) : 0;
	if (ret)
		tph_steering_wake(tph, why);
	return ret;
}

/* A function that does not wake up stays as it is: held. */
static int wake(struct device *dev, int (*bus)(struct device *dev), u8 why)
{
	int ret = bus ? bus(dev) : 0;

	if (!ret)
		tph_steering_wake(tph_of_pdev(to_pci_dev(dev)), why);
	return ret;
}

static int power_runtime_suspend(struct device *dev)
{
	return sleep(dev, bus_ops(dev)->runtime_suspend, TPH_ASLEEP_RUNTIME);
}

static int power_runtime_resume(struct device *dev)
{
	return wake(dev, bus_ops(dev)->runtime_resume, TPH_ASLEEP_RUNTIME);
}

static int power_suspend(struct device *dev)
{
	return sleep(dev, bus_ops(dev)->suspend, TPH_ASLEEP_SYSTEM);
}

static int power_resume(struct device *dev)
{
	return wake(dev, bus_ops(dev)->resume, TPH_ASLEEP_SYSTEM);
}

static int power_freeze(struct device *dev)
{
	return sleep(dev, bus_ops(dev)->freeze, TPH_ASLEEP_SYSTEM);
}

static int power_thaw(struct device *dev)
{
	return wake(dev, bus_ops(dev)->thaw, TPH_ASLEEP_SYSTEM);
}

static int power_poweroff(struct device *dev)
{
	return sleep(dev, bus_ops(dev)->poweroff, TPH_ASLEEP_SYSTEM);
}

static int power_restore(struct device *dev)
{
	return wake(dev, bus_ops(dev)->restore, TPH_ASLEEP_SYSTEM);
}

/**
 * tph_power_init() - learn of a function's sleep and wake from now on
 * @tph: the device, in probe, its drvdata set
 *
 * Return: 0; -EBUSY if the function has a PM domain of its own, which would not be called then.
 */
int tph_power_init(struct tph_vdev *tph)
{
	struct device *dev = &tph->core.pdev->dev;

	/* a kernel without power management */
	if (!bus_ops(dev))
		return 0;
	if (dev->pm_domain) {
		pci_err(tph->core.pdev, "has a PM domain, and steering tags could not be held while it sleeps\n");
		return -EBUSY;
	}
	tph->domain.ops = *bus_ops(dev);
	tph->domain.ops.runtime_suspend = power_runtime_suspend;
	tph->domain.ops.runtime_resume = power_runtime_resume;
	tph->domain.ops.suspend = power_suspend;
	tph->domain.ops.resume = power_resume;
	tph->domain.ops.freeze = power_freeze;
	tph->domain.ops.thaw = power_thaw;
	tph->domain.ops.poweroff = power_poweroff;
	tph->domain.ops.restore = power_restore;
	dev_pm_domain_set(dev, &tph->domain);
	return 0;
}

/**
 * tph_power_exit() - undo tph_power_init()
 * @tph: the device, which nobody has open and which does not sleep: in remove, or a failed probe
 */
void tph_power_exit(struct tph_vdev *tph)
{
	struct device *dev = &tph->core.pdev->dev;

	if (dev->pm_domain == &tph->domain)
		dev_pm_domain_set(dev, NULL);
}
