/* SPDX-License-Identifier: MIT */
/* A folder in memory, where a harness is linked with it: see files.c. All NULL where it is not. */
#ifndef FUZZ_FILES_H
#define FUZZ_FILES_H

#include <stdbool.h>

/** files_load() - from here on @base and what is below it now is a copy in memory. */
void files_load(const char *base) __attribute__((weak));

/** files_open() - how many descriptors of such files there are. */
unsigned int files_open(void) __attribute__((weak));

/** files_age() - whether the kernel is too old to know openat2(). */
void files_age(bool old) __attribute__((weak));

#endif
