// SPDX-License-Identifier: MIT
#include "reason.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int reason_give(char **reason, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (vasprintf(reason, format, args) < 0)
		abort();
	va_end(args);
	return -1;
}
