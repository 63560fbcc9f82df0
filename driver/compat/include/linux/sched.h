/* SPDX-License-Identifier: GPL-2.0-only */
#include_next <linux/sched.h>

/* Before there was a flag for them, the kernel made no threads for a process but io_uring's. */
#ifndef PF_USER_WORKER
#define PF_USER_WORKER	0
#endif
