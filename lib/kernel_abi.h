/* SPDX-License-Identifier: MIT */
/*
 * Requests of the kernel's iommufd and VFIO interfaces that libtph makes, in own names: headers of
 * long-lived distributions (Linux 6.1) lack them, and newer ones then do not collide. The
 * layouts are those of the first kernel that had each request; the kernel takes them for good.
 */
#ifndef TPH_KERNEL_ABI_H
#define TPH_KERNEL_ABI_H

#include <linux/ioctl.h>
#include <linux/types.h>
#include <linux/vfio.h>

#include <linux/vfio_tph.h>

/* on the VFIO character device: give it to an iommufd context */
#define TPH_VFIO_BIND_IOMMUFD	_IO(VFIO_TYPE, VFIO_BASE + 18)
struct tph_vfio_bind_iommufd {
	__u32 argsz;
	__u32 flags;
#define TPH_VFIO_BIND_TOKEN	(1 << 0)	/* token is valid; since Linux 6.17 */
	__s32 iommufd;
	__u32 out_devid;
	__aligned_u64 token;	/* address of 16 bytes */
};
/* without a token: all that older kernels take */
#define TPH_VFIO_BIND_SIZE	16

/* on the VFIO character device: attach it to an I/O address space */
#define TPH_VFIO_ATTACH_IOMMUFD	_IO(VFIO_TYPE, VFIO_BASE + 19)
struct tph_vfio_attach_iommufd {
	__u32 argsz;
	__u32 flags;
	__u32 pt_id;
};

/* on /dev/iommu: a new I/O address space */
#define TPH_IOMMU_IOAS_ALLOC	_IO(';', 0x81)
struct tph_iommu_ioas_alloc {
	__u32 size;
	__u32 flags;
	__u32 out_ioas_id;
};

/* on /dev/iommu: memory of this process into an I/O address space, at the place that is given */
#define TPH_IOMMU_IOAS_MAP	_IO(';', 0x85)
#define TPH_IOMMU_MAP_FIXED	(1 << 0)
#define TPH_IOMMU_MAP_WRITEABLE	(1 << 1)
#define TPH_IOMMU_MAP_READABLE	(1 << 2)
struct tph_iommu_ioas_map {
	__u32 size;
	__u32 flags;
	__u32 ioas_id;
	__u32 reserved;
	__aligned_u64 user_va;
	__aligned_u64 length;
	__aligned_u64 iova;
};

#define TPH_IOMMU_IOAS_UNMAP	_IO(';', 0x86)
struct tph_iommu_ioas_unmap {
	__u32 size;
	__u32 ioas_id;
	__aligned_u64 iova;
	__aligned_u64 length;
};

/* VFIO_DEVICE_FEATURE GET: export pieces of a region as a dma-buf; returns its descriptor */
#define TPH_VFIO_FEATURE_DMA_BUF	11
struct tph_vfio_dma_buf {
	__u32 region_index;
	__u32 open_flags;
	__u32 flags;
	__u32 nr_ranges;
	struct {
		__u64 offset;
		__u64 length;
	} range; /* one of nr_ranges */
};

#ifdef VFIO_DEVICE_FEATURE_DMA_BUF
_Static_assert(TPH_VFIO_FEATURE_DMA_BUF == VFIO_DEVICE_FEATURE_DMA_BUF,
	       "as the kernel numbers it");
#endif
#ifdef VFIO_DEVICE_BIND_IOMMUFD
_Static_assert(TPH_VFIO_BIND_IOMMUFD == VFIO_DEVICE_BIND_IOMMUFD, "as the kernel numbers it");
_Static_assert(TPH_VFIO_ATTACH_IOMMUFD == VFIO_DEVICE_ATTACH_IOMMUFD_PT,
	       "as the kernel numbers it");
#endif
#ifdef VFIO_DEVICE_BIND_FLAG_TOKEN
_Static_assert(TPH_VFIO_BIND_TOKEN == VFIO_DEVICE_BIND_FLAG_TOKEN, "as the kernel numbers it");
#endif
_Static_assert(sizeof(struct tph_vfio_bind_iommufd) == 24, "the kernel's layout");
_Static_assert(sizeof(struct tph_vfio_attach_iommufd) == 12, "the kernel's layout");
_Static_assert(sizeof(struct tph_iommu_ioas_alloc) == 12, "the kernel's layout");
_Static_assert(sizeof(struct tph_iommu_ioas_map) == 40, "the kernel's layout");
_Static_assert(sizeof(struct tph_iommu_ioas_unmap) == 24, "the kernel's layout");
_Static_assert(sizeof(struct tph_vfio_dma_buf) == 32, "the kernel's layout");

#endif /* TPH_KERNEL_ABI_H */
