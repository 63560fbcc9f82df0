/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a function's TPH Requester capability says, and what of it is offered to the user.
 * No kernel interfaces here: the same lines run in the unit tests and fuzzers.
 */
#ifndef TPH_CAPABILITY_H
#define TPH_CAPABILITY_H

#include <linux/pci_regs.h>
#include <linux/types.h>

/* PCIe 6.2, 7.9.13.2: an ST table in the capability has at most 64 entries. */
#define TPH_CAPABILITY_ENTRIES_MAX	64
/*
 * The longest capability. Some functions reserve as much, whatever they say of their table: the
 * bytes may be one all the same.
 */
#define TPH_CAPABILITY_SIZE_MAX		(PCI_TPH_BASE_SIZEOF + TPH_CAPABILITY_ENTRIES_MAX * 2)
/* PCIe 6.2, 7.7.2.2: an MSI-X table has at most 2048. */
#define TPH_MSIX_ENTRIES_MAX		2048

#define TPH_MODES_ALL	(PCI_TPH_CAP_ST_NS | PCI_TPH_CAP_ST_IV | PCI_TPH_CAP_ST_DS)

/* Requester enable and completer support share one encoding; 10b is reserved in both. */
#define TPH_WIDTH_NONE		0
#define TPH_WIDTH_8		1
#define TPH_WIDTH_RESERVED	2
#define TPH_WIDTH_16		3

enum tph_place {
	TPH_PLACE_NONE,		/* no ST table: the function's driver places tags itself */
	TPH_PLACE_CAPABILITY,
	TPH_PLACE_MSIX,
};

enum tph_policy {
	TPH_POLICY_NO_ST,	/* no tag may target a CPU */
	TPH_POLICY_IV_ST,	/* every tag comes from a table that the kernel owns */
	TPH_POLICY_DS_ST,	/* the user is trusted with any tag */
};

/**
 * struct tph_capability - a decoded TPH Requester capability
 * @offset: where it is in configuration space, 0 if the function has none
 * @length: its length in bytes with the ST table that counts, a multiple of 4
 * @extent: bytes from @offset on that may be an ST table's, counted or not: what is up to the next
 *	capability, TPH_CAPABILITY_SIZE_MAX at most
 * @modes: PCI_TPH_CAP_ST_* that the function supports
 * @extended: the function can send 16-bit extended tags
 * @place: where its ST table is
 * @entries: entries in that table, 0 without one
 */
struct tph_capability {
	u16 offset;
	u16 length;
	u16 extent;
	u8 modes;
	bool extended;
	enum tph_place place;
	u16 entries;
};

/**
 * struct tph_platform - what lies between the function and the CPUs
 * @allowed: the kernel was not told pci=notph
 * @root_integrated: root-complex integrated endpoint: there is no root port to ask
 * @completer: TPH completer support of the root port, as its Device Capabilities 2 have it
 * @prefixes: every switch on the way lets through End-End TLP prefixes, which extended tags need
 * @firmware: the host bridge has the _DSM that tells steering tags
 * @shared: something else in the IOMMU group can do DMA, and so write the function's BARs past the
 *	IOMMU
 */
struct tph_platform {
	bool allowed;
	bool root_integrated;
	u8 completer;
	bool prefixes;
	bool firmware;
	bool shared;
};

/**
 * struct tph_offer - what the user is offered, after platform and policy
 * @modes: PCI_TPH_CAP_ST_* that can be enabled; 0 hides the capability
 * @possible: those that there would be under another policy
 * @extended: requester enable 11b can be had
 * @place: where the user sees the ST table
 * @entries: size of the ledger: the function's ST table, or TPH_MSIX_ENTRIES_MAX without one
 * @steering: 0, or why no entry can be set: -EOPNOTSUPP (cannot), -EPERM (policy)
 * @tags: 0, or why no steering tag can be read: likewise
 */
struct tph_offer {
	u8 modes;
	u8 possible;
	bool extended;
	enum tph_place place;
	u16 entries;
	int steering;
	int tags;
};

u16 tph_capability_room(u16 offset, u16 config_size,
			int (*read)(void *arg, u16 at, u32 *value), void *arg);
void tph_capability_decode(u16 offset, u32 reg, u16 room, u16 msix_entries,
			   struct tph_capability *cap);
void tph_offer_make(const struct tph_capability *cap, const struct tph_platform *platform,
		    enum tph_policy policy, struct tph_offer *offer);
u32 tph_offer_register(const struct tph_offer *offer);

#endif
