// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where the ST table is in the MSI-X table, the pages that hold it have one writer, the kernel:
 * they are neither mapped into a process nor exported as a dma-buf (export.c), and the rest of the
 * BAR is. The pages of the pending bit array are not offered for mapping, but whoever asks for them
 * has them, as with stock vfio-pci: nothing there is worth guarding.
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include "tph_vfio_pci.h"

/**
 * tph_region_has_table() - whether a BAR holds an ST table, and so is not like any other
 * @tph: the device
 * @index: the BAR, or any other region
 *
 * Return: true if it does.
 */
bool tph_region_has_table(const struct tph_vdev *tph, unsigned int index)
{
	return tph->cap.place == TPH_PLACE_MSIX && index == tph->msix.table_bar;
}

/**
 * tph_region_info_caps() - what the user is told of a region
 * @vdev: the device, open
 * @info: index in, the rest out
 * @caps: receives capabilities
 *
 * In place of "the MSI-X table can be mapped" the BAR with the ST table says what of it can be.
 *
 * Return: 0 or a negative errno.
 */
int tph_region_info_caps(struct vfio_device *vdev, struct vfio_region_info *info,
			 struct vfio_info_cap *caps)
{
	struct vfio_region_info_cap_sparse_mmap *sparse;
	struct tph_area areas[TPH_AREAS_MAX];
	struct tph_vdev *tph = tph_vdev(vdev);
	struct vfio_info_cap unused = {};
	u32 i, count;
	int ret;

	if (!tph_region_has_table(tph, info->index))
		return vfio_pci_ioctl_get_region_info(vdev, info, caps);

	ret = vfio_pci_ioctl_get_region_info(vdev, info, &unused);
	kfree(unused.buf);
	if (ret || !(info->flags & VFIO_REGION_INFO_FLAG_MMAP))
		return ret;

	count = tph_areas_make(&tph->msix, info->index, info->size, PAGE_SIZE, areas);
	if (!count) {
		info->flags &= ~VFIO_REGION_INFO_FLAG_MMAP;
		return 0;
	}
	sparse = kzalloc(struct_size(sparse, areas, count), GFP_KERNEL);
	if (!sparse)
		return -ENOMEM;
	sparse->header.id = VFIO_REGION_INFO_CAP_SPARSE_MMAP;
	sparse->header.version = 1;
	sparse->nr_areas = count;
	for (i = 0; i < count; i++) {
		sparse->areas[i].offset = areas[i].start;
		sparse->areas[i].size = areas[i].end - areas[i].start;
	}
	ret = vfio_info_add_capability(caps, &sparse->header, struct_size(sparse, areas, count));
	kfree(sparse);
	return ret;
}

/**
 * tph_region_mmap() - mmap() of the device
 * @vdev: the device, open
 * @vma: what is to be mapped
 *
 * Return: 0; -EINVAL for a range that touches the ST table, or what the core says.
 */
int tph_region_mmap(struct vfio_device *vdev, struct vm_area_struct *vma)
{
	unsigned int shift = VFIO_PCI_OFFSET_SHIFT - PAGE_SHIFT;
	unsigned int index = vma->vm_pgoff >> shift;
	struct tph_vdev *tph = tph_vdev(vdev);
	struct tph_area range;

	range.start = (u64)(vma->vm_pgoff & ((1UL << shift) - 1)) << PAGE_SHIFT;
	range.end = range.start + (vma->vm_end - vma->vm_start);
	if (tph_region_has_table(tph, index) && tph_areas_touch_table(&tph->msix, index, PAGE_SIZE, range))
		return -EINVAL;
	return vfio_pci_core_mmap(vdev, vma);
}
