// SPDX-License-Identifier: MIT
/* Handles: from a PCI address through iommufd, or from a descriptor that the caller has. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "address.h"
#include "device.h"
#include "kernel_abi.h"
#include "system.h"

/* vfioN, and longer than any N */
#define CDEV_NAME_SIZE	32

/* bytes of a UUID */
#define TOKEN_SIZE	16

/* struct tph_open_options as the first version had it */
#define OPTIONS_SIZE_FIRST	(sizeof(size_t) + sizeof(char *))

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

static int hex_digit(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	digit |= 0x20;
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* RFC 9562, 4: five groups of hex digits, whose bytes the kernel takes in that order. */
static int parse_token(const char *text, uint8_t token[TOKEN_SIZE])
{
	for (int i = 0; i < TOKEN_SIZE; i++) {
		int high, low;

		if ((i == 4 || i == 6 || i == 8 || i == 10) && *text++ != '-')
			return -EINVAL;
		high = hex_digit(text[0]);
		low = high < 0 ? -1 : hex_digit(text[1]);
		if (low < 0)
			return -EINVAL;
		token[i] = (uint8_t)(high << 4 | low);
		text += 2;
	}
	return *text ? -EINVAL : 0;
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

static int attach_ioas(struct tph_device *device)
{
	struct tph_iommu_ioas_alloc alloc = { .size = sizeof(alloc) };
	struct tph_vfio_attach_iommufd attach = { .argsz = sizeof(attach) };
	int answer;

	answer = tph_system_ioctl(device->iommu_fd, TPH_IOMMU_IOAS_ALLOC, &alloc);
	if (answer < 0)
		return answer == -EINVAL ? -EIO : answer;
	attach.pt_id = alloc.out_ioas_id;
	answer = tph_system_ioctl(device->device_fd, TPH_VFIO_ATTACH_IOMMUFD, &attach);
	if (answer < 0)
		return answer == -EINVAL ? -EIO : answer;
	device->ioas = alloc.out_ioas_id;
	return 0;
}

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

	if (device) {
		device->device_fd = -1;
		device->iommu_fd = -1;
	}
	return device;
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
	return 0;
}

int tph_open_with(const char *bdf, const struct tph_open_options *given,
		  struct tph_device **result)
{
	struct tph_open_options options;
	struct tph_device *device;
	char name[TPH_ADDRESS_SIZE];
	uint8_t token[TOKEN_SIZE];
	int error;

	error = read_options(given, &options);
	if (!error)
		error = tph_address_parse(bdf, name);
	if (!error && options.vf_token)
		error = parse_token(options.vf_token, token);
	if (error)
		return error;
	device = alloc_device();
	if (!device)
		return -ENOMEM;
	error = open_cdev(name);
	if (error < 0)
		goto err_free;
	device->device_fd = error;
	error = open_iommu();
	if (error < 0)
		goto err_close_device;
	device->iommu_fd = error;
	error = bind_iommu(device, options.vf_token ? token : NULL);
	if (error)
		goto err_close_iommu;
	error = attach_ioas(device);
	if (!error)
		error = find_config(device);
	if (error) {
		/* -EINVAL is kept for what was given. */
		error = error == -EINVAL ? -EIO : error;
		goto err_close_iommu;
	}
	*result = device;
	return 0;

	/* Closing the device ends the attachment and the binding. */
err_close_iommu:
	close(device->iommu_fd);
err_close_device:
	close(device->device_fd);
err_free:
	free(device);
	return error;
}

int tph_open(const char *bdf, struct tph_device **result)
{
	return tph_open_with(bdf, NULL, result);
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
		free(device);
		return error;
	}
	*result = device;
	return 0;
}

void tph_close(struct tph_device *device)
{
	if (!device)
		return;
	if (device->iommu_fd >= 0) {
		close(device->device_fd);
		close(device->iommu_fd);
	}
	free(device);
}

int tph_device_fd(const struct tph_device *device)
{
	return device->device_fd;
}

int tph_iommu_fd(const struct tph_device *device)
{
	return device->iommu_fd >= 0 ? device->iommu_fd : -EBADF;
}

uint32_t tph_ioas(const struct tph_device *device)
{
	return device->ioas;
}

const char *tph_version(void)
{
	return TPH_VERSION;
}
