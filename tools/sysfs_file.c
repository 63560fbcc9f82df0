// SPDX-License-Identifier: GPL-2.0-only
/* Files of sysfs, proc and boot: see sysfs_file.h. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "beneath.h"
#include "sysfs_file.h"

/* The longest is a kernel's configuration, of 300 KB. */
#define STREAM_MAX	(4 << 20)

/* a tree that is not the kernel's; @top: of beneath.h, or why there is none */
static struct {
	const char *root;
	int top;
} confined;

void sysfs_confine(const char *root)
{
	if (confined.root && confined.top >= 0)
		close(confined.top);
	confined.root = root;
	confined.top = root ? tph_beneath_top(root) : -1;
}

/* Where @path is in the saved tree; NULL: not in it, but in the kernel's own. */
static const char *beneath(const char *path)
{
	size_t length = confined.root ? strlen(confined.root) : 0;

	if (!confined.root || strncmp(path, confined.root, length) || path[length] != '/')
		return NULL;
	return path + length + strspn(path + length, "/");
}

int sysfs_open(const char *path, int flags)
{
	const char *relative = beneath(path);

	if (relative)
		return confined.top < 0 ? confined.top :
					  tph_beneath_open(confined.top, relative, flags);
	/* The kernel's own leads nowhere else, and has no FIFO. */
	flags = open(path, O_CLOEXEC | O_NONBLOCK | flags);
	return flags < 0 ? -errno : flags;
}

FILE *sysfs_fopen(const char *path)
{
	int fd = sysfs_open(path, 0);
	struct stat status;
	FILE *file = NULL;

	if (fd < 0)
		errno = -fd;
	else if (beneath(path) && !fstat(fd, &status) && status.st_size > STREAM_MAX)
		errno = EFBIG;
	else
		file = fdopen(fd, "r");
	if (fd >= 0 && !file)
		close(fd);
	return file;
}

int sysfs_read_text(const char *path, char *text, size_t size)
{
	int fd = sysfs_open(path, 0);
	ssize_t length;

	if (fd < 0)
		return fd;
	length = read(fd, text, size - 1);
	if (length < 0) {
		int error = -errno;

		close(fd);
		return error;
	}
	close(fd);
	text[length] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return 0;
}

int sysfs_find(const char *path)
{
	const char *relative = beneath(path);

	if (relative)
		return confined.top < 0 ? confined.top : tph_beneath_find(confined.top, relative);
	return access(path, F_OK) ? -errno : 0;
}

int sysfs_link(const char *path, char *target, size_t size)
{
	const char *relative = beneath(path);
	ssize_t length;

	if (relative)
		return confined.top < 0 ? confined.top :
		       tph_beneath_link(confined.top, relative, target, size);
	length = readlink(path, target, size);
	if (length < 0)
		return -errno;
	if ((size_t)length == size)
		return -ENAMETOOLONG;
	target[length] = '\0';
	return 0;
}

int sysfs_link_name(const char *path, char *name, size_t size)
{
	char target[PATH_MAX];
	int error = sysfs_link(path, target, sizeof(target));

	return error ? error : tph_beneath_name(target, name, size);
}
