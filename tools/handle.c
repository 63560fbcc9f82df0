// SPDX-License-Identifier: GPL-2.0-only
/* Devices that are open: opened once, and kept until the end where a batch runs. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "address.h"
#include "borrow.h"
#include "descriptor.h"
#include "operand.h"
#include "sysfs.h"
#include "tphctl.h"

/**
 * device_name_parse() - check DEV, and write it in the one way that it is known by
 * @fd: receives N of fd:N, DEVICE_BORROWED for qemu:PID/ADDRESS, or -1 for a PCI address
 *
 * Return: whether it is one.
 */
bool device_name_parse(const char *text, char *name, size_t size, int *fd)
{
	char address[TPH_ADDRESS_SIZE];
	uint32_t number;
	int pid;

	*fd = -1;
	if (borrow_parse(text, &pid, address)) {
		*fd = DEVICE_BORROWED;
		snprintf(name, size, BORROW_PREFIX "%d/%s", pid, address);
		return true;
	}
	if (!strncmp(text, "fd:", 3)) {
		if (!number_parse(text + 3, DEVICE_BORROWED - 1, &number))
			return false;
		*fd = (int)number;
		snprintf(name, size, "fd:%d", *fd);
		return true;
	}
	if (tph_address_parse(text, address))
		return false;
	snprintf(name, size, "%s", address);
	return true;
}

/** handle_find() - the handle of @name, if it is open. */
struct handle *handle_find(struct tphctl *ctl, const char *name)
{
	struct handle *handle = ctl->handles;

	while (handle && strcmp(handle->name, name))
		handle = handle->next;
	return handle;
}

static int open_borrowed(struct tphctl *ctl, struct handle *handle)
{
	char address[TPH_ADDRESS_SIZE];
	int error, pid;

	if (!borrow_parse(handle->name, &pid, address))
		return -EINVAL;
	handle->borrowed = borrow_device(ctl, pid, address);
	if (handle->borrowed < 0)
		return handle->borrowed;
	error = tph_from_fd(handle->borrowed, &handle->device);
	if (error)
		close(handle->borrowed);
	return error;
}

/**
 * handle_open_quietly() - open a device, or find it open
 * @name: from device_name_parse()
 *
 * Return: 0 or a negative errno.
 */
int handle_open_quietly(struct tphctl *ctl, const char *name, struct handle **result)
{
	const struct tph_open_options options = {
		.size = sizeof(options),
		.vf_token = ctl->vf_token,
	};
	struct handle *handle = handle_find(ctl, name);
	char canonical[DEVICE_NAME_SIZE];
	int error, fd;

	if (handle) {
		*result = handle;
		return 0;
	}
	if (!device_name_parse(name, canonical, sizeof(canonical), &fd))
		return -EINVAL;
	handle = calloc(1, sizeof(*handle));
	if (!handle)
		return -ENOMEM;
	memcpy(handle->name, canonical, sizeof(handle->name));
	handle->borrowed = -1;
	if (fd == DEVICE_BORROWED)
		error = open_borrowed(ctl, handle);
	else
		error = fd >= 0 ? tph_from_fd(fd, &handle->device) :
				  tph_open_with(canonical, &options, &handle->device);
	if (error) {
		free(handle);
		return error;
	}
	handle->next = ctl->handles;
	ctl->handles = handle;
	*result = handle;
	return 0;
}

/** handle_close() - close one device. */
void handle_close(struct tphctl *ctl, struct handle *handle)
{
	struct handle **link = &ctl->handles;

	while (*link != handle)
		link = &(*link)->next;
	*link = handle->next;
	tph_close(handle->device);
	if (handle->borrowed >= 0)
		close(handle->borrowed);
	free(handle);
}

/** handle_close_all() - close whatever is open; steering of it ends. */
void handle_close_all(struct tphctl *ctl)
{
	while (ctl->handles)
		handle_close(ctl, ctl->handles);
}

/**
 * handle_address() - the PCI address of a device
 * @name: from device_name_parse()
 *
 * Return: whether it is known: of a descriptor, only where the kernel tells.
 */
bool handle_address(const struct tphctl *ctl, const char *name, char address[TPH_ADDRESS_SIZE])
{
	char canonical[DEVICE_NAME_SIZE];
	int fd, pid;

	if (!device_name_parse(name, canonical, sizeof(canonical), &fd))
		return false;
	if (fd == DEVICE_BORROWED)
		return borrow_parse(canonical, &pid, address);
	return fd >= 0 ? !descriptor_address(ctl->sysfs, "/proc/self", fd, address) :
			 !tph_address_parse(name, address);
}

static int fd_failure(struct tphctl *ctl, const char *name, int error)
{
	switch (-error) {
	case EBADF:
		return fail(ctl, TPHCTL_FAILED, "device", name,
			    "let the caller leave it open, without close-on-exec",
			    "this is not an open descriptor");
	case ENOTTY:
		return fail(ctl, TPHCTL_FAILED, "device", name,
			    "pass the descriptor of the device, not of its group or of /dev/iommu",
			    "this descriptor is not a VFIO device");
	case EINVAL:
		return fail(ctl, TPHCTL_FAILED, "device", name,
			    "let the caller bind it to an iommufd, or its group to a container",
			    "this VFIO device is not ready for use, or is no PCI device");
	default:
		return fail(ctl, exit_code_of(error), "device", name, "", "%s", strerror(-error));
	}
}

static int borrow_failure(struct tphctl *ctl, const char *name, int error)
{
	switch (-error) {
	case ENXIO:
		return fail(ctl, TPHCTL_FAILED, "device", name, "see tphctl list",
			    "there is no such PCI device");
	case ESRCH:
		return fail(ctl, TPHCTL_FAILED, "device", name, "see pgrep -a qemu",
			    "there is no such process");
	case ENODEV:
		return fail(ctl, TPHCTL_FAILED, "device", name,
			    "tphctl why says who has it open",
			    "the process does not have that device open");
	case ENOTUNIQ:
		return fail(ctl, TPHCTL_FAILED, "device", name,
			    "let QEMU hand its descriptor down and use fd:N",
			    "the process has several devices by their groups, and this kernel "
			    "(before Linux 6.17) does not tell which is which");
	case EPERM:
	case EACCES:
		return fail(ctl, TPHCTL_NOT_PERMITTED, "device", name,
			    "run as root, or as a user that may trace it (ptrace(2))",
			    "this user may not take a descriptor from the process");
	default:
		return fail(ctl, exit_code_of(error), "device", name, "look at dmesg", "%s",
			    strerror(-error));
	}
}

/* Which VF token it wants, or why it wants none. */
static int token_failure(struct tphctl *ctl, const char *name, int error)
{
	static const char give[] = "give its VF token with --vf-token UUID";
	struct pci_function function;

	if (error == -EINVAL)
		return fail(ctl, TPHCTL_FAILED, "device", name, "leave --vf-token out",
			    "it wants no VF token: it is no VF of a PF that is used through VFIO, "
			    "or this kernel (before Linux 6.17) does not ask for one");
	if (function_read(ctl->sysfs, name, &function) || !function.physical[0])
		return fail(ctl, TPHCTL_NOT_PERMITTED, "device", name, give,
			    error == -ENOKEY ? "VFs of it are in use through VFIO, and their users "
			    "know it by its VF token" : "this is not the VF token by which the "
			    "users of its VFs know it");
	if (error == -ENOKEY)
		return fail(ctl, TPHCTL_NOT_PERMITTED, "device", name, give,
			    "it is a VF of %s, which is used through VFIO", function.physical);
	return fail(ctl, TPHCTL_NOT_PERMITTED, "device", name, "ask whoever uses that for it",
		    "it is a VF of %s, which is used through VFIO, and this is not the VF token of "
		    "that", function.physical);
}

/** open_failure() - say why a device could not be opened. Return: exit status. */
int open_failure(struct tphctl *ctl, const char *name, int error)
{
	struct pci_function function;
	char remedy[256];

	if (!strncmp(name, "fd:", 3))
		return fd_failure(ctl, name, error);
	if (!strncmp(name, BORROW_PREFIX, strlen(BORROW_PREFIX)))
		return borrow_failure(ctl, name, error);
	switch (-error) {
	case ENODEV:
		if (function_read(ctl->sysfs, name, &function) == -ENODEV)
			return fail(ctl, TPHCTL_FAILED, "device", name, "see tphctl list",
				    "there is no such PCI device");
		snprintf(remedy, sizeof(remedy), "tphctl bind %s", name);
		if (!function.driver[0])
			return fail(ctl, TPHCTL_FAILED, "device", name, remedy,
				    "it is bound to no driver");
		if (function.vfio)
			return fail(ctl, TPHCTL_FAILED, "device", name, "look at dmesg",
				    "its VFIO device went away, or its node in /dev/vfio/devices "
				    "is another device's");
		return fail(ctl, TPHCTL_FAILED, "device", name, remedy,
			    "it is bound to %s, which is not a VFIO driver", function.driver);
	case EBUSY:
		return fail(ctl, TPHCTL_FAILED, "device", name,
			    "stop its user, or let it hand the descriptor down and use fd:N",
			    "it is in use by another process");
	case EACCES:
		return fail(ctl, TPHCTL_NOT_PERMITTED, "device", name,
			    "run as root, or get access to /dev/iommu and the device's node in "
			    "/dev/vfio/devices, or to its group's node in /dev/vfio",
			    "it may not be opened by this user");
	case ENOKEY:
	case EKEYREJECTED:
	case EINVAL:
		return token_failure(ctl, name, error);
	case EPERM:
		snprintf(remedy, sizeof(remedy), "unbind the host drivers of the others in %.64s/"
			 "bus/pci/devices/%s/iommu_group/devices", ctl->sysfs, name);
		return fail(ctl, TPHCTL_NOT_PERMITTED, "device", name, remedy,
			    "its IOMMU group is not free for a user");
	case ENOENT:
		return fail(ctl, TPHCTL_UNSUPPORTED, "device", name,
			    "modprobe iommufd, or modprobe vfio_iommu_type1; tphctl why tells which "
			    "the kernel has",
			    "there is neither /dev/iommu and a node for it in /dev/vfio/devices, "
			    "nor a node of its group and a container with the type 1 IOMMU");
	default:
		return fail(ctl, exit_code_of(error), "device", name, "look at dmesg", "%s",
			    strerror(-error));
	}
}

/** handle_open() - open the device that a command names, or find it open. */
int handle_open(struct tphctl *ctl, const char *text, struct handle **handle)
{
	char name[DEVICE_NAME_SIZE];
	int error, fd;

	if (!device_name_parse(text, name, sizeof(name), &fd))
		return fail(ctl, TPHCTL_USAGE, "device", text, DEVICE_NAME_REMEDY,
			    DEVICE_NAME_REASON);
	answer_add(ctl, "device", json_object_new_string(name));
	if (ctl->foreign_sysfs)
		return fail(ctl, TPHCTL_USAGE, "option", "--sysfs", "leave it out",
			    "a device cannot be opened through another sysfs than the kernel's");
	if (fd >= 0 && ctl->vf_token)
		return fail(ctl, TPHCTL_USAGE, "option", "--vf-token", "leave it out",
			    "a device that the caller has open wants none");
	error = handle_open_quietly(ctl, name, handle);
	return error ? open_failure(ctl, name, error) : TPHCTL_OK;
}
