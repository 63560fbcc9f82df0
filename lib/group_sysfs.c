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

int tph_group_path(char path[PATH_MAX], const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(path, PATH_MAX, format, arguments);
	va_end(arguments);
	return length < 0 || length >= PATH_MAX ? -ENAMETOOLONG : 0;
}

/* The first bytes of a file, with an end and without its last newline. */
int tph_group_read_text(const struct tph_group *group, const char *path, char *text, size_t size)
{
	int fd = tph_beneath_open(group->top, path, 0), error = 0;
	ssize_t length;

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

/* The first line of one. */
int tph_group_read_line(const struct tph_group *group, const char *path, char *text, size_t size)
{
	int error = tph_group_read_text(group, path, text, size);

	text[strcspn(text, "\n")] = '\0';
	return error;
}

/* The last component of where a link points. */
int tph_group_link_name(const struct tph_group *group, const char *path, char *name, size_t size)
{
	char target[PATH_MAX];
	int error = tph_beneath_link(group->top, path, target, sizeof(target));

	return error ? error : tph_beneath_name(target, name, size);
}
