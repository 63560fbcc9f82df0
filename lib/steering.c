// SPDX-License-Identifier: MIT
/* Steering: the ST entries, by VFIO_DEVICE_FEATURE, and the requester. */
#include <errno.h>
#include <string.h>

#include "device.h"
#include "kernel_abi.h"
#include "system.h"

_Static_assert(TPH_ENTRIES_MAX == VFIO_TPH_ST_MAX, "library and kernel count alike");
_Static_assert(TPH_CPU_NONE == VFIO_TPH_CPU_NONE, "library and kernel name it alike");
_Static_assert(TPH_REQUEST_HEADER == sizeof(struct vfio_device_feature) +
	       sizeof(struct vfio_device_feature_tph_st), "the data follows the two headers");

/* Numbers that the request cannot carry, or no device can have, never reach the kernel. */
static bool range_valid(uint32_t index, uint32_t count)
{
	return count && index < TPH_ENTRIES_MAX && count <= TPH_ENTRIES_MAX - index;
}

static uint32_t *request_data(struct tph_device *device)
{
	return device->request + TPH_REQUEST_HEADER / 4;
}

static int request_entries(struct tph_device *device, uint32_t operation, uint32_t flags,
			   uint32_t index, uint32_t count)
{
	const struct vfio_device_feature feature = {
		.argsz = TPH_REQUEST_HEADER + count * (uint32_t)sizeof(uint32_t),
		.flags = operation | VFIO_DEVICE_FEATURE_TPH_ST,
	};
	const struct vfio_device_feature_tph_st entries = {
		.flags = flags,
		.index = (uint16_t)index,
		.count = (uint16_t)count,
	};
	int answer;

	memcpy(device->request, &feature, sizeof(feature));
	memcpy((char *)device->request + sizeof(feature), &entries, sizeof(entries));
	answer = tph_system_ioctl(device->device_fd, VFIO_DEVICE_FEATURE, device->request);
	return answer < 0 ? answer : 0;
}

int tph_probe(struct tph_device *device)
{
	struct vfio_device_feature feature = {
		.argsz = sizeof(feature),
		.flags = VFIO_DEVICE_FEATURE_PROBE | VFIO_DEVICE_FEATURE_SET |
			 VFIO_DEVICE_FEATURE_TPH_ST,
	};
	int answer = tph_system_ioctl(device->device_fd, VFIO_DEVICE_FEATURE, &feature);

	return answer < 0 ? answer : 0;
}

int tph_set(struct tph_device *device, enum tph_memory memory, uint32_t index, uint32_t count,
	    const uint32_t *cpus)
{
	uint32_t flags;

	if (!range_valid(index, count))
		return -EINVAL;
	switch (memory) {
	case TPH_MEMORY_VOLATILE:
		flags = 0;
		break;
	case TPH_MEMORY_PERSISTENT:
		flags = VFIO_TPH_ST_MEM_TYPE_PM;
		break;
	default:
		return -EINVAL;
	}
	memcpy(request_data(device), cpus, count * sizeof(*cpus));
	return request_entries(device, VFIO_DEVICE_FEATURE_SET, flags, index, count);
}

int tph_set_entry(struct tph_device *device, uint32_t index, uint32_t cpu)
{
	return tph_set(device, TPH_MEMORY_VOLATILE, index, 1, &cpu);
}

int tph_clear(struct tph_device *device, uint32_t index, uint32_t count)
{
	if (!range_valid(index, count))
		return -EINVAL;
	memset(request_data(device), 0xff, count * sizeof(uint32_t));
	return request_entries(device, VFIO_DEVICE_FEATURE_SET, 0, index, count);
}

int tph_get_cpus(struct tph_device *device, uint32_t index, uint32_t count, uint32_t *cpus)
{
	int error;

	if (!range_valid(index, count))
		return -EINVAL;
	memset(request_data(device), 0, count * sizeof(uint32_t));
	error = request_entries(device, VFIO_DEVICE_FEATURE_GET, VFIO_TPH_ST_CPU, index, count);
	if (error)
		return error;
	memcpy(cpus, request_data(device), count * sizeof(*cpus));
	return 0;
}

int tph_get_tags(struct tph_device *device, enum tph_width width, uint32_t index, uint32_t count,
		 uint16_t *tags)
{
	const uint32_t *data = request_data(device);
	uint32_t flags, most;
	int error;

	if (!range_valid(index, count))
		return -EINVAL;
	switch (width) {
	case TPH_WIDTH_8:
		flags = 0;
		most = UINT8_MAX;
		break;
	case TPH_WIDTH_16:
		flags = VFIO_TPH_ST_EXT;
		most = UINT16_MAX;
		break;
	default:
		return -EINVAL;
	}
	memset(request_data(device), 0, count * sizeof(uint32_t));
	error = request_entries(device, VFIO_DEVICE_FEATURE_GET, flags, index, count);
	if (error)
		return error;
	/* A tag cut short is another tag: rather none than a wrong one. */
	for (uint32_t i = 0; i < count; i++)
		if (data[i] > most)
			return -EIO;
	for (uint32_t i = 0; i < count; i++)
		tags[i] = (uint16_t)data[i];
	return 0;
}

int tph_notify(struct tph_device *device, int eventfd)
{
	const struct vfio_device_feature_tph_notify notify = { .eventfd = eventfd };
	const struct vfio_device_feature feature = {
		.argsz = sizeof(feature) + sizeof(notify),
		.flags = VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_TPH_NOTIFY,
	};
	int answer;

	memcpy(device->request, &feature, sizeof(feature));
	memcpy((char *)device->request + sizeof(feature), &notify, sizeof(notify));
	answer = tph_system_ioctl(device->device_fd, VFIO_DEVICE_FEATURE, device->request);
	return answer < 0 ? answer : 0;
}

/* Write, read back. Return: 0 in force, -EAGAIN not taken, -EIO. */
static int try_enable(struct tph_device *device, enum tph_mode mode, enum tph_width width)
{
	struct tph_capability capability;
	int error;

	error = tph_config_control(device, mode,
				   width == TPH_WIDTH_16 ? TPH_ENABLE_16 : TPH_ENABLE_8);
	if (!error)
		error = tph_config_decode(device, &capability);
	if (error)
		return -EIO;
	return capability.mode == mode && capability.width == width ? 0 : -EAGAIN;
}

int tph_enable(struct tph_device *device, enum tph_mode mode, enum tph_width width)
{
	struct tph_capability capability;
	int error;

	/* Other drivers drop the write and say nothing, so ask first who is there. */
	if (tph_probe(device) == -ENOTTY)
		return -ENOTTY;
	error = tph_config_decode(device, &capability);
	if (error)
		return error;
	switch (mode) {
	case TPH_MODE_NO_ST:
	case TPH_MODE_INTERRUPT_VECTOR:
	case TPH_MODE_DEVICE_SPECIFIC:
		if (!(capability.modes & 1u << mode))
			return -EOPNOTSUPP;
		break;
	default:
		return -EOPNOTSUPP;
	}
	switch (width) {
	case TPH_WIDTH_8:
		error = try_enable(device, mode, TPH_WIDTH_8);
		break;
	case TPH_WIDTH_16:
		if (capability.width_max != TPH_WIDTH_16)
			return -EOPNOTSUPP;
		error = try_enable(device, mode, TPH_WIDTH_16);
		break;
	case TPH_WIDTH_WIDEST:
		/* The platform may have wide completers and yet firmware without wide tags. */
		error = -EAGAIN;
		if (capability.width_max == TPH_WIDTH_16)
			error = try_enable(device, mode, TPH_WIDTH_16);
		if (error == -EAGAIN)
			error = try_enable(device, mode, TPH_WIDTH_8);
		break;
	default:
		return -EOPNOTSUPP;
	}
	if (!error)
		return 0;
	/* What was in force before may still be: the promise is off, and off alone. */
	tph_config_control(device, TPH_MODE_NO_ST, TPH_ENABLE_OFF);
	return -EIO;
}

int tph_disable(struct tph_device *device)
{
	struct tph_capability capability;
	int error;

	error = tph_config_control(device, TPH_MODE_NO_ST, TPH_ENABLE_OFF);
	if (!error)
		error = tph_config_decode(device, &capability);
	if (error == -EOPNOTSUPP)	/* no capability, no hints */
		return 0;
	if (error || capability.enabled)
		return -EIO;
	return 0;
}
