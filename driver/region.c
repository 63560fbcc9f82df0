// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where the ST table is in the MSI-X table, the pages that hold it have one writer, the kernel:
 * they are neither mapped into a process nor exported as a dma-buf, and the rest of the BAR is.
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include "tph_vfio_pci.h"

/* The table's pages, as offsets in its BAR; false if the BAR is like any other. */
static bool table_pages(struct tph_vdev *tph, unsigned int index, u64 *start, u64 *end)
{
	struct vfio_pci_core_device *core = &tph->core;

	if (tph->cap.place != TPH_PLACE_MSIX || index != core->msix_bar)
		return false;
	*start = round_down((u64)core->msix_offset, PAGE_SIZE);
	*end = round_up((u64)core->msix_offset + core->msix_size, PAGE_SIZE);
	return true;
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
	struct tph_vdev *tph = tph_vdev(vdev);
	struct vfio_info_cap unused = {};
	u64 start, end, size;
	u32 areas = 0;
	int ret;

	if (!table_pages(tph, info->index, &start, &end))
		return vfio_pci_ioctl_get_region_info(vdev, info, caps);

	ret = vfio_pci_ioctl_get_region_info(vdev, info, &unused);
	kfree(unused.buf);
	if (ret || !(info->flags & VFIO_REGION_INFO_FLAG_MMAP))
		return ret;

	size = PAGE_ALIGN(info->size);
	sparse = kzalloc(struct_size(sparse, areas, 2), GFP_KERNEL);
	if (!sparse)
		return -ENOMEM;
	if (start) {
		sparse->areas[areas].offset = 0;
		sparse->areas[areas++].size = start;
	}
	if (end < size) {
		sparse->areas[areas].offset = end;
		sparse->areas[areas++].size = size - end;
	}
	if (!areas) {
		info->flags &= ~VFIO_REGION_INFO_FLAG_MMAP;
	} else {
		sparse->header.id = VFIO_REGION_INFO_CAP_SPARSE_MMAP;
		sparse->header.version = 1;
		sparse->nr_areas = areas;
		ret = vfio_info_add_capability(caps, &sparse->header,
					       struct_size(sparse, areas, areas));
	}
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
	u64 start, end, first, last;

	if (table_pages(tph_vdev(vdev), vma->vm_pgoff >> shift, &start, &end)) {
		first = (u64)(vma->vm_pgoff & ((1UL << shift) - 1)) << PAGE_SHIFT;
		last = first + (vma->vm_end - vma->vm_start);
		if (first < end && last > start)
			return -EINVAL;
	}
	return vfio_pci_core_mmap(vdev, vma);
}

/**
 * tph_region_dmabuf_phys() - the pages of a dma-buf that the user wants exported
 * @core: the device, open
 * @provider: for the core
 * @region_index: the BAR
 * @phys_vec: for the core
 * @dma_ranges: what of the BAR, @nr_ranges of them
 * @nr_ranges: how many
 *
 * A device that can reach its own ST table by DMA is a second writer as well.
 *
 * Return: 0; -EINVAL for a range that touches the ST table, or what the core says.
 */
int tph_region_dmabuf_phys(struct vfio_pci_core_device *core, struct p2pdma_provider **provider,
			   unsigned int region_index, struct phys_vec *phys_vec,
			   struct vfio_region_dma_range *dma_ranges, size_t nr_ranges)
{
	u64 start, end, last;
	size_t i;

	if (table_pages(tph_vdev(&core->vdev), region_index, &start, &end))
		for (i = 0; i < nr_ranges; i++) {
			if (check_add_overflow(dma_ranges[i].offset, dma_ranges[i].length, &last))
				return -EINVAL;
			if (dma_ranges[i].offset < end && last > start)
				return -EINVAL;
		}
	return vfio_pci_core_get_dmabuf_phys(core, provider, region_index, phys_vec, dma_ranges,
					     nr_ranges);
}
