// SPDX-License-Identifier: MIT
/*
 * The emulated endpoint as the kernel's VFIO selftests drive a device: copies by DMA, and an MSI.
 * Built with their libvfio (lab/selftests).
 */
#include <errno.h>
#include <stdint.h>

#include <linux/io.h>
#include <linux/pci_regs.h>

#include <libvfio.h>

#include "endpoint_regs.h"

#define VENDOR		0x1234
#define DEVICE		0x7450
#define MSI_VECTOR	0

/* Copies of a batch: the endpoint has one command at a time, so the rest is started by the wait. */
#define COUNT_MAX	32

struct endpoint_state {
	uint64_t copies_left;
	uint32_t msi_source, msi_target;
};

static struct endpoint_state *state_of(struct vfio_pci_device *device)
{
	return device->driver.region.vaddr;
}

static void put(struct vfio_pci_device *device, unsigned int at, uint32_t value)
{
	writel(value, (char *)device->bars[EP_BAR].vaddr + at);
}

static uint32_t get(struct vfio_pci_device *device, unsigned int at)
{
	return readl((char *)device->bars[EP_BAR].vaddr + at);
}

static int endpoint_probe(struct vfio_pci_device *device)
{
	if (!vfio_pci_device_match(device, VENDOR, DEVICE))
		return -ENODEV;
	return get(device, EP_ID) == EP_ID_VALUE ? 0 : -ENODEV;
}

static void endpoint_init(struct vfio_pci_device *device)
{
	VFIO_ASSERT_GE(device->driver.region.size, sizeof(struct endpoint_state));
	vfio_pci_config_writew(device, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	vfio_pci_msix_enable(device, MSI_VECTOR, 1);
	device->driver.msi = MSI_VECTOR;
	device->driver.max_memcpy_size = EP_DMA_LENGTH_MAX;
	device->driver.max_memcpy_count = COUNT_MAX;
}

static void endpoint_remove(struct vfio_pci_device *device)
{
	vfio_pci_msix_disable(device);
	vfio_pci_config_writew(device, PCI_COMMAND, PCI_COMMAND_MEMORY);
}

static void copy(struct vfio_pci_device *device, iova_t src, iova_t dst, u64 size, uint32_t vector)
{
	put(device, EP_DMA_SRC_LO, (uint32_t)src);
	put(device, EP_DMA_SRC_HI, (uint32_t)(src >> 32));
	put(device, EP_DMA_DST_LO, (uint32_t)dst);
	put(device, EP_DMA_DST_HI, (uint32_t)(dst >> 32));
	put(device, EP_DMA_LENGTH, (uint32_t)size);
	put(device, EP_DMA_HINT, 0);
	put(device, EP_DMA_VECTOR, vector);
	put(device, EP_DMA_DOORBELL, EP_DMA_COPY);
}

static void endpoint_memcpy_start(struct vfio_pci_device *device, iova_t src, iova_t dst, u64 size,
				  u64 count)
{
	state_of(device)->copies_left = count - 1;
	copy(device, src, dst, size, EP_DMA_NO_VECTOR);
}

static int endpoint_memcpy_wait(struct vfio_pci_device *device)
{
	struct endpoint_state *state = state_of(device);
	uint32_t status;

	for (;;) {
		status = get(device, EP_DMA_STATUS);
		if (status == EP_DMA_BUSY)
			continue;
		if (status != EP_DMA_DONE)
			return -EIO;
		if (!state->copies_left)
			return 0;
		state->copies_left--;
		put(device, EP_DMA_DOORBELL, EP_DMA_COPY);
	}
}

static void endpoint_send_msi(struct vfio_pci_device *device)
{
	struct endpoint_state *state = state_of(device);

	state->copies_left = 0;
	copy(device, to_iova(device, &state->msi_source), to_iova(device, &state->msi_target),
	     sizeof(state->msi_source), MSI_VECTOR);
	VFIO_ASSERT_EQ(endpoint_memcpy_wait(device), 0);
}

const struct vfio_pci_driver_ops tph_endpoint_ops = {
	.name = "tph-emu",
	.probe = endpoint_probe,
	.init = endpoint_init,
	.remove = endpoint_remove,
	.memcpy_start = endpoint_memcpy_start,
	.memcpy_wait = endpoint_memcpy_wait,
	.send_msi = endpoint_send_msi,
};
