// SPDX-License-Identifier: MIT
/* Plays the scenarios that are named on the command line. */
#include <stdio.h>
#include <string.h>

#include "scenarios.h"
#include "stage.h"

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*play)(void);
	} all[] = {
		{ "example-1", example_1 },
		{ "example-2", example_2 },
		{ "example-3", example_3 },
		{ "requirements", requirements },
		{ "passthrough", requirements_passthrough },
		{ "without-remapping", requirements_without_remapping },
		{ "steering", steering },
	};
	size_t count = sizeof(all) / sizeof(*all), i;

	for (int argument = 1; argument < argc; argument++) {
		for (i = 0; i < count && strcmp(all[i].name, argv[argument]); i++)
			;
		if (i == count)
			give_up("there is no scenario %s", argv[argument]);
		all[i].play();
	}
	return stage_summary();
}
