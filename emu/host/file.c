// SPDX-License-Identifier: MIT
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reason.h"

bool file_in_memory(int fd)
{
	/* only these have seals; one that may not be sealed says so, too */
	return fcntl(fd, F_GET_SEALS) >= 0;
}

static int mount_of(int fd)
{
	char path[40], line[128];
	int mount = -1;
	FILE *info;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = fopen(path, "re");
	while (info && fgets(line, sizeof(line), info))
		if (sscanf(line, "mnt_id: %d", &mount) == 1)
			break;
	if (info)
		fclose(info);
	return mount;
}

/* "ID PARENT ... - TYPE SOURCE OPTIONS"; blanks in paths are escaped. */
static bool type_of(const char *line, int mount, char type[32])
{
	const char *rest = strstr(line, " - ");
	int id;

	return rest && sscanf(line, "%d ", &id) == 1 && id == mount &&
	       sscanf(rest, " - %31s", type) == 1;
}

bool file_on_disk(int fd)
{
	/* overlay: a container's root; whoever mounted it here could make us wait anyway */
	static const char *const disks[] = { "ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "zfs",
					     "overlay" };
	const int mount = mount_of(fd);
	char line[4096], type[32] = "";
	FILE *mounts = mount < 0 ? NULL : fopen("/proc/self/mountinfo", "re");

	while (mounts && fgets(line, sizeof(line), mounts))
		if (type_of(line, mount, type))
			break;
	if (mounts)
		fclose(mounts);
	for (size_t i = 0; i < sizeof(disks) / sizeof(disks[0]); i++)
		if (!strcmp(type, disks[i]))
			return true;
	return false;
}

char *file_read(const char *path, size_t max, size_t *size, char **error)
{
	/* a FIFO would keep us waiting */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat status;
	char *text = NULL;
	ssize_t n = 0;

	*size = 0;
	if (fd < 0 || fstat(fd, &status)) {
		reason_give(error, "%s", strerror(errno));
		goto out;
	}
	if (!S_ISREG(status.st_mode)) {
		reason_give(error, "it is no regular file");
		goto out;
	}
	if (status.st_size > (off_t)max) {
		reason_give(error, "it has more than %zu bytes", max);
		goto out;
	}
	/* it can grow meanwhile */
	text = malloc(max + 1);
	if (!text)
		abort();
	while (*size < max && (n = read(fd, text + *size, max - *size)) > 0)
		*size += (size_t)n;
	text[*size] = '\0';
	if (n < 0) {
		reason_give(error, "%s", strerror(errno));
		free(text);
		text = NULL;
	}
out:
	if (fd >= 0)
		close(fd);
	return text;
}
