// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO_DEVICE_GET_REGION_INFO where vfio has no operation for it, and vfio-pci-core writes its own
 * answer to the user's memory: the BAR with the ST table is answered for here.
 *
 * What the user learns is no protection, that is tph_region_mmap()'s: no page of the table is ever
 * mapped. So it does not matter that the core reads the index again: who changes it meanwhile is
 * told that the table can be mapped, and finds that it cannot.
 */
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "../tph_vfio_pci.h"

#ifndef TPH_KERNEL_REGION_INFO_CAPS
/* What the core says of a BAR without capabilities. Return: 0. */
int vfio_pci_ioctl_get_region_info(struct vfio_device *vdev, struct vfio_region_info *info,
				   struct vfio_info_cap *caps)
{
	struct vfio_pci_core_device *core = &tph_vdev(vdev)->core;

	info->offset = VFIO_PCI_INDEX_TO_OFFSET(info->index);
	info->size = pci_resource_len(core->pdev, info->index);
	info->flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
	if (core->bar_mmap_supported[info->index])
		info->flags |= VFIO_REGION_INFO_FLAG_MMAP;
	return 0;
}

/* The capabilities go behind the structure, if the user has room for them. */
static int copy_caps(struct vfio_info_cap *caps, struct vfio_region_info *info,
		     struct vfio_region_info __user *user)
{
	info->cap_offset = 0;
	if (!caps->size)
		return 0;
	info->flags |= VFIO_REGION_INFO_FLAG_CAPS;
	if (info->argsz < size_add(sizeof(*info), caps->size)) {
		info->argsz = sizeof(*info) + caps->size;
		return 0;
	}
	vfio_info_cap_shift(caps, sizeof(*info));
	if (copy_to_user(user + 1, caps->buf, caps->size))
		return -EFAULT;
	info->cap_offset = sizeof(*info);
	return 0;
}

static long get_region_info(struct vfio_device *vdev, struct vfio_region_info __user *user)
{
	const size_t size = offsetofend(struct vfio_region_info, offset);
	struct tph_vdev *tph = tph_vdev(vdev);
	struct vfio_region_info info = {};
	struct vfio_info_cap caps = {};
	int ret;

	if (copy_from_user(&info, user, size))
		return -EFAULT;
	if (info.argsz < size)
		return -EINVAL;
	if (!tph_region_has_table(tph, info.index))
		return vfio_pci_core_ioctl(vdev, VFIO_DEVICE_GET_REGION_INFO, (unsigned long)user);

	/* the same number, but not the user's */
	info.index = tph->msix.table_bar;
	ret = tph_region_info_caps(vdev, &info, &caps);
	if (!ret)
		ret = copy_caps(&caps, &info, user);
	kfree(caps.buf);
	if (ret)
		return ret;
	return copy_to_user(user, &info, size) ? -EFAULT : 0;
}

/**
 * tph_core_ioctl() - what is left for the core
 * @vdev: the device, open
 * @cmd: the ioctl
 * @arg: its argument
 *
 * Return: what the core says, or would say.
 */
long tph_core_ioctl(struct vfio_device *vdev, unsigned int cmd, unsigned long arg)
{
	if (cmd == VFIO_DEVICE_GET_REGION_INFO)
		return get_region_info(vdev, (void __user *)arg);
	return vfio_pci_core_ioctl(vdev, cmd, arg);
}
#endif
