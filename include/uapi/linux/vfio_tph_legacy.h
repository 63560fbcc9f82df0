/* SPDX-License-Identifier: ((GPL-2.0-only WITH Linux-syscall-note) OR MIT) */
/*
 * VFIO_DEVICE_PCI_TPH: the ioctl of the kernel patches that were posted until May 2026 (v8), for
 * programs that were written to it. tph-vfio-pci answers it on the same grants, policies and tables
 * as the features of <linux/vfio_tph.h>, which new programs should use. No kernel has merged it,
 * and its number is not assigned, so a kernel may use it for something else one day.
 */
#ifndef _UAPI_LINUX_VFIO_TPH_LEGACY_H
#define _UAPI_LINUX_VFIO_TPH_LEGACY_H

#include <linux/types.h>
#include <linux/vfio.h>

/**
 * struct vfio_pci_tph_cap - VFIO_PCI_TPH_GET_CAP: what is on offer
 * @supported_modes: VFIO_PCI_TPH_MODE_* under the device's policy and platform
 * @reserved0: 0
 * @st_table_sz: entries in the ST table; 0 without one
 * @reserved: 0
 */
struct vfio_pci_tph_cap {
	__u8 supported_modes;
#define VFIO_PCI_TPH_MODE_IV		(1U << 0)
#define VFIO_PCI_TPH_MODE_DS		(1U << 1)
	__u8 reserved0;
	__u16 st_table_sz;
	__u32 reserved;
};

/**
 * struct vfio_pci_tph_ctrl - VFIO_PCI_TPH_ENABLE
 * @mode: one of VFIO_PCI_TPH_MODE_*
 * @reserved: must be 0
 */
struct vfio_pci_tph_ctrl {
	__u8 mode;
	__u8 reserved[7];
};

/**
 * struct vfio_pci_tph_entry - a CPU, and the ST entry or tag for it
 * @cpu: host CPU number; SET_ST: or ~0U, which clears the entry
 * @mem_type: VFIO_PCI_TPH_MEM_TYPE_*
 * @reserved0: must be 0
 * @index: SET_ST: ST entry; GET_ST: not looked at
 * @st: GET_ST: receives the steering tag; SET_ST: not looked at
 * @reserved1: must be 0
 */
struct vfio_pci_tph_entry {
	__u32 cpu;
	__u8 mem_type;
#define VFIO_PCI_TPH_MEM_TYPE_VM	0
#define VFIO_PCI_TPH_MEM_TYPE_PM	1
	__u8 reserved0;
	__u16 index;
	__u16 st;
	__u16 reserved1;
};

/**
 * struct vfio_pci_tph_st - VFIO_PCI_TPH_GET_ST and VFIO_PCI_TPH_SET_ST
 * @count: number of entries, 1 .. VFIO_PCI_TPH_MAX_ENTRIES
 * @reserved: must be 0
 * @ents: the entries
 */
struct vfio_pci_tph_st {
	__u32 count;
	__u32 reserved;
	struct vfio_pci_tph_entry ents[];
#define VFIO_PCI_TPH_MAX_ENTRIES	2048
};

/**
 * struct vfio_device_pci_tph_op - payload of VFIO_DEVICE_PCI_TPH
 * @argsz: size of this structure with what @op uses of the union, at least
 * @op: VFIO_PCI_TPH_*
 * @cap: GET_CAP, out
 * @ctrl: ENABLE, in
 * @st: SET_ST, in; GET_ST, in and out
 */
struct vfio_device_pci_tph_op {
	__u32 argsz;
	__u32 op;
#define VFIO_PCI_TPH_GET_CAP		0
#define VFIO_PCI_TPH_ENABLE		1
#define VFIO_PCI_TPH_DISABLE		2
#define VFIO_PCI_TPH_GET_ST		3
#define VFIO_PCI_TPH_SET_ST		4
	union {
		struct vfio_pci_tph_cap cap;
		struct vfio_pci_tph_ctrl ctrl;
		struct vfio_pci_tph_st st;
	};
};

/**
 * VFIO_DEVICE_PCI_TPH - the operations
 *
 * GET_CAP: what is on offer.
 *
 * ENABLE: the mode, with 16-bit tags where these are on offer and every entry has one, else with
 *	8-bit tags. Enabling what is enabled changes the mode.
 *
 * DISABLE: no hints. Entries stay.
 *
 * SET_ST: entries of an ST table, as SET of VFIO_DEVICE_FEATURE_TPH_ST does it: a lease, all or
 *	nothing (the posted patches set entries to 0 when one failed), enabled or not. Of an entry
 *	that is named twice the last counts.
 *
 * GET_ST: the tags of CPUs, of the width that is in force, or that ENABLE would use. Policy ds-st
 *	alone; the CPUs must be such that they could be SET.
 *
 * Errors: EINVAL - argsz too small, unknown operation, mode or memory type, a reserved field that
 *	is not 0, a count or index out of range, a CPU that the system does not have. EFAULT.
 *	EOPNOTSUPP - no TPH, no such mode, no ST table (SET_ST), no completer, no steering tags in
 *	firmware, or no valid one. EPERM - the policy, where another would allow it; a CPU that is offline, not in the operator's
 *	list or not among those that the process may run on; a device that is not attached to an I/O
 *	address space. EUSERS, ENODEV, EIO, ENOMEM - as for VFIO_DEVICE_FEATURE_TPH_ST. What an
 *	operation needs and is not on offer comes before all else but an unknown operation; a mode, once
 *	it is known. On any error nothing has changed.
 */
#ifndef VFIO_DEVICE_PCI_TPH
#define VFIO_DEVICE_PCI_TPH	_IO(VFIO_TYPE, VFIO_BASE + 22)
#endif

#endif /* _UAPI_LINUX_VFIO_TPH_LEGACY_H */
