// SPDX-License-Identifier: GPL-2.0-only
/* Descriptors of another process: see borrow.h. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "borrow.h"
#include "descriptor.h"
#include "operand.h"

bool borrow_parse(const char *text, int *pid, char address[TPH_ADDRESS_SIZE])
{
	char digits[16];
	uint32_t number;
	size_t length;

	if (strncmp(text, BORROW_PREFIX, strlen(BORROW_PREFIX)))
		return false;
	text += strlen(BORROW_PREFIX);
	length = strcspn(text, "/");
	if (!text[length] || length >= sizeof(digits))
		return false;
	memcpy(digits, text, length);
	digits[length] = '\0';
	if (!number_parse(digits, INT_MAX, &number) || !number ||
	    tph_address_parse(text + length + 1, address))
		return false;
	*pid = (int)number;
	return true;
}

int borrow_process(int pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	return fd < 0 ? -errno : fd;
}

static int copy_descriptor(const struct tphctl *ctl, const struct pci_function *function, int process,
			   int fd)
{
	char now[TPH_ADDRESS_SIZE];
	int known;

	fd = (int)syscall(SYS_pidfd_getfd, process, fd, 0);
	if (fd < 0)
		return errno == EBADF ? -ENODEV : -errno;
	/* it may have put something else there meanwhile: nothing is asked of a file that is no device */
	known = descriptor_address(ctl->sysfs, "/proc/self", fd, now);
	if (known == -ENOTTY || (!known && strcmp(now, function->address))) {
		close(fd);
		return -ENODEV;
	}
	return fd;
}

int borrow_device(const struct tphctl *ctl, int pid, const char *address)
{
	struct pci_function function;
	char folder[PATH_MAX];
	int process, fd;

	fd = function_read(ctl->sysfs, address, &function);
	if (fd)
		return fd == -ENODEV ? -ENXIO : fd;
	if (snprintf(folder, sizeof(folder), "%s/%d", ctl->proc, pid) >= (int)sizeof(folder))
		return -ENAMETOOLONG;
	/* from here on the number is that process's, or nobody's */
	process = borrow_process(pid);
	if (process < 0)
		return process;
	fd = descriptor_find(ctl, &function, folder);
	if (fd >= 0)
		fd = copy_descriptor(ctl, &function, process, fd);
	close(process);
	return fd;
}
