// SPDX-License-Identifier: MIT
#include "header.h"

#include <linux/pci_regs.h>

#include "format/bits.h"
#include "profile.h"

#define STATUS_ERRORS 0xf900u /* RW1C bits of the Status register */

size_t header_bar_at(unsigned int bar)
{
	return PCI_BASE_ADDRESS_0 + 4 * (size_t)bar;
}

/* The writable bits of a BAR are what tells software its size. */
static void define_bar(struct config_space *config, unsigned int bar, uint32_t type, uint32_t size)
{
	config_define32(config, header_bar_at(bar), type, ~(size - 1));
	if (type & PCI_BASE_ADDRESS_MEM_TYPE_64)
		config_define32(config, header_bar_at(bar + 1), 0, UINT32_MAX);
}

void header_define(const struct knobs *knobs, struct config_space *config)
{
	uint16_t subsystem_vendor = knobs->vendor, subsystem = knobs->device;

	if (knobs->profile) {
		subsystem_vendor = le16_get(knobs->profile->bytes + PCI_SUBSYSTEM_VENDOR_ID);
		subsystem = le16_get(knobs->profile->bytes + PCI_SUBSYSTEM_ID);
	}
	config_define16(config, PCI_VENDOR_ID, knobs->vendor, 0);
	config_define16(config, PCI_DEVICE_ID, knobs->device, 0);
	config_define16(config, PCI_COMMAND, 0,
			PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_PARITY |
				PCI_COMMAND_SERR | PCI_COMMAND_INTX_DISABLE);
	config_define16(config, PCI_STATUS, PCI_STATUS_CAP_LIST, 0);
	le16_put(config->clear + PCI_STATUS, STATUS_ERRORS);
	config_define32(config, PCI_CLASS_REVISION, knobs->class_code << 8 | knobs->revision, 0);
	config_define8(config, PCI_CACHE_LINE_SIZE, 0, 0xff);
	for (unsigned int bar = 0; bar < PCI_STD_NUM_BARS; bar++)
		if (knobs->bars[bar].size)
			define_bar(config, bar, knobs->bars[bar].type, knobs->bars[bar].size);
	config_define16(config, PCI_SUBSYSTEM_VENDOR_ID, subsystem_vendor, 0);
	config_define16(config, PCI_SUBSYSTEM_ID, subsystem, 0);
	config_define8(config, PCI_INTERRUPT_LINE, 0, 0xff);
	if (knobs->extra_at)
		config_define32(config, knobs->extra_at, knobs->extra_value, 0);
}

bool header_bus_master(const struct config_space *config)
{
	return config_get16(config, PCI_COMMAND) & PCI_COMMAND_MASTER;
}

bool header_memory_enabled(const struct config_space *config)
{
	return config_get16(config, PCI_COMMAND) & PCI_COMMAND_MEMORY;
}

void header_master_abort(struct config_space *config)
{
	config_set16(config, PCI_STATUS,
		     config_get16(config, PCI_STATUS) | PCI_STATUS_REC_MASTER_ABORT);
}
