// SPDX-License-Identifier: GPL-2.0-only
/* sysfs attributes that are written, or watched: see attribute.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/netlink.h>

#include "attribute.h"
#include "sysfs_file.h"

/* the kernel's own events, not those that udevd passes on */
#define UEVENT_GROUP	1

int attribute_write(const char *path, const char *text)
{
	size_t length = strlen(text);
	ssize_t written;
	int error = 0, fd;

	fd = sysfs_open(path, O_WRONLY);
	if (fd < 0)
		return fd;
	written = write(fd, text, length);
	if (written < 0)
		error = -errno;
	else if ((size_t)written != length)
		error = -EIO;
	close(fd);
	return error;
}

int attribute_open(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int attribute_read(int fd, char *text, size_t size)
{
	ssize_t length = pread(fd, text, size - 1, 0);

	if (length < 0)
		return -errno;
	text[length] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return 0;
}

int uevent_open(void)
{
	const struct sockaddr_nl address = {
		.nl_family = AF_NETLINK,
		.nl_groups = UEVENT_GROUP,
	};
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);
	int error;

	if (fd < 0)
		return -errno;
	if (!bind(fd, (const struct sockaddr *)&address, sizeof(address)))
		return fd;
	error = -errno;
	close(fd);
	return error;
}

/* What happened does not matter, for the attributes are read again: only that it did. */
static void drain(int uevents)
{
	char byte;

	/* An event that did not fit (ENOBUFS) has been one, too. */
	while (recv(uevents, &byte, sizeof(byte), MSG_DONTWAIT) >= 0 || errno == ENOBUFS)
		;
}

int attribute_wait(const int *fds, unsigned int count, int uevents)
{
	struct pollfd polled[ATTRIBUTES_MAX + 1];

	if (count > ATTRIBUTES_MAX)
		return -EINVAL;
	for (unsigned int i = 0; i < count; i++)
		polled[i] = (struct pollfd){ .fd = fds[i], .events = POLLPRI };
	polled[count] = (struct pollfd){ .fd = uevents, .events = POLLIN };
	if (poll(polled, count + 1, -1) < 0)
		return errno == EINTR ? 0 : -errno;
	if (polled[count].revents)
		drain(uevents);
	return 0;
}
