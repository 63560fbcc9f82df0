// SPDX-License-Identifier: MIT
/* Configuration space of a VFIO device: the capability and the TPH Control register. */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "device.h"
#include "system.h"

static int config_read(void *context, uint32_t offset, uint32_t *value)
{
	const struct tph_device *device = context;
	uint32_t raw;

	if (tph_system_pread(device->device_fd, &raw, sizeof(raw),
			     device->config_offset + offset) != sizeof(raw))
		return -EIO;
	*value = le32toh(raw);
	return 0;
}

static struct tph_config config_of(struct tph_device *device)
{
	return (struct tph_config){
		.read = config_read,
		.context = device,
		.size = device->config_size,
	};
}

int tph_config_find(struct tph_device *device)
{
	struct tph_config config = config_of(device);
	int error = device->capability ? 0 : tph_capability_find(&config, &device->capability);

	/* A device that does not answer is one that cannot be read, to who has it open. */
	return error == -ENXIO ? -EIO : error;
}

int tph_config_decode(struct tph_device *device, struct tph_capability *capability)
{
	struct tph_config config = config_of(device);
	int error;

	error = tph_config_find(device);
	if (error)
		return error;
	error = tph_capability_decode(&config, device->capability, capability);
	return error == -ENXIO ? -EIO : error;
}

int tph_config_control(struct tph_device *device, enum tph_mode mode, uint32_t enable)
{
	uint32_t offset, value, raw;
	int error;

	error = tph_config_find(device);
	if (error)
		return error;
	offset = device->capability + TPH_REG_CONTROL;
	error = config_read(device, offset, &value);
	if (error)
		return error;
	/* The other bits are reserved and keep what they are (PCIe 6.2, 7.4: RsvdP). */
	value &= ~(TPH_REG_CONTROL_MODE | TPH_REG_CONTROL_ENABLE);
	value |= (uint32_t)mode | enable << TPH_REG_CONTROL_ENABLE_SHIFT;
	raw = htole32(value);
	if (tph_system_pwrite(device->device_fd, &raw, sizeof(raw),
			      device->config_offset + offset) != sizeof(raw))
		return -EIO;
	return 0;
}
