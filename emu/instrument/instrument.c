// SPDX-License-Identifier: MIT
#include "instrument.h"

#include "endpoint_regs.h"

struct line *instrument_event(struct instrument *instrument, const char *event)
{
	return log_event(instrument->log, event, instrument->name);
}

void instrument_write_line(struct instrument *instrument, struct line *line)
{
	log_write(instrument->log, line);
}

static uint32_t count_config(const struct instrument *instrument, bool write)
{
	const struct counters *counters = &instrument->counters;
	const uint32_t at = instrument->select;

	if (at == EP_COUNT_ALL)
		return write ? counters->writes : counters->reads;
	if (at / 4 >= COUNTERS_DWORDS)
		return 0;
	return write ? counters->config_writes[at / 4] : counters->config_reads[at / 4];
}

static bool trace_read(const struct trace *trace, size_t first, size_t at, uint32_t *value)
{
	if (at < first || at >= first + EP_TRACE_SLOTS * EP_TRACE_STRIDE)
		return false;
	at -= first;
	*value = trace->slots[at / EP_TRACE_STRIDE][at % EP_TRACE_STRIDE / 4];
	return true;
}

bool instrument_read(const struct instrument *instrument, size_t at, uint32_t *value)
{
	const struct counters *counters = &instrument->counters;

	switch (at) {
	case EP_COUNT_SELECT:
		*value = instrument->select;
		return true;
	case EP_COUNT_CFG_READS:
		*value = count_config(instrument, false);
		return true;
	case EP_COUNT_CFG_WRITES:
		*value = count_config(instrument, true);
		return true;
	case EP_COUNT_TPH:
		*value = counters->tph;
		return true;
	case EP_COUNT_OFF_WINDOWS:
		*value = counters->off_windows;
		return true;
	case EP_COUNT_ST_WRITES:
		*value = counters->st_writes;
		return true;
	case EP_COUNT_FAULTS:
		*value = counters->faults;
		return true;
	case EP_COUNT_RESETS:
		*value = counters->resets;
		return true;
	case EP_COUNT_RECEIVED:
		*value = counters->received;
		return true;
	case EP_COUNT_MALFORMED:
		*value = counters->malformed;
		return true;
	case EP_COUNT_ASLEEP_READS:
		*value = counters->asleep_reads;
		return true;
	case EP_COUNT_ASLEEP_WRITES:
		*value = counters->asleep_writes;
		return true;
	case EP_COUNT_ASLEEP_MEMORY:
		*value = counters->asleep_memory;
		return true;
	case EP_TRACE_HEAD:
		*value = instrument->sent.head;
		return true;
	case EP_RECEIVED_HEAD:
		*value = instrument->received.head;
		return true;
	default:
		return trace_read(&instrument->sent, EP_TRACE, at, value) ||
		       trace_read(&instrument->received, EP_RECEIVED, at, value);
	}
}

bool instrument_write(struct instrument *instrument, size_t at, uint32_t value)
{
	switch (at) {
	case EP_COUNT_SELECT:
		instrument->select = value;
		return true;
	case EP_COUNT_CLEAR:
		counters_clear(&instrument->counters);
		return true;
	default:
		return false;
	}
}
