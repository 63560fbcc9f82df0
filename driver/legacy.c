// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO_DEVICE_PCI_TPH, the ioctl of the posted patches, for programs that were written to it. It
 * decodes, and then walks the same way as everything else.
 */
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/vfio_tph_legacy.h>

#include "tph_vfio_pci.h"
#include "trace.h"

static_assert(VFIO_PCI_TPH_MAX_ENTRIES == TPH_MSIX_ENTRIES_MAX);

static int get_cap(struct tph_vdev *tph, struct vfio_pci_tph_cap __user *user)
{
	struct vfio_pci_tph_cap cap = {};

	if (tph->offer.modes & PCI_TPH_CAP_ST_IV)
		cap.supported_modes |= VFIO_PCI_TPH_MODE_IV;
	if (tph->offer.modes & PCI_TPH_CAP_ST_DS)
		cap.supported_modes |= VFIO_PCI_TPH_MODE_DS;
	if (tph->offer.place != TPH_PLACE_NONE)
		cap.st_table_sz = tph->offer.entries;
	return copy_to_user(user, &cap, sizeof(cap)) ? -EFAULT : 0;
}

static int refuse(struct tph_vdev *tph, int error)
{
	trace_tph_refuse(tph->core.pdev, TPH_NO_CPU, TPH_REASON_NOT_OFFERED, error);
	return error;
}

/* 0 if one of these modes is on offer; -EPERM if one would be under another policy. */
static int modes_offered(struct tph_vdev *tph, u8 modes)
{
	if (tph->offer.modes & modes)
		return 0;
	return refuse(tph, tph->offer.possible & modes ? -EPERM : -EOPNOTSUPP);
}

/* What an operation answers whatever else is wrong with it: what it needs is not there. */
static int offered(struct tph_vdev *tph, u32 op)
{
	switch (op) {
	case VFIO_PCI_TPH_SET_ST:
		/* not even another policy would give it one */
		if (tph->cap.place == TPH_PLACE_NONE)
			return refuse(tph, -EOPNOTSUPP);
		return tph_request_offered(tph);
	case VFIO_PCI_TPH_GET_ST:
		return tph->offer.tags ? refuse(tph, tph->offer.tags) : 0;
	default:
		return modes_offered(tph, TPH_MODES_ALL);
	}
}

static int enable(struct tph_vdev *tph, const struct vfio_pci_tph_ctrl __user *user)
{
	struct tph_control ask = { .width = TPH_WIDTH_16 };
	struct vfio_pci_tph_ctrl ctrl;
	u8 capability;
	int ret;

	if (copy_from_user(&ctrl, user, sizeof(ctrl)))
		return -EFAULT;
	if (memchr_inv(ctrl.reserved, 0, sizeof(ctrl.reserved)))
		return -EINVAL;
	switch (ctrl.mode) {
	case VFIO_PCI_TPH_MODE_IV:
		ask.mode = PCI_TPH_ST_IV_MODE;
		capability = PCI_TPH_CAP_ST_IV;
		break;
	case VFIO_PCI_TPH_MODE_DS:
		ask.mode = PCI_TPH_ST_DS_MODE;
		capability = PCI_TPH_CAP_ST_DS;
		break;
	default:
		return -EINVAL;
	}
	ret = modes_offered(tph, capability);
	if (ret)
		return ret;

	ret = -EOPNOTSUPP;
	if (tph->offer.extended)
		ret = tph_steering_request(tph, tph_control_register(ask), ~0U);
	if (ret == -EOPNOTSUPP) {
		ask.width = TPH_WIDTH_8;
		ret = tph_steering_request(tph, tph_control_register(ask), ~0U);
	}
	return ret;
}

static int disable(struct tph_vdev *tph)
{
	return tph_steering_request(tph, 0, PCI_TPH_CTRL_REQ_EN_MASK);
}

/* The entries as the rooms know them, checked for all that needs no look at the device's state. */
static struct tph_target *decode(struct tph_vdev *tph, const struct vfio_pci_tph_entry *ents,
				 u32 count, bool set)
{
	struct tph_target *targets = kvmalloc_array(count, sizeof(*targets), GFP_KERNEL);
	u32 size = tph->table.ledger.size, i;

	if (!targets)
		return ERR_PTR(-ENOMEM);
	for (i = 0; i < count; i++) {
		if (ents[i].mem_type > VFIO_PCI_TPH_MEM_TYPE_PM || ents[i].reserved0 ||
		    ents[i].reserved1 || (!set && ents[i].cpu == TPH_NO_CPU) ||
		    (set && !tph_ledger_holds(&tph->table.ledger, ents[i].index, 1))) {
			kvfree(targets);
			return ERR_PTR(-EINVAL);
		}
		targets[i] = (struct tph_target){
			.cpu = ents[i].cpu,
			.index = set ? array_index_nospec(ents[i].index, size) : 0,
			.persistent = ents[i].mem_type == VFIO_PCI_TPH_MEM_TYPE_PM,
		};
	}
	return targets;
}

static int get_tags(struct tph_vdev *tph, const struct tph_target *targets,
		    struct vfio_pci_tph_entry *ents, u32 count,
		    struct vfio_pci_tph_entry __user *user)
{
	u16 *tags;
	int ret;
	u32 i;

	tags = kvmalloc_array(count, sizeof(*tags), GFP_KERNEL);
	if (!tags)
		return -ENOMEM;
	ret = tph_request_tags(tph, targets, count, tags);
	for (i = 0; i < count && !ret; i++)
		ents[i].st = tags[i];
	kvfree(tags);
	if (!ret && copy_to_user(user, ents, array_size(count, sizeof(*ents))))
		ret = -EFAULT;
	return ret;
}

static int steering_tags(struct tph_vdev *tph, struct vfio_pci_tph_st __user *user, size_t size,
			 bool set)
{
	struct vfio_pci_tph_entry *ents;
	struct tph_target *targets;
	struct vfio_pci_tph_st st;
	int ret;

	if (copy_from_user(&st, user, sizeof(st)))
		return -EFAULT;
	if (!st.count || st.count > VFIO_PCI_TPH_MAX_ENTRIES || st.reserved ||
	    size < struct_size(user, ents, st.count))
		return -EINVAL;

	ents = vmemdup_array_user(user->ents, st.count, sizeof(*ents));
	if (IS_ERR(ents))
		return PTR_ERR(ents);
	targets = decode(tph, ents, st.count, set);
	if (IS_ERR(targets)) {
		ret = PTR_ERR(targets);
		goto out_free_ents;
	}
	if (set)
		ret = tph_request_set(tph, targets, st.count);
	else
		ret = get_tags(tph, targets, ents, st.count, user->ents);
	kvfree(targets);

out_free_ents:
	kvfree(ents);
	return ret;
}

/**
 * tph_legacy_ioctl() - VFIO_DEVICE_PCI_TPH
 * @tph: the device, open
 * @arg: struct vfio_device_pci_tph_op in user memory
 *
 * Context: ioctl of the user; the device is resumed.
 * Return: as include/uapi/linux/vfio_tph_legacy.h says.
 */
long tph_legacy_ioctl(struct tph_vdev *tph, struct vfio_device_pci_tph_op __user *arg)
{
	size_t header = offsetof(struct vfio_device_pci_tph_op, cap);
	u32 argsz, op;
	int ret;

	if (get_user(argsz, &arg->argsz) || get_user(op, &arg->op))
		return -EFAULT;
	if (argsz < header || op > VFIO_PCI_TPH_SET_ST)
		return -EINVAL;
	ret = offered(tph, op);
	if (ret)
		return ret;

	switch (op) {
	case VFIO_PCI_TPH_GET_CAP:
		return argsz < header + sizeof(arg->cap) ? -EINVAL : get_cap(tph, &arg->cap);
	case VFIO_PCI_TPH_ENABLE:
		return argsz < header + sizeof(arg->ctrl) ? -EINVAL : enable(tph, &arg->ctrl);
	case VFIO_PCI_TPH_DISABLE:
		return disable(tph);
	default:
		if (argsz < header + sizeof(arg->st))
			return -EINVAL;
		return steering_tags(tph, &arg->st, argsz - header, op == VFIO_PCI_TPH_SET_ST);
	}
}
