// SPDX-License-Identifier: MIT
#include "tph.h"

#include <linux/pci_regs.h>

#include "format/bits.h"

#define TPH_MODE_MASK	 0x7u
#define TPH_ENABLE_SHIFT 8
#define TPH_ENABLE_MASK	 0x300u

size_t tph_used(const struct knobs *knobs)
{
	size_t table = knobs->table == ST_TABLE_CAPABILITY ? 2 * (size_t)knobs->entries : 0;

	return (TPH_TABLE + table + 3) & ~(size_t)3;
}

size_t tph_size(const struct knobs *knobs)
{
	return knobs->tph_bytes ? knobs->tph_bytes : tph_used(knobs);
}

unsigned int tph_entries(const struct knobs *knobs)
{
	return knobs->table == ST_TABLE_CAPABILITY && knobs->claim ? knobs->claim : knobs->entries;
}

uint32_t tph_control_writable(const struct knobs *knobs)
{
	uint32_t control = TPH_ENABLE_MASK;

	/* Where No ST is the only mode the select field is hardwired (7.9.13.3). */
	if (knobs->modes != 1u << ST_MODE_NO_ST)
		control |= TPH_MODE_MASK;
	/* Without Extended TPH the upper enable bit is hardwired, so 10b and 11b cannot be set. */
	if (knobs->width == 8)
		control &= ~(2u << TPH_ENABLE_SHIFT);
	return control;
}

size_t tph_table_at(const struct knobs *knobs)
{
	if (!knobs->tph || knobs->table != ST_TABLE_CAPABILITY)
		return 0;
	return knobs->tph_at + TPH_TABLE;
}

static uint16_t tag_writable(const struct knobs *knobs)
{
	return knobs->width == 16 ? 0xffff : 0x00ff;
}

void tph_define(const struct knobs *knobs, struct config_space *config)
{
	uint32_t capability = knobs->modes;
	size_t at = knobs->tph_at, table = tph_table_at(knobs);

	if (knobs->width == 16)
		capability |= TPH_EXTENDED;
	capability |= (uint32_t)knobs->table << TPH_LOCATION_SHIFT;
	if (knobs->claim)
		capability |= (knobs->claim - 1) << TPH_TABLE_SIZE_SHIFT;

	config_define32(config, at, PCI_EXT_CAP_ID_TPH | 1u << 16, 0);
	config_define32(config, at + TPH_CAPABILITY, capability, 0);
	config_define32(config, at + TPH_CONTROL, 0, tph_control_writable(knobs));
	for (unsigned int i = 0; table && i < knobs->entries; i++)
		config_define16(config, table + 2 * i, 0, tag_writable(knobs));
	if (tph_size(knobs) > tph_used(knobs))
		config_define_scratch(config, at + tph_used(knobs),
				      tph_size(knobs) - tph_used(knobs));
}

void tph_preset(const struct knobs *knobs, struct config_space *config)
{
	if (!knobs->tph)
		return;
	config_set32(config, knobs->tph_at + TPH_CONTROL, knobs->control);
	for (unsigned int i = 0; i < knobs->tag_count; i++)
		config_set16(config, tph_table_at(knobs) + 2 * (size_t)i, knobs->tags[i]);
}

uint32_t tph_control(const struct knobs *knobs, const struct config_space *config)
{
	return knobs->tph ? config_get32(config, knobs->tph_at + TPH_CONTROL) : 0;
}

unsigned int tph_control_mode(uint32_t control)
{
	return control & TPH_MODE_MASK;
}

enum tph_enable tph_control_enable(uint32_t control)
{
	return (enum tph_enable)((control & TPH_ENABLE_MASK) >> TPH_ENABLE_SHIFT);
}

bool tph_control_on(uint32_t control)
{
	enum tph_enable enable = tph_control_enable(control);

	return enable == TPH_ENABLE_TPH || enable == TPH_ENABLE_EXTENDED;
}

const char *tph_mode_name(unsigned int mode)
{
	static const char *const names[] = { "no-st", "interrupt-vector", "device-specific" };

	return mode < ARRAY_SIZE(names) ? names[mode] : "reserved";
}

const char *tph_enable_name(enum tph_enable enable)
{
	static const char *const names[] = { "off", "tph", "reserved", "extended" };

	return names[enable];
}

uint16_t tph_table_entry(const struct knobs *knobs, const struct config_space *config,
			 unsigned int index)
{
	const size_t at = tph_table_at(knobs) + 2 * (size_t)index;

	return at < CONFIG_SPACE_SIZE ? config_get16(config, at) : 0;
}
