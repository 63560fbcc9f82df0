// SPDX-License-Identifier: GPL-2.0-only
/* Files of sysfs, proc and boot: see sysfs_file.h. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
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

/* what a stream of a saved tree is read from; @left: bytes that may still come */
struct source {
	int fd;
	size_t left;
};

/* The size that was looked at is not one for ever. */
static ssize_t source_read(void *cookie, char *bytes, size_t size)
{
	struct source *source = cookie;
	ssize_t length = read(source->fd, bytes, size < source->left ? size : source->left);

	if (length > 0)
		source->left -= (size_t)length;
	return length;
}

static int source_close(void *cookie)
{
	struct source *source = cookie;
	int ret = close(source->fd);

	free(source);
	return ret;
}

static FILE *source_open(int fd)
{
	static const cookie_io_functions_t functions = { .read = source_read,
							 .close = source_close };
	struct source *source;
	struct stat status;
	FILE *file;

	if (!fstat(fd, &status) && status.st_size > STREAM_MAX) {
		errno = EFBIG;
		return NULL;
	}
	source = malloc(sizeof(*source));
	if (!source)
		return NULL;
	*source = (struct source){ .fd = fd, .left = STREAM_MAX };
	file = fopencookie(source, "r", functions);
	if (!file)
		free(source);
	return file;
}

FILE *sysfs_fopen(const char *path)
{
	int fd = sysfs_open(path, 0);
	FILE *file;

	if (fd < 0) {
		errno = -fd;
		return NULL;
	}
	file = beneath(path) ? source_open(fd) : fdopen(fd, "r");
	if (!file) {
		int error = errno;

		close(fd);
		errno = error;
	}
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
