// SPDX-License-Identifier: MIT
#include "express.h"

#include <linux/pci_regs.h>

#include "format/bits.h"
#include "profile.h"

#define PAYLOAD_SUPPORTED    2u	     /* 512 bytes, as Max_Payload_Size encodes it */
#define READ_REQUEST_LARGEST 5u	     /* 4096 bytes */
#define STATUS_ERRORS	     0x000fu /* RW1C bits of the Device Status register */

/* What a function of tph-emu cannot do, or has no link for. */
#define CAPABILITY_NOT_TAKEN  (PCI_EXP_DEVCAP_FLR | PCI_EXP_DEVCAP_PHANTOM)
#define CAPABILITY2_NOT_TAKEN (3u << 12 | PCI_EXP_DEVCAP2_LTR | PCI_EXP_DEVCAP2_OBFF_MASK)
#define LINK_NOT_TAKEN	      (PCI_EXP_LNKCAP_ASPMS | PCI_EXP_LNKCAP_CLKPM)
#define FLAGS_TAKEN	      (PCI_EXP_FLAGS_VERS | PCI_EXP_FLAGS_TYPE)

/** struct express - registers that tell what there is */
struct express {
	uint16_t flags;
	uint32_t capability;
	uint32_t capability2;
	uint32_t link;
	uint32_t link2;
	uint16_t link_status;
	uint16_t link_control2;
};

static struct express usual(const struct knobs *knobs)
{
	struct express express = {
		.flags = PCI_EXP_TYPE_ENDPOINT << 4 | 2,
		.capability = PAYLOAD_SUPPORTED | PCI_EXP_DEVCAP_EXT_TAG | PCI_EXP_DEVCAP_RBER,
		.capability2 = PCI_EXP_DEVCAP2_COMP_TMOUT_DIS,
		/* 2.5 GT/s, one lane, no ASPM and able to say so */
		.link = PCI_EXP_LNKCAP_SLS_2_5GB | 1u << 4 | 1u << 22,
		.link2 = PCI_EXP_LNKCAP2_SLS_2_5GB,
		.link_status = PCI_EXP_LNKSTA_CLS_2_5GB | PCI_EXP_LNKSTA_NLW_X1,
		.link_control2 = PCI_EXP_LNKCTL2_TLS_2_5GT,
	};

	/* Extended tags travel in an End-End TLP prefix; one is enough. */
	if ((knobs->tph && knobs->width == 16) || knobs->completer == COMPLETER_EXTENDED)
		express.capability2 |= PCI_EXP_DEVCAP2_EE_PREFIX | 1u << 22;
	return express;
}

static struct express of_profile(const struct profile *profile)
{
	const uint8_t *bytes = profile->bytes + profile->places.express;
	struct express express = {
		.flags = le16_get(bytes + PCI_EXP_FLAGS) & FLAGS_TAKEN,
		.capability = le32_get(bytes + PCI_EXP_DEVCAP) & ~CAPABILITY_NOT_TAKEN,
		.link = le32_get(bytes + PCI_EXP_LNKCAP) & ~LINK_NOT_TAKEN,
		.link_status = le16_get(bytes + PCI_EXP_LNKSTA),
	};

	if ((express.flags & PCI_EXP_FLAGS_VERS) > 1) {
		express.capability2 =
			le32_get(bytes + PCI_EXP_DEVCAP2) & ~CAPABILITY2_NOT_TAKEN;
		express.link2 = le32_get(bytes + PCI_EXP_LNKCAP2);
		express.link_control2 = le16_get(bytes + PCI_EXP_LNKCTL2);
	}
	return express;
}

void express_define(const struct knobs *knobs, struct config_space *config)
{
	const size_t at = config->places.express;
	struct express express = knobs->profile ? of_profile(knobs->profile) : usual(knobs);

	if (knobs->flr)
		express.capability |= PCI_EXP_DEVCAP_FLR;
	express.capability2 |= knobs->completer << 12;

	config_define8(config, at, PCI_CAP_ID_EXP, 0);
	config_define16(config, at + PCI_EXP_FLAGS, express.flags, 0);
	config_define32(config, at + PCI_EXP_DEVCAP, express.capability, 0);
	config_define16(config, at + PCI_EXP_DEVCTL,
			PCI_EXP_DEVCTL_RELAX_EN | PCI_EXP_DEVCTL_NOSNOOP_EN | 2u << 12,
			(uint16_t) ~(PCI_EXP_DEVCTL_BCR_FLR | PCI_EXP_DEVCTL_PHANTOM |
				     PCI_EXP_DEVCTL_AUX_PME));
	config_define16(config, at + PCI_EXP_DEVSTA, 0, 0);
	le16_put(config->clear + at + PCI_EXP_DEVSTA, STATUS_ERRORS);
	config_define32(config, at + PCI_EXP_LNKCAP, express.link, 0);
	config_define16(config, at + PCI_EXP_LNKCTL, 0,
			PCI_EXP_LNKCTL_ASPMC | PCI_EXP_LNKCTL_RCB | PCI_EXP_LNKCTL_CCC |
				PCI_EXP_LNKCTL_ES);
	config_define16(config, at + PCI_EXP_LNKSTA, express.link_status, 0);
	if ((express.flags & PCI_EXP_FLAGS_VERS) > 1) {
		config_define32(config, at + PCI_EXP_DEVCAP2, express.capability2, 0);
		config_define16(config, at + PCI_EXP_DEVCTL2, 0, PCI_EXP_DEVCTL2_COMP_TMOUT_DIS);
		config_define32(config, at + PCI_EXP_LNKCAP2, express.link2, 0);
		config_define16(config, at + PCI_EXP_LNKCTL2, express.link_control2, 0);
	}

	/* What a function level reset must leave alone (PCIe 6.2, 6.6.2) */
	le16_put(config->kept + at + PCI_EXP_DEVCTL, PCI_EXP_DEVCTL_PAYLOAD);
	le16_put(config->kept + at + PCI_EXP_LNKCTL, 0xffff);
}

static uint16_t device_control(const struct config_space *config)
{
	return config_get16(config, config->places.express + PCI_EXP_DEVCTL);
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
	const size_t at = config->places.express + PCI_EXP_DEVSTA;

	config_set16(config, at, (uint16_t)(config_get16(config, at) | bits));
}
