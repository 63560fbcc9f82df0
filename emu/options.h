/* SPDX-License-Identifier: MIT */
/* The command line of tph-emu. */
#ifndef EMU_OPTIONS_H
#define EMU_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "configuration.h"
#include "pcie/knobs.h"

/**
 * struct options - what the user asked for
 * @model: of the functions that are named from here on
 * @functions: knobs of each function
 * @count: how many
 * @log: path of the log, NULL for none
 * @no_log: none is wanted
 * @log_limit: bytes that it may get, 0 for any number
 * @qmp: path of QEMU's monitor socket, or NULL
 * @ready_fd: descriptor to report readiness on, or -1
 * @verbose: log maps and unmaps too
 * @file: what else was asked for, in a file
 */
struct options {
	const struct tph_emu_model *model;
	struct knobs *functions;
	size_t count;
	const char *log;
	bool no_log;
	uint64_t log_limit;
	const char *qmp;
	int ready_fd;
	bool verbose;
	struct configuration file;
};

/**
 * options_parse() - read the command line
 *
 * Prints errors, help and version itself.
 *
 * Return: 0: go on; 1: done, exit with success; -1: wrong usage.
 */
int options_parse(struct options *options, int argc, char **argv);

/** options_free() - free the list; strings in knobs are freed too. */
void options_free(struct options *options);

#endif /* EMU_OPTIONS_H */
