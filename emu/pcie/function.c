// SPDX-License-Identifier: MIT
#include "function.h"

#include "tph.h"

struct tph_emu_function function_describe(const struct knobs *knobs)
{
	return (struct tph_emu_function){
		.vendor = knobs->vendor,
		.device = knobs->device,
		.class_code = knobs->class_code,
		.revision = knobs->revision,
		.registers_size = knobs->registers_size,
		.registers_end = knobs->registers_end,
		.vectors = knobs->vectors,
		.table = knobs->tph ? knobs->table : ST_TABLE_NONE,
		.entries = knobs->tph ? tph_entries(knobs) : 0,
		.modes = knobs->tph ? knobs->modes : 0,
		.width = knobs->width,
		.sent = knobs->sent,
	};
}
