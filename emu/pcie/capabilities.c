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
#include "tph.h"

#define SERIAL_HIGH 0x45485054u /* "TPHE" */

/* Advanced Features (PCI ECN of 2006): its control register reads 0, and FLR is all it can do. */
static void define_af(const struct knobs *knobs, struct config_space *config)
{
	if (!knobs->af)
		return;
	config_define8(config, AF_AT, PCI_CAP_ID_AF, 0);
	config_define8(config, AF_AT + 1, 0, 0);
	config_define8(config, AF_AT + PCI_AF_LENGTH, PCI_CAP_AF_SIZEOF, 0);
	config_define8(config, AF_AT + PCI_AF_CAP, PCI_AF_CAP_TP | PCI_AF_CAP_FLR, 0);
}

static void define_serial(const struct knobs *knobs, struct config_space *config, size_t at)
{
	config_define32(config, at, PCI_EXT_CAP_ID_DSN | 1u << 16, 0);
	config_define32(config, at + 4, (uint32_t)knobs->device << 16 | knobs->rid, 0);
	config_define32(config, at + 8, SERIAL_HIGH, 0);
}

static void define_pasid(struct config_space *config)
{
	config_define32(config, PASID_AT, PCI_EXT_CAP_ID_PASID | 1u << 16, 0);
	/* 20 bits; none of the permissions that it could have */
	config_define16(config, PASID_AT + PCI_PASID_CAP, 20u << 8, 0);
	config_define16(config, PASID_AT + PCI_PASID_CTRL, 0, PCI_PASID_CTRL_ENABLE);
}

static void define_vsec(struct config_space *config, size_t at, size_t size)
{
	config_define32(config, at, PCI_EXT_CAP_ID_VNDR | 1u << 16, 0);
	config_define32(config, at + 4, VSEC_ID | (uint32_t)size << 20, 0);
	config_define_scratch(config, at + KNOBS_VSEC_HEADER, size - KNOBS_VSEC_HEADER);
}

static void define_extended(const struct knobs *knobs, struct config_space *config)
{
	const bool tph_first = knobs->tph && knobs->tph_at == EXTENDED_AT;
	size_t chain[KNOBS_VSECS_MAX + 4], count = 0;

	if (tph_first)
		chain[count++] = EXTENDED_AT;
	chain[count] = tph_first ? EXTENDED_AT + tph_size(knobs) : EXTENDED_AT;
	define_serial(knobs, config, chain[count++]);
	if (knobs->tph)
		tph_define(knobs, config);
	if (knobs->tph && !tph_first && !knobs->vsec_first)
		chain[count++] = knobs->tph_at;
	for (unsigned int i = 0; i < knobs->vsec_count; i++) {
		chain[count++] = knobs->vsecs[i].at;
		define_vsec(config, knobs->vsecs[i].at, knobs->vsecs[i].size);
	}
	if (knobs->tph && !tph_first && knobs->vsec_first)
		chain[count++] = knobs->tph_at;
	if (knobs->pasid) {
		chain[count++] = PASID_AT;
		define_pasid(config);
	}
	if (knobs->aer) {
		chain[count++] = AER_AT;
		aer_define(config);
	}
	for (size_t i = 0; i + 1 < count; i++)
		config_define32(config, chain[i],
				config_get32(config, chain[i]) | (uint32_t)chain[i + 1] << 20, 0);
}

void capabilities_define(const struct knobs *knobs, struct config_space *config)
{
	header_define(knobs, config);
	pm_define(knobs, config);
	msix_define(knobs, config);
	express_define(knobs, config);
	define_af(knobs, config);
	define_extended(knobs, config);
	tph_preset(knobs, config);
}
