// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "group.h"

#define ECAP_TPH	0x17

static const char *group_path(const char *bdf)
{
	static char path[64];
	char link[128], target[256];
	ssize_t n;

	snprintf(link, sizeof(link), "/sys/bus/pci/devices/%s/iommu_group", bdf);
	n = readlink(link, target, sizeof(target) - 1);
	assert_true(n > 0);
	target[n] = '\0';
	snprintf(path, sizeof(path), "/dev/vfio/%s", strrchr(target, '/') + 1);
	return path;
}

/* As guest_open() does it: a bus master with memory at DMA_IOVA. */
void group_open(struct group_guest *device, const char *bdf, const char *container)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.iova = DMA_IOVA,
		.size = DMA_SIZE,
	};
	struct guest *g = &device->g;

	memset(device, 0, sizeof(*device));
	g->bdf = bdf;
	device->container = open(container, O_RDWR | O_CLOEXEC);
	assert_int_not_equal(device->container, -1);
	device->group = open(group_path(bdf), O_RDWR | O_CLOEXEC);
	assert_int_not_equal(device->group, -1);
	assert_int_equal(ioctl(device->group, VFIO_GROUP_SET_CONTAINER, &device->container), 0);
	assert_int_equal(ioctl(device->container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU), 0);
	g->dma = mmap(NULL, DMA_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(g->dma, MAP_FAILED);
	map.vaddr = (uintptr_t)g->dma;
	assert_int_equal(ioctl(device->container, VFIO_IOMMU_MAP_DMA, &map), 0);
	g->fd = ioctl(device->group, VFIO_GROUP_GET_DEVICE_FD, bdf);
	assert_int_not_equal(g->fd, -1);
	g->raw = guest_open_raw(bdf);
	g->cap = guest_extended(g, ECAP_TPH);
	assert_int_not_equal(g->cap, 0);
	guest_config_write(g, PCI_COMMAND, 2, PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY);
}

void group_close(struct group_guest *device)
{
	close(device->g.fd);
	close(device->g.raw);
	munmap(device->g.dma, DMA_SIZE);
	close(device->group);
	close(device->container);
}
