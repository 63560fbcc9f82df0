// SPDX-License-Identifier: MIT
/* Decoding of configuration space: see capability.h. */
#include <errno.h>

#include "capability.h"

#define REG_COMMAND_STATUS	0x04
#define  STATUS_CAPABILITIES	0x00100000u
#define REG_CAPABILITIES	0x34
#define HEADER_SIZE		0x40
#define EXTENDED_START		0x100
#define SPACE_SIZE		0x1000

#define ID_PCI_EXPRESS		0x10
#define ID_MSIX			0x11
#define EXTENDED_ID_TPH		0x17

#define EXPRESS_SLOT		0x01000000u	/* Slot Implemented */
#define PCI_EXPRESS_DEVCAP2	0x24
#define  DEVCAP2_TPH_SHIFT	12
#define  DEVCAP2_PREFIXES	0x00200000u
#define  COMPLETER_TPH		1u
#define  COMPLETER_EXTENDED	3u
#define PCI_EXPRESS_DEVCTL2	0x28
#define  DEVCTL2_BLOCKING	0x8000u

static int read_dword(const struct tph_config *config, uint32_t offset, uint32_t *value)
{
	int error;

	if (offset % 4 || offset + 4 > config->size)
		return -EIO;
	error = config->read(config->context, offset, value);
	return error ? -EIO : 0;
}

/*
 * PCI 3.0, 6.7: a linked list of dword-aligned structures behind the header. PCIe 6.2, 7.6.3: in
 * extended space one that begins at 0x100, the next one's place in bits 31:20.
 */
int tph_walk_begin(struct tph_walk *walk, const struct tph_config *config, bool extended)
{
	uint32_t value;
	int error;

	*walk = (struct tph_walk){ .config = config, .extended = extended };
	if (extended) {
		walk->next = config->size > EXTENDED_START ? EXTENDED_START : 0;
		walk->left = (SPACE_SIZE - EXTENDED_START) / 4;
		return 0;
	}
	walk->left = (EXTENDED_START - HEADER_SIZE) / 4;
	error = read_dword(config, REG_COMMAND_STATUS, &value);
	if (error)
		return error;
	if (value == UINT32_MAX)
		return -ENXIO;
	if (!(value & STATUS_CAPABILITIES))
		return 0;
	error = read_dword(config, REG_CAPABILITIES, &value);
	if (!error)
		walk->next = value & 0xfc;
	return error;
}

int tph_walk_next(struct tph_walk *walk)
{
	uint16_t lowest = walk->extended ? EXTENDED_START : HEADER_SIZE;
	int error;

	if (!walk->next)
		return 0;
	if (walk->next < lowest || !walk->left--)
		return -ELOOP;
	walk->at = walk->next;
	error = read_dword(walk->config, walk->at, &walk->header);
	if (error)
		return error;
	if (walk->extended && walk->header == UINT32_MAX)
		return -ENXIO;
	/* In extended space a header of zeros is an empty list. */
	if (walk->extended && !walk->header)
		return walk->next = 0;
	walk->next = walk->extended ? walk->header >> 20 & 0xffc : walk->header >> 8 & 0xfc;
	return 1;
}

static int find(const struct tph_config *config, bool extended, uint16_t id, uint16_t *offset)
{
	uint16_t mask = extended ? 0xffff : 0xff;
	struct tph_walk walk;
	int result = tph_walk_begin(&walk, config, extended);

	if (result)
		return result;
	while ((result = tph_walk_next(&walk)) > 0) {
		if ((walk.header & mask) == id) {
			*offset = walk.at;
			return 0;
		}
	}
	if (!result)
		return -EOPNOTSUPP;
	/* Further on it is the list that leads to nowhere, and not the function that is silent. */
	return result == -ELOOP || walk.at > EXTENDED_START ? -EIO : result;
}

int tph_capability_find(const struct tph_config *config, uint16_t *offset)
{
	return find(config, true, EXTENDED_ID_TPH, offset);
}

/*
 * Where the capability at @offset ends at the latest: where another one begins. Lists are not
 * ordered, so that this is any of them, and not the one that comes next. What a list that is
 * malformed further on has shown until then counts.
 */
static int find_end(const struct tph_config *config, uint16_t offset, uint32_t *end)
{
	struct tph_walk walk;
	int result = tph_walk_begin(&walk, config, true);

	*end = config->size;
	while (!result && (result = tph_walk_next(&walk)) > 0) {
		if (walk.at > offset && walk.at < *end)
			*end = walk.at;
		result = 0;
	}
	return result == -ELOOP ? 0 : result ? -EIO : 0;
}

/*
 * A table that cannot be where the register says (reserved location, more entries than the
 * capability has room for, no MSI-X) is none: the driver takes it so, too.
 */
static int decode_table(const struct tph_config *config, uint32_t value,
			struct tph_capability *capability)
{
	uint16_t offset;
	uint32_t entries, end, room;
	int error;

	capability->table = TPH_TABLE_NONE;
	capability->table_entries = capability->table_claimed = capability->table_room = 0;
	switch ((value & TPH_REG_CAP_LOCATION) >> TPH_REG_CAP_LOCATION_SHIFT) {
	case TPH_LOCATION_CAPABILITY:
		entries = ((value & TPH_REG_CAP_SIZE) >> TPH_REG_CAP_SIZE_SHIFT) + 1;
		error = find_end(config, capability->offset, &end);
		if (error)
			return error;
		room = (uint32_t)capability->offset + TPH_REG_TABLE < end ?
		       (end - capability->offset - TPH_REG_TABLE) / 2 : 0;
		if (room > TPH_CAPABILITY_TABLE_MAX)
			room = TPH_CAPABILITY_TABLE_MAX;
		if (entries > room) {
			capability->table_claimed = entries;
			capability->table_room = room;
			return 0;
		}
		capability->table = TPH_TABLE_CAPABILITY;
		break;
	case TPH_LOCATION_MSIX:
		error = find(config, false, ID_MSIX, &offset);
		if (error == -EOPNOTSUPP)
			return 0;
		if (!error)
			error = read_dword(config, offset, &value);
		if (error)
			return error;
		entries = (value >> 16 & 0x7ff) + 1;
		capability->table = TPH_TABLE_MSIX;
		break;
	default:
		return 0;
	}
	capability->table_entries = entries;
	return 0;
}

int tph_capability_decode(const struct tph_config *config, uint16_t offset,
			  struct tph_capability *capability)
{
	uint32_t value, control;
	int error;

	error = read_dword(config, offset + TPH_REG_CAP, &value);
	if (!error)
		error = read_dword(config, offset + TPH_REG_CONTROL, &control);
	if (error)
		return error;
	if (value == UINT32_MAX)
		return -ENXIO;
	capability->offset = offset;
	capability->modes = value & TPH_REG_CAP_MODES;
	capability->width_max = value & TPH_REG_CAP_EXTENDED ? TPH_WIDTH_16 : TPH_WIDTH_8;
	capability->control = control;
	capability->mode = (enum tph_mode)(control & TPH_REG_CONTROL_MODE);
	switch ((control & TPH_REG_CONTROL_ENABLE) >> TPH_REG_CONTROL_ENABLE_SHIFT) {
	case TPH_ENABLE_8:
		capability->width = TPH_WIDTH_8;
		break;
	case TPH_ENABLE_16:
		capability->width = TPH_WIDTH_16;
		break;
	default:
		capability->width = TPH_WIDTH_OFF;
		break;
	}
	capability->enabled = capability->width != TPH_WIDTH_OFF;
	return decode_table(config, value, capability);
}

int tph_port_decode(const struct tph_config *config, struct tph_port *port)
{
	uint32_t value;
	uint16_t offset;
	int error;

	error = find(config, false, ID_PCI_EXPRESS, &offset);
	if (!error)
		error = read_dword(config, offset, &value);
	if (error)
		return error;
	port->type = value >> 20 & 0xf;
	port->slot = value & EXPRESS_SLOT;
	port->completer = TPH_WIDTH_OFF;
	port->prefixes = port->blocks = false;
	/* The first version of the capability ends before Device Capabilities 2. */
	if ((value >> 16 & 0xf) < 2)
		return 0;
	error = read_dword(config, offset + PCI_EXPRESS_DEVCAP2, &value);
	if (error)
		return error;
	switch (value >> DEVCAP2_TPH_SHIFT & 3) {
	case COMPLETER_TPH:
		port->completer = TPH_WIDTH_8;
		break;
	case COMPLETER_EXTENDED:
		port->completer = TPH_WIDTH_16;
		break;
	default:	/* 10b is reserved: no promise */
		break;
	}
	port->prefixes = value & DEVCAP2_PREFIXES;
	error = read_dword(config, offset + PCI_EXPRESS_DEVCTL2, &value);
	if (error)
		return error;
	port->blocks = value & DEVCTL2_BLOCKING;
	return 0;
}
