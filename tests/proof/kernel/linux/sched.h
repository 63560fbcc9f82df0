/* SPDX-License-Identifier: MIT */
/* All of it is in tph_vfio_pci.h. */
