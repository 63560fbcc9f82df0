// SPDX-License-Identifier: MIT
#include "pm.h"

#include <linux/pci_regs.h>

#include "layout.h"

#define STATE_MASK 0x3u

void pm_define(const struct knobs *knobs, struct config_space *config)
{
	config_define8(config, PM_AT, PCI_CAP_ID_PM, 0);
	config_define8(config, PM_AT + 1, knobs->vectors ? MSIX_AT : EXPRESS_AT, 0);
	config_define16(config, PM_AT + PCI_PM_PMC, 3, 0);
	config_define16(config, PM_AT + PCI_PM_CTRL,
			knobs->no_soft_reset ? PCI_PM_CTRL_NO_SOFT_RESET : 0, STATE_MASK);
}

unsigned int pm_state(const struct config_space *config)
{
	return config_get16(config, PM_AT + PCI_PM_CTRL) & STATE_MASK;
}

void pm_set_state(struct config_space *config, unsigned int state)
{
	const uint16_t old = config_get16(config, PM_AT + PCI_PM_CTRL);

	config_set16(config, PM_AT + PCI_PM_CTRL, (uint16_t)((old & ~STATE_MASK) | state));
}

bool pm_powered(const struct config_space *config)
{
	return pm_state(config) == PM_D0;
}
