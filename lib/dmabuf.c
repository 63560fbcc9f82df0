// SPDX-License-Identifier: MIT
/* Pieces of the device's memory for peers, and the tags with which these should write to them. */
#include <errno.h>
#include <fcntl.h>

#include "device.h"
#include "kernel_abi.h"
#include "system.h"

#define BARS	 6
#define HINT_MAX TPH_HINT_TARGET_PRIORITY

int tph_dmabuf_export(struct tph_device *device, uint32_t bar, uint64_t offset, uint64_t length,
		      int *fd)
{
	struct {
		struct vfio_device_feature feature;
		struct tph_vfio_dma_buf export;
	} request = {
		.feature.argsz = sizeof(request),
		.feature.flags = VFIO_DEVICE_FEATURE_GET | TPH_VFIO_FEATURE_DMA_BUF,
		.export.region_index = bar,
		.export.open_flags = O_RDWR | O_CLOEXEC,
		.export.nr_ranges = 1,
		.export.range = { offset, length },
	};
	int answer;

	if (bar >= BARS)
		return -EINVAL;
	answer = tph_system_ioctl(device->device_fd, VFIO_DEVICE_FEATURE, &request);
	if (answer < 0)
		return answer;
	*fd = answer;
	return 0;
}

int tph_dmabuf_probe(struct tph_device *device)
{
	struct vfio_device_feature feature = {
		.argsz = sizeof(feature),
		.flags = VFIO_DEVICE_FEATURE_PROBE | VFIO_DEVICE_FEATURE_SET |
			 VFIO_DEVICE_FEATURE_DMA_BUF_TPH,
	};
	int answer = tph_system_ioctl(device->device_fd, VFIO_DEVICE_FEATURE, &feature);

	return answer < 0 ? answer : 0;
}

int tph_dmabuf_publish(struct tph_device *device, int fd, const struct tph_dmabuf_tags *tags)
{
	struct {
		struct vfio_device_feature feature;
		struct vfio_device_feature_dma_buf_tph publish;
	} request = {
		.feature.argsz = sizeof(request),
		.feature.flags = VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_DMA_BUF_TPH,
		.publish.dmabuf_fd = fd,
	};
	int answer;

	if (tags) {
		/* the kernel's field is a byte: a hint cut short is another hint */
		if ((uint32_t)tags->hint > HINT_MAX)
			return -EINVAL;
		request.publish.flags = (tags->tag_8_valid ? VFIO_DMA_BUF_TPH_ST : 0) |
					(tags->tag_16_valid ? VFIO_DMA_BUF_TPH_ST_EXT : 0);
		request.publish.steering_tag = tags->tag_8;
		request.publish.steering_tag_ext = tags->tag_16;
		request.publish.ph = (uint8_t)tags->hint;
	}
	answer = tph_system_ioctl(device->device_fd, VFIO_DEVICE_FEATURE, &request);
	return answer < 0 ? answer : 0;
}
