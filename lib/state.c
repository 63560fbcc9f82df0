// SPDX-License-Identifier: MIT
/* What the device offers and what is in force: configuration space, and what the kernel says. */
#include <errno.h>
#include <string.h>

#include "device.h"
#include "kernel_abi.h"

int tph_read_state(struct tph_device *device, struct tph_state *state)
{
	struct tph_capability capability;
	uint16_t tag;
	int error;

	error = tph_config_decode(device, &capability);
	if (error)
		return error;
	memset(state, 0, sizeof(*state));
	state->modes = capability.modes;
	state->width_max = capability.width_max;
	state->table = capability.table;
	state->enabled = capability.enabled;
	state->mode = capability.mode;
	state->width = capability.width;
	if (tph_probe(device))
		return 0;
	if (capability.table != TPH_TABLE_NONE)
		state->entries = capability.table_entries;
	else if (capability.modes & 1u << TPH_MODE_DEVICE_SPECIFIC)
		state->entries = VFIO_TPH_ST_MAX;
	/*
	 * PROBE does not tell tags from CPUs: ask for one. A tag that firmware does not have is
	 * still one that may be read.
	 */
	if (state->entries) {
		error = tph_get_tags(device, TPH_WIDTH_8, 0, 1, &tag);
		state->tags_readable = !error || error == -EOPNOTSUPP;
	}
	return 0;
}
