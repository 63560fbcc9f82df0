// SPDX-License-Identifier: GPL-2.0-only
/* Where tphctl begins: apart, so that tests can run the tool in their own processes. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "sysfs.h"
#include "tphctl.h"

/*
 * Whoever closed a standard stream gets no messages: not a device, a monitor or a file that is opened
 * next, as it would have its number. What stands there takes no more than a closed one does.
 */
static bool hold_standard_streams(void)
{
	int fd;

	do
		fd = open("/", O_PATH);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

int main(int argc, char **argv)
{
	int code;

	if (!hold_standard_streams())
		return TPHCTL_FAILED;
	code = tphctl_main(argc, argv);
	function_names_free();
	return code;
}
