// SPDX-License-Identifier: GPL-2.0-only
/* Where tphctl begins: apart, so that tests can run the tool in their own processes. */
#include "sysfs.h"
#include "tphctl.h"

int main(int argc, char **argv)
{
	int code = tphctl_main(argc, argv);

	function_names_free();
	return code;
}
