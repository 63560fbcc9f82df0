// SPDX-License-Identifier: MIT
/* A guest that steers: the map of its tags to host CPUs, and what it wrote. */
#include <errno.h>
#include <string.h>

#include "device.h"
#include "kernel_abi.h"
#include "system.h"

_Static_assert(TPH_GUEST_TAGS_MAX == VFIO_TPH_GUEST_TAGS_MAX, "library and kernel count alike");
_Static_assert(TPH_REQUEST_DATA >= VFIO_TPH_GUEST_TAGS_MAX && TPH_REQUEST_DATA >= VFIO_TPH_ST_MAX,
	       "there is room for the largest request");
_Static_assert(TPH_REQUEST_HEADER == sizeof(struct vfio_device_feature) +
	       sizeof(struct vfio_device_feature_tph_guest), "the data follows the two headers");

static uint32_t *request_data(struct tph_device *device)
{
	return device->request + TPH_REQUEST_HEADER / 4;
}

static int request(struct tph_device *device, uint32_t operation, uint32_t flags, uint32_t count)
{
	const struct vfio_device_feature feature = {
		.argsz = TPH_REQUEST_HEADER + count * (uint32_t)sizeof(uint32_t),
		.flags = operation | VFIO_DEVICE_FEATURE_TPH_GUEST,
	};
	const struct vfio_device_feature_tph_guest guest = { .flags = flags, .count = count };
	int answer;

	memcpy(device->request, &feature, sizeof(feature));
	memcpy((char *)device->request + sizeof(feature), &guest, sizeof(guest));
	answer = tph_system_ioctl(device->device_fd, VFIO_DEVICE_FEATURE, device->request);
	return answer < 0 ? answer : 0;
}

int tph_guest_probe(struct tph_device *device)
{
	struct vfio_device_feature feature = {
		.argsz = sizeof(feature),
		.flags = VFIO_DEVICE_FEATURE_PROBE | VFIO_DEVICE_FEATURE_SET |
			 VFIO_DEVICE_FEATURE_TPH_GUEST,
	};
	int answer = tph_system_ioctl(device->device_fd, VFIO_DEVICE_FEATURE, &feature);

	return answer < 0 ? answer : 0;
}

int tph_guest_map(struct tph_device *device, enum tph_memory memory, uint32_t count,
		  const uint32_t *cpus)
{
	uint32_t flags;

	if (count > TPH_GUEST_TAGS_MAX)
		return -EINVAL;
	switch (memory) {
	case TPH_MEMORY_VOLATILE:
		flags = 0;
		break;
	case TPH_MEMORY_PERSISTENT:
		flags = VFIO_TPH_GUEST_MEM_TYPE_PM;
		break;
	default:
		return -EINVAL;
	}
	if (count)
		memcpy(request_data(device), cpus, count * sizeof(*cpus));
	return request(device, VFIO_DEVICE_FEATURE_SET, flags, count);
}

/* Into request_data(). Return: how many there are, or a negative errno. */
static int read_all(struct tph_device *device, uint32_t flags)
{
	struct vfio_device_feature_tph_guest guest;
	int error;

	memset(request_data(device), 0, TPH_REQUEST_DATA * sizeof(uint32_t));
	error = request(device, VFIO_DEVICE_FEATURE_GET, flags, TPH_REQUEST_DATA);
	if (error)
		return error;
	memcpy(&guest, (char *)device->request + sizeof(struct vfio_device_feature), sizeof(guest));
	return guest.count <= TPH_REQUEST_DATA ? (int)guest.count : -EIO;
}

int tph_guest_get_cpus(struct tph_device *device, uint32_t count, uint32_t *cpus)
{
	int all = read_all(device, 0);

	for (uint32_t i = 0; all >= 0 && i < count; i++)
		cpus[i] = i < (uint32_t)all ? request_data(device)[i] : TPH_CPU_NONE;
	return all;
}

int tph_guest_read(struct tph_device *device, uint32_t count, uint16_t *tags)
{
	int all = read_all(device, VFIO_TPH_GUEST_TABLE);

	for (int i = 0; i < all; i++)
		if (request_data(device)[i] > UINT16_MAX)
			return -EIO;
	for (uint32_t i = 0; all >= 0 && i < count; i++)
		tags[i] = i < (uint32_t)all ? (uint16_t)request_data(device)[i] : 0;
	return all;
}
