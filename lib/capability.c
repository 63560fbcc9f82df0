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

/* PCI 3.0, 6.7: a linked list of dword-aligned structures behind the header. */
static int find_standard(const struct tph_config *config, uint8_t id, uint16_t *offset)
{
	uint32_t value, next;
	unsigned int left = (EXTENDED_START - HEADER_SIZE) / 4;
	int error;

	error = read_dword(config, REG_COMMAND_STATUS, &value);
	if (error)
		return error;
	if (value == UINT32_MAX)	/* nobody answers there */
		return -EIO;
	if (!(value & STATUS_CAPABILITIES))
		return -EOPNOTSUPP;
	error = read_dword(config, REG_CAPABILITIES, &value);
	if (error)
		return error;
	for (next = value & 0xfc; next; next = value >> 8 & 0xfc) {
		if (next < HEADER_SIZE || !left--)
			return -EIO;
		error = read_dword(config, next, &value);
		if (error)
			return error;
		if ((value & 0xff) == id) {
			*offset = (uint16_t)next;
			return 0;
		}
	}
	return -EOPNOTSUPP;
}

/* PCIe 6.2, 7.6.3: id in bits 15:0, next in 31:20; a first header of zeros is an empty list. */
static int find_extended(const struct tph_config *config, uint16_t id, uint16_t *offset)
{
	uint32_t value, next;
	unsigned int left = (SPACE_SIZE - EXTENDED_START) / 4;
	int error;

	if (config->size <= EXTENDED_START)
		return -EOPNOTSUPP;
	for (next = EXTENDED_START; next; next = value >> 20 & 0xffc) {
		if (next < EXTENDED_START || !left--)
			return -EIO;
		error = read_dword(config, next, &value);
		if (error)
			return error;
		if (value == UINT32_MAX)
			return -EIO;
		if (!value)
			return -EOPNOTSUPP;
		if ((value & 0xffff) == id) {
			*offset = (uint16_t)next;
			return 0;
		}
	}
	return -EOPNOTSUPP;
}

int tph_capability_find(const struct tph_config *config, uint16_t *offset)
{
	return find_extended(config, EXTENDED_ID_TPH, offset);
}

/*
 * A table that cannot be where the register says (reserved location, more entries than the
 * capability has room for, no MSI-X) is none: the driver takes it so, too.
 */
static int decode_table(const struct tph_config *config, uint32_t value,
			struct tph_capability *capability)
{
	uint16_t offset;
	uint32_t entries;
	int error;

	capability->table = TPH_TABLE_NONE;
	capability->table_entries = 0;
	switch ((value & TPH_REG_CAP_LOCATION) >> TPH_REG_CAP_LOCATION_SHIFT) {
	case TPH_LOCATION_CAPABILITY:
		entries = ((value & TPH_REG_CAP_SIZE) >> TPH_REG_CAP_SIZE_SHIFT) + 1;
		if (entries > TPH_CAPABILITY_TABLE_MAX)
			return 0;
		capability->table = TPH_TABLE_CAPABILITY;
		break;
	case TPH_LOCATION_MSIX:
		error = find_standard(config, ID_MSIX, &offset);
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
		return -EIO;
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

	error = find_standard(config, ID_PCI_EXPRESS, &offset);
	if (!error)
		error = read_dword(config, offset, &value);
	if (error)
		return error;
	port->type = value >> 20 & 0xf;
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
