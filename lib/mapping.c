// SPDX-License-Identifier: MIT
/* Memory that the device may reach: of the iommufd or of the container, whichever the handle has. */
#include <errno.h>
#include <stdbool.h>
#include <unistd.h>

#include "device.h"
#include "kernel_abi.h"
#include "system.h"

/* Both ways want whole pages, but each says so in its own way. */
static bool is_range(uint64_t first, uint64_t size)
{
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	return size && !((first | size) & (page - 1)) && first + (size - 1) >= first;
}

static int map_iommufd(const struct tph_device *device, uint64_t memory, uint64_t size,
		       uint64_t iova, uint32_t access)
{
	struct tph_iommu_ioas_map map = {
		.size = sizeof(map),
		.flags = TPH_IOMMU_MAP_FIXED |
			 (access & TPH_ACCESS_READ ? TPH_IOMMU_MAP_READABLE : 0) |
			 (access & TPH_ACCESS_WRITE ? TPH_IOMMU_MAP_WRITEABLE : 0),
		.ioas_id = device->ioas,
		.user_va = memory,
		.length = size,
		.iova = iova,
	};

	return tph_system_ioctl(device->iommu_fd, TPH_IOMMU_IOAS_MAP, &map);
}

static int map_container(const struct tph_device *device, uint64_t memory, uint64_t size,
			 uint64_t iova, uint32_t access)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = (access & TPH_ACCESS_READ ? VFIO_DMA_MAP_FLAG_READ : 0) |
			 (access & TPH_ACCESS_WRITE ? VFIO_DMA_MAP_FLAG_WRITE : 0),
		.vaddr = memory,
		.iova = iova,
		.size = size,
	};

	return tph_system_ioctl(device->container_fd, VFIO_IOMMU_MAP_DMA, &map);
}

int tph_map(struct tph_device *device, const void *memory, uint64_t size, uint64_t iova,
	    uint32_t access)
{
	const uint64_t address = (uintptr_t)memory;
	int answer;

	if (!access || access & ~(uint32_t)TPH_ACCESS_BOTH || !is_range(iova, size) ||
	    !is_range(address, size))
		return -EINVAL;
	if (device->iommu_fd >= 0)
		answer = map_iommufd(device, address, size, iova, access);
	else if (device->container_fd >= 0)
		answer = map_container(device, address, size, iova, access);
	else
		return -EBADF;
	/* the IOMMU has fewer bits of address */
	return answer == -EOVERFLOW ? -EINVAL : answer < 0 ? answer : 0;
}

static int unmap_iommufd(const struct tph_device *device, uint64_t iova, uint64_t size)
{
	struct tph_iommu_ioas_unmap unmap = {
		.size = sizeof(unmap),
		.ioas_id = device->ioas,
		.iova = iova,
		.length = size,
	};

	return tph_system_ioctl(device->iommu_fd, TPH_IOMMU_IOAS_UNMAP, &unmap);
}

static int unmap_container(const struct tph_device *device, uint64_t iova, uint64_t size)
{
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.iova = iova,
		.size = size,
	};
	int answer = tph_system_ioctl(device->container_fd, VFIO_IOMMU_UNMAP_DMA, &unmap);

	/* a range that is whole pages and is refused cuts a mapping */
	if (answer == -EINVAL)
		return -ENOENT;
	/* the size is what was unmapped */
	return answer < 0 || unmap.size ? answer : -ENOENT;
}

int tph_unmap(struct tph_device *device, uint64_t iova, uint64_t size)
{
	int answer;

	if (!is_range(iova, size))
		return -EINVAL;
	if (device->iommu_fd >= 0)
		answer = unmap_iommufd(device, iova, size);
	else if (device->container_fd >= 0)
		answer = unmap_container(device, iova, size);
	else
		return -EBADF;
	return answer == -EOVERFLOW ? -EINVAL : answer < 0 ? answer : 0;
}
