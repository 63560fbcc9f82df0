// SPDX-License-Identifier: MIT
/* The small files that sysfs is made of. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "beneath.h"
#include "group.h"

int group_path(char path[PATH_MAX], const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(path, PATH_MAX, format, arguments);
	va_end(arguments);
	return length < 0 || length >= PATH_MAX ? -ENAMETOOLONG : 0;
}

static int read_first(int fd, char *text, size_t size)
{
	ssize_t length;
	int error = 0;

	text[0] = '\0';
	if (fd < 0)
		return fd;
	length = read(fd, text, size - 1);
	if (length < 0) {
		error = -errno;
		length = 0;
	}
	close(fd);
	if (length && text[length - 1] == '\n')
		length--;
	text[length] = '\0';
	return error;
}

/*
 * The first bytes of a file, with an end and without its last newline: of one whose text is not
 * passed on, so that it does not matter where links lead.
 */
int group_read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	return read_first(fd < 0 ? -errno : fd, text, size);
}

/* The same of one of the tree, and of nothing else. */
int group_read_own(const struct tph_group *group, const char *path, char *text, size_t size)
{
	return read_first(tph_beneath_open(group->sysfs, path, 0), text, size);
}

/* The last component of where a link points. */
int group_link_name(const char *path, char *name, size_t size)
{
	char target[PATH_MAX];
	ssize_t length = readlink(path, target, sizeof(target) - 1);
	const char *slash;

	if (length < 0)
		return -errno;
	target[length] = '\0';
	slash = strrchr(target, '/');
	slash = slash ? slash + 1 : target;
	if (strlen(slash) >= size)
		return -ENAMETOOLONG;
	/* What is to be a component of other paths. */
	if (!strcmp(slash, ".") || !strcmp(slash, ".."))
		return -EIO;
	strcpy(name, slash);
	return 0;
}
