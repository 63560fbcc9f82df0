// SPDX-License-Identifier: MIT
#include "aer.h"

#include <linux/pci_regs.h>

#include "bits.h"

/*
 * Data Link Protocol, Surprise Down, Poisoned TLP, Flow Control Protocol, Completion Timeout,
 * Completer Abort, Unexpected Completion, Receiver Overflow, Malformed TLP, ECRC, Unsupported
 * Request
 */
#define UNCORRECTABLE 0x001ff030u
/*
 * Receiver Error, Bad TLP, Bad DLLP, Replay Num Rollover, Replay Timer Timeout, Advisory Non-Fatal
 */
#define CORRECTABLE 0x000031c1u

static void define_sticky(struct config_space *config, size_t at, uint32_t value, uint32_t writable)
{
	config_define32(config, at, value, writable);
	le32_put(config->sticky + at, writable);
}

void aer_define(struct config_space *config)
{
	config_define32(config, AER_AT, PCI_EXT_CAP_ID_ERR | 2u << 16, 0);
	/* Status registers stay 0: no error is ever detected, so there is none to clear. */
	define_sticky(config, AER_AT + PCI_ERR_UNCOR_MASK, 0, UNCORRECTABLE);
	define_sticky(config, AER_AT + PCI_ERR_UNCOR_SEVER,
		      PCI_ERR_UNC_DLP | PCI_ERR_UNC_SURPDN | PCI_ERR_UNC_FCP | PCI_ERR_UNC_RX_OVER |
			      PCI_ERR_UNC_MALF_TLP,
		      UNCORRECTABLE);
	define_sticky(config, AER_AT + PCI_ERR_COR_MASK, PCI_ERR_COR_ADV_NFAT, CORRECTABLE);
}
