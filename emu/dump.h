/* SPDX-License-Identifier: MIT */
/* Files with the configuration space of a function: what lspci prints, or the bytes as they are. */
#ifndef EMU_DUMP_H
#define EMU_DUMP_H

#include "pcie/profile.h"

/**
 * dump_read() - read a file, and make sense of it
 * @path: what "lspci -xxxx" printed of one function (with -vv it has the sizes of BARs, too); or a
 *	copy of the file "config" in sysfs
 * @error: receives what is wrong, to be freed by the caller
 *
 * Return: a profile, to be freed with free(), or NULL with @error set.
 */
struct profile *dump_read(const char *path, char **error);

#endif /* EMU_DUMP_H */
