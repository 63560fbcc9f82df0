// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the operator decides about a bound device, and sees of it: the attributes in its tph/ folder
 * in sysfs. doc/abi/sysfs-bus-pci-tph describes them.
 */
#include <linux/ctype.h>
#include <linux/sysfs.h>

#include "tph_vfio_pci.h"

#define FOLDER	"tph"

static struct tph_vdev *device_to_tph(struct device *dev)
{
	return tph_of_pdev(to_pci_dev(dev));
}

static ssize_t policy_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct tph_vdev *tph = device_to_tph(dev);

	guard(mutex)(&tph->lock);
	return sysfs_emit(buf, "%s\n", tph_policies[tph->policy]);
}

static ssize_t policy_store(struct device *dev, struct device_attribute *attr, const char *buf,
			    size_t count)
{
	struct tph_vdev *tph = device_to_tph(dev);
	int policy = sysfs_match_string(tph_policies, buf);

	if (policy < 0)
		return policy;
	guard(mutex)(&tph->lock);
	/* what the user was offered stays true until it closes the device */
	if (tph->busy && tph->policy != policy)
		return -EBUSY;
	tph->policy = policy;
	return count;
}
static DEVICE_ATTR_RW(policy);

static ssize_t cpus_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct tph_vdev *tph = device_to_tph(dev);

	guard(mutex)(&tph->lock);
	return sysfs_emit(buf, "%*pbl\n", cpumask_pr_args(tph->cpus));
}

static bool lost_by_list(const struct tph_entry *entry, u32 index, void *arg)
{
	return !cpumask_test_cpu(entry->cpu, arg);
}

/*
 * Numbers and ranges, between commas; nothing at all is the empty list. cpulist_parse() knows more
 * ("all", "N", "0-63:2/4", gaps), and some of it looks like a list and comes to no CPU at all. What
 * takes entries from a user has to say what it means.
 */
static bool is_list(const char *text, size_t length)
{
	const char *end = text + length;
	bool range = false;

	if (length && end[-1] == '\n')
		end--;
	if (text == end)
		return true;
	for (;; text++) {
		if (text == end || !isdigit(*text))
			return false;
		while (text < end && isdigit(*text))
			text++;
		if (text == end)
			return true;
		if (*text != ',' && (*text != '-' || range))
			return false;
		range = *text == '-';
	}
}

/* Without anything to take back nobody has to be waited for. */
static bool set_list(struct tph_vdev *tph, struct cpumask *cpus)
{
	const struct tph_entry *held;
	u32 i;

	guard(mutex)(&tph->lock);
	for (i = 0; (held = tph_lease_held_locked(tph, i)); i++)
		if (held->cpu != TPH_NO_CPU && lost_by_list(held, i, cpus))
			return false;
	cpumask_copy(tph->cpus, cpus);
	return true;
}

static ssize_t cpus_store(struct device *dev, struct device_attribute *attr, const char *buf,
			  size_t count)
{
	struct tph_vdev *tph = device_to_tph(dev);
	enum tph_memory memory;
	cpumask_var_t cpus;
	ssize_t ret = -EINVAL;

	if (!is_list(buf, count))
		return -EINVAL;
	if (!alloc_cpumask_var(&cpus, GFP_KERNEL))
		return -ENOMEM;
	if (cpulist_parse(buf, cpus) || !cpumask_subset(cpus, cpu_possible_mask))
		goto out_free_cpus;
	ret = count;
	if (set_list(tph, cpus))
		goto out_free_cpus;

	memory = tph_memory_trylock(tph);
	scoped_guard(mutex, &tph->lock) {
		cpumask_copy(tph->cpus, cpus);
		tph_revoke_locked(tph, lost_by_list, cpus, TPH_REASON_OPERATOR,
				  memory == TPH_MEMORY_BUSY);
	}
	tph_memory_unlock(tph, memory);
out_free_cpus:
	free_cpumask_var(cpus);
	return ret;
}
static DEVICE_ATTR_RW(cpus);

static ssize_t targets_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct tph_vdev *tph = device_to_tph(dev);
	const struct tph_entry *held;
	cpumask_var_t cpus;
	ssize_t ret;
	u32 i;

	if (!zalloc_cpumask_var(&cpus, GFP_KERNEL))
		return -ENOMEM;
	scoped_guard(mutex, &tph->lock)
		for (i = 0; (held = tph_lease_held_locked(tph, i)); i++)
			if (held->cpu != TPH_NO_CPU)
				cpumask_set_cpu(held->cpu, cpus);
	ret = sysfs_emit(buf, "%*pbl\n", cpumask_pr_args(cpus));
	free_cpumask_var(cpus);
	return ret;
}
static DEVICE_ATTR_ADMIN_RO(targets);

static ssize_t requester_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	static const char * const modes[] = { "no-st", "iv", "ds" };
	struct tph_vdev *tph = device_to_tph(dev);
	struct tph_control control = {};

	guard(mutex)(&tph->lock);
	if (tph->opened)
		control = tph->table.wanted;
	if (control.width == TPH_WIDTH_NONE)
		return sysfs_emit(buf, "off\n");
	return sysfs_emit(buf, "%s %u\n", modes[control.mode],
			  control.width == TPH_WIDTH_16 ? 16 : 8);
}
static DEVICE_ATTR_ADMIN_RO(requester);

static ssize_t revocations_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct tph_vdev *tph = device_to_tph(dev);

	guard(mutex)(&tph->lock);
	return sysfs_emit(buf, "%llu\n", tph->revocations);
}
static DEVICE_ATTR_ADMIN_RO(revocations);

static int offered(const struct tph_vdev *tph, const struct tph_platform *platform)
{
	struct tph_offer offer;

	tph_offer_make(&tph->cap, platform, tph->policy, &offer);
	return offer.steering;
}

/* The first condition that does not hold, in the order in which a request meets them. */
static const char *steering(struct tph_vdev *tph)
{
	struct tph_platform platform = tph->platform;

	if (!platform.allowed)
		return "notph";
	if (!platform.root_integrated && platform.completer == TPH_WIDTH_NONE)
		return "no-completer";
	if (!(tph->cap.modes & (PCI_TPH_CAP_ST_IV | PCI_TPH_CAP_ST_DS)))
		return "no-mode";
	if (!platform.firmware)
		return "no-firmware";
	if (offered(tph, &platform)) {
		platform.shared = false;
		return offered(tph, &platform) ? "policy" : "group-neighbour";
	}
	if (cpumask_empty(tph->cpus))
		return "no-cpus";
	if (tph->opened && !tph->attached)
		return "not-attached";
	return "possible";
}

static ssize_t steering_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct tph_vdev *tph = device_to_tph(dev);

	guard(mutex)(&tph->lock);
	return sysfs_emit(buf, "%s\n", steering(tph));
}
static DEVICE_ATTR_RO(steering);

static ssize_t publish_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%d\n", tph_dmabuf_allowed(device_to_tph(dev)));
}

static ssize_t publish_store(struct device *dev, struct device_attribute *attr, const char *buf,
			     size_t count)
{
	bool allowed;
	int ret = kstrtobool(buf, &allowed);

	if (ret)
		return ret;
	tph_dmabuf_allow(device_to_tph(dev), allowed);
	return count;
}
static DEVICE_ATTR_RW(publish);

static ssize_t guest_place_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct tph_vdev *tph = device_to_tph(dev);

	guard(mutex)(&tph->lock);
	if (!tph->guest.place)
		return sysfs_emit(buf, "behind\n");
	return sysfs_emit(buf, "%#x\n", tph->guest.place);
}

/* Whether it is free, and how much there is, is looked at when the device is opened. */
static ssize_t guest_place_store(struct device *dev, struct device_attribute *attr,
				 const char *buf, size_t count)
{
	struct tph_vdev *tph = device_to_tph(dev);
	bool behind = sysfs_streq(buf, "behind");
	u16 place = 0;
	int ret = behind ? 0 : kstrtou16(buf, 0, &place);

	if (ret)
		return ret;
	if (!behind && (place < PCI_CFG_SPACE_SIZE || place % 4 ||
			place + PCI_TPH_BASE_SIZEOF > tph->core.pdev->cfg_size))
		return -EINVAL;
	guard(mutex)(&tph->lock);
	if (tph->busy && tph->guest.place != place)
		return -EBUSY;
	tph->guest.place = place;
	return count;
}
static DEVICE_ATTR_RW(guest_place);

static struct attribute *attributes[] = {
	&dev_attr_policy.attr,
	&dev_attr_cpus.attr,
	&dev_attr_targets.attr,
	&dev_attr_requester.attr,
	&dev_attr_revocations.attr,
	&dev_attr_steering.attr,
	&dev_attr_publish.attr,
	&dev_attr_guest_place.attr,
	NULL
};

static umode_t is_visible(struct kobject *kobj, struct attribute *attr, int n)
{
	struct tph_vdev *tph = device_to_tph(kobj_to_dev(kobj));
	bool has;

	/* a function can take tags without being able to send any */
	if (attr == &dev_attr_publish.attr)
		has = tph_dmabuf_possible(tph);
	else if (attr == &dev_attr_guest_place.attr)
		has = tph->cap.place == TPH_PLACE_MSIX;
	else
		has = tph->cap.offset;
	return has ? attr->mode : 0;
}

static const struct attribute_group group = {
	.name = FOLDER,
	.attrs = attributes,
	.is_visible = is_visible,
};

const struct attribute_group *tph_operator_groups[] = { &group, NULL };

static struct kernfs_node *find_attribute(struct tph_vdev *tph, const char *name)
{
	struct kernfs_node *folder = sysfs_get_dirent(tph->core.pdev->dev.kobj.sd, FOLDER);
	struct kernfs_node *attribute;

	if (!folder)
		return NULL;
	attribute = sysfs_get_dirent(folder, name);
	sysfs_put(folder);
	return attribute;
}

/**
 * tph_operator_open() - find what tph_operator_changed() wakes, while it may be looked for
 * @tph: the device
 */
void tph_operator_open(struct tph_vdev *tph)
{
	tph->targets = find_attribute(tph, "targets");
	tph->requester = find_attribute(tph, "requester");
}

/**
 * tph_operator_close() - undo tph_operator_open()
 * @tph: the device
 */
void tph_operator_close(struct tph_vdev *tph)
{
	tph_operator_changed(tph);
	sysfs_put(tph->targets);
	sysfs_put(tph->requester);
	tph->targets = NULL;
	tph->requester = NULL;
}

/**
 * tph_operator_changed() - wake whoever polls what is in force
 * @tph: the device
 *
 * Context: any.
 */
void tph_operator_changed(struct tph_vdev *tph)
{
	if (tph->targets)
		sysfs_notify_dirent(tph->targets);
	if (tph->requester)
		sysfs_notify_dirent(tph->requester);
}
