// SPDX-License-Identifier: MIT
#include "bars.h"

#include <linux/pci_regs.h>

#include "profile.h"

void bars_lay(struct knobs *knobs)
{
	if (knobs->profile) {
		profile_lay_bars(knobs);
	} else {
		knobs->bars[REGISTERS_BAR].size = knobs->registers_size;
		/* BAR 0 has 32 bits, the others two by two 64 */
		if (knobs->vectors && knobs->msix_bar != REGISTERS_BAR)
			knobs->bars[knobs->msix_bar] = (struct bar){
				.size = knobs->msix_size,
				.type = knobs->msix_bar % 2 ? 0 : PCI_BASE_ADDRESS_MEM_TYPE_64,
			};
	}
	if (knobs->memory_bar)
		knobs->bars[knobs->memory_bar] = (struct bar){
			.size = knobs->memory_size,
			.type = PCI_BASE_ADDRESS_MEM_TYPE_64 | PCI_BASE_ADDRESS_MEM_PREFETCH,
		};
}
