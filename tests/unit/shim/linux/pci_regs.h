/* SPDX-License-Identifier: MIT */
/*
 * The registers of the TPH Requester capability (PCIe 6.2, 7.9.13) and the few others that the pure
 * files know, under the kernel's names: userspace headers of older distributions lack some.
 */
#ifndef SHIM_LINUX_PCI_REGS_H
#define SHIM_LINUX_PCI_REGS_H

#define PCI_TPH_CAP			4
#define  PCI_TPH_CAP_ST_NS		0x00000001
#define  PCI_TPH_CAP_ST_IV		0x00000002
#define  PCI_TPH_CAP_ST_DS		0x00000004
#define  PCI_TPH_CAP_EXT_TPH		0x00000100
#define  PCI_TPH_CAP_LOC_MASK		0x00000600
#define   PCI_TPH_LOC_NONE		0x00000000
#define   PCI_TPH_LOC_CAP		0x00000200
#define   PCI_TPH_LOC_MSIX		0x00000400
#define  PCI_TPH_CAP_ST_MASK		0x07ff0000
#define  PCI_TPH_CAP_ST_SHIFT		16
#define PCI_TPH_BASE_SIZEOF		12
#define PCI_TPH_CTRL			8
#define  PCI_TPH_CTRL_MODE_SEL_MASK	0x00000007
#define   PCI_TPH_ST_NS_MODE		0
#define   PCI_TPH_ST_IV_MODE		1
#define   PCI_TPH_ST_DS_MODE		2
#define  PCI_TPH_CTRL_REQ_EN_MASK	0x00000300

#define PCI_CFG_SPACE_SIZE		256
#define PCI_CFG_SPACE_EXP_SIZE		4096
#define PCI_EXT_CAP_NEXT(header)	(((header) >> 20) & 0xffc)

#define PCI_MSIX_TABLE_BIR		0x00000007
#define PCI_MSIX_TABLE_OFFSET		0xfffffff8
#define PCI_MSIX_PBA_BIR		0x00000007
#define PCI_MSIX_PBA_OFFSET		0xfffffff8
#define PCI_MSIX_ENTRY_SIZE		16

#endif
