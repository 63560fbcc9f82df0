// SPDX-License-Identifier: GPL-2.0-only
/* Kernel modules: see module.h. */
#include <spawn.h>
#include <sys/wait.h>

#include "module.h"

/* Whether it helped is seen by what is there afterwards; what it says is the caller's to read. */
void module_load(const char *name)
{
	char *const words[] = { (char *)"modprobe", (char *)"--", (char *)name, NULL };
	/* whoever runs this may have another PATH */
	char *const environment[] = { (char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };
	static const char *const places[] = { "/usr/sbin/modprobe", "/sbin/modprobe" };
	pid_t child;

	for (unsigned int i = 0; i < 2; i++) {
		if (posix_spawn(&child, places[i], NULL, NULL, words, environment))
			continue;
		waitpid(child, NULL, 0);
		return;
	}
}
