// SPDX-License-Identifier: MIT
/*
 * A program as it was written to the posted patches (v8): it knows VFIO groups, the type 1 container
 * and VFIO_DEVICE_PCI_TPH, and nothing of this project but the name of the device. Its structures
 * are its own, as DPDK carries them.
 *
 * posted BDF MODES ENTRIES: what GET_CAP shall say, modes as v8 numbers them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/vfio.h>

struct op {
	uint32_t argsz, op;
	union {
		struct {
			uint8_t supported_modes, reserved0;
			uint16_t st_table_sz;
			uint32_t reserved;
		} cap;
		struct {
			uint8_t mode, reserved[7];
		} ctrl;
		struct {
			uint32_t count, reserved;
			struct entry {
				uint32_t cpu;
				uint8_t mem_type, reserved0;
				uint16_t index, st, reserved1;
			} ents[4];
		} st;
	};
};
enum { GET_CAP, ENABLE, DISABLE, GET_ST, SET_ST };
#define MODE_IV	 1
#define MODE_DS	 2
#define PCI_TPH_ _IO(VFIO_TYPE, VFIO_BASE + 22)

static int tests, failures, device;

static void check(const char *what, long got, long expected)
{
	printf("%sok %d - posted: %s\n", got == expected ? "" : "not ", ++tests, what);
	if (got != expected)
		printf("# got %ld, expected %ld\n", got, expected);
	failures += got != expected;
	fflush(stdout);
}

static void die(const char *what)
{
	printf("not ok %d - posted: %s: %s\n", tests + 1, what, strerror(errno));
	exit(1);
}

static void open_device(const char *bdf)
{
	char path[128], link[128], *number;
	int group, container = open("/dev/vfio/vfio", O_RDWR);
	ssize_t length;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", bdf);
	length = readlink(path, link, sizeof(link) - 1);
	if (length < 0)
		die(path);
	link[length] = '\0';
	number = strrchr(link, '/');
	snprintf(path, sizeof(path), "/dev/vfio%s", number ? number : "");
	group = open(path, O_RDWR);
	if (group < 0 || container < 0)
		die(path);
	if (ioctl(group, VFIO_GROUP_SET_CONTAINER, &container) ||
	    ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		die("container");
	device = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, bdf);
	if (device < 0)
		die("GET_DEVICE_FD");
}

static int call(struct op *op, uint32_t number, size_t size)
{
	op->argsz = (uint32_t)size;
	op->op = number;
	return ioctl(device, PCI_TPH_, op) ? -errno : 0;
}

static int switch_to(uint32_t number, uint8_t mode)
{
	struct op op = { .ctrl.mode = mode };

	return call(&op, number, 16);
}

static int set(uint32_t count, const struct entry *entries)
{
	struct op op = { .st.count = count };

	memcpy(op.st.ents, entries, count * sizeof(*entries));
	return call(&op, SET_ST, 16 + count * sizeof(*entries));
}

int main(int argc, char **argv)
{
	const struct entry good[] = { { .cpu = 1, .index = 2 },
				      { .cpu = 0, .index = 0, .mem_type = 1 },
				      { .cpu = UINT32_MAX, .index = 1 } };
	const struct entry bad[] = { { .cpu = 1, .index = 1 }, { .cpu = 100000, .index = 0 } };
	struct op op = { 0 };

	if (argc != 4) {
		fprintf(stderr, "usage: posted BDF MODES ENTRIES\n");
		return 2;
	}
	open_device(argv[1]);

	check("GET_CAP", call(&op, GET_CAP, 16), 0);
	check("its modes", op.cap.supported_modes, atol(argv[2]));
	check("its ST table", op.cap.st_table_sz, atol(argv[3]));
	check("SET_ST with a CPU that is none", set(2, bad), -EINVAL);
	check("SET_ST", set(3, good), 0);
	check("ENABLE IV", switch_to(ENABLE, MODE_IV), 0);
	check("SET_ST while enabled", set(3, good), 0);
	check("ENABLE of a mode that is none", switch_to(ENABLE, 3), -EINVAL);
	if (op.cap.supported_modes & MODE_DS) {
		struct op get = { .st.count = 1, .st.ents[0].cpu = 1 };

		check("GET_ST", call(&get, GET_ST, 16 + sizeof(struct entry)), 0);
		check("its tag is one", get.st.ents[0].st != 0, 1);
		check("ENABLE DS", switch_to(ENABLE, MODE_DS), 0);
	} else {
		struct op get = { .st.count = 1, .st.ents[0].cpu = 1 };

		check("GET_ST", call(&get, GET_ST, 16 + sizeof(struct entry)), -EPERM);
		check("ENABLE DS", switch_to(ENABLE, MODE_DS), -EPERM);
	}
	check("DISABLE", call(&op, DISABLE, 8), 0);
	check("DISABLE again", call(&op, DISABLE, 8), 0);
	return failures != 0;
}
