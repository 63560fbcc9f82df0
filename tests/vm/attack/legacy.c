// SPDX-License-Identifier: MIT
/* The main ways in again, by the group and a type 1 container instead of iommufd. */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "attack.h"

#define ECAP_TPH	0x17

static struct guest *legacy_open(const char *bdf, bool ours)
{
	static struct guest g;
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.iova = DMA_IOVA,
		.size = DMA_SIZE,
	};
	char path[128], link[128];
	int container, group;
	ssize_t length;

	act_as_root();
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", bdf);
	length = readlink(path, link, sizeof(link) - 1);
	assert_true(length > 0);
	link[length] = '\0';
	snprintf(path, sizeof(path), "/dev/vfio%s", strrchr(link, '/'));
	container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	group = open(path, O_RDWR | O_CLOEXEC);
	assert_true(container >= 0 && group >= 0);
	assert_int_equal(ioctl(group, VFIO_GROUP_SET_CONTAINER, &container), 0);
	assert_int_equal(ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU), 0);
	g.bdf = bdf;
	g.fd = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, bdf);
	assert_true(g.fd >= 0);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/config", bdf);
	g.raw = open(path, O_RDWR | O_CLOEXEC);
	assert_true(g.raw >= 0);
	g.cap = raw_extended(bdf, ECAP_TPH);
	act_as_user();

	g.dma = mmap(NULL, DMA_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(g.dma, MAP_FAILED);
	map.vaddr = (uintptr_t)g.dma;
	assert_int_equal(ioctl(container, VFIO_IOMMU_MAP_DMA, &map), 0);
	/* the device keeps both */
	close(container);
	close(group);
	guest_config_write(&g, PCI_COMMAND, 2, PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY);
	vectors_on(&g);
	attack_enable(&g, ours);
	return &g;
}

static bool map_table(const struct attack *attack, bool ours)
{
	struct guest *g = legacy_open(attack->bdf, ours);
	void *map = map_bar0(g, 0, EP_BAR_SIZE);

	if (map == MAP_FAILED)
		map = map_bar0(g, TABLE_PAGE, 0x1000);
	else
		map = (uint8_t *)map + TABLE_PAGE;
	if (map == MAP_FAILED)
		return sends_any_tag(g, 0);
	put_tag(g, map, TABLE_PAGE, 0, OTHER_TAG);
	return sends_tag(g, 0, OTHER_TAG);
}

static bool set_other_cpu(const struct attack *attack, bool ours)
{
	struct guest *g = legacy_open(attack->bdf, ours);

	get_his_tag(g, ours);
	return !st_set_one(g, 0, OTHER_CPU) || sends_tag(g, 0, OTHER_TAG);
}

static bool affinity_changes(const struct attack *attack, bool ours)
{
	struct guest *g = legacy_open(attack->bdf, ours);

	get_his_tag(g, ours);
	guest_run_on(1u << 0);
	return still_sends_tag_after_a_second(g, 0, HIS_TAG);
}

static bool stale_tag(const struct attack *attack, bool ours)
{
	struct guest *g = legacy_open(attack->bdf, ours);

	get_his_tag(g, ours);
	vectors_off(g);
	if (ours)
		operator_cpus(attack->bdf, "0,2,3");
	vectors_on(g);
	return sends_tag(g, 0, HIS_TAG);
}

#define BOTH(name, run) { name, run, AT_MSIX, STOCK_OPEN, NULL, "attack/legacy.c" }

const struct attack legacy_attacks[] = {
	BOTH("legacy-mmap-table", map_table),
	BOTH("legacy-stale-tag", stale_tag),
	BOTH("legacy-keep-over-affinity", affinity_changes),
	{ "legacy-set-other-cpu", set_other_cpu, AT_MSIX, STOCK_WITHOUT, "n/a: has no SET",
	  "attack/legacy.c" },
	{ 0 }
};
