// SPDX-License-Identifier: GPL-2.0-only
/* Open VFIO devices, as proc shows them: see descriptor.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/kcmp.h>

#include "descriptor.h"
#include "operand.h"

#define SYSPATH_KEY	"vfio-device-syspath:"
#define FLAGS_KEY	"flags:"
#define DEVICE		"anon_inode:[vfio-device]"

/**
 * enum kind - what a descriptor is
 * @UNNAMED: a device of which the kernel does not tell which, as before Linux 6.17 of one that came
 *	by a group
 */
enum kind {
	OTHER,
	NAMED,
	UNNAMED,
	GROUP,
};

/* struct opened - what a descriptor is; @address: if NAMED; @group: if GROUP */
struct opened {
	enum kind kind;
	char address[TPH_ADDRESS_SIZE];
	uint32_t group;
};

/* Cut the last component off @path. */
static const char *cut(char *path)
{
	char *slash = strrchr(path, '/');

	if (!slash)
		return "";
	*slash = '\0';
	return slash + 1;
}

/*
 * What the character device @number is. Names in /dev are whatever somebody called them, in a mount
 * namespace of his own or a container; here the kernel says it: .../0000:01:00.0/vfio-dev/vfio7, and
 * .../vfio/12 or .../vfio/noiommu-12.
 */
static void identify_node(const char *sysfs, unsigned int major_number, unsigned int minor_number,
			  struct opened *opened)
{
	static const char prefix[] = "noiommu-";
	char path[PATH_MAX], target[PATH_MAX];
	const char *name, *class;

	if (snprintf(path, sizeof(path), "%s/dev/char/%u:%u", sysfs, major_number, minor_number) >=
	    (int)sizeof(path) || sysfs_link(path, target, sizeof(target)))
		return;
	name = cut(target);
	class = cut(target);
	if (!strcmp(class, "vfio-dev") && !tph_address_parse(cut(target), opened->address))
		opened->kind = NAMED;
	if (strcmp(class, "vfio"))
		return;
	if (!strncmp(name, prefix, strlen(prefix)))
		name += strlen(prefix);
	if (number_parse(name, INT_MAX, &opened->group))
		opened->kind = GROUP;
}

/*
 * What proc tells of it: in newer kernels which device it is. Return: whether it is open; with O_PATH
 * it is only pointed at, for which nobody asks the driver, nor who may use it.
 */
static bool read_info(const char *process, int fd, struct opened *opened)
{
	char path[PATH_MAX], line[PATH_MAX];
	unsigned int flags = O_PATH;
	FILE *file;

	if (snprintf(path, sizeof(path), "%s/fdinfo/%d", process, fd) >= (int)sizeof(path))
		return false;
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		if (!strncmp(line, FLAGS_KEY, strlen(FLAGS_KEY)))
			flags = (unsigned int)strtoul(line + strlen(FLAGS_KEY), NULL, 8);
		else if (opened->kind == UNNAMED &&
			 !strncmp(line, SYSPATH_KEY, strlen(SYSPATH_KEY)) &&
			 !tph_address_parse(cut(line), opened->address))
			opened->kind = NAMED;
	}
	if (file)
		fclose(file);
	return !(flags & O_PATH);
}

/* Nothing is opened, and of no file system it is waited for, whose user may never answer. */
static void identify(const char *sysfs, const char *process, int fd, struct opened *opened)
{
	char path[PATH_MAX], target[sizeof(DEVICE) + 1];
	struct statx status;
	ssize_t length;

	memset(opened, 0, sizeof(*opened));
	if (snprintf(path, sizeof(path), "%s/fd/%d", process, fd) >= (int)sizeof(path))
		return;
	length = readlink(path, target, sizeof(target));
	if (length < 0)
		return;
	/* of a file that somebody made, it would begin with a slash */
	if (length == (ssize_t)strlen(DEVICE) && !memcmp(target, DEVICE, strlen(DEVICE)))
		opened->kind = UNNAMED;
	else if (!statx(AT_FDCWD, path, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_TYPE, &status) &&
		 S_ISCHR(status.stx_mode))
		identify_node(sysfs, status.stx_rdev_major, status.stx_rdev_minor, opened);
	if (opened->kind != OTHER && !read_info(process, fd, opened))
		opened->kind = OTHER;
}

/**
 * descriptor_address() - which device an open VFIO device is
 * @process: its folder in proc
 * @fd: descriptor in that process
 *
 * Return: 0; -ENOKEY: it is one of which the kernel does not tell; -ENOTTY: it is none.
 */
int descriptor_address(const char *sysfs, const char *process, int fd,
		       char address[TPH_ADDRESS_SIZE])
{
	struct opened opened;

	identify(sysfs, process, fd, &opened);
	if (opened.kind == NAMED)
		memcpy(address, opened.address, TPH_ADDRESS_SIZE);
	return opened.kind == NAMED ? 0 : opened.kind == UNNAMED ? -ENOKEY : -ENOTTY;
}

/* @opened is that very function's group */
static bool is_group(const struct opened *opened, const struct pci_function *function)
{
	return opened->kind == GROUP && (long)opened->group == function->group;
}

static bool is_device(const struct opened *opened, const struct pci_function *function)
{
	return opened->kind == NAMED && !strcmp(opened->address, function->address);
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
	struct opened opened;

	identify(search->ctl->sysfs, search->process, fd, &opened);
	if (is_device(&opened, search->function)) {
		search->fd = fd;
	} else if (is_group(&opened, search->function)) {
		search->group = true;
	} else if (opened.kind == UNNAMED) {
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

/**
 * descriptor_shared() - whether a process has a device open that the caller has, as the same file
 * @own: the caller's descriptor
 *
 * Return: 1, 0, -ENOSYS: the kernel does not tell, or another negative errno.
 */
int descriptor_shared(const struct tphctl *ctl, int own, int pid)
{
	const struct dirent *entry;
	char path[PATH_MAX];
	int result = 0;
	uint32_t fd;
	long differ;
	DIR *open;

	if (snprintf(path, sizeof(path), "%s/%d/fd", ctl->proc, pid) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	open = opendir(path);
	if (!open)
		return -errno;
	while (!result && (entry = readdir(open))) {
		if (!number_parse(entry->d_name, INT_MAX, &fd))
			continue;
		differ = syscall(SYS_kcmp, getpid(), pid, KCMP_FILE, own, (int)fd);
		/* EBADF: it has closed that one */
		if (differ <= 0 && !(differ && errno == EBADF))
			result = differ ? -errno : 1;
	}
	closedir(open);
	return result;
}

/* Look through what one process has open. Return: 1 it is a holder, 0 it is not, or -errno. */
static int search_process(const struct tphctl *ctl, const struct pci_function *function,
			  const char *process, struct holder *holder)
{
	const struct dirent *entry;
	struct opened opened;
	char path[PATH_MAX];
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
		identify(ctl->sysfs, process, (int)fd, &opened);
		holder->group = is_group(&opened, function);
		found = holder->group || is_device(&opened, function);
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
