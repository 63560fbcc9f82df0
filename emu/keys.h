/* SPDX-License-Identifier: MIT */
/* What KEY=VALUE,... of --function says. */
#ifndef EMU_KEYS_H
#define EMU_KEYS_H

#include <stdbool.h>
#include <stddef.h>

#include "pcie/knobs.h"

/** struct knobs_pair - a key of a function and its value */
struct knobs_pair {
	const char *key;
	const char *value;
};

/** knobs_take() - knobs_parse() of pairs, whose values may have commas. */
int knobs_take(struct knobs *knobs, const struct tph_emu_model *model,
	       const struct knobs_pair *pairs, size_t count, unsigned int number, char **error);

/**
 * knobs_parse() - read KEY=VALUE,...
 * @model: of the function
 * @text: what the user wrote
 * @number: position among the functions, for the default name
 * @error: receives what is wrong and what is allowed, to be freed by the caller
 *
 * Return: 0, or -1 with @error set and nothing left to free in @knobs.
 */
int knobs_parse(struct knobs *knobs, const struct tph_emu_model *model, const char *text,
		unsigned int number, char **error);

#define KEYS_MODEL_MAX 16u /* keys that a model may have of its own */

/** keys_has() - whether every function has this key, whatever its model. */
bool keys_has(const char *key);

#endif /* EMU_KEYS_H */
