// SPDX-License-Identifier: MIT
#include "aer.h"

#include <linux/pci_regs.h>

#include "format/bits.h"

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

static void define_status(struct config_space *config, size_t at, uint32_t errors)
{
	config_define32(config, at, 0, 0);
	le32_put(config->clear + at, errors);
	le32_put(config->sticky + at, errors);
}

void aer_define(struct config_space *config)
{
	const size_t at = config->places.aer;

	for (size_t i = 0; i < AER_SIZE_LEAST; i += 4)
		config_define32(config, at + i, 0, 0);
	config_define32(config, at, PCI_EXT_CAP_ID_ERR | 2u << 16, 0);
	define_status(config, at + PCI_ERR_UNCOR_STATUS, UNCORRECTABLE);
	define_status(config, at + PCI_ERR_COR_STATUS, CORRECTABLE);
	define_sticky(config, at + PCI_ERR_UNCOR_MASK, 0, UNCORRECTABLE);
	define_sticky(config, at + PCI_ERR_UNCOR_SEVER,
		      PCI_ERR_UNC_DLP | PCI_ERR_UNC_SURPDN | PCI_ERR_UNC_FCP | PCI_ERR_UNC_RX_OVER |
			      PCI_ERR_UNC_MALF_TLP,
		      UNCORRECTABLE);
	define_sticky(config, at + PCI_ERR_COR_MASK, PCI_ERR_COR_ADV_NFAT, CORRECTABLE);
}

unsigned int aer_detect(struct config_space *config, uint32_t correctable, uint32_t uncorrectable)
{
	const size_t at = config->places.aer;
	const uint32_t fatal = config_get32(config, at + PCI_ERR_UNCOR_SEVER);
	unsigned int detected = 0;

	correctable &= CORRECTABLE;
	uncorrectable &= UNCORRECTABLE;
	config_set32(config, at + PCI_ERR_COR_STATUS,
		     config_get32(config, at + PCI_ERR_COR_STATUS) | correctable);
	config_set32(config, at + PCI_ERR_UNCOR_STATUS,
		     config_get32(config, at + PCI_ERR_UNCOR_STATUS) | uncorrectable);
	if (correctable)
		detected |= PCI_EXP_DEVSTA_CED;
	if (uncorrectable & ~fatal)
		detected |= PCI_EXP_DEVSTA_NFED;
	if (uncorrectable & fatal)
		detected |= PCI_EXP_DEVSTA_FED;
	return detected;
}
