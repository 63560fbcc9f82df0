// SPDX-License-Identifier: MIT
/* Where tphctl looks when it is simulated: see simulated_paths.h. */
#include "simulated_paths.h"

const char simulated_sysfs[] = TREE, simulated_proc[] = TREE "/proc", simulated_boot[] = TREE "/boot",
	   simulated_config[] = TREE "/etc";
