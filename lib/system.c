// SPDX-License-Identifier: MIT
/* The kernel as the library sees it: see system.h. */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "system.h"

/* Configuration space is far beyond 4 GiB: a 32-bit program is built with _FILE_OFFSET_BITS=64. */
_Static_assert(sizeof(off_t) == 8, "offsets have 64 bits");

int tph_system_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int tph_system_readlink(const char *path, char *target, size_t size)
{
	ssize_t length = readlink(path, target, size);

	if (length < 0)
		return -errno;
	if ((size_t)length == size)
		return -ENAMETOOLONG;
	target[length] = '\0';
	return 0;
}

int tph_system_ioctl(int fd, unsigned long request, void *argument)
{
	int answer = ioctl(fd, request, argument);

	return answer < 0 ? -errno : answer;
}

ssize_t tph_system_pread(int fd, void *buffer, size_t size, uint64_t offset)
{
	ssize_t count = pread(fd, buffer, size, (off_t)offset);

	return count < 0 ? -errno : count;
}

ssize_t tph_system_pwrite(int fd, const void *buffer, size_t size, uint64_t offset)
{
	ssize_t count = pwrite(fd, buffer, size, (off_t)offset);

	return count < 0 ? -errno : count;
}

int tph_system_device_number(int fd, dev_t *number)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return -errno;
	if (!S_ISCHR(status.st_mode))
		return -ENOTTY;
	*number = status.st_rdev;
	return 0;
}
