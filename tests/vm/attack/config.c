// SPDX-License-Identifier: MIT
/* Configuration space: the ST table in the capability, and the control register. */
#include <unistd.h>

#include <linux/pci_regs.h>

#include "attack.h"

#define CONFIG_REGION	((uint64_t)VFIO_PCI_CONFIG_REGION_INDEX << 40)

/* In hardware, past the driver; or on a TLP. */
static bool table_written(struct guest *g, unsigned int bytes)
{
	unsigned int i;

	for (i = 0; i < bytes; i++)
		if (guest_raw(g, g->cap + TPH_TABLE + i, 1))
			return true;
	return sends_any_tag(g, 0) || sends_any_tag(g, 1);
}

/* Every width and alignment, one at a time, and one write from before the table to behind it. */
static bool table_writes(const struct attack *attack, bool ours)
{
	struct guest *g = attack_open(attack->bdf, ours);
	unsigned int size = guest_register(g, EP_ENTRIES) * 2, table = g->cap + TPH_TABLE, at, n;
	uint8_t bytes[4 + 128 + 4];

	for (n = 1; n <= 4; n++)
		for (at = table - 3; at < table + size; at++) {
			/* not what turns it off: the bytes in front are the control register's */
			uint32_t value = at < table ? 0x22220000 : 0x22222222;

			if (pwrite(g->fd, &value, n, CONFIG_REGION + at) < 0)
				continue;
		}
	if (table_written(g, size))
		return true;
	memset(bytes, 0x22, sizeof(bytes));
	memset(bytes, 0, 4);
	bytes[0] = TPH_CTRL_IV;
	bytes[1] = 3;
	return pwrite(g->fd, bytes, 4 + size, CONFIG_REGION + g->cap + TPH_CTRL) > 0 &&
	       table_written(g, size);
}

/* All of the extended configuration space, in dwords and in one piece. */
static bool everything(const struct attack *attack, bool ours)
{
	struct guest *g = attack_open(attack->bdf, ours);
	uint32_t value = 0xffffffff, before = guest_raw(g, g->cap + TPH_CTRL, 4);
	uint8_t bytes[PCI_CFG_SPACE_EXP_SIZE - PCI_CFG_SPACE_SIZE];
	unsigned int at;

	memset(bytes, 0xff, sizeof(bytes));
	for (at = PCI_CFG_SPACE_SIZE; at < PCI_CFG_SPACE_EXP_SIZE; at += 4)
		if (pwrite(g->fd, &value, 4, CONFIG_REGION + at) < 0)
			continue;
	if (pwrite(g->fd, bytes, sizeof(bytes), CONFIG_REGION + PCI_CFG_SPACE_SIZE) < 0)
		return false;
	return guest_raw(g, g->cap + TPH_CTRL, 4) != before || table_written(g, 128);
}

/* The control register, set to @mode and @enable in every order that byte accesses have. */
static void ask_for(struct guest *g, unsigned int mode, unsigned int enable, unsigned int way)
{
	unsigned int at = g->cap + TPH_CTRL;

	switch (way) {
	case 0:
		guest_config_write(g, at, 4, mode | enable << 8);
		break;
	case 1:
		guest_config_write(g, at, 2, mode | enable << 8);
		break;
	case 2:
		guest_config_write(g, at, 1, mode);
		guest_config_write(g, at + 1, 1, enable);
		break;
	case 3:
		guest_config_write(g, at + 1, 1, enable);
		guest_config_write(g, at, 1, mode);
		break;
	case 4:	/* over a mode that is on offer */
		guest_config_write(g, at, 4, TPH_CTRL_IV | TPH_CTRL_8);
		guest_config_write(g, at, 1, mode);
		guest_config_write(g, at + 1, 2, enable);
		break;
	}
}

/* Device-specific mode: any tag, from a register of the device. */
static bool device_specific(const struct attack *attack, bool ours)
{
	struct guest *g = attack_open(attack->bdf, ours);
	unsigned int way, mode;

	for (way = 0; way < 5; way++)
		for (mode = TPH_CTRL_DS; mode < 8; mode++) {
			struct tlp tlp;

			ask_for(g, mode, 3, way);
			tlp = guest_dma(g, EP_DMA_WRITE, hint_tag(OTHER_TAG, 2));
			if (tlp.th || (guest_raw(g, g->cap + TPH_CTRL, 1) & 7) == mode)
				return true;
		}
	return false;
}

static bool reserved_enable(const struct attack *attack, bool ours)
{
	struct guest *g = attack_open(attack->bdf, ours);
	unsigned int way, mode;

	for (way = 0; way < 5; way++)
		for (mode = 0; mode < 8; mode++) {
			ask_for(g, mode, 2, way);
			if ((guest_raw(g, g->cap + TPH_CTRL, 2) & TPH_CTRL_16) == TPH_CTRL_RESERVED)
				return true;
		}
	return false;
}

/* Extended tags to a completer that takes them for 8-bit ones of other CPUs. */
static bool too_wide(const struct attack *attack, bool ours)
{
	struct guest *g = attack_open_disabled(attack->bdf);
	unsigned int way, seen = 0;

	(void)ours;
	assert_int_equal(st_set_one(g, 0, HIS_CPU), 0);
	for (way = 0; way < 5; way++) {
		struct tlp tlp;

		ask_for(g, TPH_CTRL_IV, 3, way);
		tlp = guest_dma(g, EP_DMA_WRITE, hint_entry(0, 2));
		if (tlp.width == 16 || guest_raw(g, g->cap + TPH_CTRL + 1, 1) == 3)
			return true;
		seen += tlp.th && tlp.st == TAG_VOLATILE_8(HIS_CPU);
	}
	assert_int_not_equal(seen, 0);
	return false;
}

/* A capability that is not shown, by whoever knows where it is. */
static bool hidden(const struct attack *attack, bool ours)
{
	struct guest *g = attack_open_disabled(attack->bdf);
	unsigned int way, mode;

	(void)ours;
	for (way = 0; way < 5; way++)
		for (mode = 0; mode < 3; mode++) {
			ask_for(g, mode, 1, way);
			if (guest_dma(g, EP_DMA_WRITE, hint_entry(0, 2)).th)
				return true;
		}
	return false;
}

#define ATTACK(name, run, bdf) { name, run, bdf, STOCK_CLOSED, NULL, "attack/config.c" }
#define OURS(name, run, bdf, why) { name, run, bdf, STOCK_WITHOUT, why, "attack/config.c" }

const struct attack config_attacks[] = {
	ATTACK("config-table-writes", table_writes, AT_CAPABILITY),
	ATTACK("config-table-at-0x100", table_writes, AT_FIRST),
	ATTACK("config-everything", everything, AT_CAPABILITY),
	ATTACK("config-ds-mode", device_specific, AT_CAPABILITY),
	ATTACK("config-reserved-enable", reserved_enable, AT_CAPABILITY),
	OURS("config-extended-at-8-bits", too_wide, AT_NARROW, "n/a: no enable"),
	ATTACK("config-hidden-capability", hidden, AT_UNHEARD),
	{ 0 }
};
