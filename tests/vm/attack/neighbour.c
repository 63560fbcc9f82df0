// SPDX-License-Identifier: MIT
/*
 * A neighbour of the IOMMU group writes the MSI-X table by peer-to-peer. In hardware such a request
 * need not pass the IOMMU, which is why the two are one group. QEMU hands every request to the IOMMU,
 * so the way round it is made here: the table's page is mapped there, past VFIO's check, as root.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "attack.h"

#define ECAP_TPH	0x17
#define PAGE		0x1000u
#define PEER_IOVA	0x400000u

static void map_for_dma(int container, void *memory, uint64_t iova, uint64_t size)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)memory,
		.iova = iova,
		.size = size,
	};

	assert_ptr_not_equal(memory, MAP_FAILED);
	assert_int_equal(ioctl(container, VFIO_IOMMU_MAP_DMA, &map), 0);
}

static void open_pair(struct guest *g, struct guest *peer)
{
	char path[128], link[128];
	int container, group, bar;
	ssize_t length;

	act_as_root();
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", g->bdf);
	length = readlink(path, link, sizeof(link) - 1);
	assert_true(length > 0);
	link[length] = '\0';
	snprintf(path, sizeof(path), "/dev/vfio%s", strrchr(link, '/'));
	container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	group = open(path, O_RDWR | O_CLOEXEC);
	assert_true(container >= 0 && group >= 0);
	assert_int_equal(ioctl(group, VFIO_GROUP_SET_CONTAINER, &container), 0);
	assert_int_equal(ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU), 0);
	g->fd = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, g->bdf);
	peer->fd = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, peer->bdf);
	assert_true(g->fd >= 0 && peer->fd >= 0);
	g->raw = guest_open_raw(g->bdf);
	g->cap = raw_extended(g->bdf, ECAP_TPH);

	guest_config_write(g, PCI_COMMAND, 2, PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY);
	guest_config_write(peer, PCI_COMMAND, 2, PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY);
	g->dma = mmap(NULL, DMA_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	map_for_dma(container, g->dma, DMA_IOVA, DMA_SIZE);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource0", g->bdf);
	bar = open(path, O_RDWR | O_CLOEXEC);
	assert_true(bar >= 0);
	map_for_dma(container, mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, bar, TABLE_PAGE),
		    PEER_IOVA, PAGE);
	act_as_user();
}

/* The user's own device does it, by a command that any driver of it could give. */
static void peer_writes(struct guest *peer, uint32_t at, uint32_t value)
{
	guest_register_write(peer, EP_DMA_DST_LO, at);
	guest_register_write(peer, EP_DMA_DST_HI, 0);
	guest_register_write(peer, EP_DMA_LENGTH, 4);
	guest_register_write(peer, EP_DMA_PATTERN, value);
	guest_register_write(peer, EP_DMA_HINT, 0);
	guest_register_write(peer, EP_DMA_VECTOR, EP_DMA_NO_VECTOR);
	guest_register_write(peer, EP_DMA_DOORBELL, EP_DMA_WRITE);
	while (guest_register(peer, EP_DMA_STATUS) == EP_DMA_BUSY)
		;
	assert_int_equal(guest_register(peer, EP_DMA_STATUS), EP_DMA_DONE);
}

/* The tag of entry 0, whose vector is in use. Being let to set it at all is too much. */
static bool writes_table(const struct attack *attack, bool ours)
{
	struct guest g = { .bdf = attack->bdf }, peer = { .bdf = AT_PAIR_1 };
	uint32_t control_0 = PEER_IOVA + TABLE_AT - TABLE_PAGE + 12;
	bool steered;

	open_pair(&g, &peer);
	vectors_on(&g);
	attack_enable(&g, ours);
	steered = ours && !st_set_one(&g, 0, HIS_CPU);
	peer_writes(&peer, control_0, OTHER_TAG << 16);
	return sends_tag(&g, 0, OTHER_TAG) || steered;
}

const struct attack neighbour_attacks[] = {
	{ "neighbour-writes-table", writes_table, AT_PAIR, STOCK_OPEN, NULL, "attack/neighbour.c" },
	{ 0 }
};
