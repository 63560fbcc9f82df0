/* SPDX-License-Identifier: MIT */
/* What watches a function: its lines in the log, its counters, its traces of TLPs. */
#ifndef EMU_INSTRUMENT_H
#define EMU_INSTRUMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "counters.h"
#include "log.h"
#include "trace.h"

/**
 * struct instrument - of one function; no reset of that touches it
 * @log: of all functions
 * @name: of the function, in the log
 * @sent: the last requests that it sent
 * @received: the last that it received from other functions
 * @select: EP_COUNT_SELECT
 */
struct instrument {
	struct log *log;
	const char *name;
	struct counters counters;
	struct trace sent;
	struct trace received;
	uint32_t select;
};

/** instrument_event() - begin a line about the function, as log_event(). */
struct line *instrument_event(struct instrument *instrument, const char *event);

/** instrument_write_line() - as log_write(). */
void instrument_write_line(struct instrument *instrument, struct line *line);

/** instrument_read() - read the register at @at, EP_COUNT_* and EP_TRACE*. Return: is there one? */
bool instrument_read(const struct instrument *instrument, size_t at, uint32_t *value);

/** instrument_write() - write one. Return: is there one? */
bool instrument_write(struct instrument *instrument, size_t at, uint32_t value);

#endif /* EMU_INSTRUMENT_H */
