/* SPDX-License-Identifier: GPL-2.0-only */
/* Names of registers (PCIe 6.2, 7.9.13, 7.7.2.5 and 7.5.3.15) that older headers do not have. */
#include_next <linux/pci_regs.h>

#ifndef TPH_COMPAT_PCI_REGS_H
#define TPH_COMPAT_PCI_REGS_H

#ifndef PCI_EXP_DEVCAP2_TPH_COMP_MASK
#define PCI_EXP_DEVCAP2_TPH_COMP_MASK	0x00003000
#endif
#ifndef PCI_MSIX_ENTRY_CTRL_ST
#define PCI_MSIX_ENTRY_CTRL_ST		0xffff0000
#endif
#ifndef PCI_TPH_CAP_ST_NS
#define PCI_TPH_CAP_ST_NS		0x00000001
#endif
#ifndef PCI_TPH_CAP_ST_IV
#define PCI_TPH_CAP_ST_IV		0x00000002
#endif
#ifndef PCI_TPH_CAP_ST_DS
#define PCI_TPH_CAP_ST_DS		0x00000004
#endif
#ifndef PCI_TPH_CAP_EXT_TPH
#define PCI_TPH_CAP_EXT_TPH		0x00000100
#endif
#ifndef PCI_TPH_CTRL
#define PCI_TPH_CTRL			8
#endif
#ifndef PCI_TPH_CTRL_MODE_SEL_MASK
#define PCI_TPH_CTRL_MODE_SEL_MASK	0x00000007
#endif
#ifndef PCI_TPH_ST_NS_MODE
#define PCI_TPH_ST_NS_MODE		0x0
#endif
#ifndef PCI_TPH_ST_IV_MODE
#define PCI_TPH_ST_IV_MODE		0x1
#endif
#ifndef PCI_TPH_ST_DS_MODE
#define PCI_TPH_ST_DS_MODE		0x2
#endif
#ifndef PCI_TPH_CTRL_REQ_EN_MASK
#define PCI_TPH_CTRL_REQ_EN_MASK	0x00000300
#endif

#endif
