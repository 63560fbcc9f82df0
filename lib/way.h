/* SPDX-License-Identifier: MIT */
/*
 * The two ways to a device: its own node and iommufd, or its IOMMU group and a container. Either
 * fills in a handle's descriptors, also those of a step that fails: the caller closes them.
 */
#ifndef TPH_WAY_H
#define TPH_WAY_H

#include "address.h"
#include "device.h"

/**
 * struct tph_way - what to open, and with what
 * @bdf: canonical address
 * @vf_token: NULL: none
 * @share: handle whose address space is joined, or NULL
 * @ioas: attach to this one of the iommufd in the handle, 0: to a new one
 */
struct tph_way {
	const char *bdf;
	const uint8_t *vf_token;
	const struct tph_device *share;
	uint32_t ioas;
};

/** tph_vfio_check() - whether a VFIO driver has the device. Return: 0; -ENODEV; -EIO. */
int tph_vfio_check(const char *bdf);

/**
 * tph_iommufd_open() - the device's node and /dev/iommu, where the handle has not got them
 *
 * Return: 0; -ENOENT: the kernel lacks one of the two; -EACCES, -EPERM: they may not be opened;
 * -ENODEV: gone, or the node is another device's; -EBUSY: its group is in use; or what open() says.
 */
int tph_iommufd_open(const struct tph_way *way, struct tph_device *device);

/** tph_iommufd_attach() - bind one to the other, attach. Errors are those of tph_open_with(). */
int tph_iommufd_attach(const struct tph_way *way, struct tph_device *device);

/**
 * tph_container_open() - the device by its group in a container, which is the handle's or a new one
 *
 * Return: 0; -ENOENT: the kernel has no node for the group, no containers, or no type 1 IOMMU;
 * else errors are those of tph_open_with().
 */
int tph_container_open(const struct tph_way *way, struct tph_device *device);

#endif /* TPH_WAY_H */
