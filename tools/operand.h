/* SPDX-License-Identifier: GPL-2.0-only */
/* Operands of commands: numbers, ST entries, modes, widths. */
#ifndef OPERAND_H
#define OPERAND_H

#include <stdbool.h>
#include <stdint.h>

#include "tph.h"

/**
 * struct assignment - which CPU each ST entry shall steer to
 * @named: entries that were named
 * @cpu: their CPUs, TPH_CPU_NONE to clear
 */
struct assignment {
	bool named[TPH_ENTRIES_MAX];
	uint32_t cpu[TPH_ENTRIES_MAX];
};

bool number_parse(const char *text, uint32_t most, uint32_t *number);
bool range_parse(const char *text, uint32_t *first, uint32_t *last);
const char *assignment_parse(const char *text, struct assignment *assignment, char *item,
			     size_t size);
bool uuid_check(const char *text);
bool mode_parse(const char *text, enum tph_mode *mode);
bool width_parse(const char *text, enum tph_width *width);
const char *mode_name(enum tph_mode mode);
const char *mode_title(enum tph_mode mode);

#endif /* OPERAND_H */
