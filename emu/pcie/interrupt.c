// SPDX-License-Identifier: MIT
#include "interrupt.h"

#include <linux/pci_regs.h>

#include "header.h"
#include "pm.h"

static uint16_t message_control(const struct config_space *config)
{
	return config_get16(config, config->places.msix + PCI_MSIX_FLAGS);
}

static bool is_open(const struct msix *msix, const struct config_space *config)
{
	uint16_t flags;

	if (!msix->count)
		return false;
	flags = message_control(config);
	return flags & PCI_MSIX_FLAGS_ENABLE && !(flags & PCI_MSIX_FLAGS_MASKALL) &&
	       header_bus_master(config) && pm_powered(config);
}

void interrupt_flush(struct msix *msix, const struct config_space *config,
		     struct instrument *instrument)
{
	int vector;

	if (!is_open(msix, config))
		return;
	while ((vector = msix_send_next(msix)) >= 0) {
		struct line *line = instrument_event(instrument, "interrupt");

		line_number(line, "vector", (uint64_t)vector);
		instrument_write_line(instrument, line);
		instrument->counters.interrupts++;
	}
}

void interrupt_send(struct msix *msix, const struct config_space *config,
		    struct instrument *instrument, unsigned int vector)
{
	/* A disabled MSI-X neither sends nor remembers (7.7.2.2). */
	if (!msix->count || !(message_control(config) & PCI_MSIX_FLAGS_ENABLE))
		return;
	msix_trigger(msix, vector);
	interrupt_flush(msix, config, instrument);
}
