/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The devices that stock vfio-pci refuses for errata that an untrusted user could use against the
 * system: drivers/vfio/pci/vfio_pci.c of Linux 7.3. In numbers, for tphctl why goes by it as well.
 */
#ifndef TPH_DENYLIST_H
#define TPH_DENYLIST_H

/* TPH_DENYLIST(ENTRY) is ENTRY(vendor, device) for each of them. */
#define TPH_DENYLIST(entry) \
	entry(0x8086, 0x19e2)	/* QAT C3xxx */		\
	entry(0x8086, 0x19e3)	/* its VF */		\
	entry(0x8086, 0x37c8)	/* QAT C62x */		\
	entry(0x8086, 0x37c9)	/* its VF */		\
	entry(0x8086, 0x0435)	/* QAT DH895xCC */	\
	entry(0x8086, 0x0443)	/* its VF */		\
	entry(0x8086, 0x0b25)	/* DSA */		\
	entry(0x8086, 0x0cfe)	/* IAX */

#endif /* TPH_DENYLIST_H */
