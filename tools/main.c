// SPDX-License-Identifier: GPL-2.0-only
/* Where tphctl begins; apart, so that a test can have the rest. */
#include "tphctl.h"

int main(int argc, char **argv)
{
	return tphctl_main(argc, argv);
}
