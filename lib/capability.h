/* SPDX-License-Identifier: MIT */
/*
 * Decoding of configuration space: the TPH Requester capability and what it refers to. Pure: reads
 * go through a callback, so that the library uses it on a VFIO device and tphctl on sysfs.
 */
#ifndef TPH_CAPABILITY_H
#define TPH_CAPABILITY_H

#include <stdbool.h>
#include <stdint.h>

#include "tph.h"

/* PCIe 6.2, 7.9.13: TPH Requester Extended Capability */
#define TPH_REG_CAP			4
#define  TPH_REG_CAP_MODES		0x00000007u
#define  TPH_REG_CAP_EXTENDED		0x00000100u
#define  TPH_REG_CAP_LOCATION_SHIFT	9
#define  TPH_REG_CAP_LOCATION		0x00000600u
#define   TPH_LOCATION_NONE		0u
#define   TPH_LOCATION_CAPABILITY	1u
#define   TPH_LOCATION_MSIX		2u
#define  TPH_REG_CAP_SIZE_SHIFT		16
#define  TPH_REG_CAP_SIZE		0x07ff0000u
#define TPH_REG_CONTROL			8
#define  TPH_REG_CONTROL_MODE		0x00000007u
#define  TPH_REG_CONTROL_ENABLE_SHIFT	8
#define  TPH_REG_CONTROL_ENABLE		0x00000300u
#define   TPH_ENABLE_OFF		0u
#define   TPH_ENABLE_8			1u
#define   TPH_ENABLE_16			3u
#define TPH_REG_TABLE			12

/* PCIe 6.2, 7.9.13.2: most entries of a table inside the capability */
#define TPH_CAPABILITY_TABLE_MAX	64

/**
 * struct tph_config - configuration space of one function
 * @read: reads the dword at @offset (aligned, below @size) in host byte order; 0 or -errno
 * @context: for @read
 * @size: bytes that can be read: 4096, or 256 where there is no extended space
 */
struct tph_config {
	int (*read)(void *context, uint32_t offset, uint32_t *value);
	void *context;
	uint32_t size;
};

/**
 * struct tph_walk - a walk along one of a function's two lists of capabilities
 * @at: where the capability is that it has come to
 * @header: first dword of that one
 * @next: where the next one is, 0: there is none
 * @left: how many more there can be at most
 */
struct tph_walk {
	const struct tph_config *config;
	bool extended;
	uint16_t at;
	uint32_t header;
	uint16_t next;
	unsigned int left;
};

/**
 * tph_walk_begin() - begin a walk
 * @extended: the list in extended space; else the one behind the header
 *
 * Return: 0; errors as tph_walk_next().
 */
int tph_walk_begin(struct tph_walk *walk, const struct tph_config *config, bool extended);

/**
 * tph_walk_next() - go on to the next capability, or the first
 *
 * No list is longer than there is room for capabilities, so that each walk ends.
 *
 * Return: 1: @walk->at is one; 0: the list has ended; -ELOOP: it is malformed: it leads in circles,
 * or to where no capability can be; -ENXIO: nobody answers there, it reads all ones; -EIO: it cannot
 * be read.
 */
int tph_walk_next(struct tph_walk *walk);

/**
 * struct tph_capability - a TPH Requester capability, decoded
 * @offset: where it is in configuration space
 * @modes: ST modes, bit 1 << enum tph_mode each
 * @width_max: widest tags
 * @table: where the ST table is; one that cannot be there counts as none
 * @table_entries: size of that table, 0 without one
 * @table_claimed: entries that the register claims of a table in the capability which counts as
 *	none, as there is no room for them; else 0
 * @table_room: for how many there would be
 * @enabled: requester enabled; the reserved value 10b counts as disabled
 * @mode: ST Mode Select
 * @width: width of tags sent, TPH_WIDTH_OFF unless @enabled
 * @control: the TPH Control register as it is
 */
struct tph_capability {
	uint16_t offset;
	uint32_t modes;
	enum tph_width width_max;
	enum tph_table table;
	uint32_t table_entries;
	uint32_t table_claimed;
	uint32_t table_room;
	bool enabled;
	enum tph_mode mode;
	enum tph_width width;
	uint32_t control;
};

/**
 * struct tph_port - what the PCI Express capability says that matters to TPH
 * @type: device/port type (PCIe 6.2, 7.5.3.2)
 * @slot: what is below the port is in a slot, not soldered to it
 * @completer: widest tags that the function completes; TPH_WIDTH_OFF if it is no TPH completer
 * @prefixes: it knows End-End TLP prefixes, in which 16-bit tags travel (PCIe 6.2, 2.2.10)
 * @blocks: it is told to block them in what it sends on (7.5.3.16)
 */
struct tph_port {
	uint8_t type;
#define TPH_PORT_ROOT		4
#define TPH_PORT_UPSTREAM	5
#define TPH_PORT_INTEGRATED	9
	bool slot;
	enum tph_width completer;
	bool prefixes;
	bool blocks;
};

/**
 * tph_capability_find() - find the TPH Requester capability
 *
 * Return: 0; -EOPNOTSUPP: there is none; -ENXIO: nobody answers there, it reads all ones; -EIO: the
 * list is malformed or cannot be read.
 */
int tph_capability_find(const struct tph_config *config, uint16_t *offset);

/** tph_capability_decode() - decode the one at @offset. Return: 0, -ENXIO or -EIO, as above. */
int tph_capability_decode(const struct tph_config *config, uint16_t offset,
			  struct tph_capability *capability);

/** tph_port_decode() - Return: 0; -EOPNOTSUPP: not PCI Express; -ENXIO, -EIO as above. */
int tph_port_decode(const struct tph_config *config, struct tph_port *port);

#endif /* TPH_CAPABILITY_H */
