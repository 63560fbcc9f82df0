/* SPDX-License-Identifier: MIT */
/* What the library's files share about a handle. */
#ifndef TPH_DEVICE_H
#define TPH_DEVICE_H

/* Everything is built hidden but what this header declares. */
#pragma GCC visibility push(default)
#include "tph.h"
#pragma GCC visibility pop

#include "capability.h"

/* struct vfio_device_feature and struct vfio_device_feature_tph_st without their data */
#define TPH_REQUEST_HEADER	16
/* numbers that follow them, at most: ST entries, or a guest's tags */
#define TPH_REQUEST_DATA	TPH_GUEST_TAGS_MAX

/**
 * struct tph_device - a handle
 * @device_fd: VFIO device
 * @owns_device: closed with the handle; else it is the caller's
 * @iommu_fd: /dev/iommu, or -1
 * @ioas: I/O address space in @iommu_fd that the device is attached to
 * @container_fd: container that the group is in, or -1
 * @group_fd: IOMMU group, or -1
 * @group: its number
 * @config_offset: where configuration space is in @device_fd
 * @config_size: its size
 * @capability: offset of the TPH Requester capability, 0 while not looked up
 * @request: room for the largest request, so that steering never waits for memory
 */
struct tph_device {
	int device_fd;
	bool owns_device;
	int iommu_fd;
	uint32_t ioas;
	int container_fd;
	int group_fd;
	unsigned int group;
	uint64_t config_offset;
	uint32_t config_size;
	uint16_t capability;
	uint32_t request[TPH_REQUEST_HEADER / 4 + TPH_REQUEST_DATA];
};

/** tph_config_find() - look up the capability, once. Return: 0; -EOPNOTSUPP: none; -EIO. */
int tph_config_find(struct tph_device *device);

/** tph_config_decode() - decode the capability. Errors as tph_config_find(). */
int tph_config_decode(struct tph_device *device, struct tph_capability *capability);

/**
 * tph_config_control() - write the TPH Control register
 * @mode: ST Mode Select
 * @enable: TPH_ENABLE_*
 *
 * Return: 0: written, which does not say that it was taken; -EOPNOTSUPP, -EIO.
 */
int tph_config_control(struct tph_device *device, enum tph_mode mode, uint32_t enable);

#endif /* TPH_DEVICE_H */
