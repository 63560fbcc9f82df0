// SPDX-License-Identifier: GPL-2.0-only
#include <linux/bitfield.h>
#include <linux/pci.h>
#include <linux/pci-tph.h>

#include "tph_vfio_pci.h"

/* End-End TLP Prefix Blocking in Device Control 2 (PCIe 6.2, 7.5.3.16); Linux has no name for it */
#define DEVCTL2_PREFIX_BLOCKING	BIT(15)

/**
 * tph_platform_allowed() - whether the kernel lets TPH be used at all
 * @pdev: a function whose driver holds the device lock
 *
 * pci=notph is known to the PCI core alone. pcie_enable_tph() looks at it first and at "already
 * enabled" (EBUSY) before it touches the function, so its answer for an enabled function tells.
 * pcie_disable_tph() then forgets that, together with an enable that a former driver left behind:
 * the core would restore such a one after every reset.
 *
 * Return: false if the kernel was started with pci=notph.
 */
bool tph_platform_allowed(struct pci_dev *pdev)
{
#ifdef CONFIG_PCIE_TPH
	bool allowed;

	if (!pdev->tph_cap)
		return true;
	pdev->tph_enabled = 1;
	allowed = pcie_enable_tph(pdev, PCI_TPH_ST_NS_MODE) == -EBUSY;
	pcie_disable_tph(pdev);
	return allowed;
#else
	return true;
#endif
}

/**
 * tph_platform_completer() - what steering tags a function or port takes as a completer
 * @pdev: it
 *
 * Return: TPH_WIDTH_NONE, TPH_WIDTH_8 or TPH_WIDTH_16. 10b is reserved: who says so has said
 * nothing.
 */
u8 tph_platform_completer(struct pci_dev *pdev)
{
	u32 devcap2;
	u8 completer;

	if (pcie_capability_read_dword(pdev, PCI_EXP_DEVCAP2, &devcap2))
		return TPH_WIDTH_NONE;
	completer = FIELD_GET(PCI_EXP_DEVCAP2_TPH_COMP_MASK, devcap2);
	return completer == TPH_WIDTH_RESERVED ? TPH_WIDTH_NONE : completer;
}

/*
 * An extended tag travels in an End-End TLP prefix (PCIe 6.2, 2.2.10), which every switch port has
 * to know; and the one by which requests leave the switch must not be told to block it. That is the
 * upstream port: blocking at the others is for what goes down.
 */
static bool path_has_prefixes(struct pci_dev *pdev, struct pci_dev *root_port)
{
	struct pci_dev *bridge;
	u32 devcap2;
	u16 devctl2;

	for (bridge = pci_upstream_bridge(pdev); bridge && bridge != root_port;
	     bridge = pci_upstream_bridge(bridge)) {
		if (pcie_capability_read_dword(bridge, PCI_EXP_DEVCAP2, &devcap2) ||
		    !(devcap2 & PCI_EXP_DEVCAP2_EE_PREFIX))
			return false;
		if (pci_pcie_type(bridge) != PCI_EXP_TYPE_UPSTREAM)
			continue;
		if (pcie_capability_read_word(bridge, PCI_EXP_DEVCTL2, &devctl2) ||
		    devctl2 & DEVCTL2_PREFIX_BLOCKING)
			return false;
	}
	return true;
}

/**
 * tph_platform_capability() - decode the function's TPH Requester capability
 * @tph: the device
 * @cap: receives it
 */
void tph_platform_capability(struct tph_vdev *tph, struct tph_capability *cap)
{
	struct pci_dev *pdev = tph->core.pdev;
	u16 offset = pci_find_ext_capability(pdev, PCI_EXT_CAP_ID_TPH);
	int vectors = pci_msix_vec_count(pdev);
	u32 reg = 0, table = 0;
	u8 bar;

	if (offset && pci_read_config_dword(pdev, offset + PCI_TPH_CAP, &reg))
		offset = 0;
	if (vectors > 0) {
		pci_read_config_dword(pdev, pdev->msix_cap + PCI_MSIX_TABLE, &table);
		bar = table & PCI_MSIX_TABLE_BIR;
		/* a table outside its BAR is no table */
		if (bar >= PCI_STD_NUM_BARS ||
		    (u64)(table & PCI_MSIX_TABLE_OFFSET) + vectors * PCI_MSIX_ENTRY_SIZE >
			    pci_resource_len(pdev, bar))
			vectors = 0;
	}
	tph_capability_decode(offset, reg, pdev->cfg_size, max(vectors, 0), cap);
}

/**
 * tph_platform_read() - find out what lies between the function and the CPUs
 * @tph: the device
 * @platform: receives it
 */
void tph_platform_read(struct tph_vdev *tph, struct tph_platform *platform)
{
	struct pci_dev *pdev = tph->core.pdev;
	struct pci_dev *root_port = pcie_find_root_port(pdev);

	*platform = (struct tph_platform){
		.allowed = tph->allowed,
		.root_integrated = pci_pcie_type(pdev) == PCI_EXP_TYPE_RC_END,
		.prefixes = path_has_prefixes(pdev, root_port),
		.firmware = tph_source_present(tph),
	};

	if (root_port)
		platform->completer = tph_platform_completer(root_port);
}
