// SPDX-License-Identifier: GPL-2.0-only
/* PCI functions as sysfs shows them: see sysfs.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "denylist.h"
#include "sysfs.h"
#include "tphctl.h"

/* Below this much, the kernel hides the rest from callers without CAP_SYS_ADMIN. */
#define CONVENTIONAL_SIZE	256

static int attribute_path(char *path, const char *sysfs, const char *address, const char *attribute)
{
	int length = snprintf(path, PATH_MAX, "%s/bus/pci/devices/%s%s%s", sysfs, address,
			      *attribute ? "/" : "", attribute);

	return length < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static int read_id(const char *sysfs, const char *address, const char *attribute, uint16_t *id)
{
	char path[PATH_MAX], text[16], *end;
	unsigned long value;
	int error;

	error = attribute_path(path, sysfs, address, attribute);
	if (!error)
		error = sysfs_read_text(path, text, sizeof(text));
	if (error)
		return error;
	value = strtoul(text, &end, 16);
	if (end == text || *end || value > UINT16_MAX)
		return -EIO;
	*id = (uint16_t)value;
	return 0;
}

static int read_space(const char *sysfs, struct pci_function *function)
{
	char path[PATH_MAX];
	struct stat status;
	ssize_t length;
	int error, fd;

	error = attribute_path(path, sysfs, function->address, "config");
	if (error)
		return error;
	fd = sysfs_open(path, 0);
	if (fd < 0)
		return fd;
	function->size = 0;
	do {
		length = read(fd, function->space + function->size,
			      sizeof(function->space) - function->size);
		if (length > 0)
			function->size += (uint32_t)length;
	} while (length > 0 && function->size < sizeof(function->space));
	error = length < 0 ? -errno : 0;
	if (!error && fstat(fd, &status) < 0)
		error = -errno;
	close(fd);
	if (error)
		return error;
	function->restricted = function->size < CONVENTIONAL_SIZE ||
			       (off_t)function->size < status.st_size;
	/* Command and status: the ids alone are all ones in a virtual function, too. */
	function->silent = function->size >= 8 &&
			   !memcmp(function->space + 4, "\xff\xff\xff\xff", 4);
	return 0;
}

/*
 * Host bridges are named pciDDDD:BB; the component after the first is what is on its bus. One that
 * is itself below a function begins a way up of its own.
 */
static void find_way_up(const char *sysfs, struct pci_function *function)
{
	char path[PATH_MAX], target[PATH_MAX], part[TPH_ADDRESS_SIZE], *component, *rest = NULL;
	bool bridge = false, first = true;

	if (attribute_path(path, sysfs, function->address, "") ||
	    sysfs_link(path, target, sizeof(target)))
		return;
	for (component = strtok_r(target, "/", &rest); component;
	     component = strtok_r(NULL, "/", &rest)) {
		if (!strncmp(component, "pci", 3) && strchr(component, ':')) {
			bridge = first = true;
			function->root[0] = function->above[0] = '\0';
			continue;
		}
		if (!bridge)
			continue;
		if (tph_address_parse(component, part))
			part[0] = '\0';
		if (first)
			memcpy(function->root, part, sizeof(part));
		first = false;
		if (strcmp(part, function->address))
			memcpy(function->above, part, sizeof(part));
	}
}

static void find_physical(const char *sysfs, struct pci_function *function)
{
	char path[PATH_MAX], name[SYSFS_NAME_SIZE];

	if (attribute_path(path, sysfs, function->address, "physfn") ||
	    sysfs_link_name(path, name, sizeof(name)) || tph_address_parse(name, function->physical))
		return;
	function->physical_vfio = !attribute_path(path, sysfs, function->physical, "vfio-dev") &&
				  !sysfs_find(path);
}

/** function_driver() - which driver a function is bound to; empty: none. Return: 0 or -errno. */
int function_driver(const char *sysfs, const char *address, char driver[SYSFS_NAME_SIZE])
{
	char path[PATH_MAX];
	int error;

	driver[0] = '\0';
	error = attribute_path(path, sysfs, address, "driver");
	if (!error)
		error = sysfs_link_name(path, driver, SYSFS_NAME_SIZE);
	return error == -ENOENT ? 0 : error;
}

/**
 * driver_steers() - whether a loaded driver is the one that steers, under either of its names
 *
 * The stock driver of the name vfio-pci is told from it by what that knows nothing of: policies.
 */
bool driver_steers(const char *sysfs, const char *driver)
{
	char path[PATH_MAX];

	if (strcmp(driver, DRIVER_NAME) && strcmp(driver, DRIVER_NAME_STOCK))
		return false;
	return snprintf(path, sizeof(path), "%s/bus/pci/drivers/%s%s", sysfs, driver,
			strcmp(driver, DRIVER_NAME) ? "/module/parameters/policy" : "") <
	       (int)sizeof(path) && !sysfs_find(path);
}

/**
 * function_read() - read all about one function
 * @address: as sysfs writes it
 *
 * Return: 0; -ENODEV: there is no such function; -ENOENT: nor any PCI device at all; or another
 * negative errno.
 */
int function_read(const char *sysfs, const char *address, struct pci_function *function)
{
	char path[PATH_MAX], group[32], *end;
	int error;

	memset(function, 0, sizeof(*function));
	snprintf(function->address, sizeof(function->address), "%s", address);
	function->group = -1;
	error = attribute_path(path, sysfs, address, "");
	if (error)
		return error;
	error = sysfs_find(path);
	if (error) {
		/* Where there is no sysfs, no device is missing. */
		return error == -ENOENT && !attribute_path(path, sysfs, ".", "") &&
		       !sysfs_find(path) ? -ENODEV : error;
	}
	error = read_id(sysfs, address, "vendor", &function->vendor);
	if (!error)
		error = read_id(sysfs, address, "device", &function->device);
	if (!error)
		error = read_space(sysfs, function);
	if (!error)
		error = function_driver(sysfs, address, function->driver);
	if (error)
		return error;
	if (!attribute_path(path, sysfs, address, "iommu_group") &&
	    !sysfs_link_name(path, group, sizeof(group))) {
		function->group = strtol(group, &end, 10);
		if (end == group || *end)
			function->group = -1;
	}
	function->vfio = !attribute_path(path, sysfs, address, "vfio-dev") && !sysfs_find(path);
	find_way_up(sysfs, function);
	find_physical(sysfs, function);
	return 0;
}

/**
 * sysfs_failure() - say that something that every sysfs has cannot be read. Return: exit status.
 * @what: that it cannot be
 */
int sysfs_failure(struct tphctl *ctl, const char *what, int error)
{
	char remedy[256];

	if (ctl->foreign_sysfs)
		snprintf(remedy, sizeof(remedy), "give a folder with a sysfs, or with a report");
	else
		snprintf(remedy, sizeof(remedy), "mount -t sysfs sysfs %s", ctl->sysfs);
	if (error == -ENOENT || error == -ENOTDIR)
		return fail(ctl, TPHCTL_FAILED, "sysfs", ctl->sysfs, remedy,
			    "there is no sysfs: %s: %s", what, strerror(-error));
	return fail(ctl, exit_code_of(error), "sysfs", ctl->sysfs, exit_code_of(error) ==
		    TPHCTL_NOT_PERMITTED ? "run as root" : "look at dmesg", "%s: %s", what,
		    strerror(-error));
}

/** sysfs_read_only() - say that it takes no writes, as in most containers. Return: exit status. */
int sysfs_read_only(struct tphctl *ctl, const char *thing, const char *value)
{
	char remedy[256];

	if (ctl->foreign_sysfs)
		snprintf(remedy, sizeof(remedy), "give a copy that can be written");
	else
		snprintf(remedy, sizeof(remedy), "in a container, do it outside; or mount -o "
			 "remount,rw %s", ctl->sysfs);
	return fail(ctl, TPHCTL_NOT_PERMITTED, thing, value, remedy,
		    "%s is mounted read-only, whoever writes to it", ctl->sysfs);
}

/** function_failure() - say why function_read() could not. Return: exit status. */
int function_failure(struct tphctl *ctl, const char *address, int error)
{
	if (error == -ENODEV)
		return fail(ctl, TPHCTL_FAILED, "device", address, "see tphctl list",
			    "there is no such PCI device");
	if (error == -ENOENT)
		return sysfs_failure(ctl, "its PCI devices cannot be read", error);
	return fail(ctl, exit_code_of(error), "device", address, exit_code_of(error) ==
		    TPHCTL_NOT_PERMITTED ? "run as root" : "look at dmesg", "sysfs cannot be read: "
		    "%s", strerror(-error));
}

static int compare_addresses(const void *left, const void *right)
{
	unsigned int l[4], r[4];

	/* By number: domain 10000 comes after domain ffff. */
	sscanf(left, "%x:%x:%x.%x", &l[0], &l[1], &l[2], &l[3]);
	sscanf(right, "%x:%x:%x.%x", &r[0], &r[1], &r[2], &r[3]);
	for (int i = 0; i < 4; i++)
		if (l[i] != r[i])
			return l[i] < r[i] ? -1 : 1;
	return 0;
}

/**
 * function_list() - the addresses of all functions, in order
 * @addresses: receives an array for free()
 *
 * Return: 0 or a negative errno.
 */
int function_list(const char *sysfs, char (**addresses)[TPH_ADDRESS_SIZE], size_t *count)
{
	char (*list)[TPH_ADDRESS_SIZE] = NULL;
	size_t used = 0, room = 0;
	const struct dirent *entry;
	char path[PATH_MAX];
	DIR *directory;
	int fd;

	if (snprintf(path, sizeof(path), "%s/bus/pci/devices", sysfs) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = sysfs_open(path, O_DIRECTORY);
	if (fd < 0)
		return fd;
	directory = fdopendir(fd);
	if (!directory) {
		close(fd);
		return -ENOMEM;
	}
	while ((entry = readdir(directory))) {
		char address[TPH_ADDRESS_SIZE];

		if (tph_address_parse(entry->d_name, address))
			continue;
		if (used == room) {
			void *grown = realloc(list, (room + 64) * sizeof(*list));

			if (!grown) {
				free(list);
				closedir(directory);
				return -ENOMEM;
			}
			list = grown;
			room += 64;
		}
		memcpy(list[used++], address, sizeof(address));
	}
	closedir(directory);
	if (used)
		qsort(list, used, sizeof(*list), compare_addresses);
	*addresses = list;
	*count = used;
	return 0;
}

static int image_read(void *context, uint32_t offset, uint32_t *value)
{
	const uint8_t *byte = (const uint8_t *)context + offset;

	*value = byte[0] | (uint32_t)byte[1] << 8 | (uint32_t)byte[2] << 16 |
		 (uint32_t)byte[3] << 24;
	return 0;
}

/** function_config() - its configuration space, for tph_walk_begin(); @function must outlive it. */
struct tph_config function_config(const struct pci_function *function)
{
	return (struct tph_config){
		.read = image_read,
		.context = (void *)function->space,
		.size = function->size,
	};
}

/**
 * function_capability() - decode the hardware's TPH Requester capability
 *
 * Return: 0; -EOPNOTSUPP: it has none; -ENXIO: it does not answer; -EACCES: the space is hidden;
 * -EIO: it is malformed.
 */
int function_capability(const struct pci_function *function, struct tph_capability *capability)
{
	struct tph_config config = function_config(function);
	uint16_t offset;
	int error;

	if (function->silent)
		return -ENXIO;
	if (function->restricted)
		return -EACCES;
	error = tph_capability_find(&config, &offset);
	if (error)
		return error;
	return tph_capability_decode(&config, offset, capability);
}

/** function_port() - decode the PCI Express capability. Errors as function_capability(). */
int function_port(const struct pci_function *function, struct tph_port *port)
{
	struct tph_config config = function_config(function);

	if (function->silent)
		return -ENXIO;
	if (function->restricted)
		return -EACCES;
	return tph_port_decode(&config, port);
}

/** function_is_bridge() - whether its header is that of a bridge (PCI 3.0, 6.2.1). */
bool function_is_bridge(const struct pci_function *function)
{
	return function->size > 0x0e && !function->silent && (function->space[0x0e] & 0x7f) != 0;
}

/** function_denied() - whether it is on the list of devices that vfio-pci refuses. */
bool function_denied(const struct pci_function *function)
{
#define DENIED(vendor, device) { vendor, device },
	static const uint16_t denied[][2] = { TPH_DENYLIST(DENIED) };
#undef DENIED

	for (size_t i = 0; i < sizeof(denied) / sizeof(*denied); i++)
		if (function->vendor == denied[i][0] && function->device == denied[i][1])
			return true;
	return false;
}

/** denylist_lifted() - whether a loaded driver takes what is on that list all the same. */
bool denylist_lifted(const char *sysfs, const char *driver)
{
	char path[PATH_MAX], text[8];

	return snprintf(path, sizeof(path), "%s/bus/pci/drivers/%s/module/parameters/"
			"disable_denylist", sysfs, driver) < (int)sizeof(path) &&
	       !sysfs_read_text(path, text, sizeof(text)) && !strcmp(text, "Y");
}

/** driver_is_built_in() - whether a driver that is there is no module. */
bool driver_is_built_in(const char *sysfs, const char *driver)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/bus/pci/drivers/%s/bind", sysfs, driver) >= PATH_MAX ||
	    sysfs_find(path))
		return false;
	snprintf(path, sizeof(path), "%s/bus/pci/drivers/%s/module", sysfs, driver);
	return sysfs_find(path) == -ENOENT;
}
