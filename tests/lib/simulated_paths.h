/* SPDX-License-Identifier: MIT */
/* Where tphctl looks when it is simulated: a test program says it, so that each has its own. */
#ifndef SIMULATED_PATHS_H
#define SIMULATED_PATHS_H

extern const char simulated_sysfs[], simulated_proc[], simulated_boot[],
	simulated_config[];

#define TPHCTL_SYSFS	simulated_sysfs
#define TPHCTL_PROC	simulated_proc
#define TPHCTL_BOOT	simulated_boot
#define TPHCTL_CONFIG	simulated_config

#endif /* SIMULATED_PATHS_H */
