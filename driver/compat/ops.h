/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Operations that not every kernel has a place for, as lines of struct vfio_device_ops. Where there
 * is none, vfio answers as it does for a driver without, or region_info.c does in its place.
 */
#ifndef TPH_COMPAT_OPS_H
#define TPH_COMPAT_OPS_H

#include <linux/vfio.h>
#include <linux/vfio_pci_core.h>
#include <tph_kernel.h>

#ifdef TPH_KERNEL_REGION_INFO_CAPS
#define TPH_OPS_REGION_INFO(caps)	.get_region_info_caps = (caps),

static inline long tph_core_ioctl(struct vfio_device *vdev, unsigned int cmd, unsigned long arg)
{
	return vfio_pci_core_ioctl(vdev, cmd, arg);
}
#else
#define TPH_OPS_REGION_INFO(caps)

long tph_core_ioctl(struct vfio_device *vdev, unsigned int cmd, unsigned long arg);
int vfio_pci_ioctl_get_region_info(struct vfio_device *vdev, struct vfio_region_info *info,
				   struct vfio_info_cap *caps);
#endif

#if defined(CONFIG_VFIO_PCI_DMABUF) && !defined(TPH_KERNEL_DMABUF_PHYS)
#error This kernel exports dma-bufs of VFIO devices, but a driver has no say in of what (get_dmabuf_phys): users could export an ST table in the MSI-X table. There is no tph-vfio-pci for it.
#endif

#ifndef VFIO_DEVICE_FEATURE_DMA_BUF
#define VFIO_DEVICE_FEATURE_DMA_BUF	11
#endif

/* no pages are exported that the driver is not asked for */
static inline int tph_core_feature(struct vfio_device *vdev, u32 flags, void __user *arg,
				   size_t argsz)
{
	if (!IS_ENABLED(CONFIG_VFIO_PCI_DMABUF) &&
	    (flags & VFIO_DEVICE_FEATURE_MASK) == VFIO_DEVICE_FEATURE_DMA_BUF)
		return -ENOTTY;
	return vfio_pci_core_ioctl_feature(vdev, flags, arg, argsz);
}

/* a VF's token is then asked for by a group's users alone (.match), as that kernel does it */
#ifdef TPH_KERNEL_TOKEN_UUID
#define TPH_OPS_TOKEN_UUID	.match_token_uuid = vfio_pci_core_match_token_uuid,
#else
#define TPH_OPS_TOKEN_UUID
#endif

/* without these a device is opened by its group alone, and attached for as long as it is open */
#ifdef TPH_KERNEL_IOMMUFD
#define TPH_OPS_IOMMUFD(attach)								\
	.bind_iommufd = vfio_iommufd_physical_bind,					\
	.unbind_iommufd = vfio_iommufd_physical_unbind,					\
	.attach_ioas = (attach),
#else
#define TPH_OPS_IOMMUFD(attach)

static inline int vfio_iommufd_physical_attach_ioas(struct vfio_device *vdev, u32 *pt_id)
{
	return -EOPNOTSUPP;
}
#endif

#ifdef TPH_KERNEL_IOMMUFD_DETACH
#define TPH_OPS_IOMMUFD_DETACH(detach)	.detach_ioas = (detach),
#else
#define TPH_OPS_IOMMUFD_DETACH(detach)

static inline void vfio_iommufd_physical_detach_ioas(struct vfio_device *vdev)
{
}
#endif

#ifndef TPH_KERNEL_IOMMUFD_CONTEXT
/* no device is opened by itself there, so none is open and not attached */
static inline struct iommufd_ctx *vfio_iommufd_device_ictx(struct vfio_device *vdev)
{
	return NULL;
}
#endif

#ifdef TPH_KERNEL_IOMMUFD_PASID
#define TPH_OPS_PASID									\
	.pasid_attach_ioas = vfio_iommufd_physical_pasid_attach_ioas,			\
	.pasid_detach_ioas = vfio_iommufd_physical_pasid_detach_ioas,
#else
#define TPH_OPS_PASID
#endif

#endif
