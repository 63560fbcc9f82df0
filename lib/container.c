// SPDX-License-Identifier: MIT
/* By the IOMMU group, in a container with the type 1 IOMMU: many kernels have nothing else. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kernel_abi.h"
#include "system.h"
#include "vf_token.h"
#include "way.h"

/* "0000:01:00.0 vf_token=UUID" */
#define DEVICE_NAME_SIZE	(TPH_ADDRESS_SIZE + sizeof(" vf_token=") + TPH_VF_TOKEN_TEXT)

/* Which group the device is in. */
static int find_group(const char *bdf, unsigned int *group)
{
	char path[128], target[256], end;
	const char *name;
	int error;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", bdf);
	error = tph_system_readlink(path, target, sizeof(target));
	if (error)
		return error == -ENOENT ? error : -EIO;
	name = strrchr(target, '/');
	return name && sscanf(name + 1, "%u%c", group, &end) == 1 ? 0 : -EIO;
}

/* The group, and what keeps the device's users and the host's drivers apart in it. */
static int open_group(struct tph_device *device)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };
	char path[32];
	int fd, error;

	snprintf(path, sizeof(path), "/dev/vfio/%u", device->group);
	fd = tph_system_open(path, O_RDWR);
	if (fd < 0)
		return fd == -ENXIO ? -ENODEV : fd;
	device->group_fd = fd;
	error = tph_system_ioctl(fd, VFIO_GROUP_GET_STATUS, &status);
	if (error < 0)
		return error == -EINVAL ? -EIO : error;
	/* a host driver has another device of it */
	return status.flags & VFIO_GROUP_FLAGS_VIABLE ? 0 : -EPERM;
}

static int open_container(struct tph_device *device)
{
	int fd = tph_system_open("/dev/vfio/vfio", O_RDWR);

	if (fd < 0)
		return fd == -ENXIO || fd == -ENODEV ? -ENOENT : fd;
	device->container_fd = fd;
	return 0;
}

/* The group into the container, and an IOMMU for it if it has none. */
static int join_container(struct tph_device *device)
{
	/* type 1 without v2 unmaps as it likes: no program should have to live with that */
	void *const type = (void *)(uintptr_t)VFIO_TYPE1v2_IOMMU;
	int answer;

	answer = tph_system_ioctl(device->container_fd, VFIO_GET_API_VERSION, NULL);
	/* a descriptor that the caller gave for a container, and is none */
	if (answer == -ENOTTY)
		return -EBADF;
	if (answer != VFIO_API_VERSION)
		return -EIO;
	if (tph_system_ioctl(device->container_fd, VFIO_CHECK_EXTENSION, type) <= 0)
		return -ENOENT;
	answer = tph_system_ioctl(device->group_fd, VFIO_GROUP_SET_CONTAINER,
				  &device->container_fd);
	if (answer < 0)
		return answer == -EBADFD ? -EBADF : answer == -EINVAL ? -EIO : answer;
	answer = tph_system_ioctl(device->container_fd, VFIO_SET_IOMMU, type);
	/* EINVAL: it has one already, of whoever shares it */
	return answer < 0 && answer != -EINVAL ? answer : 0;
}

/* A device of the group. Return: descriptor, or errors of the ioctl. */
static int get_device(const struct tph_way *way, const struct tph_device *device, bool with_token)
{
	char name[DEVICE_NAME_SIZE], token[TPH_VF_TOKEN_TEXT];

	if (with_token) {
		tph_vf_token_print(way->vf_token, token);
		snprintf(name, sizeof(name), "%s vf_token=%s", way->bdf, token);
	} else {
		snprintf(name, sizeof(name), "%s", way->bdf);
	}
	return tph_system_ioctl(device->group_fd, VFIO_GROUP_GET_DEVICE_FD, name);
}

static int open_member(const struct tph_way *way, struct tph_device *device)
{
	int fd = get_device(way, device, way->vf_token);

	/* Whoever may not open the group did not get here: this is about the token. */
	if (fd == -EACCES)
		return way->vf_token ? -EKEYREJECTED : -ENOKEY;
	if (fd == -EINVAL && way->vf_token) {
		/* there is no use for a token, if it works without */
		fd = get_device(way, device, false);
		if (fd < 0)
			return -EIO;
		close(fd);
		return -EINVAL;
	}
	if (fd < 0)
		return fd == -EINVAL ? -EIO : fd;
	device->device_fd = fd;
	device->owns_device = true;
	return 0;
}

/* The group is open in the handle whose address space is shared, and a group can be opened once. */
static int share_group(const struct tph_device *share, struct tph_device *device)
{
	int fd = fcntl(share->group_fd, F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	device->group_fd = fd;
	return 0;
}

int tph_container_open(const struct tph_way *way, struct tph_device *device)
{
	const struct tph_device *share = way->share;
	int error = find_group(way->bdf, &device->group);

	if (error)
		return error;
	if (share && share->group_fd >= 0 && share->group == device->group) {
		error = share_group(share, device);
	} else {
		error = open_group(device);
		if (!error && device->container_fd < 0)
			error = open_container(device);
		if (!error)
			error = join_container(device);
	}
	return error ? error : open_member(way, device);
}
