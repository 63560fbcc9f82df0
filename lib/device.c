// SPDX-License-Identifier: MIT
/* Handles: from a PCI address by one of the ways to a device, or from a descriptor that is open. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "device.h"
#include "kernel_abi.h"
#include "system.h"
#include "vf_token.h"
#include "way.h"

/* struct tph_open_options as the first version had it */
#define OPTIONS_SIZE_FIRST	(sizeof(size_t) + sizeof(char *))

#define OPEN_FLAGS	(TPH_OPEN_IOMMU_FD | TPH_OPEN_IOAS | TPH_OPEN_CONTAINER_FD | \
			 TPH_OPEN_DEVICE_FD)

/* Find configuration space. Return: 0; -ENOTTY: not VFIO; -EINVAL: not bound, or not PCI. */
static int find_config(struct tph_device *device)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };
	struct vfio_region_info region = {
		.argsz = sizeof(region),
		.index = VFIO_PCI_CONFIG_REGION_INDEX,
	};
	int answer;

	answer = tph_system_ioctl(device->device_fd, VFIO_DEVICE_GET_INFO, &info);
	if (answer < 0)
		return answer;
	if (!(info.flags & VFIO_DEVICE_FLAGS_PCI) ||
	    info.num_regions <= VFIO_PCI_CONFIG_REGION_INDEX)
		return -EINVAL;
	answer = tph_system_ioctl(device->device_fd, VFIO_DEVICE_GET_REGION_INFO, &region);
	if (answer < 0)
		return answer;
	if (!(region.flags & VFIO_REGION_INFO_FLAG_READ))
		return -EINVAL;
	device->config_offset = region.offset;
	device->config_size = region.size < 4096 ? (uint32_t)region.size : 4096;
	return 0;
}

static struct tph_device *alloc_device(void)
{
	struct tph_device *device = calloc(1, sizeof(*device));

	if (device)
		device->device_fd = device->iommu_fd = device->container_fd = device->group_fd = -1;
	return device;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* All that a way to the device has opened; with the device go its attachment and its binding. */
static void close_all(struct tph_device *device)
{
	if (device->owns_device)
		close_fd(&device->device_fd);
	device->owns_device = false;
	close_fd(&device->group_fd);
	close_fd(&device->container_fd);
	close_fd(&device->iommu_fd);
}

static void free_device(struct tph_device *device)
{
	close_all(device);
	free(device);
}

/* What the caller knows of the options, be it less or more than is known here. */
static int read_options(const struct tph_open_options *given, struct tph_open_options *options)
{
	size_t known = sizeof(*options);

	memset(options, 0, sizeof(*options));
	if (!given)
		return 0;
	if (given->size < OPTIONS_SIZE_FIRST)
		return -EINVAL;
	for (size_t i = known; i < given->size; i++)
		if (((const unsigned char *)given)[i])
			return -E2BIG;
	memcpy(options, given, given->size < known ? given->size : known);
	return options->flags & ~OPEN_FLAGS ? -E2BIG : 0;
}

/* Whether they go together: there is one address space, and one device. */
static bool options_agree(const char *bdf, const struct tph_open_options *options)
{
	const uint32_t flags = options->flags;
	const bool iommu = flags & TPH_OPEN_IOMMU_FD, container = flags & TPH_OPEN_CONTAINER_FD;

	if (!bdf != !!(flags & TPH_OPEN_DEVICE_FD))
		return false;
	if (flags & TPH_OPEN_IOAS && (!iommu || !options->ioas))
		return false;
	return iommu + container + !!options->share <= 1;
}

/* A descriptor of the handle's own, for what is the caller's or another handle's. */
static int copy_fd(int fd, int *copy)
{
	*copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return *copy < 0 ? -errno : 0;
}

/* Take in what the caller has, or shares. */
static int take_options(const struct tph_open_options *options, struct tph_device *device,
			struct tph_way *way)
{
	const struct tph_device *share = options->share;
	int error = 0;

	if (options->flags & TPH_OPEN_DEVICE_FD) {
		if (fcntl(options->device_fd, F_GETFD) < 0)
			return -errno;
		device->device_fd = options->device_fd;
	}
	if (options->flags & TPH_OPEN_IOMMU_FD)
		error = copy_fd(options->iommu_fd, &device->iommu_fd);
	else if (share && share->iommu_fd >= 0)
		error = copy_fd(share->iommu_fd, &device->iommu_fd);
	if (!error && options->flags & TPH_OPEN_CONTAINER_FD)
		error = copy_fd(options->container_fd, &device->container_fd);
	else if (!error && share && share->container_fd >= 0)
		error = copy_fd(share->container_fd, &device->container_fd);
	if (!error && share && device->iommu_fd < 0 && device->container_fd < 0)
		error = -EBADF;
	way->share = share;
	way->ioas = options->flags & TPH_OPEN_IOAS ? options->ioas : share ? share->ioas : 0;
	return error;
}

/* Whether @error says that the nodes are not there, or not for this user: then others may be. */
static bool is_barred(int error)
{
	return error == -ENOENT || error == -EACCES || error == -EPERM;
}

/* By the way that the given address space needs, or that the kernel has. */
static int open_by_address(const struct tph_way *way, struct tph_device *device)
{
	int barred = 0, error;

	error = tph_vfio_check(way->bdf);
	if (error)
		return error;
	if (device->container_fd < 0) {
		const bool fixed = device->iommu_fd >= 0;

		error = tph_iommufd_open(way, device);
		if (!error)
			return tph_iommufd_attach(way, device);
		if (fixed || !is_barred(error))
			return error;
		close_all(device);
		barred = error;
	}
	error = tph_container_open(way, device);
	/* nothing there either: then what was found first is what to mend */
	return error == -ENOENT && barred ? barred : error;
}

/* A descriptor that is ready, as of a group in a container, or a node that nobody has bound yet. */
static int open_by_descriptor(const struct tph_way *way, struct tph_device *device)
{
	int error = find_config(device);

	if (!error) {
		/* it is bound and attached: there is a use for what it is attached to alone */
		if (way->vf_token || (device->iommu_fd >= 0 && !way->ioas))
			return -EINVAL;
		device->ioas = way->ioas;
		return 0;
	}
	if (error != -EINVAL || device->container_fd >= 0)
		return error;
	error = tph_iommufd_open(way, device);
	if (!error)
		error = tph_iommufd_attach(way, device);
	return error;
}

int tph_open_with(const char *bdf, const struct tph_open_options *given,
		  struct tph_device **result)
{
	struct tph_open_options options;
	uint8_t token[TPH_VF_TOKEN_SIZE];
	char name[TPH_ADDRESS_SIZE];
	struct tph_way way = { .bdf = name };
	struct tph_device *device;
	int error;

	error = read_options(given, &options);
	if (!error && !options_agree(bdf, &options))
		error = -EINVAL;
	if (!error && bdf)
		error = tph_address_parse(bdf, name);
	if (!error && options.vf_token) {
		error = tph_vf_token_parse(options.vf_token, token);
		way.vf_token = token;
	}
	if (error)
		return error;
	device = alloc_device();
	if (!device)
		return -ENOMEM;
	error = take_options(&options, device, &way);
	if (!error)
		error = bdf ? open_by_address(&way, device) : open_by_descriptor(&way, device);
	if (!error) {
		/* -EINVAL is kept for what was given. */
		error = find_config(device);
		error = error == -EINVAL ? -EIO : error;
	}
	if (error) {
		free_device(device);
		return error;
	}
	*result = device;
	return 0;
}

int tph_open(const char *bdf, struct tph_device **result)
{
	return bdf ? tph_open_with(bdf, NULL, result) : -EINVAL;
}

int tph_from_fd(int device_fd, struct tph_device **result)
{
	struct tph_device *device;
	int error;

	if (fcntl(device_fd, F_GETFD) < 0)
		return -errno;
	device = alloc_device();
	if (!device)
		return -ENOMEM;
	device->device_fd = device_fd;
	error = find_config(device);
	if (error) {
		free_device(device);
		return error;
	}
	*result = device;
	return 0;
}

void tph_close(struct tph_device *device)
{
	if (!device)
		return;
	free_device(device);
}

int tph_device_fd(const struct tph_device *device)
{
	return device->device_fd;
}

int tph_iommu_fd(const struct tph_device *device)
{
	return device->iommu_fd >= 0 ? device->iommu_fd : -EBADF;
}

int tph_container_fd(const struct tph_device *device)
{
	return device->container_fd >= 0 ? device->container_fd : -EBADF;
}

int tph_group_fd(const struct tph_device *device)
{
	return device->group_fd >= 0 ? device->group_fd : -EBADF;
}

uint32_t tph_ioas(const struct tph_device *device)
{
	return device->ioas;
}

const char *tph_version(void)
{
	return TPH_VERSION;
}
