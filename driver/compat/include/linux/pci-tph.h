/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's own users of TPH; a kernel without any has nothing to say. */
#if __has_include_next(<linux/pci-tph.h>)
#include_next <linux/pci-tph.h>
#endif
