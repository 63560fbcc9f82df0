/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Read together with trace.h, as often as that. Older kernels want to be told a string's source
 * twice; that of all strings here is the function's name.
 */
#include <tph_kernel.h>

#if defined(__assign_str) && !defined(TPH_KERNEL_ASSIGN_STR_ONE)
#undef __assign_str
#define __assign_str(name)	strcpy(__get_str(name), pci_name(pdev))
#endif
