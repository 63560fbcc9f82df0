/* SPDX-License-Identifier: MIT */
/*
 * A file in place of a command line: options as members of a JSON object, and the functions in the
 * array "functions", each an object of its keys.
 */
#ifndef EMU_CONFIGURATION_H
#define EMU_CONFIGURATION_H

#include <stddef.h>

#include "keys.h"

/** struct configuration_function - one of the functions; @model: of its own, or NULL */
struct configuration_function {
	const char *model;
	struct knobs_pair *pairs;
	size_t count;
};

/**
 * struct configuration - a file
 * @options: pairs of an option's long name and its value; in the order of the file
 * @functions: in that order, too
 * @texts: all the strings in here
 */
struct configuration {
	struct knobs_pair *options;
	size_t option_count;
	struct configuration_function *functions;
	size_t function_count;
	char **texts;
	size_t text_count;
};

/**
 * configuration_read() - read a file
 * @error: receives what is wrong and where, to be freed by the caller
 *
 * Numbers and true or false (on or off) become text, arrays of these are joined by +. What names and
 * values mean is not known here.
 *
 * Return: 0, or -1 with @error set and nothing left to free.
 */
int configuration_read(struct configuration *configuration, const char *path, char **error);

/** configuration_free() - free it. */
void configuration_free(struct configuration *configuration);

#endif /* EMU_CONFIGURATION_H */
