// SPDX-License-Identifier: MIT
#include "pm.h"

#include <linux/pci_regs.h>

#include "format/bits.h"
#include "profile.h"

#define STATE_MASK 0x3u
/* What a function of tph-emu cannot do: D1, D2, and to wake the machine. */
#define NOT_TAKEN (PCI_PM_CAP_D1 | PCI_PM_CAP_D2 | PCI_PM_CAP_PME_MASK)

void pm_define(const struct knobs *knobs, struct config_space *config)
{
	const size_t at = config->places.pm;
	uint16_t capabilities = 3;

	if (knobs->profile)
		capabilities = le16_get(knobs->profile->bytes + at + PCI_PM_PMC) & ~NOT_TAKEN;
	config_define8(config, at, PCI_CAP_ID_PM, 0);
	config_define16(config, at + PCI_PM_PMC, capabilities, 0);
	config_define16(config, at + PCI_PM_CTRL,
			knobs->no_soft_reset ? PCI_PM_CTRL_NO_SOFT_RESET : 0, STATE_MASK);
	config_define16(config, at + PCI_PM_PPB_EXTENSIONS, 0, 0);
}

unsigned int pm_state(const struct config_space *config)
{
	if (!config->places.pm)
		return PM_D0;
	return config_get16(config, config->places.pm + PCI_PM_CTRL) & STATE_MASK;
}

void pm_set_state(struct config_space *config, unsigned int state)
{
	const size_t at = config->places.pm + PCI_PM_CTRL;

	if (config->places.pm)
		config_set16(config, at,
			     (uint16_t)((config_get16(config, at) & ~STATE_MASK) | state));
}

bool pm_powered(const struct config_space *config)
{
	return pm_state(config) == PM_D0;
}
