// SPDX-License-Identifier: MIT
/*
 * The MSI-X table as a dma-buf, mapped into the user's I/O address space, so that a device writes
 * it: the DMA engine of a second device of the same user, for what the table gets must not depend on
 * the emulator.
 */
#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "attack.h"
#include "tph.h"

/* not in the headers of older distributions */
#define FEATURE_DMA_BUF	11
#define IOMMU_MAP_FILE	_IO(';', 0x8f)

struct map_file {
	uint32_t size, flags, ioas_id;
	int32_t fd;
	uint64_t start, length, iova;
};

struct dma_buf {
	uint32_t region_index, open_flags, flags, nr_ranges;
	struct {
		uint64_t offset, length;
	} ranges[2];
};

#define WINDOW_IOVA	0x800000u

/* QEMU's edu device */
#define EDU_BUFFER	0x40000u
#define EDU_DMA_SOURCE	0x80
#define EDU_DMA_TARGET	0x88
#define EDU_DMA_COUNT	0x90
#define EDU_DMA_COMMAND	0x98
#define  EDU_DMA_START	1u
#define  EDU_DMA_OUT	2u

static void edu_write(int edu, unsigned int at, uint32_t value)
{
	assert_int_equal(pwrite(edu, &value, 4, at), 4);
}

static void edu_dma(int edu, uint32_t source, uint32_t target, uint32_t command)
{
	uint32_t value;

	edu_write(edu, EDU_DMA_SOURCE, source);
	edu_write(edu, EDU_DMA_TARGET, target);
	edu_write(edu, EDU_DMA_COUNT, 4);
	edu_write(edu, EDU_DMA_COMMAND, command | EDU_DMA_START);
	do
		assert_int_equal(pread(edu, &value, 4, EDU_DMA_COMMAND), 4);
	while (value & EDU_DMA_START);
}

/* @value at @iova by the other device's DMA engine, which must be seen to work. */
static void write_by_dma(struct guest *g, uint64_t iova, uint32_t value)
{
	const uint64_t command_at = (uint64_t)VFIO_PCI_CONFIG_REGION_INDEX << 40 | 4;
	uint16_t command = 6;
	int edu = companion_open(g, AT_EDU);
	uint32_t *memory = (uint32_t *)g->dma;

	assert_int_equal(pwrite(edu, &command, 2, command_at), 2);
	memory[0] = value;
	memory[1] = 0;
	edu_dma(edu, DMA_IOVA, EDU_BUFFER, 0);
	edu_dma(edu, EDU_BUFFER, DMA_IOVA + 4, EDU_DMA_OUT);
	assert_int_equal(memory[1], value);
	edu_dma(edu, EDU_BUFFER, iova, EDU_DMA_OUT);
}

/* Descriptor or negative errno; one range, or two with a hole of a page. */
static int export(struct guest *g, uint64_t at, uint64_t length, unsigned int ranges)
{
	struct {
		struct vfio_device_feature feature;
		struct dma_buf buffer;
	} request = {
		.feature.argsz = sizeof(request),
		.feature.flags = VFIO_DEVICE_FEATURE_GET | FEATURE_DMA_BUF,
		.buffer.nr_ranges = ranges,
		.buffer.open_flags = 02 | 02000000,	/* O_RDWR | O_CLOEXEC */
		.buffer.ranges[0] = { at, length },
		.buffer.ranges[1] = { at + length + 0x1000, 0x1000 },
	};
	int fd = ioctl(g->fd, VFIO_DEVICE_FEATURE, &request);

	return fd < 0 ? -errno : fd;
}

static bool through(struct guest *g, uint64_t at, uint64_t length)
{
	struct map_file map = {
		.size = sizeof(map),
		.flags = 7,	/* fixed IOVA, writable, readable */
		.ioas_id = tph_ioas(g->tph),
		.length = length,
		.iova = WINDOW_IOVA,
	};

	map.fd = export(g, at, length, 1);
	if (map.fd < 0 || ioctl(tph_iommu_fd(g->tph), IOMMU_MAP_FILE, &map))
		return sends_any_tag(g, 0);
	write_by_dma(g, WINDOW_IOVA + (TABLE_AT + 12 - at), OTHER_TAG << 16);
	return sends_tag(g, 0, OTHER_TAG);
}

static bool table_page(const struct attack *attack, bool ours)
{
	return through(attack_open(attack->bdf, ours), TABLE_PAGE, 0x1000);
}

static bool overlap(const struct attack *attack, bool ours)
{
	struct guest *g = attack_open(attack->bdf, ours);

	/* what is beside the table can be exported, and not with the table as a second range */
	assert_true(export(g, 0x6000, 0x2000, 1) >= 0);
	if (ours)
		assert_int_equal(export(g, 0x6000, 0x1000, 2), -EINVAL);
	return through(g, 0x6000, 0x4000);
}

#define ATTACK(name, run) { name, run, AT_MSIX, STOCK_OPEN, NULL, "attack/dmabuf.c" }

const struct attack dmabuf_attacks[] = {
	ATTACK("dma-buf-table-page", table_page),
	ATTACK("dma-buf-overlap", overlap),
	{ 0 }
};
