// SPDX-License-Identifier: MIT
/*
 * An accelerator and a NIC: the owner of the accelerator exports a piece of its memory, says with
 * which steering tag and processing hint it wants to be written to, and passes it on; the NIC's
 * driver in the kernel imports it, and its writes arrive with them. The accelerator gives the tag
 * its meaning: say, a partition of its cache.
 *
 * The NIC's driver is the lab's importer (lab/importer). With an RDMA NIC it would be the driver
 * behind ibv_reg_dmabuf_mr().
 *
 * Lines that begin with "@" are for lab/demo, as in tour.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/vfio.h>

#include "tph.h"

#include "../lab/importer/importer.h"

#define MEMORY_BAR	2
#define WINDOW		4096
#define PARTITION	0x2a17 /* 16-bit tag: what it stands for is the accelerator's own matter */

static int differences;

static int checked(int ret, const char *what)
{
	if (ret) {
		printf("@differs %s: %s\n", what, strerror(ret < 0 ? -ret : errno));
		differences++;
	}
	fflush(stdout);
	return ret;
}

/* ---- the accelerator's owner ---- */

static int share_memory(struct tph_device *accelerator, int *dmabuf)
{
	const struct tph_dmabuf_tags tags = {
		.tag_16_valid = true,
		.tag_16 = PARTITION,
		.hint = TPH_HINT_TARGET_PRIORITY,
	};
	int ret;

	ret = tph_dmabuf_export(accelerator, MEMORY_BAR, 0, WINDOW, dmabuf);
	if (checked(ret, "export"))
		return ret;
	return checked(tph_dmabuf_publish(accelerator, *dmabuf, &tags), "publish");
}

static void show_memory(struct tph_device *accelerator, uint32_t expected)
{
	const off_t at = (off_t)VFIO_PCI_BAR2_REGION_INDEX << 40;
	uint32_t value = 0;

	if (pread(tph_device_fd(accelerator), &value, sizeof(value), at) != sizeof(value))
		checked(-EIO, "read of the accelerator's memory");
	printf("%s the accelerator's memory begins with 0x%08x\n",
	       value == expected ? "  " : "@differs", value);
	differences += value != expected;
}

/* ---- the NIC's user, who was given the dma-buf ---- */

static int import(const char *path, int dmabuf, int *nic)
{
	*nic = open(path, O_RDWR | O_CLOEXEC);
	if (checked(*nic < 0 ? -errno : 0, path))
		return -1;
	return checked(ioctl(*nic, IMPORTER_ATTACH, &dmabuf), "import");
}

/* As both ends saw it: "@tlp" of the NIC, "@received" of the accelerator. */
static void write_and_look(int nic, struct tph_device *accelerator, const char *expected)
{
	static uint32_t number;
	const struct importer_write request = {
		.length = 64,
		.pattern = 0xacce1000 + ++number,
	};

	if (checked(ioctl(nic, IMPORTER_WRITE, &request), "write"))
		return;
	printf("@tlp writer %u %s\n", number, expected);
	printf("@received accelerator %u %s verdict=\"accepted\"\n", number, expected);
	fflush(stdout);
	show_memory(accelerator, request.pattern);
}

static void demonstrate(struct tph_device *accelerator, const char *path)
{
	char expected[64];
	int dmabuf, nic;

	printf("\n@step An accelerator shares a page of its memory, and says how it wants to be "
	       "written to\n");
	if (share_memory(accelerator, &dmabuf))
		return;
	printf("   published: 16-bit tag 0x%04x, hint \"target, priority\"\n", PARTITION);

	printf("\n@step A NIC's kernel driver imports it: its writes arrive with that tag\n");
	if (import(path, dmabuf, &nic))
		return;
	snprintf(expected, sizeof(expected), "th=1 ph=3 width=16 st=\"0x%04x\"", PARTITION);
	write_and_look(nic, accelerator, expected);

	printf("\n@step The owner clears it: from the NIC's next mapping on, writes arrive without\n");
	if (checked(tph_dmabuf_publish(accelerator, dmabuf, NULL), "clear") ||
	    checked(ioctl(nic, IMPORTER_MAP), "map"))
		return;
	write_and_look(nic, accelerator, "th=0");
	close(nic);
	close(dmabuf);
}

int main(int argc, char **argv)
{
	struct tph_device *accelerator;

	if (argc != 3) {
		fprintf(stderr, "usage: peer 0000:03:00.0 /dev/tph-importer-0000:04:00.0\n");
		return 2;
	}
	if (checked(tph_open(argv[1], &accelerator), argv[1]))
		return 1;
	demonstrate(accelerator, argv[2]);
	tph_close(accelerator);
	return differences != 0;
}
