// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pages of an ST table in the MSI-X table are not exported as a dma-buf: a device that can reach
 * its own table by DMA is a second writer as well.
 */
#include <linux/overflow.h>

#include "tph_vfio_pci.h"

/**
 * get_dmabuf_phys() - the pages of a dma-buf that the user wants exported
 * @core: the device, open
 * @provider: for the core
 * @region_index: the BAR
 * @phys_vec: for the core
 * @dma_ranges: what of the BAR, @nr_ranges of them
 * @nr_ranges: how many
 *
 * Return: 0; -EINVAL for a range that touches the ST table, or what the core says.
 */
static int get_dmabuf_phys(struct vfio_pci_core_device *core, struct p2pdma_provider **provider,
			   unsigned int region_index, struct phys_vec *phys_vec,
			   struct vfio_region_dma_range *dma_ranges, size_t nr_ranges)
{
	struct tph_vdev *tph = tph_vdev(&core->vdev);
	struct tph_area range;
	size_t i;

	for (i = 0; i < nr_ranges && tph_region_has_table(tph, region_index); i++) {
		range.start = dma_ranges[i].offset;
		if (check_add_overflow(range.start, dma_ranges[i].length, &range.end))
			return -EINVAL;
		if (tph_areas_touch_table(&tph->msix, region_index, PAGE_SIZE, range))
			return -EINVAL;
	}
	return vfio_pci_core_get_dmabuf_phys(core, provider, region_index, phys_vec, dma_ranges,
					     nr_ranges);
}

static const struct vfio_pci_device_ops pci_ops = {
	.get_dmabuf_phys = get_dmabuf_phys,
};

/**
 * tph_export_init() - be asked before a dma-buf is exported
 * @tph: the device, not registered yet
 */
void tph_export_init(struct tph_vdev *tph)
{
	tph->core.pci_ops = &pci_ops;
}
