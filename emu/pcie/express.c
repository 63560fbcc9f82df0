// SPDX-License-Identifier: MIT
#include "express.h"

#include <linux/pci_regs.h>

#include "format/bits.h"
#include "layout.h"

#define PAYLOAD_SUPPORTED    2u	     /* 512 bytes, as Max_Payload_Size encodes it */
#define READ_REQUEST_LARGEST 5u	     /* 4096 bytes */
#define STATUS_ERRORS	     0x000fu /* RW1C bits of the Device Status register */

void express_define(const struct knobs *knobs, struct config_space *config)
{
	const size_t at = EXPRESS_AT;
	uint32_t capability, capability2;

	capability = PAYLOAD_SUPPORTED | PCI_EXP_DEVCAP_EXT_TAG | PCI_EXP_DEVCAP_RBER;
	if (knobs->flr)
		capability |= PCI_EXP_DEVCAP_FLR;
	capability2 = PCI_EXP_DEVCAP2_COMP_TMOUT_DIS | knobs->completer << 12;
	/* Extended tags travel in an End-End TLP prefix; one is enough. */
	if ((knobs->tph && knobs->width == 16) || knobs->completer == COMPLETER_EXTENDED)
		capability2 |= PCI_EXP_DEVCAP2_EE_PREFIX | 1u << 22;

	config_define8(config, at, PCI_CAP_ID_EXP, 0);
	config_define8(config, at + 1, knobs->af ? AF_AT : 0, 0);
	config_define16(config, at + PCI_EXP_FLAGS, PCI_EXP_TYPE_ENDPOINT << 4 | 2, 0);
	config_define32(config, at + PCI_EXP_DEVCAP, capability, 0);
	config_define16(config, at + PCI_EXP_DEVCTL,
			PCI_EXP_DEVCTL_RELAX_EN | PCI_EXP_DEVCTL_NOSNOOP_EN | 2u << 12,
			(uint16_t) ~(PCI_EXP_DEVCTL_BCR_FLR | PCI_EXP_DEVCTL_PHANTOM |
				     PCI_EXP_DEVCTL_AUX_PME));
	config_define16(config, at + PCI_EXP_DEVSTA, 0, 0);
	le16_put(config->clear + at + PCI_EXP_DEVSTA, STATUS_ERRORS);
	/* 2.5 GT/s, one lane, no ASPM and able to say so */
	config_define32(config, at + PCI_EXP_LNKCAP, PCI_EXP_LNKCAP_SLS_2_5GB | 1u << 4 | 1u << 22,
			0);
	config_define16(config, at + PCI_EXP_LNKCTL, 0,
			PCI_EXP_LNKCTL_ASPMC | PCI_EXP_LNKCTL_RCB | PCI_EXP_LNKCTL_CCC |
				PCI_EXP_LNKCTL_ES);
	config_define16(config, at + PCI_EXP_LNKSTA,
			PCI_EXP_LNKSTA_CLS_2_5GB | PCI_EXP_LNKSTA_NLW_X1, 0);
	config_define32(config, at + PCI_EXP_DEVCAP2, capability2, 0);
	config_define16(config, at + PCI_EXP_DEVCTL2, 0, PCI_EXP_DEVCTL2_COMP_TMOUT_DIS);
	config_define32(config, at + PCI_EXP_LNKCAP2, PCI_EXP_LNKCAP2_SLS_2_5GB, 0);
	config_define16(config, at + PCI_EXP_LNKCTL2, PCI_EXP_LNKCTL2_TLS_2_5GT, 0);

	/* What a function level reset must leave alone (PCIe 6.2, 6.6.2) */
	le16_put(config->kept + at + PCI_EXP_DEVCTL, PCI_EXP_DEVCTL_PAYLOAD);
	le16_put(config->kept + at + PCI_EXP_LNKCTL, 0xffff);
}

static uint16_t device_control(const struct config_space *config)
{
	return config_get16(config, EXPRESS_AT + PCI_EXP_DEVCTL);
}

uint32_t express_payload_size(const struct config_space *config)
{
	unsigned int size = (device_control(config) & PCI_EXP_DEVCTL_PAYLOAD) >> 5;

	return 128u << (size < PAYLOAD_SUPPORTED ? size : PAYLOAD_SUPPORTED);
}

uint32_t express_read_request_size(const struct config_space *config)
{
	unsigned int size = (device_control(config) & PCI_EXP_DEVCTL_READRQ) >> 12;

	return 128u << (size < READ_REQUEST_LARGEST ? size : READ_REQUEST_LARGEST);
}

void express_detected(struct config_space *config, unsigned int bits)
{
	const size_t at = EXPRESS_AT + PCI_EXP_DEVSTA;

	config_set16(config, at, (uint16_t)(config_get16(config, at) | bits));
}
