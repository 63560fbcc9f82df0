/* SPDX-License-Identifier: GPL-2.0-only */
#include_next <linux/msi.h>

#ifndef TPH_COMPAT_MSI_H
#define TPH_COMPAT_MSI_H

#include <linux/cleanup.h>
#include <tph_kernel.h>

#ifndef TPH_KERNEL_MSI_GUARD
DEFINE_LOCK_GUARD_1(msi_descs_lock, struct device, msi_lock_descs(_T->lock),
		    msi_unlock_descs(_T->lock))
#endif

#endif
