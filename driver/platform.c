// SPDX-License-Identifier: GPL-2.0-only
#include <linux/bitfield.h>
#include <linux/iommu.h>
#include <linux/pci.h>
#include <linux/pci-tph.h>

#include "tph_vfio_pci.h"

/* End-End TLP Prefix Blocking in Device Control 2 (PCIe 6.2, 7.5.3.16); Linux has no name for it */
#define DEVCTL2_PREFIX_BLOCKING	BIT(15)

#ifdef CONFIG_PCIE_TPH
/* No device: never registered, never on a bus. */
static struct pci_dev nobody = { .tph_cap = PCI_CFG_SPACE_SIZE, .tph_enabled = 1 };
#endif

/**
 * tph_platform_allowed() - whether the kernel lets TPH be used at all
 * @pdev: a function whose driver holds the device lock
 *
 * pci=notph is known to the PCI core alone, and only pcie_enable_tph() shows it: it looks there
 * first, and then refuses (EBUSY) what is enabled already, before it touches anything. It is
 * asked for something that is no function: of @pdev no state is set, and nothing is written to it
 * for the question's sake. A kernel that answered otherwise would have steering off, not on.
 *
 * An enable that a former driver left behind goes: the core would restore it after every reset.
 *
 * Return: false if the kernel was started with pci=notph.
 */
bool tph_platform_allowed(struct pci_dev *pdev)
{
#ifdef CONFIG_PCIE_TPH
	pcie_disable_tph(pdev);
	return pcie_enable_tph(&nobody, PCI_TPH_ST_NS_MODE) == -EBUSY;
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

static int read_header(void *arg, u16 at, u32 *value)
{
	return pci_read_config_dword(arg, at, value) ? -EIO : 0;
}

static void read_msix(struct pci_dev *pdev, struct tph_msix *msix)
{
	int vectors = pci_msix_vec_count(pdev);
	u32 table = 0, pba = 0;

	if (vectors > 0 && (pci_read_config_dword(pdev, pdev->msix_cap + PCI_MSIX_TABLE, &table) ||
			    pci_read_config_dword(pdev, pdev->msix_cap + PCI_MSIX_PBA, &pba)))
		vectors = 0;
	tph_msix_decode(max(vectors, 0), table, pba, msix);
}

static void read_capability(struct pci_dev *pdev, const struct tph_msix *msix,
			    struct tph_capability *cap)
{
	u16 offset = pci_find_ext_capability(pdev, PCI_EXT_CAP_ID_TPH);
	u64 bar_size = 0;
	u16 room = 0;
	u32 reg = 0;

	if (offset && pci_read_config_dword(pdev, offset + PCI_TPH_CAP, &reg))
		offset = 0;
	if (offset)
		room = tph_capability_room(offset, pdev->cfg_size, read_header, pdev);
	/* a BAR of ports is none that a table can be in */
	if (msix->table_bar < PCI_STD_NUM_BARS &&
	    pci_resource_flags(pdev, msix->table_bar) & IORESOURCE_MEM)
		bar_size = pci_resource_len(pdev, msix->table_bar);
	/* a table outside its BAR is no table */
	tph_capability_decode(offset, reg, room, tph_msix_fits(msix, bar_size) ? msix->vectors : 0,
			      cap);
}

static int other_requester(struct device *dev, void *arg)
{
	return dev != arg && !(dev_is_pci(dev) && pci_is_bridge(to_pci_dev(dev)));
}

/*
 * What is in one IOMMU group can reach one another past the IOMMU, which is why it is one. Bridges
 * send nothing of a user's.
 */
static bool shares_group(struct pci_dev *pdev)
{
	struct iommu_group *group = iommu_group_get(&pdev->dev);
	bool shared;

	if (!group)
		return false;
	shared = iommu_group_for_each_dev(group, &pdev->dev, other_requester);
	iommu_group_put(group);
	return shared;
}

/**
 * tph_platform_bind() - read the function's capabilities
 * @tph: the device, as it is bound
 *
 * What is found counts for as long as the driver is bound: how the function is put to sleep, which
 * attributes it has and which locks its table needs go by it.
 *
 * Context: may sleep; the function is awake.
 */
void tph_platform_bind(struct tph_vdev *tph)
{
	struct pci_dev *pdev = tph->core.pdev;

	read_msix(pdev, &tph->msix);
	read_capability(pdev, &tph->msix, &tph->cap);
	tph->completer = tph_platform_completer(pdev);
}

/**
 * tph_platform_refresh() - read what lies between the function and the CPUs
 * @tph: the device
 *
 * All that is said of the device later comes from here, so that asking costs no access to a
 * function that may be asleep, and none at a stranger's pace.
 *
 * Context: may sleep; the function is awake; takes the group's lock, so not with @tph->lock held.
 */
void tph_platform_refresh(struct tph_vdev *tph)
{
	struct pci_dev *pdev = tph->core.pdev;
	struct pci_dev *root_port = pcie_find_root_port(pdev);
	struct tph_platform platform = {
		.allowed = tph->allowed,
		.root_integrated = pci_pcie_type(pdev) == PCI_EXP_TYPE_RC_END,
		.completer = root_port ? tph_platform_completer(root_port) : TPH_WIDTH_NONE,
		.prefixes = path_has_prefixes(pdev, root_port),
		.firmware = tph->source.present,
		.shared = shares_group(pdev),
	};

	guard(mutex)(&tph->lock);
	tph->platform = platform;
}
