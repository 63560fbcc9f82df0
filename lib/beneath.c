// SPDX-License-Identifier: MIT
/* Files of a tree and nothing outside it: see beneath.h. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/openat2.h>

#include "beneath.h"

/* A FIFO that nobody writes to is opened at once, and then refused. */
#define FLAGS	(O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

/* Before Linux 5.6, and where system calls are filtered; not for trees that change meanwhile. */
static int open_by_name(const char *root, const char *path, int flags)
{
	char top[PATH_MAX], real[PATH_MAX];
	size_t length;
	int fd;

	if (!realpath(root, top) || !realpath(path, real))
		return -errno;
	length = strcmp(top, "/") ? strlen(top) : 0;
	if (strncmp(real, top, length) || real[length] != '/')
		return -EXDEV;
	fd = open(real, FLAGS | O_NOFOLLOW | flags);
	return fd < 0 ? -errno : fd;
}

static int open_beneath(const char *root, const char *relative, const char *path, int flags)
{
	struct open_how how = {
		.flags = (unsigned int)(FLAGS | flags),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	int top = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC), error;
	long fd;

	if (top < 0)
		return -errno;
	fd = syscall(SYS_openat2, top, relative, &how, sizeof(how));
	error = errno;
	close(top);
	if (fd >= 0)
		return (int)fd;
	return error == ENOSYS || error == EPERM ? open_by_name(root, path, flags) : -error;
}

int tph_beneath_open(const char *root, const char *path, int flags)
{
	size_t length = strlen(root);
	const char *relative = path + length;
	struct stat status;
	int fd;

	if (strncmp(path, root, length) || *relative != '/')
		return -EXDEV;
	fd = open_beneath(root, relative + strspn(relative, "/"), path, flags);
	if (fd < 0)
		return fd;
	if (!fstat(fd, &status) && (flags & O_DIRECTORY ? S_ISDIR(status.st_mode) :
				    S_ISREG(status.st_mode)))
		return fd;
	close(fd);
	return -EINVAL;
}
