// SPDX-License-Identifier: GPL-2.0-only
/* Open VFIO devices, as proc shows them: see descriptor.h. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "descriptor.h"
#include "operand.h"

#define SYSPATH_KEY	"vfio-device-syspath:"
#define NODES		"/dev/vfio/devices/"
#define GROUPS		"/dev/vfio/"
#define DEVICE		"anon_inode:[vfio-device]"

/* What descriptor @fd is, in the words of proc; empty if that cannot be read. */
static void read_target(const char *process, int fd, char target[PATH_MAX])
{
	char path[PATH_MAX];
	ssize_t length = -1;

	if (snprintf(path, sizeof(path), "%s/fd/%d", process, fd) < (int)sizeof(path))
		length = readlink(path, target, PATH_MAX - 1);
	target[length < 0 ? 0 : length] = '\0';
}

static bool last_component(const char *path, char address[TPH_ADDRESS_SIZE])
{
	const char *slash = strrchr(path, '/');

	return slash && !tph_address_parse(slash + 1, address);
}

static bool address_of_info(const char *process, int fd, char address[TPH_ADDRESS_SIZE])
{
	char path[PATH_MAX], line[PATH_MAX];
	bool found = false;
	FILE *file;

	if (snprintf(path, sizeof(path), "%s/fdinfo/%d", process, fd) >= (int)sizeof(path))
		return false;
	file = fopen(path, "re");
	while (file && !found && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		found = !strncmp(line, SYSPATH_KEY, strlen(SYSPATH_KEY)) &&
			last_component(line, address);
	}
	if (file)
		fclose(file);
	return found;
}

static bool address_of_node(const char *sysfs, const char *target, char address[TPH_ADDRESS_SIZE])
{
	char path[PATH_MAX], device[TPH_ADDRESS_SIZE];

	if (strncmp(target, NODES, strlen(NODES)) || strchr(target + strlen(NODES), '/'))
		return false;
	return snprintf(path, sizeof(path), "%s/class/vfio-dev/%s/device", sysfs,
			target + strlen(NODES)) < (int)sizeof(path) &&
	       !sysfs_link_name(path, device, sizeof(device)) &&
	       !tph_address_parse(device, address);
}

/**
 * descriptor_address() - which device an open VFIO device is
 * @process: its folder in proc
 * @fd: descriptor in that process
 *
 * Newer kernels tell in fdinfo; else the name of the node does.
 *
 * Return: whether it is known.
 */
bool descriptor_address(const char *sysfs, const char *process, int fd,
			char address[TPH_ADDRESS_SIZE])
{
	char target[PATH_MAX];

	if (address_of_info(process, fd, address))
		return true;
	read_target(process, fd, target);
	return address_of_node(sysfs, target, address);
}

static bool is_group(const char *target, long group)
{
	char node[64];

	snprintf(node, sizeof(node), GROUPS "%ld", group);
	return group >= 0 && !strcmp(target, node);
}

/*
 * struct search - for a device among what a process has open
 * @fd: the descriptor that is known to be it, or -1
 * @unnamed: one of a device that the kernel does not name, of @unnamed_count
 * @group: the process has the device's group open
 */
struct search {
	const struct tphctl *ctl;
	const struct pci_function *function;
	const char *process;
	int fd, unnamed;
	unsigned int unnamed_count;
	bool group;
};

static void search_descriptor(struct search *search, int fd)
{
	char target[PATH_MAX], address[TPH_ADDRESS_SIZE];

	read_target(search->process, fd, target);
	if (!strstr(target, "vfio"))
		return;
	if (descriptor_address(search->ctl->sysfs, search->process, fd, address)) {
		if (!strcmp(address, search->function->address))
			search->fd = fd;
	} else if (is_group(target, search->function->group)) {
		search->group = true;
	} else if (!strcmp(target, DEVICE)) {
		/* before Linux 6.17 the kernel says of one that came by a group no more than that */
		search->unnamed = fd;
		search->unnamed_count++;
	}
}

/**
 * descriptor_find() - which descriptor of a process is a device
 * @process: its folder in proc
 *
 * Return: its number; -ENODEV: none is; -ENOTUNIQ: several may be; -ESRCH: there is no such process;
 * -EPERM: the caller may not look into it.
 */
int descriptor_find(const struct tphctl *ctl, const struct pci_function *function,
		    const char *process)
{
	struct search search = {
		.ctl = ctl, .function = function, .process = process, .fd = -1, .unnamed = -1,
	};
	const struct dirent *entry;
	char path[PATH_MAX];
	uint32_t fd;
	DIR *open;

	if (snprintf(path, sizeof(path), "%s/fd", process) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	open = opendir(path);
	if (!open)
		return errno == ENOENT ? -ESRCH : errno == EACCES ? -EPERM : -errno;
	while (search.fd < 0 && (entry = readdir(open)))
		if (number_parse(entry->d_name, INT_MAX, &fd))
			search_descriptor(&search, (int)fd);
	closedir(open);
	if (search.fd >= 0)
		return search.fd;
	if (!search.unnamed_count || !search.group)
		return -ENODEV;
	return search.unnamed_count > 1 ? -ENOTUNIQ : search.unnamed;
}

/* Look through what one process has open. Return: 1 it is a holder, 0 it is not, or -errno. */
static int search_process(const struct tphctl *ctl, const struct pci_function *function,
			  const char *process, struct holder *holder)
{
	char path[PATH_MAX], target[PATH_MAX], address[TPH_ADDRESS_SIZE];
	const struct dirent *entry;
	uint32_t fd;
	int found = 0;
	DIR *open;

	if (snprintf(path, sizeof(path), "%s/fd", process) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	open = opendir(path);
	if (!open)
		return errno == ENOENT || errno == ESRCH ? 0 : -errno;	/* it has ended */
	while (!found && (entry = readdir(open))) {
		if (!number_parse(entry->d_name, INT_MAX, &fd))
			continue;
		read_target(process, (int)fd, target);
		if (!strstr(target, "vfio"))
			continue;
		holder->group = is_group(target, function->group);
		found = holder->group ||
			(descriptor_address(ctl->sysfs, process, (int)fd, address) &&
			 !strcmp(address, function->address));
	}
	closedir(open);
	return found;
}

/**
 * descriptor_holder() - find a process that has a device open
 *
 * Return: 1 and @holder; 0: none has; -EACCES: not every process may be looked into, and none of
 * the others has; or another negative errno.
 */
int descriptor_holder(const struct tphctl *ctl, const struct pci_function *function,
		      struct holder *holder)
{
	char process[PATH_MAX], path[PATH_MAX];
	const struct dirent *entry;
	int found, result = 0;
	uint32_t pid;
	DIR *all;

	memset(holder, 0, sizeof(*holder));
	all = opendir(ctl->proc);
	if (!all)
		return -errno;
	while (result <= 0 && (entry = readdir(all))) {
		if (!number_parse(entry->d_name, INT_MAX, &pid) ||
		    snprintf(process, sizeof(process), "%s/%u", ctl->proc, pid) >=
		    (int)sizeof(process))
			continue;
		found = search_process(ctl, function, process, holder);
		if (found)
			result = found;
		if (found <= 0)
			continue;
		holder->pid = (int)pid;
		if (snprintf(path, sizeof(path), "%s/comm", process) >= (int)sizeof(path) ||
		    sysfs_read_text(path, holder->name, sizeof(holder->name)))
			snprintf(holder->name, sizeof(holder->name), "process");
	}
	closedir(all);
	return result;
}
