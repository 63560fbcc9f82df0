// SPDX-License-Identifier: MIT
#include "capabilities.h"

#include <stdbool.h>

#include <linux/pci_regs.h>

#include "aer.h"
#include "express.h"
#include "header.h"
#include "layout.h"
#include "msix.h"
#include "pm.h"
#include "profile.h"
#include "tph.h"

#define SERIAL_HIGH 0x45485054u /* "TPHE" */

/* Advanced Features (PCI ECN of 2006): its control register reads 0, and FLR is all it can do. */
static void define_af(struct config_space *config)
{
	const size_t at = config->places.af;

	config_define16(config, at, PCI_CAP_ID_AF, 0);
	config_define8(config, at + PCI_AF_LENGTH, PCI_CAP_AF_SIZEOF, 0);
	config_define8(config, at + PCI_AF_CAP, PCI_AF_CAP_TP | PCI_AF_CAP_FLR, 0);
	config_define16(config, at + PCI_AF_CTRL, 0, 0);
}

static void define_serial(const struct knobs *knobs, struct config_space *config, size_t at)
{
	config_define32(config, at, PCI_EXT_CAP_ID_DSN | 1u << 16, 0);
	config_define32(config, at + 4, (uint32_t)knobs->device << 16 | knobs->rid, 0);
	config_define32(config, at + 8, SERIAL_HIGH, 0);
}

static void define_pasid(struct config_space *config)
{
	const size_t at = config->places.pasid;

	config_define32(config, at, PCI_EXT_CAP_ID_PASID | 1u << 16, 0);
	/* 20 bits; none of the permissions that it could have */
	config_define16(config, at + PCI_PASID_CAP, 20u << 8, 0);
	config_define16(config, at + PCI_PASID_CTRL, 0, PCI_PASID_CTRL_ENABLE);
}

static void define_vsec(struct config_space *config, size_t at, size_t size)
{
	config_define32(config, at, PCI_EXT_CAP_ID_VNDR | 1u << 16, 0);
	config_define32(config, at + 4, VSEC_ID | (uint32_t)size << 20, 0);
	config_define_scratch(config, at + KNOBS_VSEC_HEADER, size - KNOBS_VSEC_HEADER);
}

/* Those that do something, wherever they are. */
static void define_own(const struct knobs *knobs, struct config_space *config)
{
	const struct places *places = &config->places;

	if (places->pm)
		pm_define(knobs, config);
	if (places->msix)
		msix_define(knobs, config);
	express_define(knobs, config);
	if (places->af)
		define_af(config);
	if (knobs->tph)
		tph_define(knobs, config);
	if (places->pasid)
		define_pasid(config);
	if (places->aer)
		aer_define(config);
}

/* ---- both chains ---- */

/** struct chain - offsets of capabilities, in their order */
struct chain {
	size_t at[PROFILE_EXTENDED_MAX];
	size_t count;
};

static void add(struct chain *chain, size_t at)
{
	chain->at[chain->count++] = at;
}

static void link_first(const struct chain *chain, struct config_space *config)
{
	size_t pointer = PCI_CAPABILITY_LIST;

	for (size_t i = 0; i < chain->count; i++) {
		config_define8(config, pointer, (uint8_t)chain->at[i], 0);
		pointer = chain->at[i] + PCI_CAP_LIST_NEXT;
	}
	config_define8(config, pointer, 0, 0);
}

static void set_next(struct config_space *config, size_t at, size_t next)
{
	const uint32_t header = config_get32(config, at) & 0xfffff;

	config_define32(config, at, header | (uint32_t)next << 20, 0);
}

/* It begins at 0x100, if only with the null capability (PCIe 6.2, 7.9.28). */
static void link_extended(const struct chain *chain, struct config_space *config)
{
	size_t at = EXTENDED_AT, first = 0;

	if (chain->count && chain->at[0] == EXTENDED_AT)
		first = 1;
	else
		config_define32(config, EXTENDED_AT, 0, 0);
	for (size_t i = first; i < chain->count; i++) {
		set_next(config, at, chain->at[i]);
		at = chain->at[i];
	}
	set_next(config, at, 0);
}

/* ---- a function without a profile ---- */

static void lay_out(const struct knobs *knobs, struct config_space *config)
{
	struct chain chain = { .count = 0 };

	config->places = (struct places){
		.pm = PM_AT,
		.msix = knobs->vectors ? MSIX_AT : 0,
		.express = EXPRESS_AT,
		.af = knobs->af ? AF_AT : 0,
		.aer = knobs->aer ? AER_AT : 0,
		.pasid = knobs->pasid ? PASID_AT : 0,
	};
	define_own(knobs, config);
	add(&chain, PM_AT);
	if (knobs->vectors)
		add(&chain, MSIX_AT);
	add(&chain, EXPRESS_AT);
	if (knobs->af)
		add(&chain, AF_AT);
	link_first(&chain, config);
}

static void lay_out_extended(const struct knobs *knobs, struct config_space *config)
{
	const bool tph_first = knobs->tph && knobs->tph_at == EXTENDED_AT;
	const size_t serial = tph_first ? EXTENDED_AT + tph_size(knobs) : EXTENDED_AT;
	struct chain chain = { .count = 0 };

	if (tph_first)
		add(&chain, EXTENDED_AT);
	add(&chain, serial);
	define_serial(knobs, config, serial);
	if (knobs->tph && !tph_first && !knobs->vsec_first)
		add(&chain, knobs->tph_at);
	for (unsigned int i = 0; i < knobs->vsec_count; i++) {
		add(&chain, knobs->vsecs[i].at);
		define_vsec(config, knobs->vsecs[i].at, knobs->vsecs[i].size);
	}
	if (knobs->tph && !tph_first && knobs->vsec_first)
		add(&chain, knobs->tph_at);
	if (knobs->pasid)
		add(&chain, PASID_AT);
	if (knobs->aer)
		add(&chain, AER_AT);
	link_extended(&chain, config);
}

/* ---- a function with one ---- */

static void add_all(struct chain *chain, const struct profile_capability *list, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		if (list[i].fate != PROFILE_LEFT_OUT)
			add(chain, list[i].at);
}

static void copy_profile(const struct knobs *knobs, struct config_space *config)
{
	const struct profile *profile = knobs->profile;
	struct chain chain = { .count = 0 }, extended = { .count = 0 };

	for (size_t at = PCI_STD_HEADER_SIZEOF; at < CONFIG_SPACE_SIZE; at++)
		config_define8(config, at, profile->bytes[at], 0);
	config->places = profile->places;
	define_own(knobs, config);
	add_all(&chain, profile->capabilities, profile->count);
	link_first(&chain, config);
	add_all(&extended, profile->extended, profile->extended_count);
	link_extended(&extended, config);
}

void capabilities_define(const struct knobs *knobs, struct config_space *config)
{
	header_define(knobs, config);
	if (knobs->profile) {
		copy_profile(knobs, config);
	} else {
		lay_out(knobs, config);
		lay_out_extended(knobs, config);
	}
	tph_preset(knobs, config);
}
