// SPDX-License-Identifier: MIT
/* By the device's own node and iommufd. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "kernel_abi.h"
#include "system.h"
#include "way.h"

/* vfioN, and longer than any N */
#define CDEV_NAME_SIZE	32

static bool is_cdev_name(const char *name)
{
	if (strncmp(name, "vfio", 4) || !name[4] || strlen(name) >= CDEV_NAME_SIZE)
		return false;
	return strspn(name + 4, "0123456789") == strlen(name + 4);
}

/* What sysfs calls the character device of the VFIO driver that has the device. */
static int find_cdev(const char *bdf, char *cdev)
{
	const struct dirent *entry;
	char path[128];
	DIR *directory;
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/vfio-dev", bdf);
	fd = tph_system_open(path, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return fd == -ENOENT ? -ENODEV : fd;
	directory = fdopendir(fd);
	if (!directory) {
		int error = -errno;

		close(fd);
		return error;
	}
	do {
		entry = readdir(directory);
	} while (entry && !is_cdev_name(entry->d_name));
	if (entry)
		strcpy(cdev, entry->d_name);
	closedir(directory);
	return entry ? 0 : -ENODEV;
}

/* The device number that the node must have; a kernel without such nodes shows none. */
static int read_cdev_number(const char *bdf, const char *cdev, dev_t *number)
{
	unsigned int major_number, minor_number;
	char path[160], text[32], end;
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/vfio-dev/%s/dev", bdf, cdev);
	fd = tph_system_open(path, O_RDONLY);
	if (fd < 0)
		return fd;
	length = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (length < 0)
		return -EIO;
	text[length] = '\0';
	if (sscanf(text, "%u:%u%c", &major_number, &minor_number, &end) != 3 || end != '\n')
		return -EIO;
	*number = makedev(major_number, minor_number);
	return 0;
}

int tph_vfio_check(const char *bdf)
{
	char cdev[CDEV_NAME_SIZE];

	return find_cdev(bdf, cdev);
}

static int open_cdev(const char *bdf)
{
	dev_t expected, number = 0;
	char cdev[CDEV_NAME_SIZE], path[64];
	int error, fd;

	error = find_cdev(bdf, cdev);
	if (!error)
		error = read_cdev_number(bdf, cdev, &expected);
	if (error)
		return error;
	snprintf(path, sizeof(path), "/dev/vfio/devices/%s", cdev);
	fd = tph_system_open(path, O_RDWR);
	if (fd < 0)
		return fd == -ENXIO ? -ENODEV : fd;
	/* A node left over from before, or a device that was replaced just now, is another one. */
	error = tph_system_device_number(fd, &number);
	if (error || number != expected) {
		close(fd);
		return -ENODEV;
	}
	return fd;
}

static int open_iommu(void)
{
	int fd = tph_system_open("/dev/iommu", O_RDWR);

	/* A node without a driver behind it is no iommufd either. */
	return fd == -ENXIO || fd == -ENODEV ? -ENOENT : fd;
}

int tph_iommufd_open(const struct tph_way *way, struct tph_device *device)
{
	int fd;

	if (device->device_fd < 0) {
		fd = open_cdev(way->bdf);
		if (fd < 0)
			return fd;
		device->device_fd = fd;
		device->owns_device = true;
	}
	if (device->iommu_fd < 0) {
		fd = open_iommu();
		if (fd < 0)
			return fd;
		device->iommu_fd = fd;
	}
	return 0;
}

static int bind_with(struct tph_device *device, const uint8_t *token)
{
	struct tph_vfio_bind_iommufd bind = {
		.argsz = token ? sizeof(bind) : TPH_VFIO_BIND_SIZE,
		.flags = token ? TPH_VFIO_BIND_TOKEN : 0,
		.iommufd = device->iommu_fd,
		.token = (uintptr_t)token,
	};
	int answer = tph_system_ioctl(device->device_fd, TPH_VFIO_BIND_IOMMUFD, &bind);

	/* a descriptor that the caller gave for an iommufd, and is none */
	if (answer == -EBADFD)
		return -EBADF;
	/* Whoever may not open the node did not get here: this is about the token. */
	if (answer == -EACCES)
		return token ? -EKEYREJECTED : -ENOKEY;
	return answer < 0 ? answer : 0;
}

static int bind_iommu(struct tph_device *device, const uint8_t *token)
{
	int error = bind_with(device, token);

	/*
	 * The arguments are right, so EINVAL says that another descriptor has the device, or that
	 * there is no use for a token. The second is so if it works without.
	 */
	if (error == -EINVAL && token && !bind_with(device, NULL))
		return -EINVAL;
	return error == -EINVAL ? -EBUSY : error;
}

static int attach_ioas(struct tph_device *device, uint32_t ioas)
{
	struct tph_iommu_ioas_alloc alloc = { .size = sizeof(alloc) };
	struct tph_vfio_attach_iommufd attach = { .argsz = sizeof(attach) };
	int answer;

	if (!ioas) {
		answer = tph_system_ioctl(device->iommu_fd, TPH_IOMMU_IOAS_ALLOC, &alloc);
		if (answer < 0)
			return answer == -EINVAL ? -EIO : answer;
	}
	/* which the kernel overwrites with the page table that it makes */
	attach.pt_id = ioas ? ioas : alloc.out_ioas_id;
	answer = tph_system_ioctl(device->device_fd, TPH_VFIO_ATTACH_IOMMUFD, &attach);
	/* ENOENT, of an id that the caller gave, is kept for what the kernel lacks */
	if (answer == -ENOENT)
		return -EINVAL;
	if (answer < 0)
		return answer == -EINVAL ? -EIO : answer;
	device->ioas = ioas ? ioas : alloc.out_ioas_id;
	return 0;
}

int tph_iommufd_attach(const struct tph_way *way, struct tph_device *device)
{
	int error = bind_iommu(device, way->vf_token);

	return error ? error : attach_ioas(device, way->ioas);
}
