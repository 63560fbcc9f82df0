/* SPDX-License-Identifier: GPL-2.0-only */
#include_next <linux/eventfd.h>

#ifndef TPH_COMPAT_EVENTFD_H
#define TPH_COMPAT_EVENTFD_H

#include <tph_kernel.h>

#ifndef TPH_KERNEL_EVENTFD_SIGNAL_ONE
#define eventfd_signal(ctx)	eventfd_signal(ctx, 1)
#endif

#endif
